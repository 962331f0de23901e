-- Read a state: the map that `state.Set` has kept.
local state = use "lib.state"

local function run(props, host)
    local found, message, class = state.read(props, host)
    if message ~= nil then return nil, message, class end
    if found == nil and props.errorOnMissing then
        return nil, "there is no state '" .. (props.name or "default") .. "'", "permanent"
    end
    local data = found or host.map()
    return { count = state.size(data), data = data }
end

return task {
    implements = "io.kestra.plugin.core.state.Get",
    effects = { "kv" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
