-- Send an incident to Squadcast.
local notify = use "lib.notify"

local function run(props, host)
    return notify.run({}, props, host)
end

return task {
    implements = "io.kestra.plugin.notifications.squadcast.SquadcastIncomingWebhook",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
