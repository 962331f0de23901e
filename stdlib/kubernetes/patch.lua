-- Patch one resource: by strategic merge (default), JSON merge or JSON patch; the patch is JSON or YAML.
local k8s = use "lib.k8s"
local value = use "lib.value"

local TYPES = {
    STRATEGIC_MERGE = "application/strategic-merge-patch+json",
    JSON_MERGE = "application/merge-patch+json",
    JSON_PATCH = "application/json-patch+json",
}

local function read_patch(props, host)
    if host.is_secret(props.patch) then
        return nil, "'patch' holds a secret; keep the resource that needs it in a cluster's own secret "
            .. "store", "permanent"
    end
    local patch, message = host.yaml.decode(tostring(host.text(props.patch)))
    if patch == nil then return nil, "'patch' is neither JSON nor YAML: " .. message, "permanent" end
    local is_list = props.patchStrategy == "JSON_PATCH"
    if is_list ~= host.is_list(patch) or not (is_list or host.is_map(patch)) then
        return nil, "'patch' must be a " .. (is_list and "list of operations" or "map") .. " for "
            .. (props.patchStrategy or "STRATEGIC_MERGE"), "permanent"
    end
    return patch
end

local function run(props, host)
    local patch, message, class = read_patch(props, host)
    if patch == nil then return nil, message, class end
    local connection
    connection, message, class = k8s.connect(host, props)
    if connection == nil then return nil, message, class end
    local path, label = k8s.place(host, connection, k8s.version(props), props.resourceType,
        props.namespace or "default", props.resourceName)
    if path == nil then return nil, label, "permanent" end
    local object
    object, message, class = k8s.call(host, connection, {
        method = "PATCH",
        path = path,
        query = { fieldManager = k8s.FIELD_MANAGER },
        headers = { ["Content-Type"] = TYPES[props.patchStrategy or "STRATEGIC_MERGE"] },
        body = host.json.encode(patch),
    })
    if object == nil then return nil, "cannot patch " .. label .. ": " .. message, class end
    if object.planned then return {} end
    host.log("INFO", "patched " .. label)
    if props.waitUntilReady ~= nil then
        local ok
        ok, message, class = k8s.wait_ready(host, connection, path, label, props.waitUntilReady)
        if ok == nil then return nil, message, class end
    end
    local status = value.get(host, object, "status") or host.map()
    return { metadata = k8s.metadata(host, object), status = host.map({ status = status }) }
end

return task {
    implements = "io.kestra.plugin.kubernetes.kubectl.Patch",
    effects = { "net", "create" },
    idempotent = function(props) return props.patchStrategy == "JSON_PATCH" and "no" or "yes" end,
    hosts = k8s.hosts,
    run = run,
    plan = run,
}
