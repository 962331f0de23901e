-- dbt: commands that begin with `dbt` get the project folder and the log format; what dbt has written
-- of its run is kept as output files.
local script = use "lib.script"
local value = use "lib.value"

local PACKAGE = "io.kestra.plugin.dbt.cli."
local IMAGE = "ghcr.io/kestra-io/dbt"

local function target(props)
    local folder = props.projectDir
    return (folder ~= nil and folder ~= "" and folder .. "/" or "") .. "target/"
end

local STATES = { success = "success", pass = "success", warn = "warn", error = "error", fail = "error",
    ["runtime error"] = "error" }

-- Counts what became of each node, and says which did not go well.
local function read_results(props, host)
    local path = target(props) .. "run_results.json"
    if host.workdir.exists(path) == nil then return false end
    local text = host.workdir.read(path)
    local results = text and host.json.decode(text)
    local counts, has_warning = { success = 0, warn = 0, error = 0 }, false
    for _, result in ipairs(value.list(host, value.get(host, results, "results"))) do
        local state = STATES[result.status]
        if state ~= nil then counts[state] = counts[state] + 1 end
        if state == "warn" or state == "error" then
            has_warning = has_warning or state == "warn"
            host.log(state == "warn" and "WARN" or "ERROR", tostring(result.unique_id) .. ": "
                .. tostring(value.get(host, result, "message") or result.status))
        end
    end
    for state, count in pairs(counts) do host.metric("log.stats." .. state, "counter", count) end
    return has_warning
end

local function collect(props, host)
    local files, has_warning = {}, false
    if props.parseRunResults ~= false then
        has_warning = read_results(props, host)
        for _, name in ipairs({ "run_results.json", "manifest.json" }) do
            local path = target(props) .. name
            if host.workdir.exists(path) ~= nil then
                local uri, message, class = host.storage.put({ file = path, name = name })
                if uri == nil then return nil, message, class end
                files[name] = uri
            end
        end
    end
    local store = props.storeManifest
    local manifest = target(props) .. "manifest.json"
    if store ~= nil and host.workdir.exists(manifest) ~= nil then
        local text, message, class = host.workdir.read(manifest)
        if text == nil then return nil, message, class end
        local ok
        ok, message, class = host.kv.set(store.key, text, { namespace = store.namespace })
        if ok == nil then return nil, message, class end
    end
    return files, nil, nil, has_warning
end

local function load_manifest(props, host)
    local from = props.loadManifest
    if from == nil then return true end
    local found = host.kv.get(from.key, from.namespace)
    if found == nil then
        host.log("WARN", "no manifest under the key '" .. tostring(from.key) .. "' yet")
        return true
    end
    local text = type(found) == "string" and found or host.json.encode(found)
    return host.workdir.write(target(props) .. "manifest.json", text)
end

local function command_of(props, line)
    if type(line) ~= "string" or not string.starts(line, "dbt") then return line end
    if props.projectDir ~= nil and string.find(line, "--project-dir") == nil then
        line = line .. " --project-dir " .. props.projectDir
    end
    local format = props.logFormat or "JSON"
    if format ~= "NONE" and string.find(line, "--log-format") == nil then
        line = line .. " --log-format " .. string.lower(format)
    end
    if string.find(line, "--log-path") == nil then line = line .. " --log-path logs" end
    return line
end

-- A line of dbt's JSON log is logged as its text and level.
local LEVELS = { debug = "DEBUG", info = "INFO", warn = "WARN", error = "ERROR" }

local function on_line(host)
    return function(_, line)
        if not string.starts(line, "{") then return false end
        local entry = host.json.decode(line)
        local info = entry and value.get(host, entry, "info")
        local text = value.get(host, info, "msg")
        if text == nil then return false end
        host.log(LEVELS[value.get(host, info, "level")] or "INFO", text)
        return true
    end
end

local function common(props, host, spec, last)
    spec.env = { PYTHONUNBUFFERED = "true", PIP_ROOT_USER_ACTION = "ignore" }
    spec.program, spec.image = "dbt", IMAGE
    spec.on_line = on_line(host)
    spec.collect = function() return collect(props, host) end
    return script.run(props, host, spec, last)
end

local function run_cli(props, host, last)
    local commands = {}
    for i, line in ipairs(props.commands) do commands[i] = command_of(props, line) end
    return common(props, host, {
        commands = commands,
        keep_files = props.profiles and { ["profiles.yml"] = props.profiles },
        prepare = function() return load_manifest(props, host) end,
        interpreter = props.interpreter,
    }, last)
end

-- The older types: one dbt command from properties.
local function run_one(command)
    return function(props, host, last)
        local words = { props.dbtPath or "./bin/dbt", "--log-format json" }
        local function add(name, given)
            if given ~= nil and given ~= false then
                words[#words + 1] = given == true and name or name .. " " .. host.text(given)
            end
        end
        add("--debug", props.debug)
        add("--fail-fast", props.failFast)
        add("--warn-error", props.warnError)
        words[#words + 1] = command
        add("--project-dir", props.projectDir)
        add("--profiles-dir", props.profiles and host.workdir.path() .. "/.profile")
        add("--threads", props.thread)
        add("--full-refresh", props.fullRefresh)
        add("--target", props.target)
        add("--selector", props.selector)
        add("--select", props.select and table.concat(props.select, " "))
        add("--exclude", props.exclude and table.concat(props.exclude, " "))
        return common(props, host, {
            commands = { table.concat(words, " ") },
            no_fail_fast = true,  -- failFast is dbt's own here
            keep_files = props.profiles and { [".profile/profiles.yml"] = props.profiles },
        }, last)
    end
end

-- An environment of Python with what is required, and the profiles, for the tasks that come behind.
local function run_setup(props, host, last)
    local python, words = props.pythonPath or "python", { "./bin/pip install --quiet --" }
    for _, package in ipairs(value.list(host, props.requirements)) do words[#words + 1] = value.quote(package) end
    local profiles = props.profiles
    if type(profiles) ~= "string" and not host.is_secret(profiles) then profiles = host.json.encode(profiles) end
    return script.run(props, host, {
        program = python, image = "python",
        env = { PYTHONUNBUFFERED = "true", PIP_ROOT_USER_ACTION = "ignore" },
        commands = { value.quote(python) .. " -m venv --system-site-packages .", table.concat(words, " ") },
        keep_files = { [".profile/profiles.yml"] = profiles },
    }, last)
end

local function declare(name, run)
    return task {
        implements = PACKAGE .. name,
        effects = { "exec" },
        idempotent = function() return "checkpoint" end,  -- a container is gone on with
        run = run,
        recover = run,
        plan = run,
        kill = script.kill,
    }
end

local tasks = { declare("DbtCLI", run_cli), declare("Setup", run_setup) }
for name, command in pairs({ Build = "build", Compile = "compile", Deps = "deps",
    Freshness = "source freshness", List = "ls", Run = "run", Seed = "seed", Snapshot = "snapshot",
    Test = "test" }) do
    tasks[#tasks + 1] = declare(name, run_one(command))
end
return tasks
