-- Requests to services that speak JSON: one in, one out, what a refusal is, waiting for what goes on there.
local http = use "lib.http"
local value = use "lib.value"

local rest = {}

local TRIES = 3  -- a service that asks to wait is asked again

function rest.basic(user, password)
    return { type = "basic", username = user or "", password = password or "" }
end

-- A bearer's token, nothing without one.
function rest.bearer(token)
    return token ~= nil and { type = "bearer", token = token } or nil
end

-- The address without slashes at its end, and a path behind it.
function rest.at(base, path)
    while string.ends(base, "/") do base = base:sub(1, -2) end
    return base .. path
end

-- Sends `request` as `options` say; gives the answer with its body as a value in `json`, or nil, message,
-- class and the status. `accept(answer)` may take a status of 400 and above.
function rest.send(request, options, host, accept)
    local auth = request.auth
    http.apply_options(request, options, host)
    request.auth = auth or request.auth
    request.headers, request.retry = value.put({ Accept = "application/json" }, request.headers), TRIES
    local answer, message, class = host.http(request)
    if answer == nil then return nil, message, class end
    if answer.planned then
        answer.json = host.map()
        return answer
    end
    if type(answer.body) == "string" and answer.body ~= "" then answer.json = host.json.decode(answer.body) end
    if answer.status < 400 or accept and accept(answer) then return answer end
    message = "the service answered with status " .. answer.status
    if type(answer.body) == "string" and #answer.body > 0 then
        message = message .. ": " .. string.trim(answer.body:sub(1, 500))
    end
    if answer.retry_after ~= nil then host.fail(message, { class = answer.class, retry_after = answer.retry_after }) end
    return nil, message, answer.class, answer.status
end

-- The same, where a JSON object has to come back: gives it.
function rest.ask(request, options, host)
    local answer, message, class, status = rest.send(request, options, host)
    if answer == nil then return nil, message, class, status end
    if not host.is_map(answer.json) then
        if host.is_list(answer.json) then return answer.json end
        return nil, "the service did not answer with JSON", "permanent"
    end
    return answer.json
end

-- Calls look() until it gives something; `every` and `most` are durations, `what` names it in the message.
-- look gives nil, message, class where it fails, false or nothing while it goes on.
function rest.wait(host, every, most, what, look)
    local start, limit = host.now(), most and host.duration(most) * 1000
    while true do
        local found, message, class = look()
        if message ~= nil then return nil, message, class end
        if found or host.context.mode == "plan" then return found or host.map() end
        if limit ~= nil and host.now() - start > limit then
            return nil, what .. " did not end within 'maxDuration'; it goes on there", "permanent"
        end
        host.sleep(host.duration(every))
    end
end

-- The value at a path of names in maps, or nil.
function rest.dig(host, from, ...)
    for _, name in ipairs({ ... }) do from = value.get(host, from, name) end
    return from
end

return rest
