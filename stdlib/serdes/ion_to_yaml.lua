-- Rows to a YAML list.
local serdes = use "lib.serdes"
local records = use "lib.records"

local function run(props, host)
    local ok, message, class = serdes.check_charset(props.charset)
    if ok == nil then return nil, message, class end
    local rows, count
    rows, message, class = serdes.rows(host, ".yaml")
    if rows == nil then return nil, message, class end
    count, message, class = records.rows(host, props.from, function(row)
        return rows.text(host.yaml.encode(host.list({ row })))
    end)
    if count == nil then return nil, message, class end
    rows.count(count)
    return rows.close()
end

return task {
    implements = "io.kestra.plugin.serdes.yaml.IonToYaml",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
