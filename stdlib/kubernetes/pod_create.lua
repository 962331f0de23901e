-- Run a pod to its end: create it, follow the logs of its containers, wait, fetch its files, delete it. The
-- pod of a task run that was interrupted is found by its labels and followed on.
local k8s = use "lib.k8s"
local markers = use "lib.markers"
local podfiles = use "lib.podfiles"
local value = use "lib.value"

local POLL = 1  -- seconds
local LOG_IDLE = 20  -- seconds without a line, after which a log is asked for again

-- Reasons of a container that waits and will not start by itself.
local HOPELESS = { ErrImagePull = true, ImagePullBackOff = true, ErrImageNeverPull = true,
    InvalidImageName = true, ImageInspectError = true, CreateContainerConfigError = true,
    CreateContainerError = true, RunContainerError = true, CrashLoopBackOff = true }

-- --- names ---------------------------------------------------------------------------------------

-- A text as the value of a label: 63 characters of [A-Za-z0-9._-], at both ends letter or digit.
local function label_value(text)
    local out = {}
    for i = 1, #text do
        local c = text:sub(i, i)
        local b = c:byte()
        local is_word = (b >= 48 and b <= 57) or (b >= 65 and b <= 90) or (b >= 97 and b <= 122)
        out[i] = (is_word or c == "." or c == "_" or c == "-") and c or "-"
    end
    local cut = table.concat(out):sub(1, 63)
    local function is_edge(c) return c == "." or c == "_" or c == "-" end
    while is_edge(cut:sub(-1)) do cut = cut:sub(1, -2) end
    while is_edge(cut:sub(1, 1)) do cut = cut:sub(2) end
    return cut
end

local function labels_of(host)
    local context = host.context
    return {
        ["kestra.io/namespace"] = label_value(context.namespace),
        ["kestra.io/flow-id"] = label_value(context.flow_id),
        ["kestra.io/task-id"] = label_value(context.task_id),
        ["kestra.io/execution-id"] = label_value(context.execution_id),
        ["kestra.io/taskrun-id"] = label_value(context.task_run_id),
        ["kestra.io/taskrun-attempt"] = tostring(context.attempt),
    }
end

local function pod_name(host)
    local context = host.context
    local random = host.uuid():sub(1, 8)
    local whole = context.namespace .. "-" .. context.flow_id .. "-" .. context.task_id
    local plain = table.concat(string.split(label_value(whole):lower(), "."), "-")
    plain = table.concat(string.split(plain, "_"), "-"):sub(1, 63 - 9)
    while string.ends(plain, "-") do plain = plain:sub(1, -2) end
    return plain .. "-" .. random
end

local function collection(namespace, kind, name)
    local path = "/api/v1/namespaces/" .. namespace .. "/" .. kind
    return name and path .. "/" .. name or path
end

-- --- making it -----------------------------------------------------------------------------------

-- Each container over `containerDefaultSpec`; a pod of a task does not start again.
local function with_defaults(host, props, spec)
    local containers = host.list()
    for i, container in ipairs(value.list(host, spec.containers)) do
        containers[i] = value.put(value.put(host.map(), props.containerDefaultSpec), container)
    end
    spec.containers = containers
    if spec.restartPolicy == nil then spec.restartPolicy = "Never" end
    return spec
end

local function create_pod(props, host, connection, namespace)
    local files, message, class = podfiles.read(props, host)
    if files == nil then return nil, message, class end
    local metadata = value.put(host.map(), props.metadata)
    metadata.labels = value.put(value.put(host.map(), metadata.labels), host.map(labels_of(host)))
    if metadata.name == nil and metadata.generateName == nil then metadata.name = pod_name(host) end
    local spec = with_defaults(host, props, value.put(host.map(), props.spec))
    if #files > 0 and metadata.name == nil then
        return nil, "'inputFiles' need 'metadata.name' instead of 'generateName'", "permanent"
    end
    local pod
    pod, message, class = podfiles.arrange(host, props, spec, metadata.name, files)
    if pod == nil then return nil, message, class end
    pod, message, class = k8s.call(host, connection, {
        method = "POST",
        path = collection(namespace, "pods"),
        query = { fieldManager = k8s.FIELD_MANAGER },
        json = host.map({ apiVersion = "v1", kind = "Pod", metadata = metadata, spec = spec }),
    })
    if pod == nil then return nil, "cannot create the pod: " .. message, class end
    if pod.planned or #files == 0 then return pod end
    -- The pod waits until its Secret is there.
    local secret
    secret, message, class = podfiles.create_secret(host, connection,
        collection(namespace, "secrets"), pod, files, labels_of(host))
    if secret == nil then
        k8s.call(host, connection, { method = "DELETE", may_lack = true,
            path = collection(namespace, "pods", pod.metadata.name) })
        return nil, "cannot keep the input files in a Secret: " .. message, class
    end
    return pod
end

-- The pod of this task run that is under way already, or nil.
local function find_pod(host, connection, namespace)
    local list, message, class = k8s.call(host, connection, {
        path = collection(namespace, "pods"),
        query = { labelSelector = "kestra.io/taskrun-id=" .. label_value(host.context.task_run_id) },
    })
    if list == nil then return nil, message, class end
    local newest
    for _, pod in ipairs(value.list(host, list.items)) do
        local is_going = value.get(host, pod.metadata, "deletionTimestamp") ~= nil
        if not is_going and (newest == nil
            or pod.metadata.creationTimestamp > newest.metadata.creationTimestamp) then
            newest = pod
        end
    end
    return newest
end

-- --- watching it ---------------------------------------------------------------------------------

local function phase_of(host, pod)
    return value.get(host, pod.status, "phase") or "Pending"
end

local function has_ended(host, pod)
    local phase = phase_of(host, pod)
    return phase == "Succeeded" or phase == "Failed"
end

-- Why a container will never start, or nil.
local function hopeless(host, pod)
    local status = pod.status
    for _, name in ipairs({ "initContainerStatuses", "containerStatuses" }) do
        for _, container in ipairs(value.list(host, value.get(host, status, name))) do
            local waiting = value.get(host, container.state, "waiting")
            local reason = value.get(host, waiting, "reason")
            if reason ~= nil and HOPELESS[reason] then
                return "container '" .. container.name .. "' cannot start: " .. reason .. " "
                    .. tostring(value.get(host, waiting, "message") or "")
            end
        end
    end
    return nil
end

-- Reads the pod until `is_good` says so; nil and why where it takes longer than `seconds` allow.
local function wait_for(host, connection, path, seconds, what, is_good)
    local deadline = host.now() + seconds * 1000
    while true do
        local pod, message, class = k8s.call(host, connection, { path = path, may_lack = true })
        if pod == nil and message == nil then
            return nil, "the pod was deleted by someone else", "permanent"
        end
        -- A server that is away for a while is no reason to give up a pod that runs.
        if pod == nil and class ~= "transient" and class ~= "throttled" then
            return nil, message, class
        end
        if pod ~= nil then
            if is_good(pod) then return pod end
            local problem = hopeless(host, pod)
            if problem ~= nil then return nil, problem, "permanent" end
        end
        if host.now() >= deadline then
            return nil, "the pod was not " .. what .. " after " .. seconds .. " s", "permanent"
        end
        host.sleep(POLL)
    end
end

-- Follows the log of one container to its end. Lines carry times, so that a stream that breaks goes on
-- where it broke.
local function follow(host, connection, path, container, pod)
    local last, rest, failures = nil, "", 0
    local function take(line)
        local space = string.find(line, " ")
        local time = space and line:sub(1, space - 1) or line
        if last ~= nil and time <= last then return end
        last = time
        markers.take(host, space and line:sub(space + 1) or "", pod.vars)
    end
    while true do
        rest = ""
        local start = host.now()
        local _, message, class = k8s.stream(host, connection, {
            path = path .. "/log",
            query = { container = container, follow = "true", timestamps = "true", sinceTime = last },
            limits = { idle = LOG_IDLE },
            on_chunk = function(chunk)
                local lines = string.split(rest .. chunk, "\n")
                rest = lines[#lines]
                for i = 1, #lines - 1 do take(lines[i]) end
            end,
        })
        if message == nil then
            if rest ~= "" then take(rest) end
            return true
        end
        if pod.is_over then return true end
        failures = host.now() - start < 5000 and failures + 1 or 0  -- a stream that was only silent
        -- 400: the container has not started yet.
        local may_pass = class == "transient" or class == "ambiguous" or string.ends(message, " 400")
        if failures > 5 or not may_pass then
            host.log("WARN", "the log of container '" .. container .. "' cannot be read: " .. message)
            return true
        end
        host.sleep(POLL)
    end
end

-- Fetches the output files and keeps them; a message and its class where that fails.
local function fetch_files(props, host, connection, path)
    local ok, message, class = podfiles.fetch(host, connection, path)
    local found
    if ok then found, message, class = host.workdir.output_files(props.outputFiles) end
    if found == nil then return "the output files of the pod cannot be fetched: " .. message, class end
    host.outputs({ outputFiles = found })
end

-- Until the pod has ended, or will not; `on_failure` is called before what follows its logs is waited for.
-- Files are fetched when all but their side-car has ended.
local function watch(props, host, connection, path, vars, on_failure)
    local running = host.duration(props.waitUntilRunning or "PT10M")
    local whole = host.duration(props.waitRunning or "PT1H")
    local pod, message, class = wait_for(host, connection, path, running, "running", function(given)
        return phase_of(host, given) ~= "Pending"
    end)
    if pod == nil then return nil, message, class end
    local containers = {}
    for _, container in ipairs(value.list(host, pod.spec.containers)) do
        if container.name ~= podfiles.SIDECAR then containers[#containers + 1] = container end
    end
    local work = { n = #containers + 1 }
    local state, ended, why, kind = { vars = vars }, nil, nil, nil
    work[1] = function()
        local began = host.now()
        if podfiles.wants_output(props) then
            ended, why, kind = wait_for(host, connection, path, whole, "at its end", function(given)
                return has_ended(host, given) or podfiles.are_due(host, given)
            end)
            if ended ~= nil and not has_ended(host, ended) then
                state.files, state.files_class = fetch_files(props, host, connection, path)
            end
            whole = math.max(30, whole - (host.now() - began) / 1000)
        end
        if ended ~= nil or not podfiles.wants_output(props) then
            ended, why, kind = wait_for(host, connection, path, whole, "at its end", function(given)
                return has_ended(host, given)
            end)
        end
        state.is_over = true
        if ended == nil then on_failure() end  -- with it the logs end, too
    end
    for i, container in ipairs(containers) do
        work[i + 1] = function() follow(host, connection, path, container.name, state) end
    end
    host.all(work)
    if ended == nil then return nil, why, kind end
    return ended, state.files, state.files_class
end

local function failure_of(host, pod)
    local parts = {}
    for _, container in ipairs(value.list(host, value.get(host, pod.status, "containerStatuses"))) do
        local over = value.get(host, container.state, "terminated")
        local code = value.get(host, over, "exitCode")
        if code ~= nil and code ~= 0 then
            parts[#parts + 1] = "container '" .. container.name .. "' ended with " .. code
                .. (over.reason and " (" .. tostring(over.reason) .. ")" or "")
        end
    end
    local own = value.get(host, pod.status, "message") or value.get(host, pod.status, "reason")
    if own ~= nil then parts[#parts + 1] = tostring(own) end
    if #parts == 0 then return "the pod has failed" end
    return "the pod has failed: " .. table.concat(parts, ", ")
end

-- --- all of it -----------------------------------------------------------------------------------

local function delete(host, connection, namespace, name, grace)
    for _, kind in ipairs({ "pods", "secrets" }) do
        local _, message = k8s.call(host, connection, {
            method = "DELETE",
            path = collection(namespace, kind, name),
            may_lack = true,
            query = grace and { gracePeriodSeconds = tostring(grace) } or nil,
        })
        -- Who may create pods may lack the right to Secrets; then there is none of ours either.
        if message ~= nil and kind == "pods" then
            host.log("WARN", "the pod '" .. name .. "' cannot be deleted: " .. message)
        end
    end
end

local function attend(props, host, connection, namespace, pod)
    local name, vars = pod.metadata.name, host.map()
    host.checkpoint({ name = name, namespace = namespace })
    local path = collection(namespace, "pods", name)
    local is_deleted = false
    local function remove()
        if props.delete ~= false and not is_deleted then delete(host, connection, namespace, name) end
        is_deleted = true
    end
    local ended, message, class = watch(props, host, connection, path, vars, remove)
    remove()
    host.outputs({ vars = vars })
    if ended == nil then return nil, message, class end
    host.outputs({ metadata = k8s.metadata(host, ended), status = ended.status })
    if phase_of(host, ended) == "Failed" then return nil, failure_of(host, ended), "permanent" end
    if message ~= nil then return nil, message, class end
    return {}
end

local function namespace_of(props, connection)
    return props.namespace or connection.namespace or "default"
end

local function run(props, host)
    local connection, message, class = k8s.connect(host, props)
    if connection == nil then return nil, message, class end
    local namespace, pod = namespace_of(props, connection), nil
    if props.resume ~= false and host.context.mode ~= "plan" then
        pod, message, class = find_pod(host, connection, namespace)
        if pod == nil and message ~= nil then return nil, message, class end
        if pod ~= nil then host.log("INFO", "resuming the pod '" .. pod.metadata.name .. "'") end
    end
    if pod == nil then
        pod, message, class = create_pod(props, host, connection, namespace)
        if pod == nil then return nil, message, class end
        if pod.planned then return {} end
        host.log("INFO", "created the pod '" .. pod.metadata.name .. "'")
    end
    return attend(props, host, connection, namespace, pod)
end

-- After a crash: the pod goes on by itself; where there is none, it was never created.
local function recover(props, host)
    local connection, message, class = k8s.connect(host, props)
    if connection == nil then return nil, message, class end
    local namespace = namespace_of(props, connection)
    local pod
    pod, message, class = find_pod(host, connection, namespace)
    if pod == nil and message ~= nil then return nil, message, class end
    if pod == nil then return host.again() end
    host.log("INFO", "following the pod '" .. pod.metadata.name .. "' again")
    return attend(props, host, connection, namespace, pod)
end

local function kill(props, host)
    local connection = k8s.connect(host, props)  -- by its labels, so also after a crash
    if connection == nil then return end
    local namespace = namespace_of(props, connection)
    local pod = find_pod(host, connection, namespace)
    if pod ~= nil then delete(host, connection, namespace, pod.metadata.name, 0) end
end

return task {
    implements = "io.kestra.plugin.kubernetes.core.PodCreate",
    effects = { "net", "create", "destroy" },
    hosts = k8s.hosts,
    run = run,
    recover = recover,
    kill = kill,
    plan = run,
}
