-- Create an alert at Opsgenie.
local notify = use "lib.notify"

local SPEC = {
    headers = function(props, host)
        if props.authorizationToken == nil then return nil end
        return { Authorization = host.join({ "GenieKey ", props.authorizationToken }) }
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.opsgenie.OpsgenieAlert",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
