-- Post a summary of an execution to a Google Chat webhook.
local notify = use "lib.notify"

local SPEC = {
    message = function(props, host)
        local text = props.text or props.payload == nil and notify.text(props, host) or nil
        return host.map({ text = text })
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.googleworkspace.chat.GoogleChatExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
