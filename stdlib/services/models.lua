-- OpenAI, Anthropic, Linear, Resend, SendGrid, Stripe, Twilio's messages: services that live at one address each.
local notify = use "lib.notify"
local rest = use "lib.rest"
local value = use "lib.value"

-- --- language models ------------------------------------------------------------------------------

local function openai(props, host, path, json)
    return rest.ask({ method = "POST", url = "https://api.openai.com/v1" .. path, auth = rest.bearer(props.apiKey), json = json }, nil, host)
end

-- A function as the interface wants it: its parameters as a JSON schema.
local function tool_of(declared, host)
    local properties, required = host.map(), {}
    for _, parameter in ipairs(value.list(host, value.get(host, declared, "parameters"))) do
        properties[parameter.name] = host.map({ type = parameter.type, description = parameter.description,
            enum = value.get(host, parameter, "enumValues") })
        if parameter.required then required[#required + 1] = parameter.name end
    end
    return { type = "function", ["function"] = { name = declared.name, description = value.get(host, declared, "description"),
        parameters = { type = "object", properties = properties, required = host.list(required) } } }
end

local function schema_of(text, name, host)
    local schema, message = host.json.decode(text)
    if schema == nil then return nil, "'jsonResponseSchema' is no JSON: " .. message, "permanent" end
    return { type = "json_schema", json_schema = { name = name, schema = schema, strict = true } }
end

local function chat(props, host)
    local messages = {}
    for _, given in ipairs(props.messages or {}) do
        messages[#messages + 1] = host.map({ role = tostring(given.role):lower(), content = value.get(host, given, "content"), name = value.get(host, given, "name") })
    end
    if props.prompt ~= nil then messages[#messages + 1] = { role = "user", content = props.prompt } end
    if #messages == 0 then return nil, "'messages' or 'prompt' is needed", "permanent" end
    local format, tools, message, class = nil, nil, nil, nil
    if props.jsonResponseSchema ~= nil then
        format, message, class = schema_of(props.jsonResponseSchema, "answer", host)
        if format == nil then return nil, message, class end
    end
    if props.functions ~= nil then
        tools = {}
        for i, declared in ipairs(props.functions) do tools[i] = tool_of(declared, host) end
    end
    local choice = tools and (props.functionCall or "auto") or nil
    if choice ~= nil and choice ~= "auto" and choice ~= "none" then choice = { type = "function", ["function"] = { name = choice } } end
    local answer
    answer, message, class = openai(props, host, "/chat/completions", host.map({ model = props.model, messages = host.list(messages),
        temperature = props.temperature, top_p = props.topP, n = props.n, stop = props.stop, max_completion_tokens = props.maxTokens,
        presence_penalty = props.presencePenalty, frequency_penalty = props.frequencyPenalty, logit_bias = props.logitBias, user = props.user,
        response_format = format, tools = tools, tool_choice = choice }))
    if answer == nil then return nil, message, class end
    return { id = answer.id, object = answer.object, model = answer.model, choices = answer.choices, usage = answer.usage }
end

local function responses(props, host)
    local prompt = props.promptId and host.map({ id = props.promptId, variables = props.promptVariables }) or nil
    local answer, message, class = openai(props, host, "/responses", host.map({ model = props.model, input = props.input, text = props.text,
        tools = props.tools, tool_choice = props.toolChoice and props.toolChoice:lower(), store = props.store, prompt = prompt,
        previous_response_id = props.previousResponseId, reasoning = props.reasoning, max_output_tokens = props.maxOutputTokens,
        temperature = props.temperature, top_p = props.topP, parallel_tool_calls = props.parallelToolCalls, user = props.user }))
    if answer == nil then return nil, message, class end
    local texts, sources = {}, {}
    for _, item in ipairs(value.list(host, value.get(host, answer, "output"))) do
        for _, part in ipairs(value.list(host, value.get(host, item, "content"))) do
            if type(part.text) == "string" then texts[#texts + 1] = part.text end
            for _, note in ipairs(value.list(host, value.get(host, part, "annotations"))) do
                if note.url ~= nil then sources[#sources + 1] = note.url end
            end
        end
    end
    return { responseId = answer.id, outputText = table.concat(texts), sources = host.list(sources), rawResponse = answer }
end

local function claude(props, host)
    local messages, tools = {}, nil
    for i, given in ipairs(props.messages) do
        messages[i] = { role = (value.get(host, given, "type") or "USER"):lower(), content = given.content }
    end
    if props.tools ~= nil then
        tools = {}
        for i, tool in ipairs(props.tools) do
            tools[i] = host.map({ name = tool.name, description = value.get(host, tool, "description"), input_schema = value.get(host, tool, "inputSchema") or { type = "object" } })
        end
    end
    local system = props.system
    if system ~= nil and props.promptCaching then system = host.list({ { type = "text", text = system, cache_control = { type = "ephemeral" } } }) end
    local answer, message, class = rest.ask({ method = "POST", url = "https://api.anthropic.com/v1/messages",
        headers = { ["x-api-key"] = props.apiKey, ["anthropic-version"] = "2023-06-01" },
        json = host.map({ model = props.model, max_tokens = props.maxTokens or 1024, messages = host.list(messages), system = system,
            temperature = props.temperature, top_p = props.topP, top_k = props.topK, tools = tools }) }, nil, host)
    if answer == nil then return nil, message, class end
    local texts, uses = {}, {}
    for _, part in ipairs(value.list(host, value.get(host, answer, "content"))) do
        if part.type == "text" then texts[#texts + 1] = part.text end
        if part.type == "tool_use" then uses[#uses + 1] = host.map({ id = part.id, name = part.name, input = part.input }) end
    end
    for _, kind in ipairs({ "input", "output" }) do
        local count = rest.dig(host, answer, "usage", kind .. "_tokens")
        if count ~= nil then host.metric("usage." .. kind .. ".tokens", "counter", count) end
    end
    return { rawResponse = host.json.encode(answer), outputText = table.concat(texts), toolUses = host.list(uses), stopReason = answer.stop_reason,
        cacheCreationInputTokens = rest.dig(host, answer, "usage", "cache_creation_input_tokens"),
        cacheReadInputTokens = rest.dig(host, answer, "usage", "cache_read_input_tokens") }
end

-- --- Linear, Resend, Twilio, SendGrid -------------------------------------------------------------

local function linear(props, host)
    local function ask(query, variables)
        local answer, message, class = rest.ask({ method = "POST", url = "https://api.linear.app/graphql", headers = { Authorization = props.token or "" },
            json = { query = query, variables = variables } }, nil, host)
        if answer == nil then return nil, message, class end
        local errors = value.get(host, answer, "errors")
        if errors ~= nil then return nil, "linear: " .. host.json.encode(errors):sub(1, 500), "permanent" end
        return value.get(host, answer, "data") or host.map()
    end
    local function id_of(kind, name)
        local found, message, class = ask("query F($n: String!) { " .. kind .. "(filter: { name: { eq: $n } }) { nodes { id } } }", { n = name })
        if found == nil then return nil, message, class end
        if host.context.mode == "plan" then return "<" .. kind .. ">" end
        local first = value.list(host, rest.dig(host, found, kind, "nodes"))[1]
        if first == nil then return nil, "linear has no '" .. name .. "' among its " .. kind, "permanent" end
        return first.id
    end
    local team, message, class = id_of("teams", props.team or "")
    if team == nil then return nil, message, class end
    local labels
    for _, name in ipairs(props.labels or {}) do
        local id
        id, message, class = id_of("issueLabels", name)
        if id == nil then return nil, message, class end
        labels = labels or {}
        labels[#labels + 1] = id
    end
    local made
    made, message, class = ask("mutation C($i: IssueCreateInput!) { issueCreate(input: $i) { success issue { id } } }",
        { i = host.map({ teamId = team, title = props.title, description = props.description, labelIds = labels }) })
    if made == nil then return nil, message, class end
    return { isSuccess = rest.dig(host, made, "issueCreate", "success"), issueId = rest.dig(host, made, "issueCreate", "issue", "id") }
end

-- Files as Base64; nil, message, class where one cannot be read.
local function attached(list, host, make)
    local out = {}
    for i, given in ipairs(list or {}) do
        local text, message, class = "", nil, nil
        if value.get(host, given, "uri") ~= nil and host.context.mode ~= "plan" then
            text, message, class = host.storage.get(given.uri)
            if text == nil then return nil, message, class end
        end
        out[i] = make(given, host.base64.encode(text))
    end
    return out
end

local function resend(props, host)
    local files, message, class = attached(props.attachments, host, function(given, content)
        local has_uri = value.get(host, given, "uri") ~= nil
        return host.map({ filename = given.name, content = has_uri and content or nil, path = value.get(host, given, "path"),
            content_id = value.get(host, given, "contentId"), content_type = value.get(host, given, "contentType") })
    end)
    if files == nil then return nil, message, class end
    local headers = props.idempotencyKey and { ["Idempotency-Key"] = props.idempotencyKey } or nil
    local answer
    answer, message, class = rest.ask({ method = "POST", url = "https://api.resend.com/emails", auth = rest.bearer(props.apiKey), headers = headers,
        json = host.map({ from = props.from, to = props.to, subject = props.subject, cc = props.cc, bcc = props.bcc, reply_to = props.replyTo,
            html = props.html, text = props.text, headers = props.headers, scheduled_at = props.scheduledAt, tags = props.tags,
            attachments = #files > 0 and host.list(files) or nil }) }, nil, host)
    if answer == nil then return nil, message, class end
    return { id = answer.id }
end

local function twilio(props, host)
    local form = { From = props.from, To = props.to, Body = props.body }
    if props.mediaUrls ~= nil then form.MediaUrl = props.mediaUrls[1] end
    local answer, message, class = rest.ask({ method = "POST", form = form, auth = rest.basic(props.accountSID, props.authToken),
        url = "https://api.twilio.com/2010-04-01/Accounts/" .. props.accountSID .. "/Messages.json" }, nil, host)
    if answer == nil then return nil, message, class end
    return { sid = answer.sid, status = answer.status }
end

local function sendgrid(is_execution)
    return function(props, host)
        local function addresses(list)
            local out = {}
            for i, address in ipairs(list) do out[i] = { email = address } end
            return host.list(out)
        end
        local content, text = {}, props.textContent
        if text == nil and is_execution then text = notify.text(props, host) end
        if text ~= nil then content[#content + 1] = { type = "text/plain", value = text } end
        if props.htmlContent ~= nil then content[#content + 1] = { type = "text/html", value = props.htmlContent } end
        if #content == 0 then return nil, "'htmlContent' or 'textContent' is needed", "permanent" end
        local function file(disposition)
            return function(given, bytes)
                return { content = bytes, filename = given.name, type = value.get(host, given, "contentType") or "application/octet-stream",
                    disposition = disposition, content_id = given.name }
            end
        end
        local files, message, class = attached(props.attachments, host, file("attachment"))
        if files == nil then return nil, message, class end
        local images
        images, message, class = attached(props.embeddedImages, host, file("inline"))
        if images == nil then return nil, message, class end
        for _, image in ipairs(images) do files[#files + 1] = image end
        local answer
        answer, message, class = rest.send({ method = "POST", url = "https://api.sendgrid.com/v3/mail/send", auth = rest.bearer(props.sendgridApiKey),
            json = host.map({ from = { email = props.from }, subject = props.subject or (is_execution and notify.summary(props, host)) or "",
                personalizations = host.list({ host.map({ to = addresses(props.to), cc = props.cc and addresses(props.cc) or nil }) }),
                content = host.list(content), attachments = #files > 0 and host.list(files) or nil }) }, nil, host)
        if answer == nil then return nil, message, class end
        local headers = host.map()
        for name, texts in pairs(answer.headers) do headers[name] = texts[1] end
        return { body = answer.body, headers = headers, statusCode = answer.status }
    end
end

-- --- Stripe ---------------------------------------------------------------------------------------

local function stripe(props, host, method, path, form)
    local request = { method = method, url = "https://api.stripe.com/v1" .. path, auth = rest.bearer(props.apiKey) }
    if method == "GET" then request.query = form else request.form = form end
    return rest.ask(request, nil, host)
end

local function customer_form(props, host)
    local form = { name = props.name, email = props.email }
    for name, given in pairs(props.metadata or {}) do form["metadata[" .. name .. "]"] = host.text(given) end
    return form
end

local function customer(method, needs_form)
    return function(props, host)
        local path = "/customers" .. (props.customerId and "/" .. props.customerId or "")
        local answer, message, class = stripe(props, host, method, path, needs_form and customer_form(props, host) or nil)
        if answer == nil then return nil, message, class end
        local is_made = method == "POST" and props.customerId == nil
        return { customerId = answer.id or props.customerId, deleted = answer.deleted,
            customerData = (not is_made or props.includeFullCustomerData) and answer or nil }
    end
end

local function customers(props, host)
    local answer, message, class = stripe(props, host, "GET", "/customers", { limit = host.text(props.limit or 10), email = props.email })
    if answer == nil then return nil, message, class end
    local list = value.list(host, value.get(host, answer, "data"))
    return { customers = host.list(list), totalCount = #list }
end

local function balance(props, host)
    local answer, message, class = stripe(props, host, "GET", "/balance")
    if answer == nil then return nil, message, class end
    return { available = answer.available, pending = answer.pending, raw = answer }
end

-- --------------------------------------------------------------------------------------------------

local TASKS = {
    { "openai.ChatCompletion", chat, "api.openai.com" }, { "openai.Responses", responses, "api.openai.com" },
    { "anthropic.ChatCompletion", claude, "api.anthropic.com" }, { "linear.issues.Create", linear, "api.linear.app" },
    { "resend.email.Send", resend, "api.resend.com" }, { "twilio.notify.sms.Send", twilio, "api.twilio.com" },
    { "twilio.notify.mms.Send", twilio, "api.twilio.com" },
    { "twilio.sendgrid.SendGridMailSend", sendgrid(false), "api.sendgrid.com" },
    { "twilio.sendgrid.SendGridMailExecution", sendgrid(true), "api.sendgrid.com" },
    { "stripe.balance.Retrieve", balance, "api.stripe.com", "yes" }, { "stripe.customer.Create", customer("POST", true), "api.stripe.com" },
    { "stripe.customer.Update", customer("POST", true), "api.stripe.com", "yes" }, { "stripe.customer.Get", customer("GET"), "api.stripe.com", "yes" },
    { "stripe.customer.Delete", customer("DELETE"), "api.stripe.com", "yes" }, { "stripe.customer.List", customers, "api.stripe.com", "yes" },
}

local tasks = {}
for i, row in ipairs(TASKS) do
    tasks[i] = task {
        implements = "io.kestra.plugin." .. row[1],
        effects = { "net", "create" },
        idempotent = function(props) return row[4] or (row[1] == "resend.email.Send" and props.idempotencyKey and "yes") or "no" end,
        hosts = function() return { row[3] } end,
        run = row[2],
        plan = row[2],
    }
end
return tasks
