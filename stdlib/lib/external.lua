-- Task types that this runtime has no module for: a handler of the host runs them, a command or an
-- address. What both are told and what they answer is described in runtime/host/HANDLERS.md.
local external = { effects = { "exec", "net" } }

local STATES = { [10] = "WARNING", [40] = "SKIPPED" }
local CLASSES = { [20] = "transient", [30] = "permanent", [50] = "ambiguous" }

local function request_of(props, host, last)
    local context = host.context
    return host.map({
        { "version", 1 }, { "type", context.task_type }, { "task", context.task_id },
        { "attempt", context.attempt }, { "props", host.map(props) }, { "context", context },
        { "checkpoint", last and last.checkpoint or host.null },
    })
end

-- One line of an answer: true where it was a message.
local function take(host, state, line)
    if not string.starts(line, "{") then return false end
    local message = host.json.decode(line)
    if not host.is_map(message) then return false end
    local log, metric = message.log, message.metric
    local is_known = false
    if host.is_map(log) then
        is_known = true
        host.log(log.level or "INFO", log.message or "")
    end
    if host.is_map(metric) then
        is_known = true
        host.metric(metric.name, metric.type, metric.value, metric.tags)
    end
    if message.checkpoint ~= nil then
        is_known = true
        host.checkpoint(message.checkpoint)
    end
    if host.is_map(message.outputs) then
        is_known = true
        host.outputs(message.outputs)
    end
    if host.is_map(message.error) then
        is_known = true
        state.error = message.error
    end
    if message.exit ~= nil then
        is_known = true
        state.code = message.exit
    end
    return is_known
end

local function finish(host, state, code)
    code = state.code or code
    local said = state.error or {}
    local retry_after = said.retryAfter ~= host.null and said.retryAfter or nil
    if STATES[code] then host.fail(said.message or "", { state = STATES[code] }) end
    if code ~= 0 then
        host.fail(said.message or ("the handler ended with exit code " .. tostring(code)),
            { class = CLASSES[code] or "permanent", retry_after = retry_after })
    end
    return {}
end

local function by_command(request, host, handler)
    local state = {}
    local result, message, class = host.exec({
        argv = handler.command,
        stdin = request,
        markers = false,
        env = handler.env,
        on_line = function(stream, line) return stream == "stdout" and take(host, state, line) end,
    })
    if result == nil then return nil, message, class end
    if result.planned then return {} end
    return finish(host, state, result.code)
end

local function by_url(request, host, handler)
    local state, rest = {}, ""
    local function lines(text)
        local all = string.split(rest .. text, "\n")
        rest = table.remove(all)
        for _, line in ipairs(all) do
            if line ~= "" and not take(host, state, line) then host.log("INFO", line) end
        end
        return true
    end
    local answer, message, class = host.http({ method = "POST", url = handler.url,
        headers = { ["Content-Type"] = "application/json", Accept = "application/x-ndjson" },
        body = host.text(request), on_chunk = lines })
    if answer == nil then return nil, message, class end
    if answer.planned then return {} end
    if answer.status >= 300 then
        return nil, "the handler answered with status " .. answer.status, answer.class
    end
    lines("\n")
    return finish(host, state, 0)
end

local function run(props, host, last)
    local handler, message = host.handler()
    if handler == nil then return nil, message, "permanent" end
    local request = request_of(props, host, last)
    if handler.command ~= nil then return by_command(request, host, handler) end
    return by_url(request, host, handler)
end

external.run = function(props, host) return run(props, host) end
external.recover = run
-- A handler that has written a checkpoint is asked to go on from it; nobody knows of the others.
external.idempotent = function() return "checkpoint" end

return external
