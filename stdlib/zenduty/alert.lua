-- Send an event to Zenduty.
local notify = use "lib.notify"

local function run(props, host)
    return notify.run({}, props, host)
end

return task {
    implements = "io.kestra.plugin.zenduty.ZendutyAlert",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
