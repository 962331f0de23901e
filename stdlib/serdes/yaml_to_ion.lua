-- YAML documents to rows: lists give a row an item.
local serdes = use "lib.serdes"

local function run(props, host)
    local ok, message, class = serdes.check_charset(props.charset)
    if ok == nil then return nil, message, class end
    local text, documents, rows
    text, message, class = serdes.whole(host, props.from)
    if text == nil then return nil, message, class end
    documents, message = host.yaml.decode_all(text)
    if documents == nil then return nil, "'" .. props.from .. "' is no YAML: " .. message, "permanent" end
    rows, message, class = serdes.rows(host, ".ion")
    if rows == nil then return nil, message, class end
    for _, document in ipairs(documents) do
        ok, message, class = serdes.add_all(host, rows, document)
        if ok == nil then return nil, message, class end
    end
    return rows.close()
end

return task {
    implements = "io.kestra.plugin.serdes.yaml.YamlToIon",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
