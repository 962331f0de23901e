-- Fail unless every condition holds; each that does not is logged.
local value = use "lib.value"

local function run(props, host)
    local failed = 0
    for i, condition in ipairs(props.conditions) do
        if not value.is_true(host, condition) then
            failed = failed + 1
            host.log("ERROR", "assertion " .. i .. " failed")
        end
    end
    host.metric("failed", "counter", failed)
    host.metric("success", "counter", #props.conditions - failed)
    if failed == 0 then return {} end
    host.fail(props.errorMessage or failed .. " of " .. #props.conditions .. " assertions failed")
end

return task {
    implements = "io.kestra.plugin.core.execution.Assert",
    effects = {},
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
