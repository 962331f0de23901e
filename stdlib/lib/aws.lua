-- Requests to AWS: credentials, the signature (version 4), endpoints, what a failure is.
local rest = use "lib.rest"
local value = use "lib.value"

local aws = {}

local TRIES = 3
local REASON_MAX = 1 << 20  -- bytes of a refusal
local UNSIGNED = "UNSIGNED-PAYLOAD"
-- Codes that ask to wait, mostly with status 400.
local THROTTLED = {}
for _, code in ipairs({ "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
    "TooManyRequestsException", "ProvisionedThroughputExceededException", "TransactionInProgressException",
    "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "RequestThrottled", "SlowDown",
    "PriorRequestNotComplete", "EC2ThrottledException" }) do
    THROTTLED[code] = true
end

-- --- XML as S3 and the query protocol give it ----------------------------------------------------

local ENTITIES = { { "&lt;", "<" }, { "&gt;", ">" }, { "&quot;", '"' }, { "&apos;", "'" }, { "&#39;", "'" },
    { "&#34;", '"' }, { "&amp;", "&" } }

local function unescape(text)
    for _, pair in ipairs(ENTITIES) do text = table.concat(string.split(text, pair[1]), pair[2]) end
    return text
end

-- The content of each element of a name, in order; elements of one name do not nest.
function aws.elements(text, name)
    local out, at = {}, 1
    while true do
        local start, stop = string.find(text, "<" .. name, at)
        if start == nil then return out end
        local last = text:sub(stop + 1, stop + 1)
        local close = string.find(text, ">", stop)
        if close == nil then return out end
        at = close + 1
        if (last == ">" or last == " ") and text:sub(close - 1, close - 1) ~= "/" then
            local from, to = string.find(text, "</" .. name .. ">", at)
            if from == nil then return out end
            out[#out + 1] = text:sub(at, from - 1)
            at = to + 1
        elseif last == "/" then
            out[#out + 1] = ""
        end
    end
end

-- The text of the first element of a name, or nil.
function aws.element(text, name)
    local found = aws.elements(text, name)[1]
    return found and unescape(found)
end

-- A form as the query protocol takes it; a blank is a plus sign, as the tools of AWS write it.
local function form_text(host, form)
    return table.concat(string.split(host.url.query(form), "%20"), "+")
end

-- --- connection -----------------------------------------------------------------------------------

local function none()
    return nil, "no AWS credentials: give 'accessKeyId' and 'secretKeyId', set AWS_ACCESS_KEY_ID and "
        .. "AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials", "permanent"
end

local function name_of(region, prefix)
    return prefix .. "." .. region .. (string.starts(region, "cn-") and ".amazonaws.com.cn" or ".amazonaws.com")
end

-- `prefix` is of the host's name, `service` of the signature.
local function endpoint(connection, prefix)
    return connection.endpoint or "https://" .. name_of(connection.region, prefix)
end

local function assume_role(connection, props, host)
    local form = { Action = "AssumeRole", Version = "2011-06-15", RoleArn = props.stsRoleArn,
        RoleSessionName = props.stsRoleSessionName or "flowrun-" .. host.context.execution_id,
        DurationSeconds = tostring(math.floor(host.duration(props.stsRoleSessionDuration or 900))),
        ExternalId = props.stsRoleExternalId }
    local at = { key = connection.key, secret = connection.secret, token = connection.token,
        region = connection.region, endpoint = props.stsEndpointOverride or connection.endpoint }
    local answer, message, class = aws.request(at, host, { service = "sts", body = form_text(host, form),
        headers = { ["Content-Type"] = "application/x-www-form-urlencoded" } })
    if answer == nil then return nil, message, class end
    if answer.planned then return connection end
    connection.key = aws.element(answer.body, "AccessKeyId")
    connection.secret = host.hide("aws secret of " .. connection.key, aws.element(answer.body, "SecretAccessKey") or "")
    connection.token = host.hide("aws token of " .. connection.key, aws.element(answer.body, "SessionToken") or "")
    return connection
end

-- What requests of a task are signed with and where they go; nil, message, class where it is not known.
function aws.connect(props, host)
    local found, message, class = host.credentials("aws")
    if found == nil then return nil, message, class end
    local connection = { key = found.key, secret = found.secret, token = found.token,
        region = props.region or found.region }
    if props.accessKeyId ~= nil and props.secretKeyId ~= nil then
        connection.key, connection.secret, connection.token = props.accessKeyId, props.secretKeyId, props.sessionToken
    end
    if connection.key == nil and host.context.mode ~= "plan" then return none() end
    connection.key, connection.secret = connection.key or "", connection.secret or ""
    if connection.region == nil then
        if host.context.mode ~= "plan" then
            return nil, "no AWS region: give 'region', or set AWS_REGION", "permanent"
        end
        connection.region = "<region>"
    end
    connection.path_style = props.forcePathStyle or props.endpointOverride ~= nil
    if props.endpointOverride ~= nil then
        connection.endpoint = rest.at(props.endpointOverride, "")
    end
    if props.stsRoleArn ~= nil then return assume_role(connection, props, host) end
    return connection
end

-- --- signature ------------------------------------------------------------------------------------

local function encoded_path(host, path)
    local segments = string.split(path, "/")
    for i, segment in ipairs(segments) do segments[i] = host.url.encode(segment) end
    return table.concat(segments, "/")
end

local function encoded_query(host, query)
    local pairs_of = {}
    for name, text in pairs(query or {}) do
        pairs_of[#pairs_of + 1] = { host.url.encode(name), host.url.encode(tostring(text)) }
    end
    table.sort(pairs_of, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
    for i, pair in ipairs(pairs_of) do pairs_of[i] = pair[1] .. "=" .. pair[2] end
    return table.concat(pairs_of, "&")
end

-- The date of now as the signature writes it: 20240102T030405Z.
local function stamp(host)
    local text = host.date(host.now())
    return text:sub(1, 4) .. text:sub(6, 7) .. text:sub(9, 13) .. text:sub(15, 16) .. text:sub(18, 19) .. "Z"
end

-- Credential scope and signature of a canonical request.
local function sign(connection, host, service, time, canonical)
    local scope = time:sub(1, 8) .. "/" .. connection.region .. "/" .. service .. "/aws4_request"
    local text = "AWS4-HMAC-SHA256\n" .. time .. "\n" .. scope .. "\n" .. host.hash("sha256", canonical)
    return scope, host.hmac("sha256", host.join({ "AWS4", connection.secret }), time:sub(1, 8), connection.region, service,
        "aws4_request", text)
end

local function authority(url)
    local start = string.find(url, "://")
    return string.split(url:sub(start + 3), "/")[1]
end

-- A request in its signed form.
local function signed(connection, host, spec)
    local time = stamp(host)
    local base = endpoint(connection, spec.prefix or spec.service)
    local is_s3 = spec.service == "s3"
    local path, query = encoded_path(host, spec.path or "/"), encoded_query(host, spec.query)
    local payload = spec.file and UNSIGNED or host.hash("sha256", spec.body or "")
    local headers = value.put({ ["X-Amz-Date"] = time, Host = authority(base) }, spec.headers)
    if is_s3 then headers["X-Amz-Content-Sha256"] = payload end
    if connection.token ~= nil then headers["X-Amz-Security-Token"] = connection.token end
    local names = {}
    for name in pairs(headers) do names[#names + 1] = name end
    table.sort(names, function(a, b) return a:lower() < b:lower() end)
    local lines, list = { (spec.method or "POST"), "\n", is_s3 and path or encoded_path(host, path), "\n", query, "\n" }, {}
    for i, name in ipairs(names) do
        list[i] = name:lower()
        for _, part in ipairs({ name:lower(), ":", headers[name], "\n" }) do lines[#lines + 1] = part end
    end
    list = table.concat(list, ";")
    for _, part in ipairs({ "\n", list, "\n", payload }) do lines[#lines + 1] = part end
    local scope, signature = sign(connection, host, spec.service, time, host.join(lines))
    headers.Authorization = host.join({ "AWS4-HMAC-SHA256 Credential=", connection.key, "/", scope, ", SignedHeaders=", list,
        ", Signature=", signature })
    headers.Host = nil  -- said by the address
    return { method = spec.method or "POST", url = base .. path .. (query ~= "" and "?" .. query or ""), headers = headers,
        body = spec.body, file = spec.file, save = spec.save }
end

-- A presigned address of `query` with one more signed header.
function aws.presign(connection, host, spec)
    local time = stamp(host)
    local base = endpoint(connection, spec.service)
    local names = { "host" }
    for name in pairs(spec.headers) do names[#names + 1] = name end
    table.sort(names)
    local list = table.concat(names, ";")
    local query = value.put({}, spec.query)
    query["X-Amz-Algorithm"], query["X-Amz-Date"] = "AWS4-HMAC-SHA256", time
    query["X-Amz-Credential"] = connection.key .. "/" .. time:sub(1, 8) .. "/" .. connection.region .. "/" .. spec.service .. "/aws4_request"
    query["X-Amz-Expires"], query["X-Amz-SignedHeaders"] = tostring(spec.expires), list
    local lines = { "GET\n/\n", encoded_query(host, query), "\n" }
    for _, name in ipairs(names) do
        lines[#lines + 1] = name .. ":" .. (name == "host" and authority(base) or spec.headers[name]) .. "\n"
    end
    lines[#lines + 1] = "\n" .. list .. "\n" .. host.hash("sha256", "")
    local _, signature = sign(connection, host, spec.service, time, table.concat(lines))
    return base .. "/?" .. encoded_query(host, query) .. "&X-Amz-Signature=" .. signature
end

-- --- requests -------------------------------------------------------------------------------------

-- The code and the text of a refusal, in JSON or XML.
local function reason(answer, host)
    local body = type(answer.body) == "string" and answer.body or ""
    local decoded = host.json.decode(body)
    if host.is_map(decoded) then
        local kind = value.get(host, decoded, "__type") or value.get(host, decoded, "code")
        local header = answer.headers["x-amzn-errortype"]
        if kind == nil and header ~= nil then kind = string.split(header[1], ":")[1] end
        local parts = string.split(tostring(kind or ""), "#")
        return parts[#parts], value.get(host, decoded, "message") or value.get(host, decoded, "Message")
    end
    return aws.element(body, "Code") or "", aws.element(body, "Message")
end

-- Sends a request: `service`, `method` (POST), `path`, `query`, `headers`, `body` or `file`, `save`; `prefix`
-- where the host's name begins with another word than the service. A refusal is nil, message, class, and its code.
function aws.request(connection, host, spec)
    for try = 1, TRIES do
        local request = signed(connection, host, spec)
        request.retry = TRIES
        local answer, message, class = host.http(request)
        if answer == nil then return nil, message, class end
        if answer.planned or answer.status < 300 then return answer end
        if spec.save ~= nil then answer.body = host.workdir.read(spec.save, REASON_MAX) end
        local code, text = reason(answer, host)
        class = THROTTLED[code] and "throttled" or answer.class
        if class ~= "throttled" or try == TRIES then
            message = spec.service .. " answered with status " .. answer.status
            if code ~= "" then message = message .. ", " .. code end
            if text ~= nil then message = message .. ": " .. tostring(text):sub(1, 500) end
            return nil, message, class, code
        end
        host.sleep(host.random() * 2 ^ (try - 1))
    end
end

-- Calls an operation of a service that speaks JSON; gives its answer as a map.
function aws.call(connection, host, service, target, version, input)
    local answer, message, class, code = aws.request(connection, host, { service = service, body = host.json.encode(input),
        headers = { ["X-Amz-Target"] = target, ["Content-Type"] = "application/x-amz-json-" .. version } })
    if answer == nil then return nil, message, class, code end
    if answer.planned then return host.map() end
    if answer.body == "" then return host.map() end
    return host.json.decode(answer.body)
end

-- Calls an operation of the query protocol; gives the XML.
function aws.query(connection, host, service, prefix, form)
    local answer, message, class, code = aws.request(connection, host, { service = service, prefix = prefix,
        body = form_text(host, form), headers = { ["Content-Type"] = "application/x-www-form-urlencoded" } })
    if answer == nil then return nil, message, class, code end
    return answer.planned and "" or answer.body
end

-- The host's name of a service, where it is known before the run.
function aws.hosts(props, prefix)
    local url = props.endpointOverride
    if type(url) == "string" and string.find(url, "://") then return { authority(url) } end
    if type(props.region) ~= "string" or string.find(props.region, "{") then return {} end
    return { name_of(props.region, prefix) }
end

return aws
