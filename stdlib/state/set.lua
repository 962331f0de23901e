-- Add entries to a state.
local state = use "lib.state"
local value = use "lib.value"

local function run(props, host)
    local found, message, class = state.read(props, host)
    if message ~= nil then return nil, message, class end
    local data = value.put(value.put(host.map(), found), props.data)
    local key, namespace = state.place(props, host)
    local ok
    ok, message, class = host.kv.set(key, data, { namespace = namespace })
    if ok == nil then return nil, message, class end
    return { count = state.size(data), key = key }
end

return task {
    implements = "io.kestra.plugin.core.state.Set",
    effects = { "kv" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
