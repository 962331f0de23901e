-- Rows to JSON: a value a line, or one list.
local serdes = use "lib.serdes"

local function is_list(props)
    return props.newLine == false
end

local function extension(props)
    return is_list(props) and ".json" or ".jsonl"
end

local function convert(props, host, rows)
    if is_list(props) then rows.text("[") end
    local ok, message, class = serdes.each_row(host, props.from, rows, function(row, number)
        if not is_list(props) then return rows.text(host.json.encode(row), "\n") end
        return rows.text(number > 1 and "," or "", host.json.encode(row))
    end)
    if ok == nil then return nil, message, class end
    if is_list(props) then rows.text("]") end
    return true
end

local function run(props, host)
    return serdes.convert(extension(props), convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.json.IonToJson",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
