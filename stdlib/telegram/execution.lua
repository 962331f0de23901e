-- Send a summary of an execution to a Telegram chat.
local telegram = use "lib.telegram"

local function run(props, host)
    return telegram.send(props, host, true)
end

return task {
    implements = "io.kestra.plugin.telegram.TelegramExecution",
    effects = { "net", "notify" },
    hosts = telegram.hosts,
    run = run,
    plan = run,
}
