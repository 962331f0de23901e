-- Invite users to a Slack channel.
local slack = use "lib.slack"

local function run(props, host)
    local answer, problem, class = slack.call(host, props.token, "conversations.invite", host.map({
        { "channel", props.channel },
        { "users", table.concat(props.users, ",") },
    }))
    if answer == nil then return nil, problem, class end
    return slack.conversation(host, answer.channel)
end

return task {
    implements = "io.kestra.plugin.slack.app.conversations.Invite",
    effects = { "net", "notify" },
    hosts = slack.hosts,
    run = run,
    plan = run,
}
