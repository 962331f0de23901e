-- Send a mail by SMTP.
local mail = use "lib.mail"

local function run(props, host)
    return mail.send(props, host, { text = props.plainTextContent, html = props.htmlTextContent })
end

return task {
    implements = "io.kestra.plugin.email.MailSend",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
