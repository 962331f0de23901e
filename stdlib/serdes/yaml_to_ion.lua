-- YAML documents to rows: lists give a row an item.
local serdes = use "lib.serdes"

local function convert(props, host, rows)
    local documents, message, class = serdes.whole(host, props.from, "YAML", host.yaml.decode_all, "")
    if documents == nil then return nil, message, class end
    return serdes.add_each(host, rows, documents)
end

local function run(props, host)
    return serdes.convert(".ion", convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.yaml.YamlToIon",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
