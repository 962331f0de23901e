-- Return a map of rendered values as outputs.
local function run(props, host)
    return { values = props.values or host.map() }
end

return task {
    implements = "io.kestra.plugin.core.output.OutputValues",
    effects = {},
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
