-- Wait. In a flow the engine does this with a durable timer; the module serves a task run by itself.
local function run(props, host)
    local seconds, message = host.duration(props.duration)
    if seconds == nil then return nil, message, "permanent" end
    host.sleep(seconds)
    return {}
end

return task {
    implements = "io.kestra.plugin.core.flow.Sleep",
    effects = {},
    idempotent = function() return "yes" end,
    run = run,
    plan = function(props, host)
        host.log("INFO", "would wait " .. tostring(host.text(props.duration)))
        return {}
    end,
}
