-- fake_host.lua - a fake of the host API: it records what a module asks for and answers from a script.
--
-- Nothing here runs a process, sends a request or writes a file; that is the real host's, and is
-- tested there. What it promises is the shape of runtime/host/API.md.
local native = ...  -- json_decode, json_encode, yaml_decode, load (from the test program)

local fake = {}

fake.null = setmetatable({}, { __tostring = function() return "null" end })
local LIST, MAP, SECRET = native.list_meta, native.map_meta, {}
SECRET.__tostring = function() return "******" end
SECRET.__concat = function() error("a secret cannot be joined to a text", 2) end

function fake.secret(text) return setmetatable({ text = text }, SECRET) end
function fake.list(t) return setmetatable(t or {}, LIST) end

function fake.map(t)
    if t ~= nil and type(t[1]) == "table" and #t[1] == 2 then
        local made = {}
        for _, pair in ipairs(t) do made[pair[1]] = pair[2] end
        t = made
    end
    return setmetatable(t or {}, MAP)
end

-- Marks plain tables all the way down, as rendered properties are.
function fake.mark(t)
    if type(t) ~= "table" or t == fake.null or getmetatable(t) == SECRET then return t end
    for key, item in pairs(t) do t[key] = fake.mark(item) end
    if getmetatable(t) ~= nil then return t end
    return #t > 0 and fake.list(t) or fake.map(t)
end

local function is_secret(v) return type(v) == "table" and getmetatable(v) == SECRET end
local function is_list(v) return type(v) == "table" and getmetatable(v) == LIST end
local function is_map(v) return type(v) == "table" and getmetatable(v) == MAP end

local function text(v)
    if is_secret(v) or type(v) == "string" then return v end
    if v == nil or v == fake.null then return "" end
    if type(v) == "table" then return native.json_encode(v) end
    return tostring(v)
end

local function join(parts)
    local out, has_secret = {}, false
    for i, part in ipairs(parts) do
        has_secret = has_secret or is_secret(part)
        out[i] = is_secret(part) and part.text or tostring(part)
    end
    local all = table.concat(out)
    return has_secret and fake.secret(all) or all
end

-- --- the environment of a module ----------------------------------------------------------------

local function split(s, separator)
    local out, at = {}, 1
    while true do
        local start, finish = string.find(s, separator, at, true)
        if start == nil then break end
        out[#out + 1] = s:sub(at, start - 1)
        at = finish + 1
    end
    out[#out + 1] = s:sub(at)
    return out
end

local function make_environment(use)
    local env = { task = function(t) return t end, use = use }
    for _, name in ipairs({ "assert", "error", "ipairs", "next", "pairs", "pcall", "xpcall", "select",
        "tonumber", "tostring", "type", "rawequal", "rawlen", "rawget", "rawset", "setmetatable",
        "getmetatable", "math", "utf8", "table" }) do
        env[name] = _G[name]
    end
    local plain = { split = split }
    for _, name in ipairs({ "byte", "char", "format", "len", "lower", "upper", "rep", "reverse",
        "sub" }) do
        plain[name] = string[name]
    end
    plain.find = function(s, needle, init) return string.find(s, needle, init, true) end
    plain.trim = function(s) return (s:gsub("^%s+", ""):gsub("%s+$", "")) end
    plain.starts = function(s, prefix) return s:sub(1, #prefix) == prefix end
    plain.ends = function(s, suffix) return suffix == "" or s:sub(-#suffix) == suffix end
    env.string = plain
    return setmetatable(env, {
        __index = function(_, name) error("there is no global '" .. tostring(name) .. "'", 2) end,
        __newindex = function(_, name) error("global '" .. tostring(name) .. "' is assigned", 2) end,
    })
end

-- What a module's chunk returns, its libraries loaded by the same rule.
function fake.load(name)
    local loaded = {}
    local function use(library)
        if loaded[library] == nil then
            loaded[library] = native.load(library, make_environment(use))()
        end
        return loaded[library]
    end
    local declared = native.load(name, make_environment(use))()
    for _, row in ipairs(declared) do  -- a file may declare several tasks
        if row.implements == name then return row end
    end
    return declared
end

-- --- the host -----------------------------------------------------------------------------------

-- `script` holds what the world answers: exec and http (lists, or a function of the request), files,
-- nsfiles, kv, programs, credentials.
function fake.host(script)
    local record = { exec = {}, http = {}, logs = {}, outputs = {}, metrics = {}, written = {},
        removed = {}, kv = {} }
    local host = { null = fake.null, list = fake.list, map = fake.map, is_list = is_list,
        is_map = is_map, is_secret = is_secret, text = text, join = join }
    host.context = { namespace = script.namespace or "company.team", mode = script.mode or "run" }
    local clock = 0

    local function answer(kind, request)
        local list = record[kind]
        list[#list + 1] = request
        local answers = script[kind]
        if type(answers) == "function" then return answers(request, #list) end
        local given = answers and answers[#list]
        assert(given, "the fake has no answer to " .. kind .. " number " .. #list)
        if given.failure then return nil, given.failure, given.class end
        return given
    end

    function host.duration(v)
        if type(v) == "number" then return v end
        local amount, unit = v:match("^PT(%d+)([SMH])$")
        if amount == nil then return nil, "no duration: '" .. v .. "'" end
        return tonumber(amount) * ({ S = 1, M = 60, H = 3600 })[unit]
    end
    function host.exec(t)
        for _, argument in ipairs(t.argv or {}) do assert(not is_secret(argument)) end
        return answer("exec", t)
    end
    function host.registry_auth() end

    function host.logged() return #record.logs end

    function host.runner(t)
        if script.engine and (t.image or t.runner) then return script.engine end
        return { kind = "process" }
    end
    function host.http(t) return answer("http", t) end
    function host.which(name)
        if script.programs and script.programs[name] then return "/usr/bin/" .. name end
        return nil, "not found", "permanent"
    end
    function host.log(level, line)
        record.logs[#record.logs + 1] = level .. " " .. tostring(text(line))
    end
    function host.metric(name, kind, amount) record.metrics[name] = kind .. " " .. tostring(amount) end
    function host.outputs(t) for key, item in pairs(t) do record.outputs[key] = item end end
    function host.fail(message, how) error({ failure = tostring(message), how = how }, 0) end
    function host.sleep(seconds) clock = clock + seconds * 1000 end
    function host.checkpoint(t) record.checkpoint = t return true end
    function host.now() return clock end
    function host.uuid() return "00000000-0000-4000-8000-000000000000" end
    function host.again() return { again = true } end
    function host.credentials()
        local given = script.credentials or { server = "https://cluster:6443",
            auth = { type = "bearer", token = fake.secret("t") }, tls = { ca = "PEM" } }
        if given.failure then return nil, given.failure, given.class end
        return given
    end

    host.workdir = {
        path = function() return "/task/dir" end,
        write = function(path, content) record.written[path] = content return true end,
        remove = function(path) record.removed[#record.removed + 1] = path return true end,
        read = function(path) return script.files[path] end,
        exists = function(path) return script.files and script.files[path] and "file" or nil end,
        make = function() return true end,
        list = function() return {} end,
        output_file = function() return "/task/.output-x.d/vars" end,
        pack_outputs = function() return true end,
        take_outputs = function(path, vars)
            for name, said in pairs(script.said or {}) do vars[name] = said end
            record.taken = path
            return vars
        end,
        unpack = function(path) record.unpacked = path return true end,
        pack = function(path, top) record.packed = { path, top } return true end,
        input_files = function(files) record.input_files = files return true end,
        namespace_files = function(given) record.namespace_files = given return 1 end,
        output_files = function(globs) return script.output_files and script.output_files(globs) or {} end,
    }
    host.storage = {
        localise = function(t) return t end,
        put = function(t) record.stored = t return "kestra:///stored/" .. (t.name or "object") end,
        get = function(uri) return script.storage[uri] end,
        writer = function(t)
            local parts = {}
            return {
                write = function(_, ...)
                    for _, part in ipairs({ ... }) do parts[#parts + 1] = part end
                    return #parts
                end,
                close = function()
                    record.stored = { text = table.concat(parts), name = t.name }
                    return "kestra:///stored/" .. (t.name or "object")
                end,
            }
        end,
    }
    host.nsfiles = { read = function(path)
        local found = script.nsfiles and script.nsfiles[path]
        if found then return found end
        return nil, "no such file", "permanent"
    end }
    host.kv = {
        get = function(key, namespace)
            local all = script.kv and script.kv[namespace or host.context.namespace] or {}
            return all[key]
        end,
        set = function(key, v, how) record.kv[key] = { value = v, how = how } return true end,
        delete = function(key) return script.kv ~= nil and script.kv[key] ~= nil end,
    }
    host.json = { decode = function(s)
        local ok, v = pcall(native.json_decode, s)
        if ok then return v end
        return nil, v, "permanent"
    end, encode = native.json_encode }
    host.yaml = { decode_all = function(s)
        local documents = {}
        for _, part in ipairs(split("\n" .. s, "\n---")) do
            local ok, v = pcall(native.yaml_decode, part)
            if not ok then return nil, v, "permanent" end
            if v ~= nil then documents[#documents + 1] = v end
        end
        return documents
    end }
    host.re = {
        find = function(pattern, s)  -- what the modules ask for, in Lua's patterns
            local what = pattern:match("to (%w+)|")
            if what == nil then return { s, s:match("^%s*([%d.]+)%s*(%a*)%s*$") } end  -- a size
            local count = s:match("(%d+) to " .. what) or s:match("(%d+) " .. what .. "e?d")
            return count and { count, count }
        end,
        replace = function(_, s) return (s:gsub("\27%[[%d;]*m", "")) end,
    }
    host.base64 = { encode = function(s) return s end }
    host.url = { encode = function(s)
        return (s:gsub("[^%w%-_.~]", function(c) return string.format("%%%02X", c:byte()) end))
    end }
    return host, record
end

-- Runs a module as the real host does and gives what became of it.
function fake.run(name, props, script, entry)
    local module = fake.load(name)
    local host, record = fake.host(script or {})
    host.context.task_type = name
    local ok, outputs, message, class = pcall(module[entry or "run"], fake.mark(props), host)
    if not ok then
        if type(outputs) ~= "table" then error(outputs, 0) end
        record.failure, record.how = outputs.failure, outputs.how
    elseif outputs == nil and message ~= nil then
        record.failure, record.class = message, class
    else
        for key, item in pairs(outputs or {}) do record.outputs[key] = item end
    end
    return record
end

return fake
