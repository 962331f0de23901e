-- Tools that take a description of what to do: it becomes a file, and one command reads it.
local script = use "lib.script"
local value = use "lib.value"

-- A description: a map as JSON, which is YAML too; a URI as the file it names; else the text itself.
local function put(files, name, given, host)
    if type(given) == "string" and (string.starts(given, "kestra://") or string.starts(given, "file://")
        or string.starts(given, "nsfile://")) then
        return host.workdir.fetch(given, name)
    end
    files[name] = type(given) == "string" and given or host.is_secret(given) and given or host.json.encode(given)
    return true
end

local function quoted(words, host)
    local out = {}
    for i, word in ipairs(words) do
        if i > 1 then out[#out + 1] = " " end
        out[#out + 1] = value.quote(host.text(word))
    end
    return host.join(out)
end

-- Packages beside the task's files, and the path of a program of theirs.
local function pip(packages, host)
    if #packages == 0 then return {} end
    return { "python3 -m venv --system-site-packages .packages",
        "./.packages/bin/pip install --quiet --disable-pip-version-check -- " .. quoted(packages, host),
        'PATH="$PWD/.packages/bin:$PATH"' }
end

local function beam(props, host)
    local files, runner = {}, (props.beamRunner or "DIRECT"):lower()
    runner = runner:sub(1, 1):upper() .. runner:sub(2) .. "Runner"
    if (props.file == nil) == (props.definition == nil) then
        return nil, "exactly one of 'file' and 'definition' is needed", "permanent"
    end
    local name = "pipeline.yaml"
    local is_yaml = props.file == nil or string.ends(props.file, ".yaml") or string.ends(props.file, ".yml")
    if not is_yaml then name = props.sdk == "JAVA" and "pipeline.jar" or "pipeline.py" end
    local ok, message, class = true, nil, nil
    if props.file ~= nil and not string.find(props.file, "://") then
        name = props.file  -- among the input files
    else
        ok, message, class = put(files, name, props.file or props.definition, host)
    end
    if ok == nil then return nil, message, class end
    local words = { "python3 -m apache_beam.yaml.main --yaml_pipeline_file=" .. value.quote(name) }
    if not is_yaml then
        words[1] = (props.sdk == "JAVA" and "java -jar " or "python3 ") .. value.quote(name)
    end
    words[1] = "timeout " .. tostring(props.pipelineTimeoutSeconds or 300) .. " " .. words[1]
    words[2] = "--runner=" .. runner
    for _, more in ipairs({ props.options or {}, props.runnerConfig or {} }) do
        for option, given in pairs(more) do
            words[#words + 1] = host.join({ "--", option, "=", value.quote(host.text(given)) })
        end
    end
    local parts = {}
    for i, word in ipairs(words) do
        if i > 1 then parts[#parts + 1] = " " end
        parts[#parts + 1] = word
    end
    return { files = files, before = pip(value.list(host, props.requirements), host), commands = { host.join(parts) } }
end

local function cloudquery(props, host)
    if props.incremental then
        return nil, "'incremental' is not possible here: name a backend of CloudQuery in 'configs' (backend_options)",
            "permanent"
    end
    local files, words = {}, { "sync" }
    local engine = host.runner({ runner = props.taskRunner or props.docker, image = props.containerImage })
    if engine == nil or engine.kind == "process" then table.insert(words, 1, "cloudquery") end
    for i, config in ipairs(value.list(host, props.configs)) do
        local name = "config" .. i .. ".yml"
        local ok, message, class = put(files, name, config, host)
        if ok == nil then return nil, message, class end
        words[#words + 1] = name
    end
    if props.logConsole ~= false then words[#words + 1] = "--log-console" end
    return { files = files, commands = words, interpreter = {}, own_entry = true }
end

local function datahub(props, host)
    local files = {}
    local ok, message, class = put(files, "recipe.yml", props.recipe, host)
    if ok == nil then return nil, message, class end
    return { files = files, commands = { "datahub ingest -c recipe.yml" } }
end

-- A server of its own, unless `host` names one; its models are kept where `modelCachePath` says.
local function ollama(props, host)
    local env, before = {}, nil
    env.OLLAMA_API_KEY = value.get(host, props.auth, "apiKey")
    if props.enableModelCaching ~= false then env.OLLAMA_MODELS = props.modelCachePath end
    if props.host ~= nil then
        env.OLLAMA_HOST = props.host
    else
        before = { "ollama serve >.ollama.log 2>&1 &",
            "for i in 1 2 3 4 5 6 7 8 9 10; do ollama list >/dev/null 2>&1 && break; sleep 1; done" }
    end
    return { env = env, before = before, commands = props.commands }
end

-- Soda: 0 all is well, 1 warnings, 2 failures, 3 errors of its own.
local RESULT = "result.json"

local function camel(name)
    local words = string.split(name, "_")
    for i = 2, #words do words[i] = words[i]:sub(1, 1):upper() .. words[i]:sub(2) end
    return table.concat(words)
end

local function soda_result(props, host)
    return function(result)
        host.outputs({ exitCode = result.code, configuration = props.configuration })
        local text = host.workdir.exists(RESULT) ~= nil and host.workdir.read(RESULT)
        local given = text and host.json.decode(text)
        if host.is_map(given) then
            local named = host.map()
            for name, item in pairs(given) do named[camel(name)] = item end
            host.outputs({ result = named })
        end
        local is_warning = result.code == 1
        if is_warning then result.code = 0 end
        return {}, nil, nil, is_warning
    end
end

local function soda(props, host)
    local source
    for name in pairs(props.configuration) do
        if string.starts(name, "data_source ") then source = source or name:sub(13) end
    end
    if source == nil then
        return nil, "'configuration' names no data source: it needs a key 'data_source NAME'", "permanent"
    end
    local words = { "soda", "scan", "-d", source, "-c", "configuration.yml", "-srf", RESULT }
    if props.verbose then words[#words + 1] = "-V" end
    for name, given in pairs(props.variables or {}) do
        words[#words + 1] = "-v"
        words[#words + 1] = host.join({ name, "=", host.text(given) })
    end
    words[#words + 1] = "checks.yml"
    return {
        files = { ["configuration.yml"] = host.json.encode(props.configuration),
            ["checks.yml"] = host.json.encode(props.checks) },
        before = pip(value.list(host, props.requirements), host),
        commands = { quoted(words, host) }, collect = soda_result(props, host), is_bare = true,
    }
end

local TOOLS = {
    { "beam.RunPipeline", program = "python3", image = "apache/beam_python3.11_sdk:latest", prepare = beam },
    { "cloudquery.Sync", program = "cloudquery", image = "ghcr.io/cloudquery/cloudquery:latest-ubuntu",
      prepare = cloudquery },
    { "datahub.Ingestion", program = "datahub", image = "acryldata/datahub-ingestion:head", prepare = datahub },
    { "ollama.cli.OllamaCLI", program = "ollama", image = "ollama/ollama", prepare = ollama },
    { "soda.Scan", program = "soda", image = "sodadata/soda-core", prepare = soda },
}

local tasks = {}
for i, row in ipairs(TOOLS) do
    local function run(props, host, last)
        local spec, message, class = row.prepare(props, host)
        if spec == nil then return nil, message, class end
        spec.program, spec.image, spec.interpreter = row.program, row.image, spec.interpreter or { "/bin/sh", "-c" }
        return script.run(props, host, spec, last)
    end
    tasks[i] = task {
        implements = "io.kestra.plugin." .. row[1],
        effects = { "exec" },
        idempotent = function() return "checkpoint" end,  -- a container is gone on with
        run = run,
        recover = run,
        plan = run,
        kill = script.kill,
    }
end
return tasks
