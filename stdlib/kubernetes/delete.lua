-- Delete resources of one kind by name. One that is not there is no error.
local k8s = use "lib.k8s"

local function run(props, host)
    local connection, message, class = k8s.connect(host, props)
    if connection == nil then return nil, message, class end
    local version, namespace = k8s.version(props), props.namespace or "default"
    for _, name in ipairs(props.resourcesNames) do
        local path, label = k8s.place(host, connection, version, props.resourceType, namespace, name)
        if path == nil then return nil, label, "permanent" end
        local object
        object, message, class = k8s.call(host, connection, {
            method = "DELETE",
            path = path,
            may_lack = true,
            json = host.map({ propagationPolicy = "Background" }),
        })
        if object == nil and message ~= nil then
            return nil, "cannot delete " .. label .. ": " .. message, class
        end
        host.log("INFO", (object and "deleted " or "there is no ") .. label)
    end
    return {}
end

return task {
    implements = "io.kestra.plugin.kubernetes.kubectl.Delete",
    effects = { "net", "destroy" },
    idempotent = function() return "yes" end,
    hosts = k8s.hosts,
    run = run,
    plan = run,
}
