-- Fetch the messages of a Slack channel into a file.
local slack = use "lib.slack"

local PAGE = 200

local function run(props, host)
    local writer, problem, class = host.storage.writer({ name = "history.ion" })
    if writer == nil then return nil, problem, class end
    local count, cursor = 0, nil
    repeat
        local left = props.limit and props.limit - count or PAGE
        local answer
        answer, problem, class = slack.call(host, props.token, "conversations.history", nil, {
            channel = props.channel,
            oldest = props.oldest,
            latest = props.latest,
            inclusive = props.inclusive and "true" or nil,
            limit = tostring(math.min(left, PAGE)),
            cursor = cursor,
        })
        if answer == nil then return nil, problem, class end
        for _, message in ipairs(answer.messages or {}) do
            writer:write(host.json.encode(message), "\n")
            count = count + 1
        end
        local more = answer.response_metadata
        cursor = host.is_map(more) and more.next_cursor ~= "" and more.next_cursor or nil
    until cursor == nil or (props.limit and count >= props.limit)
    local uri
    uri, problem, class = writer:close()
    if uri == nil then return nil, problem, class end
    host.metric("records", "counter", count)
    return { uri = uri, size = count }
end

return task {
    implements = "io.kestra.plugin.slack.app.conversations.History",
    effects = { "net", "notify" },
    hosts = slack.hosts,
    run = run,
    plan = run,
}
