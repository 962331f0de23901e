-- JSON to YAML: one value, or values a line as a list.
local serdes = use "lib.serdes"

local function run(props, host)
    local ok, message, class = serdes.check_charset(props.charset)
    if ok == nil then return nil, message, class end
    local rows, value
    rows, message, class = serdes.rows(host, ".yaml")
    if rows == nil then return nil, message, class end
    if props.jsonl then
        value, message, class = serdes.read_rows(host, props.from)
    else
        local text
        text, message, class = serdes.whole(host, props.from)
        if text == nil then return nil, message, class end
        value, message = host.json.decode(text == "" and "[]" or text)
        class = "permanent"
    end
    if value == nil then return nil, message, class end
    rows.text(host.yaml.encode(value))
    rows.count(host.is_list(value) and #value or 1)
    return rows.close()
end

return task {
    implements = "io.kestra.plugin.serdes.yaml.JsonToYaml",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
