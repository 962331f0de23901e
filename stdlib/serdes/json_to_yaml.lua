-- JSON to YAML: one value, or values a line as a list.
local serdes = use "lib.serdes"

local function convert(props, host, rows)
    local read = props.jsonl and serdes.read_rows or serdes.whole_json
    local value, message, class = read(host, props.from)
    if value == nil then return nil, message, class end
    rows.count(host.is_list(value) and #value or 1)
    return rows.text(host.yaml.encode(value))
end

local function run(props, host)
    return serdes.convert(".yaml", convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.yaml.JsonToYaml",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
