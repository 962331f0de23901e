-- Create an alert about an execution at Opsgenie.
local notify = use "lib.notify"

-- {name: type} as the list of {name, type} that Opsgenie wants.
local function people(given, host)
    local out = host.list()
    for name, kind in pairs(given or {}) do
        out[#out + 1] = host.map({ { kind == "user" and "username" or "name", name }, { "type", kind } })
    end
    return #out > 0 and out or nil
end

local SPEC = {
    headers = function(props, host)
        if props.authorizationToken == nil then return nil end
        return { Authorization = host.join({ "GenieKey ", props.authorizationToken }) }
    end,
    message = function(props, host)
        if props.payload ~= nil then return {} end
        local title, lines = notify.summary(props, host)
        return host.map({
            message = props.message or title,
            alias = props.alias,
            description = notify.join(lines, "\n", host),
            responders = people(props.responders, host),
            visibleTo = people(props.visibleTo, host),
            tags = props.tags,
            priority = props.priority,
            details = props.customFields,
        })
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.opsgenie.OpsgenieExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
