-- Send a summary of an execution by SMTP.
local mail = use "lib.mail"
local notify = use "lib.notify"

local function run(props, host)
    local text = props.plainTextContent or notify.text(props, host)
    return mail.send(props, host, { text = text, html = props.htmlTextContent })
end

return task {
    implements = "io.kestra.plugin.email.MailExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
