-- Post a message to a Google Chat webhook.
local notify = use "lib.notify"

local function run(props, host)
    return notify.run({}, props, host)
end

return task {
    implements = "io.kestra.plugin.googleworkspace.chat.GoogleChatIncomingWebhook",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
