-- Post a message to a Slack incoming webhook.
local notify = use "lib.notify"

local SPEC = {
    message = function(props, host) return host.map({ text = props.messageText }) end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.slack.notifications.SlackIncomingWebhook",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
