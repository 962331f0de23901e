-- Set the topic of a Slack channel.
local slack = use "lib.slack"

local function run(props, host)
    local answer, problem, class = slack.call(host, props.token, "conversations.setTopic", host.map({
        { "channel", props.channel },
        { "topic", props.topic },
    }))
    if answer == nil then return nil, problem, class end
    return slack.conversation(host, answer.channel)
end

return task {
    implements = "io.kestra.plugin.slack.app.conversations.SetTopic",
    effects = { "net", "notify" },
    hosts = slack.hosts,
    run = run,
    plan = run,
}
