-- Messages to services that take JSON by HTTP: one request, what a failure is, what of an execution is
-- worth telling.
local rest = use "lib.rest"
local value = use "lib.value"

local notify = {}

-- A text that is to be JSON: sent as it is, refused where it is none. One that holds a secret cannot
-- be looked at.
function notify.payload(text, host)
    if host.is_secret(text) then return text end
    if type(text) ~= "string" then return host.json.encode(text) end
    local decoded, message = host.json.decode(text)
    if decoded == nil then
        return nil, "'payload' is no JSON (" .. message .. "); a value that may hold a quote or a line "
            .. "end is written as {{ value | toJson }}, without quotes around it", "permanent"
    end
    return text
end

-- Sends a request: `url`, `json` or `body`, `headers`, `auth`, `method`. Gives the answer, or nil,
-- message, class.
function notify.send(request, options, host)
    local headers = value.put({ ["Content-Type"] = "application/json" }, request.headers)
    request.method = request.method or "POST"
    request.headers = value.put(headers, value.texts(host, value.get(host, options, "headers")))
    return rest.send(request, options, host)
end

-- The request of a webhook: what `payload` says, with `message` put over it.
function notify.body(payload, message, host)
    local is_plain = type(payload) == "string"
    if payload ~= nil then
        local text, problem, class = notify.payload(payload, host)
        if text == nil then return nil, problem, class end
        if value.is_empty(message) then return { body = text } end
        if not is_plain then
            return nil, "'payload' holds a secret and cannot be joined with other properties",
                "permanent"
        end
    end
    local json = value.put(host.map(), is_plain and host.json.decode(payload) or nil)
    return { json = value.put(json, host.map(message)) }
end

-- Posts one JSON document. `spec`: url(props, host), headers(props, host), auth(props) where they are not
-- `props.url` and none; message(props, host) what is put over `payload`, text_payload where that is no
-- JSON.
function notify.run(spec, props, host)
    local message = spec.message and spec.message(props, host) or {}
    local payload = not spec.text_payload and props.payload or nil
    local request, problem, class = notify.body(payload, message, host)
    if request == nil then return nil, problem, class end
    request.url = spec.url and spec.url(props, host) or props.url
    request.headers = spec.headers and spec.headers(props, host)
    request.auth = spec.auth and spec.auth(props)
    local answer
    answer, problem, class = notify.send(request, props.options, host)
    if answer == nil then return nil, problem, class end
    return {}
end

-- --- what of an execution is told ----------------------------------------------------------------

-- Lines of text: flow, execution, state, last error, custom message and fields.
function notify.summary(props, host)
    local context = host.context
    local id = props.executionId or context.execution_id
    local lines = {}
    local title
    if id == context.execution_id then
        title = context.namespace .. "." .. context.flow_id .. " " .. (context.state or "")
        local text = host.logs({ level = "ERROR" })
        local logged = type(text) == "string" and string.split(string.trim(text), "\n") or {}
        local last = host.json.decode(logged[#logged] or "")
        if host.is_map(last) and type(last.message) == "string" then
            lines[1] = "Error: " .. last.message
        end
    else
        title = "Execution " .. tostring(host.text(id))
    end
    table.insert(lines, 1, host.join({ "Execution: ", host.text(id) }))
    if props.customMessage ~= nil then table.insert(lines, 1, props.customMessage) end
    for name, item in pairs(props.customFields or {}) do
        lines[#lines + 1] = host.join({ name, ": ", host.text(item) })
    end
    return string.trim(title), lines
end

-- The lines with a separator between them.
function notify.join(lines, separator, host)
    local parts = {}
    for i, line in ipairs(lines) do
        if i > 1 then parts[#parts + 1] = separator end
        parts[#parts + 1] = line
    end
    return host.join(parts)
end

-- Title and lines as one text.
function notify.text(props, host)
    local title, lines = notify.summary(props, host)
    table.insert(lines, 1, title)
    return notify.join(lines, "\n", host)
end

-- What services that speak Slack's format take about an execution.
function notify.slack_execution(props, host)
    return host.map({
        text = props.messageText or props.payload == nil and notify.text(props, host) or nil,
        channel = props.channel,
        username = props.username,
        icon_url = props.iconUrl,
        icon_emoji = props.iconEmoji,
    })
end

return notify
