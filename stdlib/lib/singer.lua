-- Singer: a tap writes messages of rows as lines of JSON, a target reads them. A type is a row that says
-- which program it is and what goes into its configuration.
--
-- A row's `config` is names of properties with `;` between them. Each becomes the key of the same name in
-- lower case with underscores, or what stands behind `>` (`a.b`: `b` of the map `a`). `=text` is the value
-- where the property is absent. What stands behind `:` says how a value is written: `,` and `words` join a
-- list, `text` makes a text of it, `file` puts it into a file and gives its path.
local script = use "lib.script"
local state = use "lib.state"
local value = use "lib.value"

local singer = {}

local IMAGE = "python:3.10.12"
local CONFIG, CATALOG, STATE, RAW, NEW_STATE = ".config.json", ".catalog.json", ".state.json",
    ".raw.jsonl", ".new-state.jsonl"
local CREDENTIALS = ".google-credentials.json"

local function snake(name)
    local out = {}
    for i = 1, #name do
        local c = name:sub(i, i)
        out[i] = c ~= c:lower() and "_" .. c:lower() or c
    end
    return table.concat(out)
end

local function cut(text, mark)
    local at = string.find(text, mark)
    if at == nil then return text end
    return text:sub(1, at - 1), text:sub(at + 1)
end

local function written(given, how, name, host, files)
    if how == "," or how == "words" then
        local texts = {}
        for i, item in ipairs(value.list(host, given)) do
            if i > 1 then texts[#texts + 1] = how == "," and "," or " " end
            texts[#texts + 1] = host.text(item)
        end
        return host.join(texts)
    elseif how == "text" then
        return host.text(given)
    elseif how == "file" then
        files["." .. name .. ".json"] = host.json.encode(given)
        return host.workdir.path() .. "/." .. name .. ".json"
    end
    return given
end

-- The configuration of a row, from the properties; files it needs are put into `files`.
local function config_of(row, props, host, files)
    local config = value.put(host.map(), props.configs)
    for _, word in ipairs(string.split(row.config or "", ";")) do
        local rest, otherwise = cut(word, "=")
        local how, key
        rest, how = cut(rest, ":")
        rest, key = cut(rest, ">")
        local given = props[rest]
        if given == nil and otherwise ~= nil then
            given = host.json.decode(otherwise)
            if given == nil then given = otherwise end
        end
        if rest ~= "" and given ~= nil then
            local outer, inner = cut(key or snake(rest), ".")
            given = written(given, how, rest, host, files)
            if inner ~= nil then
                config[outer] = config[outer] or host.map()
                config[outer][inner] = given
            else
                config[outer] = given
            end
        end
    end
    return config
end

-- What stands before the program: its packages in an environment of their own. A command with a slash is
-- a program that is there, and needs none.
local function prepare(row, props, host)
    local command = props.command or row.command
    local packages = value.list(host, props.pipPackages)
    local is_there = string.find(command, "/") ~= nil
    if #packages == 0 and not is_there then packages = row.packages or {} end
    if #packages == 0 and row.needs_packages and props.command == nil then
        return nil, "no package is known for this type: give 'pipPackages', or 'command', the path of a "
            .. "program that is there", "permanent"
    end
    if #packages == 0 then return {}, command end
    local words = { "./.singer/bin/pip install --quiet --disable-pip-version-check --" }
    for _, package in ipairs(packages) do words[#words + 1] = value.quote(host.text(package)) end
    return { "test -x ./.singer/bin/pip || python3 -m venv .singer", table.concat(words, " ") },
        is_there and command or "./.singer/bin/" .. command
end

local function files_of(row, props, host)
    local files, env = {}, {}
    local config = config_of(row, props, host, files)
    if row.google and props.serviceAccount ~= nil then
        files[CREDENTIALS] = props.serviceAccount
        env.GOOGLE_APPLICATION_CREDENTIALS = host.workdir.path() .. "/" .. CREDENTIALS
        if row.google ~= true then config[row.google] = env.GOOGLE_APPLICATION_CREDENTIALS end
    end
    files[CONFIG] = host.json.encode(config)
    return files, env
end

-- Runs commands in one shell; nil, message, class where they cannot be run or end badly.
local function sh(props, host, files, env, commands)
    return script.run(props, host, { program = "python3", image = IMAGE, env = env, files = files,
        commands = commands, is_bare = true })
end

-- --- taps -----------------------------------------------------------------------------------------

local function is_wanted(name, config, host)
    if #value.list(host, config.propertiesPattern) == 0 then return true end
    for _, pattern in ipairs(config.propertiesPattern) do
        if host.re.matches(pattern, name) then return true end
    end
    return false
end

-- A stream of the catalog, chosen as the first configuration says that means it.
local function choose(stream, configurations, host)
    for _, config in ipairs(configurations) do
        local name = value.get(host, config, "stream")
        if name == nil or name == stream.stream or name == stream.tap_stream_id then
            local is_selected = config.selected ~= false
            if host.is_map(stream.schema) then stream.schema.selected = is_selected end
            for _, entry in ipairs(value.list(host, stream.metadata)) do
                local about, of = entry.metadata, entry.breadcrumb
                if #of == 0 then
                    about.selected = is_selected
                    local method = value.get(host, config, "replicationMethod")
                    local keys = value.get(host, config, "replicationKeys")
                    if method ~= nil then about["replication-method"] = method end
                    if keys ~= nil then about["replication-key"] = keys end
                elseif about.inclusion ~= "automatic" and of[1] == "properties" then
                    about.selected = is_selected and is_wanted(of[2], config, host)
                end
            end
            return
        end
    end
end

local function choose_streams(props, host)
    local text, message, class = host.workdir.read(CATALOG)
    if text == nil then return nil, message, class end
    local catalog
    catalog, message = host.json.decode(text)
    if not host.is_map(catalog) or not host.is_list(catalog.streams) then
        return nil, "the tap's catalog is no list of streams" .. (message and ": " .. message or ""), "permanent"
    end
    for _, stream in ipairs(catalog.streams) do choose(stream, props.streamsConfigurations or {}, host) end
    return host.workdir.write(CATALOG, host.json.encode(catalog))
end

-- Counts the rows of each stream and gives the last state.
local function read_messages(uri, host)
    local reader, message, class = host.storage.reader(uri)
    if reader == nil then return nil, message, class end
    local counts, total, last = host.map(), 0, nil
    while true do
        local line = reader:line()
        if line == nil then break end
        local row = line ~= "" and host.json.decode(line)
        if host.is_map(row) and row.type == "RECORD" then
            total = total + 1
            counts[row.stream] = (counts[row.stream] or 0) + 1
        elseif host.is_map(row) and row.type == "STATE" then
            last = row.value
        end
    end
    reader:close()
    for stream, count in pairs(counts) do host.metric("singer.records", "counter", count, { stream = stream }) end
    return total, last
end

local function keep_state(props, host, given)
    local key, namespace = state.place({ name = props.stateName or "singer-state" }, host)
    local ok, message, class = host.kv.set(key, given, { namespace = namespace })
    if ok == nil then return nil, message, class end
    return key
end

local function has(features, wanted)
    for _, name in ipairs(features) do
        if name == wanted then return true end
    end
    return false
end

local FEATURES = { "CATALOG", "DISCOVER", "STATE" }

function singer.tap(row, props, host)
    local before, command, class = prepare(row, props, host)
    if before == nil then return nil, command, class end
    local features = props.features or row.features or FEATURES
    local files, env = files_of(row, props, host)
    local call, message, ok = command .. " --config " .. CONFIG, nil, nil
    if has(features, "DISCOVER") then
        local lines = { table.unpack(before) }
        lines[#lines + 1] = call .. " --discover > " .. CATALOG
        ok, message, class = sh(props, host, files, env, lines)
        if ok == nil then return nil, message, class end
        if host.context.mode ~= "plan" then
            ok, message, class = choose_streams(props, host)
            if ok == nil then return nil, message, class end
        end
        before = {}
        if has(features, "CATALOG") then call = call .. " --catalog " .. CATALOG end
        if has(features, "PROPERTIES") then call = call .. " --properties " .. CATALOG end
    end
    if has(features, "STATE") then
        local kept = host.kv.get(state.place({ name = props.stateName or "singer-state" }, host))
        if kept ~= nil and host.context.mode ~= "plan" then
            files[STATE] = host.json.encode(kept)
            call = call .. " --state " .. STATE
        end
    end
    local lines = { table.unpack(before) }
    lines[#lines + 1] = call .. " > " .. RAW
    ok, message, class = sh(props, host, files, env, lines)
    if ok == nil then return nil, message, class end
    local uri
    uri, message, class = host.storage.put({ file = RAW, name = "raw.jsonl" })
    if uri == nil or host.context.mode == "plan" then return uri and { raw = uri } or nil, message, class end
    local count, last, problem = read_messages(uri, host)
    if count == nil then return nil, last, problem end
    if last ~= nil and has(features, "STATE") then
        ok, message, class = keep_state(props, host, last)
        if ok == nil then return nil, message, class end
    end
    return { raw = uri, count = count }
end

-- --- targets --------------------------------------------------------------------------------------

-- Files that a target has written, by the stream they begin with: `users-20240102T030405.csv`.
local function written_files(row, host)
    local found, message, class = host.workdir.list({ "*" .. row.output })
    if found == nil then return nil, message, class end
    local uris = host.map()
    for _, path in ipairs(found) do
        local uri
        uri, message, class = host.storage.put({ file = path, name = path })
        if uri == nil then return nil, message, class end
        local stem = path:sub(1, -#row.output - 1)
        local match = host.re.find("^(.+)-[0-9]{8}T[0-9]{6}$", stem)
        uris[match and match[2] or stem] = uri
    end
    return uris
end

function singer.target(row, props, host)
    local before, command, class = prepare(row, props, host)
    if before == nil then return nil, command, class end
    local files, env = files_of(row, props, host)
    local lines, message, ok = { table.unpack(before) }, nil, nil
    lines[#lines + 1] = host.join({ command, " --config ", CONFIG, " < ", value.quote(host.text(props.from)), " > ",
        NEW_STATE })
    ok, message, class = sh(props, host, files, env, lines)
    if ok == nil then return nil, message, class end
    if host.context.mode == "plan" then return {} end
    local text
    text, message, class = host.workdir.read(NEW_STATE)
    if text == nil then return nil, message, class end
    local out, states = {}, host.lines(string.trim(text))
    local last = states[#states] and host.json.decode(states[#states])
    if last ~= nil then
        out.stateKey, message, class = keep_state(props, host, last)
        if out.stateKey == nil then return nil, message, class end
    end
    if row.output ~= nil then
        out.uris, message, class = written_files(row, host)
        if out.uris == nil then return nil, message, class end
    end
    return out
end

return singer
