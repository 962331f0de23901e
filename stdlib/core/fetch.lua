-- Keep the log lines of an execution as a file of JSON lines.
local function run(props, host)
    local text, count, class = host.logs({
        execution = props.executionId,
        tasks = props.tasksId,
        level = props.level,
    })
    if text == nil then return nil, count, class end
    local uri, message
    uri, message, class = host.storage.put({ text = text, extension = ".ion" })
    if uri == nil then return nil, message, class end
    return { size = count, uri = uri }
end

return task {
    implements = "io.kestra.plugin.core.log.Fetch",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
