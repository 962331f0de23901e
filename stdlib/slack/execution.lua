-- Post a summary of an execution to a Slack incoming webhook.
local notify = use "lib.notify"

local SPEC = {
    message = function(props, host)
        return notify.some(host, {
            text = props.messageText or props.payload == nil and notify.text(props, host) or nil,
            channel = props.channel,
            username = props.username,
            icon_url = props.iconUrl,
            icon_emoji = props.iconEmoji,
        })
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.slack.notifications.SlackExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
