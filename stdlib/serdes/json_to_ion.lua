-- JSON to rows: a value a line, or one list.
local serdes = use "lib.serdes"

local function convert(props, host, rows)
    if props.newLine ~= false then
        return serdes.each_row(host, props.from, rows, function(row)
            return rows.text(host.json.encode(row), "\n")
        end)
    end
    local value, message, class = serdes.whole_json(host, props.from)
    if value == nil then return nil, message, class end
    return serdes.add_all(host, rows, value)
end

local function run(props, host)
    return serdes.convert(".ion", convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.json.JsonToIon",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
