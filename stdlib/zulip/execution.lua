-- Post a summary of an execution to a Zulip webhook that speaks Slack's format.
local notify = use "lib.notify"

local SPEC = {
    message = function(props, host)
        return notify.some(host, {
            text = props.payload == nil and notify.text(props, host) or nil,
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
    implements = "io.kestra.plugin.zulip.ZulipExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
