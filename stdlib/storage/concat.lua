-- Join files to one; the separator follows each of them, also the last.
local records = use "lib.records"

local function run(props, host)
    local files, message, class = records.uris(host, props.files)
    if files == nil then return nil, message, class end
    local writer
    writer, message, class = host.storage.writer({ name = "concat",
        extension = props.extension or ".tmp" })
    if writer == nil then return nil, message, class end
    for _, uri in ipairs(files) do
        local reader, ok
        reader, message, class = host.storage.reader(uri)
        if reader == nil then return nil, message, class end
        ok, message, class = records.append(writer, reader)
        reader:close()
        if ok == nil then return nil, message, class end
        if props.separator ~= nil then
            ok, message, class = writer:write(props.separator)
            if ok == nil then return nil, message, class end
        end
    end
    local uri
    uri, message, class = writer:close()
    if uri == nil then return nil, message, class end
    return { uri = uri }
end

return task {
    implements = "io.kestra.plugin.core.storage.Concat",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
