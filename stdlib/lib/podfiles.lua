-- Files into a pod and out of it, with nothing but the objects of the API: no `exec`, no right to it.
--
-- All containers share a folder, /kestra/working-dir. Input files lie in a Secret of the pod's name, which
-- goes with the pod; the init container `init-files` copies them there. Output files come through the log
-- of the side-car `out-files`: an annotation, which it sees as a file, says that the others have ended;
-- then it prints an archive in Base64 and ends, too. So both ways have a limit.
local k8s = use "lib.k8s"
local value = use "lib.value"

local files = { SIDECAR = "out-files" }

local INIT = "init-files"
local WORKING_DIR = "/kestra/working-dir"
local INPUT, POD = "/kestra/input", "/kestra/pod"
local ANNOTATION = "flowrun/files"
local INPUT_MAX = 1000000  -- bytes of all input files: what one object of a cluster may hold
local OUTPUT_MAX = 6 * 1024 * 1024  -- packed: a log of 10 MiB is rotated
local ARCHIVE = ".pod-files"

local COPY_IN = "cp -RL " .. INPUT .. "/files/. " .. WORKING_DIR .. "/ && chmod -R a+rwX " .. WORKING_DIR

-- With names: those of them that are there; without: the whole folder.
local PRINT_OUT = table.concat({
    "trap 'exit 0' TERM",
    "until grep -q '^" .. ANNOTATION .. "=\"wanted\"' " .. POD .. "/annotations; do sleep 1; done",
    "cd " .. WORKING_DIR .. " || exit 1",
    "if [ $# -eq 0 ]; then set -- .; else",
    "  for f; do shift; if [ -e \"$f\" ]; then set -- \"$@\" \"./$f\"; fi; done",
    "  if [ $# -eq 0 ]; then echo NONE; exit 0; fi",
    "fi",
    "tar czf /tmp/out.tgz \"$@\" || { echo FAILED; exit 0; }",
    "size=$(wc -c < /tmp/out.tgz)",
    "if [ $size -gt " .. OUTPUT_MAX .. " ]; then echo LARGE $size; exit 0; fi",
    "base64 /tmp/out.tgz | tr -d '\\n' | fold -w 4000",
    "echo",
    "echo END",
}, "\n")

local function has_glob(name)
    for _, c in ipairs({ "*", "?", "[", "{", ":" }) do
        if string.find(name, c) ~= nil then return true end
    end
    return false
end

local function exact_names(patterns)
    local names = {}
    for i, pattern in ipairs(patterns) do
        if has_glob(pattern) then return {} end
        names[i] = string.starts(pattern, "./") and pattern:sub(3) or pattern
    end
    return names
end

function files.wants_output(props)
    return props.outputFiles ~= nil and #props.outputFiles > 0
end

-- The input files as {key, path, bytes}.
function files.read(props, host)
    if props.inputFiles == nil then return {} end
    local ok, message, class = host.workdir.input_files(props.inputFiles)
    if ok == nil then return nil, message, class end
    local found, size = {}, 0
    for i, path in ipairs(host.workdir.list()) do
        local bytes
        bytes, message, class = host.workdir.read(path, INPUT_MAX)
        if bytes == nil then return nil, message, class end
        size = size + #bytes
        found[i] = { key = "file-" .. i, path = path, bytes = bytes }
        host.workdir.remove(path)  -- what comes out of the pod has the place for itself
    end
    if size > INPUT_MAX then
        return nil, "'inputFiles' have " .. size .. " bytes; a pod takes " .. INPUT_MAX
            .. " at most here: let it fetch larger files itself", "permanent"
    end
    return found
end

local function mount(host, container, name, path)
    local mounts = host.list()
    for _, known in ipairs(value.list(host, container.volumeMounts)) do mounts[#mounts + 1] = known end
    mounts[#mounts + 1] = host.map({ name = name, mountPath = path })
    container.volumeMounts = mounts
end

local function side_container(host, props, name, command)
    local given = props.fileSidecar
    local container = value.put(host.map(), value.get(host, given, "defaultSpec"))
    container.name = name
    container.image = value.get(host, given, "image") or "busybox"
    container.command = host.list(command)
    container.resources = value.get(host, given, "resources") or container.resources
    mount(host, container, "kestra-files", WORKING_DIR)
    return container
end

local function reserved(host, spec)
    for _, list in ipairs({ "containers", "initContainers" }) do
        for _, container in ipairs(value.list(host, spec[list])) do
            if container.name == INIT or container.name == files.SIDECAR then return container.name end
        end
    end
end

-- Adds to the spec of a pod what its files need; nil, message where it cannot.
function files.arrange(host, props, spec, pod_name, inputs)
    local wants_output = files.wants_output(props)
    if #inputs == 0 and not wants_output then return true end
    local taken = reserved(host, spec)
    if taken ~= nil then
        return nil, "the name '" .. taken .. "' of a container is taken by the one that brings files: "
            .. "give it another", "permanent"
    end
    local volumes = host.list()
    for _, volume in ipairs(value.list(host, spec.volumes)) do volumes[#volumes + 1] = volume end
    volumes[#volumes + 1] = host.map({ name = "kestra-files", emptyDir = host.map({}) })
    for _, container in ipairs(spec.containers) do
        mount(host, container, "kestra-files", WORKING_DIR)
        if container.workingDir == nil then container.workingDir = WORKING_DIR end
    end
    if #inputs > 0 then
        local items = host.list()
        for i, file in ipairs(inputs) do
            items[i] = host.map({ key = file.key, path = "files/" .. file.path })
        end
        volumes[#volumes + 1] = host.map({ name = "kestra-input",
            secret = host.map({ secretName = pod_name, items = items }) })
        local init = side_container(host, props, INIT, { "sh", "-c", COPY_IN })
        mount(host, init, "kestra-input", INPUT)
        local list = host.list({ init })
        for _, other in ipairs(value.list(host, spec.initContainers)) do list[#list + 1] = other end
        spec.initContainers = list
    end
    if wants_output then
        volumes[#volumes + 1] = host.map({ name = "kestra-pod", downwardAPI = host.map({
            items = host.list({ host.map({ path = "annotations",
                fieldRef = host.map({ fieldPath = "metadata.annotations" }) }) }) }) })
        local command = { "sh", "-c", PRINT_OUT, files.SIDECAR }
        for _, name in ipairs(exact_names(props.outputFiles)) do command[#command + 1] = name end
        local sidecar = side_container(host, props, files.SIDECAR, command)
        mount(host, sidecar, "kestra-pod", POD)
        spec.containers[#spec.containers + 1] = sidecar
    end
    spec.volumes = volumes
    return true
end

-- The Secret that a pod waits for, and that goes with it.
function files.create_secret(host, connection, path, pod, inputs, labels)
    local contents = host.map()
    for _, file in ipairs(inputs) do contents[file.key] = host.base64.encode(file.bytes) end
    return k8s.call(host, connection, { method = "POST", path = path, json = host.map({
        apiVersion = "v1", kind = "Secret", data = contents,
        metadata = host.map({ name = pod.metadata.name, labels = host.map(labels),
            ownerReferences = host.list({ host.map({ apiVersion = "v1", kind = "Pod",
                name = pod.metadata.name, uid = pod.metadata.uid }) }) }),
    }) })
end

-- Whether all containers but the side-car have ended.
function files.are_due(host, pod)
    local count = 0
    for _, container in ipairs(value.list(host, value.get(host, pod.status, "containerStatuses"))) do
        if container.name ~= files.SIDECAR then
            local over = value.get(host, container.state, "terminated")
            local again = value.get(host, pod.spec, "restartPolicy") == "OnFailure"
            if over == nil or again and over.exitCode ~= 0 then return false end
            count = count + 1
        end
    end
    return count > 0 and count == #pod.spec.containers - 1
end

-- What the side-car said last, when it was no archive.
local SAID = { FAILED = "the archive could not be made", LARGE = "they are more than "
    .. OUTPUT_MAX // 1048576 .. " MiB packed: let the pod store larger files itself" }

-- Asks the side-car for the files and puts them into the working directory.
function files.fetch(host, connection, path)
    local ok, message, class = k8s.call(host, connection, { method = "PATCH", path = path,
        headers = { ["Content-Type"] = "application/merge-patch+json" },
        json = { metadata = { annotations = { [ANNOTATION] = "wanted" } } } })
    if ok == nil then return nil, message, class end
    for _ = 1, 3 do
        local parts, rest, said = { "begin-base64 644 files\n" }, "", nil
        _, message, class = k8s.stream(host, connection, { path = path .. "/log",
            query = { container = files.SIDECAR, follow = "true" }, limits = { idle = 60 },
            on_chunk = function(chunk)
                local lines = string.split(rest .. chunk, "\n")
                rest = table.remove(lines)
                for _, line in ipairs(lines) do
                    local word = string.split(line, " ")[1]
                    if word == "END" or word == "NONE" or SAID[word] then said = word
                    elseif line ~= "" then parts[#parts + 1] = line .. "\n" end
                end
            end })
        if said == "NONE" then return true end
        if SAID[said] then return nil, SAID[said], "permanent" end
        if said == "END" then
            parts[#parts + 1] = "====\n"
            ok, message, class = host.workdir.write(ARCHIVE, table.concat(parts))
            if ok then ok, message, class = host.workdir.unpack(ARCHIVE, "PRINTED") end
            host.workdir.remove(ARCHIVE)
            return ok, message, class
        end
        host.sleep(1)
    end
    return nil, message or "the log of the side-car ended too early", class or "transient"
end

return files
