-- Sentry, Twilio Notify, QQ and WhatsApp: one document for each message.
local notify = use "lib.notify"
local rest = use "lib.rest"
local value = use "lib.value"

-- --- Sentry ---------------------------------------------------------------------------------------

-- https://KEY@HOST/PROJECT: the address of events, and the key.
local function sentry_address(props, host)
    local dsn = props.dsn
    local kind = props.endpointType == "STORE" and "/store/" or "/envelope/"
    if host.is_secret(dsn) then  -- taken apart where it is in clear
        local function cut(text, mark, which) return host.filter(which, host.filter("split", text, mark)) end
        local place = cut(dsn, "@", "last")
        return host.join({ cut(dsn, "://", "first"), "://", cut(place, "/", "first"), "/api/", cut(place, "/", "last"), kind }),
            cut(cut(dsn, "@", "first"), "//", "last")
    end
    local start = string.find(dsn, "://")
    local at = string.find(dsn, "@", start or 1)
    local parts = string.split(dsn:sub((at or 0) + 1), "/")
    if start == nil or at == nil or #parts < 2 then return nil, "'dsn' is no https://KEY@HOST/PROJECT", "permanent" end
    local project = table.remove(parts)
    return dsn:sub(1, start + 2) .. parts[1] .. table.concat({ "", table.unpack(parts, 2) }, "/") .. "/api/" .. project .. kind,
        string.split(dsn:sub(start + 3, at - 1), ":")[1]
end

local function sentry_send(props, host, event)
    local url, key, class = sentry_address(props, host)
    if url == nil then return nil, key, class end
    local body = host.json.encode(event)
    if props.endpointType ~= "STORE" then
        local id = value.get(host, event, "event_id") or "0"
        body = host.join({ host.json.encode({ event_id = id, sent_at = host.date(host.now()) }), "\n", '{"type":"event"}', "\n", body, "\n" })
    end
    local ok, message
    ok, message, class = notify.send({ url = url, body = body, headers = {
        ["Content-Type"] = props.endpointType == "STORE" and "application/json" or "application/x-sentry-envelope",
        ["X-Sentry-Auth"] = host.join({ "Sentry sentry_version=7, sentry_client=flowrun/1, sentry_key=", key }) } }, props.options, host)
    if ok == nil then return nil, message, class end
    return {}
end

local function payload(props, host)
    if props.payload == nil then return host.map() end
    local text, message, class = notify.payload(props.payload, host)
    if text == nil then return nil, message, class end
    if host.is_secret(text) then return nil, "'payload' holds a secret; a monitor is no place for one", "permanent" end
    return host.json.decode(text)
end

local function sentry_alert(props, host)
    local event, message, class = payload(props, host)
    if event == nil then return nil, message, class end
    return sentry_send(props, host, event)
end

local function sentry_execution(props, host)
    local event, message, class = payload(props, host)
    if event == nil then return nil, message, class end
    local title, lines = notify.summary(props, host)
    for name, given in pairs(host.map({ event_id = props.eventId or table.concat(string.split(host.uuid(), "-")), timestamp = host.date(host.now()),
        platform = string.lower(props.platform or "JAVA"), level = string.lower(props.level or "ERROR"), transaction = props.transaction,
        server_name = props.serverName, extra = props.extra, errors = props.errors and host.list({ props.errors }),
        message = { formatted = title .. "\n" .. tostring(notify.join(lines, "\n", host)) } })) do
        if event[name] == nil then event[name] = given end
    end
    return sentry_send(props, host, event)
end

-- --- Twilio, QQ, WhatsApp -------------------------------------------------------------------------

local TWILIO = { auth = function(props) return rest.basic(props.accountSID, props.authToken) end }

local function twilio_alert(props, host) return notify.run(TWILIO, props, host) end

local function twilio_execution(props, host)
    return notify.run({ auth = TWILIO.auth, message = function()
        return host.map({ body = props.body or notify.text(props, host), identity = props.identity, tag = props.tag })
    end }, props, host)
end

local function qq_headers(props)
    return props.token and { Authorization = props.token } or {}
end

local function qq_hook(props, host) return notify.run({ headers = qq_headers }, props, host) end

local function qq_execution(props, host)
    return notify.run({ headers = qq_headers, message = function()
        return host.map({ content = notify.text(props, host), recipientIds = props.recipientIds })
    end }, props, host)
end

local function whatsapp_execution(props, host)
    return notify.run({ message = function()
        local contacts = {}
        for i, id in ipairs(props.whatsAppIds or {}) do
            contacts[i] = { profile = { name = props.profileName }, wa_id = id }
        end
        return host.map({ contacts = #contacts > 0 and host.list(contacts) or nil, messages = host.list({ host.map({
            from = props.from, id = props.messageId, type = "text", recipient_id = props.recipientId,
            text = { body = props.textBody or notify.text(props, host) } }) }) })
    end }, props, host)
end

local tasks = {}
for name, run in pairs({ ["sentry.SentryAlert"] = sentry_alert, ["sentry.SentryExecution"] = sentry_execution,
    ["twilio.notify.TwilioAlert"] = twilio_alert, ["twilio.notify.TwilioExecution"] = twilio_execution,
    ["tencent.qq.QQIncomingWebhook"] = qq_hook, ["tencent.qq.QQExecution"] = qq_execution,
    ["meta.whatsapp.WhatsAppExecution"] = whatsapp_execution }) do
    tasks[#tasks + 1] = task { implements = "io.kestra.plugin." .. name, effects = { "net", "notify" }, run = run, plan = run }
end
return tasks
