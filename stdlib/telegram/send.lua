-- Send a message to a Telegram chat.
local telegram = use "lib.telegram"

local function run(props, host)
    return telegram.send(props, host, false)
end

return task {
    implements = "io.kestra.plugin.telegram.TelegramSend",
    effects = { "net", "notify" },
    hosts = telegram.hosts,
    run = run,
    plan = run,
}
