-- YAML to JSON: one value, or a value a line.
local serdes = use "lib.serdes"

local function run(props, host)
    local ok, message, class = serdes.check_charset(props.charset)
    if ok == nil then return nil, message, class end
    local text, documents, rows
    text, message, class = serdes.whole(host, props.from)
    if text == nil then return nil, message, class end
    documents, message = host.yaml.decode_all(text)
    if documents == nil then return nil, "'" .. props.from .. "' is no YAML: " .. message, "permanent" end
    rows, message, class = serdes.rows(host, props.jsonl and ".jsonl" or ".json")
    if rows == nil then return nil, message, class end
    if not props.jsonl then
        rows.text(host.json.encode(#documents == 1 and documents[1] or host.list(documents)))
        rows.count(#documents == 1 and host.is_list(documents[1]) and #documents[1] or #documents)
        return rows.close()
    end
    for _, document in ipairs(documents) do
        ok, message, class = serdes.add_all(host, rows, document)
        if ok == nil then return nil, message, class end
    end
    return rows.close()
end

return task {
    implements = "io.kestra.plugin.serdes.yaml.YamlToJson",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
