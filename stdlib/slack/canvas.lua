-- Create a Slack canvas.
local slack = use "lib.slack"

local function run(props, host)
    local answer, problem, class = slack.call(host, props.token, "canvases.create", host.map({
        { "title", props.title },
        { "document_content", props.documentContent },
    }))
    if answer == nil then return nil, problem, class end
    return { id = answer.canvas_id }
end

return task {
    implements = "io.kestra.plugin.slack.app.canvases.Create",
    effects = { "net", "notify" },
    hosts = slack.hosts,
    run = run,
    plan = run,
}
