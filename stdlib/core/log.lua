-- Write messages to the execution log. Several texts give one line each.
local value = use "lib.value"

local function run(props, host)
    for _, line in ipairs(value.list(host, props.message)) do
        host.log(props.level or "INFO", host.text(line))
    end
    return {}
end

return task {
    implements = "io.kestra.plugin.core.log.Log",
    effects = {},
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
