-- Write a text to the execution log.
local function run(props, host)
    if props.format ~= nil then host.log(props.level or "INFO", host.text(props.format)) end
    return {}
end

return task {
    implements = "io.kestra.plugin.core.debug.Echo",
    effects = {},
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
