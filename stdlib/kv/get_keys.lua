-- List the keys of a namespace, all or those that begin with a prefix.
local function run(props, host)
    local keys, message, class = host.kv.keys(props.prefix, props.namespace)
    if keys == nil then return nil, message, class end
    return { keys = keys }
end

return task {
    implements = "io.kestra.plugin.core.kv.GetKeys",
    effects = { "kv" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
