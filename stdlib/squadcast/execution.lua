-- Send an incident about an execution to Squadcast.
local notify = use "lib.notify"

local SPEC = {
    message = function(props, host)
        if props.payload ~= nil then return {} end
        local title, lines = notify.summary(props, host)
        return host.map({
            message = props.message or title,
            description = notify.join(lines, "\n", host),
            priority = props.priority,
            event_id = props.eventId,
            status = props.status or "trigger",
            tags = props.tags,
        })
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.notifications.squadcast.SquadcastExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
