-- Write one key of the key-value store. The text is kept as the value it looks like (number, boolean,
-- list, map), or as what `kvType` says.
local kv = use "lib.kv"

local function run(props, host)
    if host.is_secret(props.value) then
        return nil, "the value holds a secret; the key-value store is no place for one", "permanent"
    end
    local value, problem = kv.typed(props.value, props.kvType, host)
    if value == nil then return nil, problem, "permanent" end
    local ok, message, class = host.kv.set(props.key, value, {
        namespace = props.namespace,
        ttl = props.ttl and host.duration(props.ttl),
        overwrite = props.overwrite ~= false,
    })
    if ok == nil then return nil, message, class end
    return {}
end

return task {
    implements = "io.kestra.plugin.core.kv.Set",
    effects = { "kv" },
    idempotent = function(props) return props.overwrite == false and "no" or "yes" end,
    run = run,
    plan = run,
}
