-- YAML to JSON: one value, or a value a line.
local serdes = use "lib.serdes"

local function extension(props)
    return props.jsonl and ".jsonl" or ".json"
end

local function convert(props, host, rows)
    local documents, message, class = serdes.whole(host, props.from, "YAML", host.yaml.decode_all, "")
    if documents == nil then return nil, message, class end
    if props.jsonl then return serdes.add_each(host, rows, documents) end
    rows.text(host.json.encode(#documents == 1 and documents[1] or host.list(documents)))
    rows.count(#documents == 1 and host.is_list(documents[1]) and #documents[1] or #documents)
    return true
end

local function run(props, host)
    return serdes.convert(extension(props), convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.yaml.YamlToJson",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
