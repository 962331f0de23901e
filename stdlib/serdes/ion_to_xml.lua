-- Rows to XML: an element `item` each, below the root element.
local serdes = use "lib.serdes"
local records = use "lib.records"
local xml = use "lib.xml"

local function run(props, host)
    local ok, message, class = serdes.check_charset(props.charset)
    if ok == nil then return nil, message, class end
    local rows, count
    rows, message, class = serdes.rows(host, ".xml")
    if rows == nil then return nil, message, class end
    local root = props.rootName or "items"
    rows.text('<?xml version="1.0" encoding="UTF-8"?>\n<', root, ">")
    count, message, class = records.rows(host, props.from, function(row)
        return rows.text(xml.encode(host, "item", row))
    end)
    if count == nil then return nil, message, class end
    rows.text("</", root, ">\n")
    rows.count(count)
    return rows.close()
end

return task {
    implements = "io.kestra.plugin.serdes.xml.IonToXml",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
