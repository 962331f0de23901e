-- Post a message to a Zulip webhook that speaks Slack's format.
local notify = use "lib.notify"

local function run(props, host)
    return notify.run({}, props, host)
end

return task {
    implements = "io.kestra.plugin.zulip.ZulipIncomingWebhook",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
