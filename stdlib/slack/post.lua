-- Post a message as a Slack app.
local slack = use "lib.slack"
local value = use "lib.value"

local function run(props, host)
    local message = host.map()
    if props.payload ~= nil then
        local decoded, problem = host.json.decode(tostring(host.text(props.payload)))
        if not host.is_map(decoded) then
            return nil, "'payload' is no JSON object: " .. tostring(problem), "permanent"
        end
        message = decoded
    end
    value.put(message, host.map({ text = props.messageText, channel = props.channel, thread_ts = props.timestamp,
        username = props.username, icon_url = props.iconUrl, icon_emoji = props.iconEmoji }))
    local answer, problem, class = slack.call(host, props.token, "chat.postMessage", message)
    if answer == nil then return nil, problem, class end
    return { timestamp = answer.ts }
end

return task {
    implements = "io.kestra.plugin.slack.app.chats.Post",
    effects = { "net", "notify" },
    hosts = slack.hosts,
    run = run,
    plan = run,
}
