-- A JSON list to a value a line.
local serdes = use "lib.serdes"

local function run(props, host)
    local ok, message, class = serdes.check_charset(props.charset)
    if ok == nil then return nil, message, class end
    local text, value, rows
    text, message, class = serdes.whole(host, props.from)
    if text == nil then return nil, message, class end
    value, message = host.json.decode(text == "" and "[]" or text)
    if value == nil then return nil, "'" .. props.from .. "' is no JSON: " .. message, "permanent" end
    rows, message, class = serdes.rows(host, ".jsonl")
    if rows == nil then return nil, message, class end
    ok, message, class = serdes.add_all(host, rows, value)
    if ok == nil then return nil, message, class end
    return rows.close()
end

return task {
    implements = "io.kestra.plugin.serdes.json.JsonToJsonl",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
