-- Post a message to WhatsApp.
local notify = use "lib.notify"

local function run(props, host)
    return notify.run({}, props, host)
end

return task {
    implements = "io.kestra.plugin.meta.whatsapp.WhatsAppIncomingWebhook",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
