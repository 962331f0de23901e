-- Send an event about an execution to Zenduty.
local notify = use "lib.notify"

local function links(given, host)
    local out = host.list()
    for i, url in ipairs(given or {}) do
        out[i] = host.map({ { "link_url", url }, { "link_text", url } })
    end
    return #out > 0 and out or nil
end

local SPEC = {
    message = function(props, host)
        if props.payload ~= nil then return {} end
        local title, lines = notify.summary(props, host)
        local kind = props.alertType or "ERROR"
        return host.map({
            message = props.message or title,
            summary = props.summary or notify.join(lines, "\n", host),
            alert_type = kind:lower(),
            entity_id = props.entityId,
            urls = links(props.urls, host),
        })
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.zenduty.ZendutyExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
