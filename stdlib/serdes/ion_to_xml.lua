-- Rows to XML: an element `item` each, below the root element.
local serdes = use "lib.serdes"
local xml = use "lib.xml"

local function convert(props, host, rows)
    local root = props.rootName or "items"
    rows.text('<?xml version="1.0" encoding="UTF-8"?>\n<', root, ">")
    local ok, message, class = serdes.each_row(host, props.from, rows, function(row)
        return rows.text(xml.encode(host, "item", row))
    end)
    if ok == nil then return nil, message, class end
    return rows.text("</", root, ">\n")
end

local function run(props, host)
    return serdes.convert(".xml", convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.xml.IonToXml",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
