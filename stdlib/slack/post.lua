-- Post a message as a Slack app.
local slack = use "lib.slack"

local function run(props, host)
    local message = host.map()
    if props.payload ~= nil then
        local decoded, problem = host.json.decode(tostring(host.text(props.payload)))
        if not host.is_map(decoded) then
            return nil, "'payload' is no JSON object: " .. tostring(problem), "permanent"
        end
        for key, item in pairs(decoded) do message[key] = item end
    end
    local own = { text = props.messageText, channel = props.channel, thread_ts = props.timestamp,
        username = props.username, icon_url = props.iconUrl, icon_emoji = props.iconEmoji }
    for key, item in pairs(own) do message[key] = item end
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
