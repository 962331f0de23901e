-- Restart workloads: their pods are replaced by a rollout, which is not waited for.
local k8s = use "lib.k8s"

local function run(props, host)
    local connection, message, class = k8s.connect(host, props)
    if connection == nil then return nil, message, class end
    local seconds = props.waitUntilReady and host.duration(props.waitUntilReady)
    if seconds and seconds > 0 then
        host.log("WARN", "'waitUntilReady' has no effect: a restart is not waited for")
    end
    local patch = host.json.encode({ spec = { template = { metadata = { annotations = {
        ["kubectl.kubernetes.io/restartedAt"] = host.date(host.now()),
    } } } } })
    for _, name in ipairs(props.resourcesNames) do
        local path, label = k8s.place(host, connection, "apps/v1", props.resourceType,
            props.namespace or "default", name)
        if path == nil then return nil, label, "permanent" end
        local object
        object, message, class = k8s.call(host, connection, {
            method = "PATCH",
            path = path,
            query = { fieldManager = k8s.FIELD_MANAGER },
            headers = { ["Content-Type"] = "application/strategic-merge-patch+json" },
            body = patch,
        })
        if object == nil then return nil, "cannot restart " .. label .. ": " .. message, class end
        if not object.planned then host.log("INFO", "restarted " .. label) end
    end
    return {}
end

return task {
    implements = "io.kestra.plugin.kubernetes.kubectl.Restart",
    effects = { "net", "create" },
    idempotent = function() return "yes" end,
    hosts = k8s.hosts,
    run = run,
    plan = run,
}
