-- End as failed, always or where a condition holds.
local value = use "lib.value"

local function run(props, host)
    if props.condition ~= nil and not value.is_true(host, props.condition) then return {} end
    host.fail(props.errorMessage or "Task failure")
end

return task {
    implements = "io.kestra.plugin.core.execution.Fail",
    effects = {},
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
