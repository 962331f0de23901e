-- Remove a state.
local state = use "lib.state"

local function run(props, host)
    local deleted, message, class = host.kv.delete(state.place(props, host))
    if deleted == nil then return nil, message, class end
    if not deleted and props.errorOnMissing then
        return nil, "there is no state '" .. (props.name or "default") .. "'", "permanent"
    end
    return { deleted = deleted }
end

return task {
    implements = "io.kestra.plugin.core.state.Delete",
    effects = { "kv" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
