-- Cloudflare's API: its envelope, pages, and the options of HTTP tasks.
local http = use "lib.http"

local cloudflare = {}

local BASE = "https://api.cloudflare.com/client/v4"
local TRIES, PAGE = 3, 100

local function problem_of(answer, decoded, host)
    local texts = {}
    for i, problem in ipairs(host.is_map(decoded) and decoded.errors or {}) do
        texts[i] = tostring(problem.code) .. " " .. tostring(problem.message)
    end
    if #texts > 0 then return "Cloudflare refuses: " .. table.concat(texts, "; ") end
    return "Cloudflare answered with status " .. answer.status
end

-- One call; the whole envelope, or nil, message, class.
function cloudflare.call(props, host, method, path, request)
    request = request or {}
    local base = props.baseUrl or BASE
    if string.ends(base, "/") then base = base:sub(1, -2) end
    http.apply_options(request, props.options, host)
    request.method, request.url = method, base .. path
    request.auth = { type = "bearer", token = props.apiToken }
    request.retry = TRIES
    local answer, message, class = host.http(request)
    if answer == nil then return nil, message, class end
    if answer.planned then return { planned = true, result = host.map() } end
    local decoded = host.json.decode(answer.body)
    if host.is_map(decoded) and decoded.success == true and answer.status < 400 then return decoded end
    message = problem_of(answer, decoded, host)
    if answer.retry_after ~= nil then
        host.fail(message, { class = answer.class, retry_after = answer.retry_after })
    end
    return nil, message, answer.status < 400 and "permanent" or answer.class
end

-- All pages of a list.
function cloudflare.list(props, host, path, query)
    local all, page = host.list(), 1
    repeat
        local asked = { page = tostring(page), per_page = tostring(PAGE) }
        for name, text in pairs(query or {}) do asked[name] = text end
        local answer, message, class = cloudflare.call(props, host, "GET", path, { query = asked })
        if answer == nil then return nil, message, class end
        if answer.planned then return all end
        for _, item in ipairs(answer.result) do all[#all + 1] = item end
        local of_pages = answer.result_info
        local pages = host.is_map(of_pages) and math.tointeger(of_pages.total_pages) or 1
        page = page + 1
    until page > pages
    return all
end

-- The path of a zone, of an account.
function cloudflare.scope(props, host)
    if (props.zoneId == nil) == (props.accountId == nil) then
        return nil, "exactly one of 'zoneId' and 'accountId' must be given", "permanent"
    end
    if props.zoneId ~= nil then return "/zones/" .. host.url.encode(props.zoneId) end
    return "/accounts/" .. host.url.encode(props.accountId)
end

function cloudflare.record_path(props, host, id)
    local path = "/zones/" .. host.url.encode(props.zoneId) .. "/dns_records"
    return id and path .. "/" .. host.url.encode(id) or path
end

-- A record as outputs name it.
function cloudflare.record(record, id_name)
    return { [id_name or "recordId"] = record.id, name = record.name, type = record.type,
        content = record.content, ttl = record.ttl, proxied = record.proxied }
end

function cloudflare.wanted(props, host)
    local record = host.map()
    record.type, record.name, record.content = props.recordType, props.name, props.content
    record.ttl, record.proxied = props.ttl or 1, props.proxied or false
    return record
end

-- The names a request goes to, for the manifest.
function cloudflare.hosts(props)
    local base = type(props.baseUrl) == "string" and props.baseUrl or BASE
    return http.hosts({ uri = base })
end

return cloudflare
