-- Post a summary of an execution to a Teams webhook.
local notify = use "lib.notify"

local SPEC = {
    message = function(props, host)
        if props.payload ~= nil then return {} end
        local title, lines = notify.summary(props, host)
        local section = host.map({
            activityTitle = props.activityTitle or title,
            activitySubtitle = props.activitySubtitle,
            text = notify.join(lines, "\n\n", host),
            markdown = true,
        })
        return host.map({
            { "@type", "MessageCard" },
            { "@context", "http://schema.org/extensions" },
            { "themeColor", props.themeColor or "0076D7" },
            { "summary", title },
            { "sections", host.list({ section }) },
        })
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.microsoft365.teams.TeamsExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
