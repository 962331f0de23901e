-- Rows to a YAML list.
local serdes = use "lib.serdes"

local function convert(props, host, rows)
    return serdes.each_row(host, props.from, rows, function(row)
        return rows.text(host.yaml.encode(host.list({ row })))
    end)
end

local function run(props, host)
    return serdes.convert(".yaml", convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.yaml.IonToYaml",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
