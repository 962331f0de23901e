-- Commands in a container, through the Engine API (Docker, Podman), on a Unix socket or by TCP.
--
-- The container's name is a checkpoint before it is made, so that after a crash the same one is gone
-- on with: its log is read from the beginning again, lines that were logged before are not repeated,
-- and what it put out is not lost. Files go in and come back as an archive of the working directory,
-- at the same path; or the directory is mounted.
local value = use "lib.value"

local docker = {}

local ARCHIVE = ".container.tar"
local SCRIPT = ".container-script"
local CALL_WAIT = 60  -- of an engine that has stopped answering
local CHUNK_KEPT = 4096
local STOP_MAX = 8    -- of the ten seconds that a task has for its stop
local PULLS, PULL_WAIT, PULL_WAIT_MAX = 5, 5, 120

-- One call. The answer, or nil, message, class where the engine cannot be reached or says no.
-- Each call may be made twice: names are ours, and a container that is started already says so.
function docker.call(host, engine, method, path, more)
    local request = value.put({ method = method, url = (engine.url or "http://engine") .. "/v1.41" .. path,
        unix = engine.unix, tls = engine.tls, limits = { idle = CALL_WAIT } }, more)
    local may_lack, accepted = request.may_lack, request.accept
    request.may_lack, request.accept = nil, nil
    local on_chunk, beginning = request.on_chunk, ""  -- of a stream, which may be what went wrong
    if on_chunk then
        request.on_chunk = function(text)
            if #beginning < CHUNK_KEPT then beginning = beginning .. text:sub(1, CHUNK_KEPT) end
            return on_chunk(text)
        end
    end
    local answer, message, class = host.http(request)
    if answer == nil and (class == "transient" or class == "ambiguous") and not on_chunk then
        answer, message, class = host.http(request)
    end
    if answer == nil and class == "permanent" then return nil, message, class end
    if answer == nil then
        return nil, "the container engine at '" .. tostring(engine.name) .. "' does not answer: "
            .. message .. " (start it, or say where it is in DOCKER_HOST, or run the task on the host: "
            .. "--task-runner process)", class
    end
    if answer.status < 400 or answer.status == accepted then return answer end
    if answer.status == 404 and may_lack then return nil end
    local body = on_chunk and beginning or answer.body
    local said = type(body) == "string" and host.json.decode(string.trim(body))
    local text = host.is_map(said) and (value.get(host, said, "message") or value.get(host, said, "error")) or body
    return nil, "the container engine says: " .. tostring(text or answer.status), answer.class
end

-- "512MB" and the like, in bytes; a number is bytes already.
local UNITS = { b = 1, k = 1024, kb = 1024, m = 1024 ^ 2, mb = 1024 ^ 2, g = 1024 ^ 3, gb = 1024 ^ 3,
    t = 1024 ^ 4, tb = 1024 ^ 4 }

local function bytes_of(host, given)
    if given == nil then return nil end
    if type(given) == "number" then return math.tointeger(given) or math.floor(given) end
    local found = host.re.find("^\\s*([0-9.]+)\\s*([a-zA-Z]*)\\s*$", given)
    local unit = found and (found[3] == nil or found[3] == "") and 1
        or found and UNITS[string.lower(found[3])]
    if unit == nil then host.fail("'" .. tostring(given) .. "' is no size, like 512MB") end
    return math.floor(tonumber(found[2]) * unit)
end

-- --- images -------------------------------------------------------------------------------------

-- Headers with which a registry is asked; none where there are no credentials.
function docker.registry_headers(host, image, options)
    local header, message = host.registry_auth({ image = image,
        credentials = value.get(host, options, "credentials"),
        config = value.get(host, options, "config") or value.get(host, options, "dockerConfig") })
    if header == nil and message ~= nil then return nil, message, "permanent" end
    return header and { ["X-Registry-Auth"] = header } or {}
end

-- What a registry that wants to know who asks says, with what to do.
function docker.explain(message)
    local text = string.lower(message)
    for _, word in ipairs({ "unauthorized", "authentication required", "denied", "forbidden" }) do
        if string.find(text, word) ~= nil then
            return message .. ": give 'credentials' or 'config' of the task runner, or log in "
                .. "(docker login) as the user that runs flowrun"
        end
    end
    return message
end

-- Name and tag; a digest stays with the name.
function docker.split(image)
    local name = image
    local slash
    local at = string.find(image, "/")
    while at ~= nil do
        slash = at
        at = string.find(image, "/", at + 1)
    end
    if string.find(image, "@") ~= nil then return image, "" end
    local colon = string.find(image, ":", slash or 1)
    if colon == nil then return name, "latest" end
    return image:sub(1, colon - 1), image:sub(colon + 1)
end

local function pull_once(host, engine, image, options)
    local name, tag = docker.split(image)
    local failure, rest = nil, ""
    local function lines(text)
        local all = string.split(rest .. text, "\n")
        rest = table.remove(all)
        for _, line in ipairs(all) do
            local entry = string.starts(line, "{") and host.json.decode(line)
            if entry and value.get(host, entry, "error") then failure = entry.error end
        end
        return true
    end
    local query = { fromImage = name }
    if tag ~= "" then query.tag = tag end
    local headers, wrong = docker.registry_headers(host, image, options)
    if headers == nil then return nil, wrong, "permanent" end
    local answer, message, class = docker.call(host, engine, "POST", "/images/create", {
        query = query, on_chunk = lines, limits = { idle = 600 },
        headers = headers })
    if answer == nil then return nil, message, class end
    lines("\n")
    if failure ~= nil then return nil, failure, "permanent" end
    return true
end

local function pull(host, engine, image, options)
    host.log("DEBUG", "pulling the image '" .. image .. "'")
    local wait = PULL_WAIT
    for attempt = 1, PULLS do
        local ok, message, class = pull_once(host, engine, image, options)
        if ok then return true end
        if class ~= "transient" and class ~= "throttled" or attempt == PULLS then
            return nil, "the image '" .. image .. "' cannot be pulled: " .. docker.explain(message), class
        end
        host.sleep(wait)
        wait = math.min(wait * 2, PULL_WAIT_MAX)
    end
end

docker.pull = pull

local function have_image(host, engine, image, options)
    local policy = value.get(host, options, "pullPolicy") or "IF_NOT_PRESENT"
    if policy ~= "ALWAYS" then
        local found, message, class = docker.call(host, engine, "GET",
            "/images/" .. host.url.encode(image) .. "/json", { may_lack = true })
        if found ~= nil then return true end
        if message ~= nil then return nil, message, class end
        if policy == "NEVER" then
            return nil, "the image '" .. image .. "' is not here, and 'pullPolicy' is NEVER: pull it, or "
                .. "use IF_NOT_PRESENT", "permanent"
        end
    end
    return pull(host, engine, image, options)
end

-- --- the container ------------------------------------------------------------------------------

local function ports_of(host, options)
    local exposed, bound = {}, {}
    for _, binding in ipairs(value.list(host, value.get(host, options, "portBindings"))) do
        local parts = string.split(binding, ":")
        local port = table.remove(parts)
        if string.find(port, "/") == nil then port = port .. "/tcp" end
        local host_port = table.remove(parts) or ""
        exposed[port] = host.map({})
        bound[port] = host.list({ host.map({ HostIp = table.concat(parts, ":"),
            HostPort = host_port }) })
    end
    return host.map(exposed), host.map(bound)
end

local function folder_of(path)
    return path:sub(1, #path - #"/vars")
end

local function volumes_of(host, engine, options, mounted)
    local binds = {}
    for i, path in ipairs(mounted or {}) do binds[i] = path .. ":" .. path end
    local given = value.list(host, value.get(host, options, "volumes"))
    if #given > 0 and not engine.volumes then
        host.log("WARN", "'volumes' is ignored: this host does not allow it ('containers: {volumes: "
            .. "true}' in flowrun.yaml)")
        return host.list(binds)
    end
    for _, volume in ipairs(given) do binds[#binds + 1] = volume end
    return host.list(binds)
end

local function devices_of(host, options)
    local devices = {}
    for i, device in ipairs(value.list(host, value.get(host, options, "deviceRequests"))) do
        devices[i] = host.map({ Driver = device.driver, Count = device.count,
            DeviceIDs = device.deviceIds, Capabilities = device.capabilities,
            Options = device.options })
    end
    return #devices > 0 and host.list(devices) or nil
end

local function body_of(host, engine, command, options)
    local cpus = value.get(host, value.get(host, options, "cpu"), "cpus")
    local memory = value.get(host, options, "memory")
    local function size(name) return bytes_of(host, value.get(host, memory, name)) end
    local swappiness = value.get(host, memory, "memorySwappiness")
    local exposed, bound = ports_of(host, options)
    local context = host.context
    local env = {}
    for name, text in pairs(command.env) do
        env[#env + 1] = host.join({ name, "=", host.text(text) })
    end
    table.sort(env, function(a, b) return tostring(a) < tostring(b) end)
    local entry = value.get(host, options, "entryPoint")
    return host.map({
        Image = command.image, Cmd = host.list(command.argv), Env = host.list(env),
        Entrypoint = entry == nil and command.entry or #(entry or {}) > 0 and entry or nil,
        WorkingDir = command.folder, User = value.get(host, options, "user"),
        ExposedPorts = exposed,
        Labels = host.map({
            ["kestra.io/namespace"] = context.namespace, ["kestra.io/flow-id"] = context.flow_id,
            ["kestra.io/task-id"] = context.task_id,
            ["kestra.io/execution-id"] = context.execution_id,
            ["kestra.io/taskrun-id"] = context.task_run_id,
            ["kestra.io/taskrun-attempt"] = tostring(context.attempt),
        }),
        HostConfig = host.map({
            Binds = volumes_of(host, engine, options, command.mounted),
            NetworkMode = value.get(host, options, "networkMode"),
            ExtraHosts = value.get(host, options, "extraHosts"),
            PortBindings = bound,
            Privileged = value.get(host, options, "privileged"),
            ShmSize = bytes_of(host, value.get(host, options, "shmSize")),
            NanoCpus = cpus and math.floor(tonumber(cpus) * 1000000000) or nil,
            Memory = size("memory"), MemorySwap = size("memorySwap"),
            MemoryReservation = size("memoryReservation"), KernelMemory = size("kernelMemory"),
            MemorySwappiness = swappiness and tonumber(swappiness) or nil,
            OomKillDisable = value.get(host, memory, "oomKillDisable"),
            DeviceRequests = devices_of(host, options),
            Init = true,  -- somebody must reap what daemons leave behind
        }),
    })
end

local function remove(host, engine, name)
    return docker.call(host, engine, "DELETE", "/containers/" .. name,
        { query = { force = "true", v = "true" }, may_lack = true })
end

-- The command as an argument vector; a script that must not be seen is a file of the archive.
local function vector_of(host, command)
    if command.argv ~= nil then
        local words = {}
        for i, word in ipairs(command.argv) do
            if host.is_secret(word) then
                return nil, "an argument of the command holds a secret, and whoever may look at the "
                    .. "container can read arguments: pass it by 'env', or use an interpreter"
            end
            local text, message = host.storage.localise(host.text(word))
            if text == nil then return nil, message end
            words[i] = text
        end
        return words
    end
    local words = {}
    for i, word in ipairs(command.interpreter) do words[i] = word end
    local text = command.script
    if not host.is_secret(text) then
        local local_text, message = host.storage.localise(text)
        if local_text == nil then return nil, message end
        if #local_text <= 96 * 1024 then
            words[#words + 1] = local_text
            return words
        end
    end
    local ok, message = host.workdir.write(SCRIPT, text, { mode = 384, localise = true })
    if ok == nil then return nil, message end
    table.remove(words)  -- the option that says "the next argument is the text"
    words[#words + 1] = command.folder .. "/" .. SCRIPT
    return words
end

-- --- its life -----------------------------------------------------------------------------------

-- What `pack` has put into ARCHIVE.
local function send(host, engine, name, ok, message, class)
    if ok == nil then return nil, message, class end
    local sent
    sent, message, class = docker.call(host, engine, "PUT", "/containers/" .. name .. "/archive",
        { query = { path = "/" }, file = ARCHIVE, headers = { ["Content-Type"] = "application/x-tar" } })
    host.workdir.remove(ARCHIVE)
    if sent == nil then return nil, message, class end
    return true
end

local function fetch_files(host, engine, name, folder)
    local got, message, class = docker.call(host, engine, "GET", "/containers/" .. name .. "/archive",
        { query = { path = folder }, save = ARCHIVE, may_lack = true })
    local ok = got ~= nil or message == nil or nil  -- no answer and no message: there is no such folder
    if got ~= nil then ok, message, class = host.workdir.unpack(ARCHIVE) end
    host.workdir.remove(ARCHIVE)
    host.workdir.remove(SCRIPT)
    if ok then return true end
    return nil, "the files of the container cannot be brought back to '" .. folder .. "': " .. message, class
end

-- The file behind $FLOW_OUTPUT has a folder of its own: the working directory may have to be empty.
local function fetch_outputs(host, engine, name, command, result)
    local path = command.output_file
    if path == nil then return end
    local got, message = true, nil
    if not command.mounted then
        got, message = docker.call(host, engine, "GET", "/containers/" .. name .. "/archive",
            { query = { path = folder_of(path) }, save = ARCHIVE, may_lack = true })
    end
    if message ~= nil then host.log("WARN", "$FLOW_OUTPUT is not read: " .. message) end
    result.vars = host.workdir.take_outputs(path, result.vars, not command.mounted and got and ARCHIVE or nil)
    host.workdir.remove(ARCHIVE)
end

-- `about_to_start` is called when all that comes before has been logged.
local function make(host, engine, command, options, name, about_to_start)
    local ok, message, class = have_image(host, engine, command.image, options)
    if ok == nil then return nil, message, class end
    command.argv, message = vector_of(host, command)
    if command.argv == nil then return nil, message, "permanent" end
    ok, message, class = docker.call(host, engine, "POST", "/containers/create",
        { query = { name = name }, json = body_of(host, engine, command, options), accept = 409 })
    if ok == nil then return nil, message, class end
    local made = host.json.decode(ok.body)  -- of a name that is taken there is no Id: it is ours
    if not command.mounted then
        ok, message, class = send(host, engine, name, host.workdir.pack(ARCHIVE))
        if ok and command.output_file then
            ok, message, class = send(host, engine, name,
                host.workdir.pack_outputs(ARCHIVE, command.output_file))
        end
        if ok == nil then
            remove(host, engine, name)
            return nil, message, class
        end
    end
    host.workdir.remove(SCRIPT)
    about_to_start()
    ok, message, class = docker.call(host, engine, "POST", "/containers/" .. name .. "/start",
        { accept = 304 })
    if ok == nil then
        remove(host, engine, name)
        return nil, message, class
    end
    return made and made.Id or name
end

-- Follows it to its end: what host.exec gives, with the code of the container.
local function follow(host, engine, command, name, logged)
    return host.exec({
        attach = { url = engine.url .. "/v1.41/containers/" .. name, unix = engine.unix,
            tls = engine.tls },
        logged = logged, on_line = command.on_line,
    })
end

local function finish(host, engine, command, options, name, result)
    local ok, message, class = true, nil, nil
    if not command.mounted then
        ok, message, class = fetch_files(host, engine, name, command.folder)
    end
    fetch_outputs(host, engine, name, command, result)
    if value.get(host, options, "delete") ~= false then remove(host, engine, name) end
    if ok == nil then result.failure, result.class = message, class end  -- what it printed counts
    return result
end

-- Runs `command` (argv or script and interpreter, env, image, on_line) as host.exec would.
function docker.run(host, engine, command, options)
    local name = "flowrun-" .. tostring(host.context.task_run_id) .. "-" .. tostring(host.context.attempt)
    if command.image == nil then
        return nil, "a container needs an image: give 'containerImage'", "permanent"
    end
    command.folder = host.workdir.path()
    if command.entry == nil then command.entry = host.list({ "" }) end  -- else the image's would get the shell as its arguments
    command.env.WORKING_DIR = command.folder
    local message, class
    command.output_file, message, class = host.workdir.output_file()
    if command.output_file == nil then return nil, message, class end
    command.env.FLOW_OUTPUT = command.env.FLOW_OUTPUT or command.output_file
    if value.get(host, options, "fileHandlingStrategy") == "MOUNT" then
        command.mounted = { command.folder, folder_of(command.output_file) }
    end
    local function remember()
        host.checkpoint({ container = name, folder = command.folder, mounted = command.mounted ~= nil,
            output_file = command.output_file, logged = host.logged(),
            host = value.get(host, options, "host") or value.get(host, options, "dockerHost"),
            grace = value.get(host, options, "killGracePeriod"),
            keep = value.get(host, options, "delete") == false })
    end
    remember()
    local id
    id, message, class = make(host, engine, command, options, name, remember)
    if id == nil then return nil, message, class end
    if value.get(host, options, "wait") == false then
        return { code = 0, vars = host.map({}), runner = { containerId = id } }
    end
    local result
    result, message, class = follow(host, engine, command, name)
    if result == nil then
        if class ~= "ambiguous" then remove(host, engine, name) end
        return nil, message, class
    end
    result.runner = { containerId = id }
    return finish(host, engine, command, options, name, result)
end

-- After a crash: false where the container was never made, else as docker.run.
function docker.go_on(host, engine, command, options, last)
    local name = last.checkpoint.container
    local found, message, class = docker.call(host, engine, "GET",
        "/containers/" .. name .. "/json", { may_lack = true })
    if found == nil and message ~= nil then return nil, message, class end
    if found == nil then return false end
    if value.get(host, options, "resume") == false then
        host.log("WARN", "the container of before the crash is ended, and the task begins again: "
            .. "'resume' is false")
        remove(host, engine, name)
        return false
    end
    local inspected = host.json.decode(found.body)
    local state = value.get(host, inspected, "State")
    if value.get(host, state, "Status") == "created" or value.get(host, state, "Status") == "configured" then
        remove(host, engine, name)  -- it has not begun
        return false
    end
    command.folder = last.checkpoint.folder
    command.output_file = last.checkpoint.output_file
    command.mounted = last.checkpoint.mounted ~= false and {} or nil
    local result
    result, message, class = follow(host, engine, command, name, last.checkpoint.logged)
    if result == nil then return nil, message, class end
    result.runner = { containerId = value.get(host, inspected, "Id") }
    return finish(host, engine, command, options, name, result)
end

-- A stop of the task, by its checkpoint: of this run, or of one that a crash ended. The container may
-- be about to be made, so one that is not there yet is looked for again.
function docker.kill(host, last)
    local at = last and last.checkpoint ~= host.null and last.checkpoint or nil
    local name = at and at.container
    if name == nil then return end
    local engine = host.runner({ runner = { host = at.host ~= host.null and at.host or nil },
        force = true })
    if engine == nil then return end
    local path = "/containers/" .. name
    local grace = at.grace ~= host.null and host.duration(at.grace or 0) or 0
    for _ = 1, 3 do
        local ended, message
        if grace > 0 then
            ended, message = docker.call(host, engine, "POST", path .. "/stop", { may_lack = true,
                query = { t = tostring(math.min(STOP_MAX, math.ceil(grace))) }, accept = 304 })
        else
            ended, message = docker.call(host, engine, "POST", path .. "/kill",
                { may_lack = true, accept = 409 })
        end
        local gone = at.keep and ended
        if not at.keep then gone = remove(host, engine, name) end
        if gone then return end
        if message ~= nil then host.log("WARN", message) end
        host.sleep(0.5)
    end
end

return docker
