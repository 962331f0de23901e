-- Post a summary of an execution to a Zulip webhook that speaks Slack's format.
local notify = use "lib.notify"

local SPEC = { message = notify.slack_execution }

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.zulip.ZulipExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
