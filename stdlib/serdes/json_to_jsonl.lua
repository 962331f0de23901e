-- A JSON list to a value a line.
local serdes = use "lib.serdes"

local function convert(props, host, rows)
    local value, message, class = serdes.whole_json(host, props.from)
    if value == nil then return nil, message, class end
    return serdes.add_all(host, rows, value)
end

local function run(props, host)
    return serdes.convert(".jsonl", convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.json.JsonToJsonl",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
