-- Broadcast a summary of an execution by LINE.
local notify = use "lib.notify"

local SPEC = {
    url = function(props) return props.url or "https://api.line.me/v2/bot/message/broadcast" end,
    auth = function(props) return { type = "bearer", token = props.channelAccessToken } end,
    message = function(props, host)
        local text = props.textBody or notify.text(props, host)
        local message = host.map({ { "type", "text" }, { "text", text } })
        return host.map({ { "messages", host.list({ message }) } })
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.line.LineExecution",
    effects = { "net", "notify" },
    hosts = function(props) return props.url == nil and { "api.line.me" } or {} end,
    run = run,
    plan = run,
}
