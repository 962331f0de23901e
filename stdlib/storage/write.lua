-- Write rendered text to a storage file.
local function run(props, host)
    local uri, message, class = host.storage.put({
        text = props.content,
        extension = props.extension,
    })
    if uri == nil then return nil, message, class end
    return { uri = uri }
end

return task {
    implements = "io.kestra.plugin.core.storage.Write",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
