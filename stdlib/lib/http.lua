-- From the properties of an HTTP task to a request of the host, and back.
local value = use "lib.value"

local http = {}

local READ_IDLE = 300  -- seconds

-- The names a request may go to, for the artifact's manifest.
function http.hosts(props)
    if type(props.uri) ~= "string" then return {} end
    local start = string.find(props.uri, "://")
    if start == nil then return {} end
    local rest = props.uri:sub(start + 3)
    for _, stop in ipairs({ "/", "?", "#" }) do
        local at = string.find(rest, stop)
        if at ~= nil then rest = rest:sub(1, at - 1) end
    end
    local at = string.find(rest, "@")
    while at ~= nil do
        rest = rest:sub(at + 1)
        at = string.find(rest, "@")
    end
    return { rest }
end

local function header(host, headers, wanted)
    if not host.is_map(headers) then return nil end
    for name, text in pairs(headers) do
        if name:lower() == wanted then return text end
    end
    return nil
end

local SAFE = { GET = true, HEAD = true, OPTIONS = true, TRACE = true, PUT = true, DELETE = true }

-- A POST may be sent again only where its author gave it a key the receiver knows it by.
function http.idempotent(props)
    local method = type(props.method) == "string" and props.method:upper() or "GET"
    if SAFE[method] then return "yes" end
    if type(props.headers) == "table" then
        for name in pairs(props.headers) do
            if type(name) == "string" and name:lower() == "idempotency-key" then return "yes" end
        end
    end
    return "no"
end

local function auth_of(options, host)
    local auth = value.get(host, options, "auth")
    local kind = value.get(host, auth, "type")
    if kind == "BASIC" or kind == "DIGEST" then
        return {
            type = kind:lower(),
            username = value.get(host, auth, "username"),
            password = value.get(host, auth, "password"),
        }
    elseif kind == "BEARER" then
        return { type = "bearer", token = value.get(host, auth, "token") }
    end
    local user = value.get(host, options, "basicAuthUser")
    if user == nil then return nil end
    return { type = "basic", username = user, password = value.get(host, options, "basicAuthPassword") }
end

-- `proxy` of 1.3, and the flat names before it.
local function proxy_of(options, host)
    local proxy = value.get(host, options, "proxy")
    local function get(name, flat)
        local found = value.get(host, proxy, name)
        if found ~= nil then return found end
        return value.get(host, options, flat)
    end
    local address = get("address", "proxyAddress")
    if address == nil then return nil end
    local scheme = get("type", "proxyType") == "SOCKS" and "socks5h://" or "http://"
    local port = get("port", "proxyPort")
    return {
        url = scheme .. host.text(address) .. (port and ":" .. host.text(port) or ""),
        username = get("username", "proxyUsername"),
        password = get("password", "proxyPassword"),
    }
end

local function limits_of(options, host)
    local timeout = value.get(host, options, "timeout")
    local function seconds(name, group)
        local given = value.get(host, group, name)
        return given and host.duration(given)
    end
    return {
        connect = seconds("connectTimeout", timeout) or seconds("connectTimeout", options),
        idle = seconds("readIdleTimeout", timeout) or seconds("readIdleTimeout", options) or READ_IDLE,
        total = seconds("readTimeout", options),
        bytes = value.get(host, options, "maxContentLength"),
    }
end

-- What `options` says, put into a request of the host.
function http.apply_options(request, options, host)
    local tls = value.get(host, options, "ssl")
    request.auth = auth_of(options, host)
    request.proxy = proxy_of(options, host)
    request.limits = limits_of(options, host)
    if value.get(host, tls, "insecureTrustAllCertificates") then request.tls = { insecure = true } end
    if value.get(host, options, "followRedirects") == false then request.follow = false end
end

local function part_of(host, name, content)
    if host.is_map(content) and value.get(host, content, "name") ~= nil then
        local inner = value.get(host, content, "content")
        if type(inner) == "string" and string.starts(inner, "kestra://") then
            return { name = name, file = inner, filename = content.name }
        end
        return { name = name, value = host.text(inner), filename = content.name }
    end
    if type(content) == "string" and string.starts(content, "kestra://") then
        return { name = name, file = content }
    end
    return { name = name, value = host.text(content) }
end

local function add_form(request, props, host)
    if props.contentType == "multipart/form-data" then
        request.multipart = {}
        for name, content in pairs(props.formData) do
            request.multipart[#request.multipart + 1] = part_of(host, name, content)
        end
        return
    end
    request.form = {}
    for name, content in pairs(props.formData) do request.form[name] = host.text(content) end
end

-- Parameters of the query: a text, or a list of them.
local function query_of(props, host)
    local query = {}
    for name, content in pairs(props.params or {}) do
        if host.is_map(content) then
            return nil, "parameter '" .. name .. "' is a map; text or a list of texts is possible"
        elseif host.is_list(content) then
            local texts = {}
            for i, item in ipairs(content) do texts[i] = host.text(item) end
            query[name] = texts
        elseif content ~= host.null then
            query[name] = host.text(content)
        end
    end
    return query
end

local CHARSETS = { ["UTF-8"] = true, UTF8 = true, ["US-ASCII"] = true, ASCII = true }

-- What host.http takes, or nil and a message.
function http.request(props, host)
    local options = props.options
    local charset = value.get(host, options, "defaultCharset")
    if charset ~= nil and not CHARSETS[charset:upper()] then
        return nil, "the charset '" .. charset .. "' is not possible: texts are UTF-8"
    end
    local headers = { ["User-Agent"] = "Kestra" }
    local query, message = query_of(props, host)
    if query == nil then return nil, message end
    for name, text in pairs(props.headers or {}) do
        if name:lower() == "user-agent" then headers["User-Agent"] = nil end
        if text ~= host.null then headers[name] = host.text(text) end
    end
    local request = {
        method = props.method or "GET",
        url = props.uri,
        headers = headers,
        query = next(query) ~= nil and query or nil,
    }
    http.apply_options(request, options, host)
    if value.get(host, props.sslOptions, "insecureTrustAllCertificates") then
        request.tls = { insecure = true }
    end
    local content_type = props.contentType or "application/json"
    local has_type = header(host, props.headers, "content-type") ~= nil
    if props.formData ~= nil then
        add_form(request, props, host)
    else
        if not has_type then headers["Content-Type"] = content_type end
        request.body = props.body
    end
    return request
end

-- Whether the status is one the task accepts.
local function is_accepted(props, host, status)
    local allowed = value.list(host, value.get(host, props.options, "allowedResponseCodes"))
    if #allowed > 0 then
        for _, code in ipairs(allowed) do
            if code == status then return true end
        end
        return false
    end
    if value.get(host, props.options, "allowFailed") or props.allowFailed then return true end
    return status < 400
end

-- Nothing where the answer is accepted, else what `run` returns.
function http.check(props, host, answer)
    if answer.planned or is_accepted(props, host, answer.status) then return nil end
    local message = "the server answered with status " .. answer.status
    if type(answer.body) == "string" and #answer.body > 0 and #answer.body <= 500 then
        message = message .. ": " .. string.trim(answer.body)
    end
    if answer.retry_after ~= nil then
        -- The task's own retry does not come before.
        host.fail(message, { class = answer.class, retry_after = answer.retry_after })
    end
    return message, answer.class
end

-- `options.logs`: what of request and answer is logged, secrets masked.
function http.log(props, host, request, answer)
    for _, kind in ipairs(value.list(host, value.get(host, props.options, "logs"))) do
        if kind == "REQUEST_HEADERS" then
            for name, text in pairs(request.headers) do
                host.log("INFO", host.join({ "request header ", name, ": ", text }))
            end
        elseif kind == "REQUEST_BODY" and request.body ~= nil then
            host.log("INFO", host.join({ "request body: ", host.text(request.body) }))
        elseif kind == "RESPONSE_HEADERS" then
            for name, texts in pairs(answer.headers) do
                host.log("INFO", "response header " .. name .. ": " .. table.concat(texts, ", "))
            end
        elseif kind == "RESPONSE_BODY" and type(answer.body) == "string" then
            host.log("INFO", "response body: " .. answer.body)
        end
    end
end

return http
