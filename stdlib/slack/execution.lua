-- Post a summary of an execution to a Slack incoming webhook.
local notify = use "lib.notify"

local SPEC = { message = notify.slack_execution }

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.slack.notifications.SlackExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
