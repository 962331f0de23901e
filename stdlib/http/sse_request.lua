-- Read a stream of server-sent events until the server ends it. Each event goes to a file and to the
-- outputs; `concatJqExpression` takes a text of each and joins them.
local http = use "lib.http"
local value = use "lib.value"

local EVENTS_MAX = 10000  -- in the outputs; the file has all of them

-- The lines of an event to its fields (HTML standard, server-sent events).
local function field(event, line)
    local colon = string.find(line, ":")
    local name = colon and line:sub(1, colon - 1) or line
    local text = colon and line:sub(colon + 1) or ""
    if string.starts(text, " ") then text = text:sub(2) end
    if name == "data" then
        event.data = event.data and event.data .. "\n" .. text or text
    elseif name == "event" then
        event.name = text
    elseif name == "id" then
        event.id = text
    elseif name == "retry" then
        event.retry = tonumber(text) and "PT" .. tonumber(text) / 1000 .. "S"
    elseif name == "" then
        event.comment = text
    end
end

local function parser(on_event)
    local rest, event, ends_with_return = "", {}, false
    return function(chunk)
        if ends_with_return and string.starts(chunk, "\n") then chunk = chunk:sub(2) end
        ends_with_return = string.ends(chunk, "\r")
        rest = table.concat(string.split(rest .. chunk, "\r\n"), "\n")
        rest = table.concat(string.split(rest, "\r"), "\n")
        local lines = string.split(rest, "\n")
        rest = lines[#lines]
        for i = 1, #lines - 1 do
            if lines[i] ~= "" then
                field(event, lines[i])
            elseif next(event) ~= nil then
                on_event(event)
                event = {}
            end
        end
    end
end

-- A path program of jq (`.a.b[0].c`) over a value; nil where something is missing.
local function at_path(host, expression, data)
    local rest = string.trim(expression)
    if rest == "." then return data end
    while rest ~= "" do
        local first, stop = rest:sub(1, 1), #rest + 1
        if first == "." then
            if rest:sub(2, 2) == "[" then
                rest = rest:sub(2)
            else
                for _, mark in ipairs({ ".", "[" }) do
                    local found = string.find(rest, mark, 2)
                    if found ~= nil then stop = math.min(stop, found) end
                end
                data = value.get(host, data, rest:sub(2, stop - 1))
                rest = rest:sub(stop)
            end
        elseif first == "[" then
            local close = string.find(rest, "]")
            local index = close and tonumber(rest:sub(2, close - 1))
            if index == nil then return nil, "'concatJqExpression' must be a path such as .a.b[0]" end
            if host.is_list(data) then
                data = data[index < 0 and #data + 1 + index or index + 1]
            else
                data = nil
            end
            rest = rest:sub(close + 1)
        else
            return nil, "'concatJqExpression' must be a path such as .a.b[0]"
        end
        if data == nil or data == host.null then return nil end
    end
    return data
end

local function decoded(host, event)
    local out = host.map()
    for name, text in pairs(event) do out[name] = text end
    local data = event.data and host.json.decode(event.data)
    if data ~= nil and data ~= host.null then out.data = data end
    return out
end

local function run(props, host)
    local request, problem = http.request(props, host)
    if request == nil then return nil, problem, "permanent" end
    local writer, message, class = host.storage.writer({ name = "events.ion" })
    if writer == nil then return nil, message, class end
    local events, count, texts, failure = host.list(), 0, {}, nil
    local parse = parser(function(event)
        local out = decoded(host, event)
        count = count + 1
        writer:write(host.json.encode(out), "\n")
        if count <= EVENTS_MAX then events[count] = out end
        if props.concatJqExpression == nil then return end
        local text, wrong = at_path(host, props.concatJqExpression, out.data)
        if text ~= nil then
            texts[#texts + 1] = tostring(host.text(text))
        elseif wrong ~= nil or props.failedOnMissingJq ~= false then
            failure = failure or wrong
                or "event " .. count .. " has nothing at '" .. props.concatJqExpression .. "'"
        end
    end)
    request.headers.Accept = request.headers.Accept or "text/event-stream"
    local body = {}
    request.on_chunk = function(chunk)
        if #body < 8 then body[#body + 1] = chunk end
        parse(chunk)
        return failure == nil
    end
    local answer
    answer, message, class = host.http(request)
    if answer == nil then return nil, message, class end
    answer.body = answer.status >= 400 and table.concat(body) or nil
    message, class = http.check(props, host, answer)
    if message ~= nil then return nil, message, class end
    if failure ~= nil then return nil, failure, "permanent" end
    parse("\n\n")  -- what the server did not finish
    host.metric("size", "counter", count)
    local uri
    uri, message, class = writer:close()
    if uri == nil then return nil, message, class end
    return { uri = uri, events = events, size = count,
        result = props.concatJqExpression and table.concat(texts) or nil }
end

return task {
    implements = "io.kestra.plugin.core.http.SseRequest",
    effects = { "net", "file" },
    idempotent = http.idempotent,
    hosts = http.hosts,
    run = run,
    plan = run,
}
