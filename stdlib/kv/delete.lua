-- Delete one key of the key-value store.
local kv = use "lib.kv"

local function run(props, host)
    local deleted, message, class = host.kv.delete(props.key, props.namespace)
    if deleted == nil then return nil, message, class end
    if not deleted and props.errorOnMissing then
        return nil, kv.missing(props, host) .. ", and 'errorOnMissing' is true", "permanent"
    end
    return { deleted = deleted }
end

return task {
    implements = "io.kestra.plugin.core.kv.Delete",
    effects = { "kv", "destroy" },
    idempotent = function(props) return props.errorOnMissing and "no" or "yes" end,
    run = run,
    plan = run,
}
