-- Containers and images by the Engine API, whatever the host's rule about runners says.
local docker = use "lib.docker"
local script = use "lib.script"
local value = use "lib.value"

local ARCHIVE = ".build-context.tar"
local NO_AUTH = "e30="  -- {}

local function engine_of(props, host)
    return host.runner({ runner = host.map({ host = props.host }), force = true })
end

-- Runs `body` with a function that calls the engine.
local function with_engine(body)
    return function(props, host, last)
        local engine, message, class = engine_of(props, host)
        if engine == nil then return nil, message, class end
        local function call(...) return docker.call(host, engine, ...) end
        return body(props, host, call, engine, last)
    end
end

local function run(props, host, last)
    return script.run(props, host, {
        commands = props.commands or {},
        interpreter = {},
        container = props,  -- its own properties say how the container is to be
    }, last)
end

local function image_path(host, image)
    local name, tag = docker.split(image)
    return "/images/" .. name, tag
end

-- A stream of JSON lines: texts are logged, an error is kept, `aux` is given to `seen`.
local function progress(host, seen)
    local state, rest = {}, ""
    function state.take(text)
        local lines = string.split(rest .. text, "\n")
        rest = table.remove(lines)
        for _, line in ipairs(lines) do
            local entry = string.starts(line, "{") and host.json.decode(line)
            if host.is_map(entry) then
                local said = value.get(host, entry, "stream")
                if said ~= nil and string.trim(said) ~= "" then host.log("INFO", string.trim(said)) end
                state.failure = value.get(host, entry, "error") or state.failure
                if seen and host.is_map(entry.aux) then seen(entry.aux) end
                if seen and said and string.starts(said, "sha256:") then
                    seen(host.map({ ID = string.trim(said) }))
                end
            end
        end
        return true
    end
    return state
end

local function push(host, call, props, image)
    local path, tag = image_path(host, image)
    local state = progress(host)
    local headers, wrong = docker.registry_headers(host, image, props)
    if headers == nil then return nil, wrong, "permanent" end
    headers["X-Registry-Auth"] = headers["X-Registry-Auth"] or NO_AUTH
    local answer, message, class = call("POST", path .. "/push", { query = { tag = tag },
        on_chunk = state.take, limits = { idle = 600 },
        headers = headers })
    state.take("\n")
    if answer == nil and not state.failure then state.failure = message end
    if state.failure then
        return nil, "the image '" .. image .. "' cannot be pushed: "
            .. docker.explain(state.failure), answer == nil and class or "permanent"
    end
    return true
end

local function push_all(props, host, call)
    for _, image in ipairs(props.tags) do
        local ok, message, class = push(host, call, props, image)
        if ok == nil then return nil, message, class end
    end
    return {}
end

-- `dockerfile` is a path, or the text itself.
local function dockerfile_of(props, host)
    local given = props.dockerfile
    if given == nil then return "Dockerfile" end
    local is_path = string.find(given, "\n") == nil and host.workdir.exists(given) ~= nil
    if is_path then return given end
    local ok, message, class = host.workdir.write(".Dockerfile", given)
    if ok == nil then return nil, message, class end
    return ".Dockerfile"
end

local function build(props, host, call)
    local ok, message, class = script.bring_files(props, host)
    if ok == nil then return nil, message, class end
    local dockerfile
    dockerfile, message, class = dockerfile_of(props, host)
    if dockerfile == nil then return nil, message, class end
    ok, message, class = host.workdir.pack(ARCHIVE, ".")
    if ok == nil then return nil, message, class end
    local image
    local state = progress(host, function(aux) image = aux.ID or image end)
    local query = { dockerfile = dockerfile, t = host.list(props.tags),
        pull = props.pull ~= false and "true" or nil, target = props.target,
        platform = props.platforms and table.concat(props.platforms, ","),
        buildargs = props.buildArgs and host.text(props.buildArgs),
        labels = props.labels and host.text(props.labels) }
    local answer
    answer, message, class = call("POST", "/build", { query = query, file = ARCHIVE,
        headers = { ["Content-Type"] = "application/x-tar" }, on_chunk = state.take,
        limits = { idle = 3600 } })
    host.workdir.remove(ARCHIVE)
    if answer == nil then return nil, message, class end
    state.take("\n")
    if state.failure then return nil, "the build failed: " .. state.failure, "permanent" end
    host.outputs({ imageId = image })
    if props.push then return push_all(props, host, call) end
    return {}
end

local function pull(props, host, _, engine)
    if host.context.mode == "plan" then
        host.log("INFO", "would pull the image '" .. props.image .. "'")
        return {}
    end
    local ok, message, class = docker.pull(host, engine, props.image, props)
    if ok == nil then return nil, message, class end
    return {}
end

local function tag(props, _, call)
    local name, label = docker.split(props.targetImage)
    local ok, message, class = call("POST", "/images/" .. props.sourceImage .. "/tag",
        { query = { repo = name, tag = label } })
    if ok == nil then return nil, message, class end
    return {}
end

local function remove(props, _, call)
    local force = props.force and "true" or "false"
    for _, id in ipairs(props.containerIds or {}) do
        local ok, message, class = call("DELETE", "/containers/" .. id,
            { query = { force = force, v = props.removeVolumes and "true" or "false" } })
        if ok == nil then return nil, message, class end
    end
    for _, id in ipairs(props.imageIds or {}) do
        local ok, message, class = call("DELETE", "/images/" .. id, { query = { force = force } })
        if ok == nil then return nil, message, class end
    end
    return {}
end

local function stop(props, _, call)
    local path = "/containers/" .. (props.containerId or "")
    local ok, message, class = call("POST", path .. (props.kill and "/kill" or "/stop"),
        { accept = 304, limits = { idle = 600 } })
    if ok and props.delete ~= false then
        ok, message, class = call("DELETE", path, { query = { force = "true" }, may_lack = true })
        if ok == nil and message == nil then ok = true end
    end
    if ok == nil then return nil, message, class end
    return {}
end

local function prune(props, host, call)
    local filters = {}
    if props.pruneType == "IMAGES" then
        filters[#filters + 1] = { "dangling", host.list({ tostring(props.dangling or false) }) }
    end
    if props["until"] ~= nil then filters[#filters + 1] = { "until", host.list({ props["until"] }) } end
    if props.labelFilters ~= nil then filters[#filters + 1] = { "label", props.labelFilters } end
    local what = string.lower(props.pruneType)
    local ok, message, class = call("POST", "/" .. what .. "/prune",
        { query = { filters = host.json.encode(host.map(filters)) }, limits = { idle = 600 } })
    if ok == nil then return nil, message, class end
    return {}
end

local function images(props, host, call)
    local filters = {}
    if props.imageNameFilter ~= nil then
        filters[#filters + 1] = { "reference", host.list({ props.imageNameFilter }) }
    end
    local labels = {}
    for name, text in pairs(props.labelFilter or {}) do labels[#labels + 1] = name .. "=" .. host.text(text) end
    if #labels > 0 then filters[#filters + 1] = { "label", host.list(labels) } end
    local answer, message, class = call("GET", "/images/json", { query = {
        all = props.showAll and "true" or "false", filters = host.json.encode(host.map(filters)) } })
    if answer == nil then return nil, message, class end
    if answer.planned then return {} end
    local found = {}
    for i, image in ipairs(host.json.decode(answer.body) or {}) do
        found[i] = host.map({ id = image.Id, repoTags = image.RepoTags,
            repoDigests = image.RepoDigests, size = image.Size, created = image.Created,
            labels = image.Labels })
    end
    return { images = host.list(found), count = #found }
end

local function compose(props, host, last)
    local words, files = { "docker compose" }, {}
    local given = value.list(host, props.composeFiles)
    if props.composeFile ~= nil then given = { props.composeFile } end
    for i, file in ipairs(given) do
        local name = file
        if string.find(file, "\n") ~= nil then
            name = "compose-" .. i .. ".yml"
            files[name] = file
        end
        words[#words + 1] = "-f " .. (string.starts(name, "kestra://") and name or value.quote(name))
    end
    for _, argument in ipairs(props.composeArgs) do words[#words + 1] = argument end
    return script.run(props, host, { commands = { table.concat(words, " ") }, files = files,
        program = "docker", image = "docker:27.5.1-cli" }, last)
end

local function declare(name, effects, body, is_contract)
    return task {
        implements = "io.kestra.plugin.docker.cli." .. name,
        effects = effects,
        idempotent = is_contract and function() return "checkpoint" end or nil,
        run = body,
        recover = is_contract and body or nil,
        plan = body,
        kill = is_contract and script.kill or nil,
    }
end

return {
    declare("Run", { "exec" }, run, true),
    declare("Compose", { "exec" }, compose, true),
    declare("Build", { "net", "create" }, with_engine(build)),
    declare("Push", { "net", "create" }, with_engine(push_all)),
    declare("Pull", { "net", "create" }, with_engine(pull)),
    declare("Tag", { "net", "create" }, with_engine(tag)),
    declare("Rm", { "net", "destroy" }, with_engine(remove)),
    declare("Stop", { "net", "destroy" }, with_engine(stop)),
    declare("Prune", { "net", "destroy" }, with_engine(prune)),
    declare("ImageLs", { "net" }, with_engine(images)),
}
