-- Post a message to a Teams webhook.
local notify = use "lib.notify"

local function run(props, host)
    return notify.run({}, props, host)
end

return task {
    implements = "io.kestra.plugin.microsoft365.teams.TeamsIncomingWebhook",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
