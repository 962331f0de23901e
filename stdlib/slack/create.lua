-- Create a Slack channel.
local slack = use "lib.slack"

local function run(props, host)
    local answer, problem, class = slack.call(host, props.token, "conversations.create", host.map({
        name = props.name,
        is_private = props.isPrivate or false,
        team_id = props.teamId,
    }))
    if answer == nil then return nil, problem, class end
    return slack.conversation(host, answer.channel)
end

return task {
    implements = "io.kestra.plugin.slack.app.conversations.Create",
    effects = { "net", "notify" },
    hosts = slack.hosts,
    run = run,
    plan = run,
}
