-- Rows to JSON: a value a line, or one list.
local serdes = use "lib.serdes"
local records = use "lib.records"

local function run(props, host)
    local ok, message, class = serdes.check_charset(props.charset)
    if ok == nil then return nil, message, class end
    local is_list, rows = props.newLine == false, nil
    rows, message, class = serdes.rows(host, is_list and ".json" or ".jsonl")
    if rows == nil then return nil, message, class end
    if is_list then rows.text("[") end
    local count
    count, message, class = records.rows(host, props.from, function(row, number)
        if not is_list then return rows.add(row) end
        return rows.text(number > 1 and "," or "", host.json.encode(row))
    end)
    if count == nil then return nil, message, class end
    if is_list then
        rows.text("]")
        rows.count(count)
    end
    return rows.close()
end

return task {
    implements = "io.kestra.plugin.serdes.json.IonToJson",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
