-- Send an event about an execution to PagerDuty.
local notify = use "lib.notify"
local value = use "lib.value"

local SPEC = {
    message = function(props, host)
        if props.payload ~= nil then return {} end
        local title, lines = notify.summary(props, host)
        local details = value.put(host.map(), props.customFields)
        details.message = notify.join(lines, "\n", host)
        return host.map({
            routing_key = props.routingKey,
            dedup_key = props.deduplicationKey,
            event_action = props.eventAction or "trigger",
            payload = host.map({
                summary = props.payloadSummary or title,
                source = host.context.namespace .. "." .. host.context.flow_id,
                severity = "error",
                custom_details = details,
            }),
        })
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.pagerduty.PagerDutyExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
