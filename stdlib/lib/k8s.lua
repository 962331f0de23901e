-- Talking to a Kubernetes API server: where a kind lives, requests, what an error says.
local value = use "lib.value"

local k8s = { FIELD_MANAGER = "flowrun" }

local TRIES = 3  -- of what the server asks to repeat

-- Kinds of the usual groups: plural, and whether they belong to a namespace. Others are looked up.
local KINDS = {
    ["v1"] = {
        ConfigMap = { "configmaps", true }, Endpoints = { "endpoints", true },
        Event = { "events", true }, LimitRange = { "limitranges", true },
        Namespace = { "namespaces", false }, Node = { "nodes", false },
        PersistentVolume = { "persistentvolumes", false },
        PersistentVolumeClaim = { "persistentvolumeclaims", true }, Pod = { "pods", true },
        PodTemplate = { "podtemplates", true },
        ReplicationController = { "replicationcontrollers", true },
        ResourceQuota = { "resourcequotas", true }, Secret = { "secrets", true },
        Service = { "services", true }, ServiceAccount = { "serviceaccounts", true },
    },
    ["apps/v1"] = {
        ControllerRevision = { "controllerrevisions", true }, DaemonSet = { "daemonsets", true },
        Deployment = { "deployments", true }, ReplicaSet = { "replicasets", true },
        StatefulSet = { "statefulsets", true },
    },
    ["batch/v1"] = { CronJob = { "cronjobs", true }, Job = { "jobs", true } },
    ["autoscaling/v2"] = { HorizontalPodAutoscaler = { "horizontalpodautoscalers", true } },
    ["policy/v1"] = { PodDisruptionBudget = { "poddisruptionbudgets", true } },
    ["networking.k8s.io/v1"] = {
        Ingress = { "ingresses", true }, IngressClass = { "ingressclasses", false },
        NetworkPolicy = { "networkpolicies", true },
    },
    ["rbac.authorization.k8s.io/v1"] = {
        ClusterRole = { "clusterroles", false },
        ClusterRoleBinding = { "clusterrolebindings", false },
        Role = { "roles", true }, RoleBinding = { "rolebindings", true },
    },
    ["storage.k8s.io/v1"] = { StorageClass = { "storageclasses", false } },
    ["scheduling.k8s.io/v1"] = { PriorityClass = { "priorityclasses", false } },
    ["apiextensions.k8s.io/v1"] = {
        CustomResourceDefinition = { "customresourcedefinitions", false },
    },
}

local function group_path(version)
    return (string.find(version, "/") and "/apis/" or "/api/") .. version
end

-- Somebody changed the object between the server's own reading and writing: nothing was done, and the same
-- patch may be sent again. Fields that another manager owns are named as causes, and that stays a conflict.
local function is_race(host, answer, decoded)
    local details = host.is_map(decoded) and value.get(host, decoded, "details")
    return answer.status == 409 and value.get(host, decoded, "reason") == "Conflict"
        and #value.list(host, details and value.get(host, details, "causes")) == 0
end

-- One request; the decoded answer, or nil, message, class, status. A status of 404 gives nil alone where
-- `may_lack` is set.
function k8s.call(host, connection, request)
    request.url = connection.server .. request.path
    request.auth, request.tls = connection.auth, connection.tls
    request.headers = request.headers or {}
    request.headers.Accept = "application/json"
    local may_lack = request.may_lack
    request.path, request.may_lack, request.retry = nil, nil, TRIES
    local answer, decoded
    for try = 1, TRIES do
        local message, class
        answer, message, class = host.http(request)
        if answer == nil then return nil, message, class end
        if answer.planned then return { planned = true } end
        if answer.status == 404 and may_lack then return nil end
        decoded = host.json.decode(answer.body)
        if request.method ~= "PATCH" or not is_race(host, answer, decoded) or try == TRIES then break end
        host.sleep(0.2 * try)
    end
    if answer.status < 300 then
        if decoded == nil then
            return nil, "the Kubernetes API answered with something that is not JSON", "permanent"
        end
        return decoded
    end
    local reason = host.is_map(decoded) and value.get(host, decoded, "message")
    return nil, reason or "the Kubernetes API answered with status " .. answer.status, answer.class,
        answer.status
end

-- A stream of a GET: `on_chunk` gets it piece by piece. Nothing at its end, else nil, message, class.
function k8s.stream(host, connection, request)
    local given = request.on_chunk
    local answer, message, class = host.http({
        url = connection.server .. request.path,
        query = request.query,
        auth = connection.auth,
        tls = connection.tls,
        limits = request.limits,
        on_chunk = given,
    })
    if answer == nil then return nil, message, class end
    if answer.planned or answer.status < 300 then return nil end
    return nil, "the Kubernetes API answered with status " .. answer.status, answer.class
end

function k8s.connect(host, props)
    return host.credentials("k8s", props.connection)
end

-- Plural and whether it is namespaced, from the table or the server's own list.
local function resource_of(host, connection, version, kind)
    local known = KINDS[version] and KINDS[version][kind]
    if known ~= nil then return known end
    local path = group_path(version)
    local list, message, class = k8s.call(host, connection, { path = path, may_lack = true })
    if list == nil and message ~= nil then return nil, message, class end
    if list == nil then
        return nil, "the cluster has no API '" .. version .. "' (kind '" .. kind .. "')", "permanent"
    end
    if list.planned then return { kind:lower() .. "s", true } end
    for _, resource in ipairs(list.resources) do
        if resource.kind == kind and string.find(resource.name, "/") == nil then
            return { resource.name, resource.namespaced }
        end
    end
    return nil, "API '" .. version .. "' of the cluster has no kind '" .. kind .. "'", "permanent"
end

-- The path of a collection, or with `name` of one object; also the namespace, nil for a kind that
-- belongs to none.
function k8s.path(host, connection, version, kind, namespace, name)
    local resource, message, class = resource_of(host, connection, version, kind)
    if resource == nil then return nil, message, class end
    local path = group_path(version)
    if resource[2] then
        path = path .. "/namespaces/" .. host.url.encode(namespace)
    else
        namespace = nil
    end
    path = path .. "/" .. resource[1]
    if name ~= nil then path = path .. "/" .. host.url.encode(name) end
    return path, namespace
end

-- Group and version of `apiGroup` and `apiVersion`.
function k8s.version(props)
    local version = props.apiVersion or "v1"
    if props.apiGroup == nil or props.apiGroup == "" then return version end
    return props.apiGroup .. "/" .. version
end

-- The path of one object, and how messages call it.
function k8s.place(host, connection, version, kind, namespace, name)
    local path, own, class = k8s.path(host, connection, version, kind, namespace, name)
    if path == nil then return nil, own, class end
    local label = kind:lower() .. " '" .. name .. "'"
    if own ~= nil then label = label .. " in namespace '" .. own .. "'" end
    return path, label
end

-- The fields of metadata that are outputs.
local METADATA = {
    "uid", "name", "namespace", "annotations", "labels", "creationTimestamp",
    "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generateName", "generation",
    "managedFields", "ownerReferences", "resourceVersion", "selfLink",
}

function k8s.metadata(host, object)
    local pairs_of = {}
    for _, name in ipairs(METADATA) do
        local found = value.get(host, object.metadata, name)
        if found ~= nil then pairs_of[#pairs_of + 1] = { name, found } end
    end
    return host.map(pairs_of)
end

local function is_ready(host, object)
    for _, condition in ipairs(value.list(host, value.get(host, object.status, "conditions"))) do
        local kind = condition.type
        if (kind == "Ready" or kind == "Available") and condition.status == "True" then return true end
    end
    return false
end

-- Waits until a status condition says the object is ready, at most the time the property gives.
function k8s.wait_ready(host, connection, path, label, duration)
    local seconds, message = host.duration(duration)
    if seconds == nil then return nil, message, "permanent" end
    if seconds <= 0 or host.context.mode == "plan" then return true end
    local deadline = host.now() + seconds * 1000
    while true do
        local object, problem, class = k8s.call(host, connection, { path = path })
        if object == nil then return nil, problem, class end
        if is_ready(host, object) then return true end
        if host.now() >= deadline then
            return nil, label .. " was not ready after " .. tostring(host.text(duration)), "transient"
        end
        host.sleep(1)
    end
end

-- The API server named in the flow itself; a kubeconfig's is not known at compile time.
function k8s.hosts(props)
    if type(props.connection) ~= "table" then return {} end
    local url = props.connection.masterUrl
    if type(url) ~= "string" then return {} end
    local start = string.find(url, "://")
    local rest = start and url:sub(start + 3) or url
    local slash = string.find(rest, "/")
    return { slash and rest:sub(1, slash - 1) or rest }
end

return k8s
