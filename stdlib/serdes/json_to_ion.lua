-- JSON to rows: a value a line, or one list.
local serdes = use "lib.serdes"
local records = use "lib.records"

local function run(props, host)
    local ok, message, class = serdes.check_charset(props.charset)
    if ok == nil then return nil, message, class end
    local rows
    rows, message, class = serdes.rows(host)
    if rows == nil then return nil, message, class end
    if props.newLine == false then
        local text, value
        text, message, class = serdes.whole(host, props.from)
        if text == nil then return nil, message, class end
        value, message = host.json.decode(text == "" and "[]" or text)
        if value == nil then return nil, "'" .. props.from .. "' is no JSON: " .. message, "permanent" end
        ok, message, class = serdes.add_all(host, rows, value)
    else
        ok, message, class = records.rows(host, props.from, function(row) return rows.add(row) end)
    end
    if ok == nil then return nil, message, class end
    return rows.close()
end

return task {
    implements = "io.kestra.plugin.serdes.json.JsonToIon",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
