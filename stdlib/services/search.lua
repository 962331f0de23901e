-- Elasticsearch and OpenSearch: the same requests under two names.
local fetched = use "lib.fetched"
local records = use "lib.records"
local rest = use "lib.rest"
local serdes = use "lib.serdes"
local value = use "lib.value"

local SCROLL = "60s"

local function ask(props, host, method, path, more)
    local connection = props.connection
    local servers = value.list(host, value.get(host, connection, "hosts"))
    if #servers == 0 then return nil, "'connection.hosts' names no server", "permanent" end
    local prefix = value.get(host, connection, "pathPrefix") or ""
    if prefix ~= "" and not string.starts(prefix, "/") then prefix = "/" .. prefix end
    local request = value.put({ method = method, url = rest.at(servers[1], prefix .. path), headers = {}, query = {} }, more)
    if props.routing ~= nil then request.query.routing = props.routing end
    if value.is_empty(request.query) then request.query = nil end
    local user = value.get(host, connection, "basicAuth")
    if user ~= nil then request.auth = rest.basic(value.get(host, user, "username"), value.get(host, user, "password")) end
    for _, line in ipairs(value.list(host, value.get(host, connection, "headers"))) do
        if host.is_secret(line) then return nil, "a header of the connection is a secret as a whole; only what is behind its colon may be one", "permanent" end
        local at = string.find(line, ":")
        if at ~= nil then request.headers[line:sub(1, at - 1)] = string.trim(line:sub(at + 1)) end
    end
    local options
    if value.get(host, connection, "trustAllSsl") then options = host.map({ { "ssl", host.map({ { "insecureTrustAllCertificates", true } }) } }) end
    return rest.send(request, options, host)
end

-- A text that is JSON, or a value, as a value.
local function decoded(given, host, what)
    if type(given) ~= "string" then return given end
    local found, message = host.json.decode(given)
    if found == nil then
        found = host.yaml.decode(given)
        if not host.is_map(found) then return nil, "'" .. what .. "' is no JSON: " .. message, "permanent" end
    end
    return found
end

local function request(props, host)
    local body, message, class = nil, nil, nil
    if props.body ~= nil then
        body, message, class = decoded(props.body, host, "body")
        if body == nil then return nil, message, class end
    end
    local path = string.starts(props.endpoint, "/") and props.endpoint or "/" .. props.endpoint
    local answer
    answer, message, class = ask(props, host, props.method or "GET", path, { json = body, query = value.texts(host, props.parameters) })
    if answer == nil then return nil, message, class end
    return { status = answer.status, response = answer.json or answer.body }
end

local REFRESH = { IMMEDIATE = "true", WAIT_UNTIL = "wait_for" }

local function put(props, host)
    local document, message, class = decoded(props.value, host, "value")
    if document == nil then return nil, message, class end
    local index, kind = "/" .. host.url.encode(props.index), props.opType or "INDEX"
    local key = props.key and "/" .. host.url.encode(props.key) or ""
    local method, path, body = "POST", "/_doc" .. key, document
    if kind == "CREATE" and props.key ~= nil then method, path = "PUT", "/_create" .. key end
    if kind == "INDEX" and props.key ~= nil then method = "PUT" end
    if kind == "UPDATE" then path, body = "/_update" .. key, { doc = document } end
    if kind == "DELETE" then method, body = "DELETE", nil end
    local answer
    answer, message, class = ask(props, host, method, index .. path, { json = body, query = { refresh = REFRESH[props.refreshPolicy] } })
    if answer == nil then return nil, message, class end
    local result = answer.json.result
    return { id = answer.json._id, result = type(result) == "string" and result:upper() or nil, version = answer.json._version }
end

local function get(props, host)
    local answer, message, class, status = ask(props, host, "GET", "/" .. host.url.encode(props.index) .. "/_doc/" .. host.url.encode(props.key),
        { query = { version = props.docVersion and host.text(props.docVersion) } })
    if answer == nil and status == 404 and not props.errorOnMissing then return {} end
    if answer == nil then return nil, message, class end
    return { row = value.get(host, answer.json, "_source") }
end

local function indexes(props, host)
    local names = {}
    for i, name in ipairs(props.indexes or {}) do names[i] = host.url.encode(name) end
    return #names > 0 and "/" .. table.concat(names, ",") or ""
end

local function hits(answer, host)
    local list = {}
    for i, hit in ipairs(value.list(host, rest.dig(host, answer, "hits", "hits"))) do list[i] = value.get(host, hit, "_source") or host.map() end
    return list
end

local function search(props, host)
    local body, message, class = decoded(props.request or host.map(), host, "request")
    if body == nil then return nil, message, class end
    local answer
    answer, message, class = ask(props, host, "POST", indexes(props, host) .. "/_search", { json = body })
    if answer == nil then return nil, message, class end
    local list, out = hits(answer.json, host), nil
    host.metric("requests.count", "counter", 1)
    host.metric("records", "counter", #list)
    out, message, class = fetched.outputs(props.fetchType or "FETCH", list, host)
    if out == nil then return nil, message, class end
    local total = rest.dig(host, answer.json, "hits", "total")
    out.total = host.is_map(total) and total.value or total
    return out
end

local function scroll(props, host)
    local body, message, class = decoded(props.request or host.map(), host, "request")
    if body == nil then return nil, message, class end
    local rows
    rows, message, class = serdes.rows(host, ".ion")
    if rows == nil then return nil, message, class end
    local answer, requests = nil, 1
    answer, message, class = ask(props, host, "POST", indexes(props, host) .. "/_search", { json = body, query = { scroll = SCROLL } })
    while answer ~= nil do
        local list, id = hits(answer.json, host), value.get(host, answer.json, "_scroll_id")
        serdes.add_all(host, rows, host.list(list))
        if #list == 0 or id == nil then
            if id ~= nil then ask(props, host, "DELETE", "/_search/scroll", { json = { scroll_id = id } }) end
            host.metric("requests.count", "counter", requests)
            return rows.close()
        end
        requests = requests + 1
        answer, message, class = ask(props, host, "POST", "/_search/scroll", { json = { scroll = SCROLL, scroll_id = id } })
    end
    return nil, message, class
end

-- Sends lines of the bulk format; nil, message, class where one is refused.
local function bulk(props, host, lines)
    local answer, message, class = ask(props, host, "POST", "/_bulk", { body = table.concat(lines, "\n") .. "\n",
        headers = { ["Content-Type"] = "application/x-ndjson" } })
    if answer == nil then return nil, message, class end
    host.metric("requests.count", "counter", 1)
    if not value.get(host, answer.json, "errors") then return true end
    for _, item in ipairs(value.list(host, answer.json.items)) do
        for _, one in pairs(item) do
            local problem = value.get(host, one, "error")
            if problem ~= nil then return nil, "a row was refused: " .. host.json.encode(problem):sub(1, 500), "permanent" end
        end
    end
    return nil, "rows were refused", "permanent"
end

local function load(props, host, is_raw)
    local lines, count, pending = {}, 0, 0
    local most = props.chunk or 1000
    if host.context.mode == "plan" then
        local ok, message, class = bulk(props, host, { "{}" })
        if ok == nil then return nil, message, class end
        return { size = 0 }
    end
    local ok, message, class = records.rows(host, props.from, function(row)
        if is_raw then
            -- Cut before an action only: its document belongs to it.
            local is_action = host.is_map(row) and (row.index or row.create or row.update or row.delete) ~= nil
            if is_action and pending >= most then
                local full = lines
                lines, pending = { host.json.encode(row) }, 1
                count = count + 1
                return bulk(props, host, full)
            end
            lines[#lines + 1] = host.json.encode(row)
            pending = pending + 1
            if is_action then count = count + 1 end
            return true
        else
            local kind, action = (props.opType or "INDEX"):lower(), { _index = props.index }
            if props.idKey ~= nil then
                action._id = host.text(row[props.idKey])
                if props.removeIdKey ~= false then row[props.idKey] = nil end
            end
            lines[#lines + 1] = host.json.encode({ [kind] = action })
            if kind == "update" then
                lines[#lines + 1] = host.json.encode({ doc = row })
            elseif kind ~= "delete" then
                lines[#lines + 1] = host.json.encode(row)
            end
            count, pending = count + 1, pending + 1
        end
        if pending < most then return true end
        local full = lines
        lines, pending = {}, 0
        return bulk(props, host, full)
    end)
    if ok == nil then return nil, message, class end
    if #lines > 0 then
        ok, message, class = bulk(props, host, lines)
        if ok == nil then return nil, message, class end
    end
    host.metric("records", "counter", count)
    return { size = count }
end

local TASKS = { { "Request", request }, { "Put", put }, { "Get", get, "yes" }, { "Search", search, "yes" }, { "Scroll", scroll, "yes" },
    { "Load", function(props, host) return load(props, host, false) end }, { "Bulk", function(props, host) return load(props, host, true) end } }

local tasks = {}
for _, product in ipairs({ "elasticsearch", "opensearch" }) do
    for _, row in ipairs(TASKS) do
        tasks[#tasks + 1] = task {
            implements = "io.kestra.plugin." .. product .. "." .. row[1],
            effects = { "net", row[3] and "file" or "create" },
            idempotent = function() return row[3] or "no" end,
            run = row[2],
            plan = row[2],
        }
    end
end
return tasks
