-- Send an event to PagerDuty.
local notify = use "lib.notify"

local function run(props, host)
    return notify.run({}, props, host)
end

return task {
    implements = "io.kestra.plugin.pagerduty.PagerDutyAlert",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
