-- Post a message to a Discord webhook.
local notify = use "lib.notify"

local function run(props, host)
    return notify.run({}, props, host)
end

return task {
    implements = "io.kestra.plugin.discord.DiscordIncomingWebhook",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
