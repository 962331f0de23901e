-- Add a reaction to a Slack message.
local slack = use "lib.slack"

local function run(props, host)
    local answer, problem, class = slack.call(host, props.token, "reactions.add", host.map({
        { "channel", props.channel },
        { "name", props.name },
        { "timestamp", props.timestamp },
    }))
    if answer == nil then return nil, problem, class end
    return {}
end

return task {
    implements = "io.kestra.plugin.slack.app.reactions.Add",
    effects = { "net", "notify" },
    hosts = slack.hosts,
    run = run,
    plan = run,
}
