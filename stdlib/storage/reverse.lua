-- Write the rows of a file in reverse order.
local records = use "lib.records"

local function run(props, host)
    local charset = (props.charset or "UTF-8"):upper()
    if charset ~= "UTF-8" and charset ~= "US-ASCII" then
        return nil, "the charset '" .. charset .. "' is not possible: rows are UTF-8", "permanent"
    end
    local reader, message, class = host.storage.reader(props.from)
    if reader == nil then return nil, message, class end
    local writer
    writer, message, class = host.storage.writer({ name = "reversed",
        extension = records.extension(props.from) })
    if writer == nil then return nil, message, class end
    local separator = props.separator or "\n"
    while true do
        local row, size
        row, message, class = reader:back(separator)
        if row == nil and message ~= nil then return nil, message, class end
        if row == nil then break end
        size, message, class = writer:write(row, separator)
        if size == nil then return nil, message, class end
    end
    reader:close()
    local uri
    uri, message, class = writer:close()
    if uri == nil then return nil, message, class end
    return { uri = uri }
end

return task {
    implements = "io.kestra.plugin.core.storage.Reverse",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
