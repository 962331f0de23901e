-- Models of Docker's Model Runner, by its REST API.
local http = use "lib.http"
local value = use "lib.value"

local PULL_IDLE = 600  -- seconds without a word

local function call(host, props, method, path, more)
    local answer, message, class = host.http(value.put({ method = method, url = props.host .. path }, more))
    if answer == nil then
        return nil, "the model runner at '" .. props.host .. "' does not answer: " .. message
            .. " (docker desktop enable model-runner --tcp 12434)", class
    end
    if answer.planned or answer.status < 300 then return answer end
    local text = type(answer.body) == "string" and string.trim(answer.body) or ""
    return nil, "the model runner says: " .. (text ~= "" and text or "status " .. answer.status), answer.class
end

local function list(props, host)
    local answer, message, class = call(host, props, "GET", "/models")
    if answer == nil then return nil, message, class end
    if answer.planned then return {} end
    local models = {}
    for i, model in ipairs(host.json.decode(answer.body) or {}) do
        models[i] = host.map({ { "id", model.id }, { "tags", model.tags }, { "created", model.created },
            { "config", model.config } })
    end
    return { models = host.list(models) }
end

-- The answer is a stream of JSON lines, of which one may say what went wrong.
local function pull(props, host)
    local rest, failure = "", nil
    local function take(text)
        local lines = string.split(rest .. text, "\n")
        rest = table.remove(lines)
        for _, line in ipairs(lines) do
            local entry = string.starts(line, "{") and host.json.decode(line)
            if host.is_map(entry) then
                local said = value.get(host, entry, "message")
                local is_error = value.get(host, entry, "type") == "error"
                if is_error or value.get(host, entry, "error") then
                    failure = value.get(host, entry, "error") or said
                end
            end
        end
    end
    local answer, message, class = call(host, props, "POST", "/models/create",
        { json = { from = props.model }, on_chunk = take, limits = { idle = PULL_IDLE } })
    take("\n")
    if answer == nil then return nil, message, class end
    if failure then
        return nil, "the model '" .. props.model .. "' cannot be pulled: " .. tostring(failure), "permanent"
    end
    return {}
end

local function delete(props, host)
    local parts = string.split(props.model, "/")
    for i, part in ipairs(parts) do parts[i] = host.url.encode(part) end
    local answer, message, class = call(host, props, "DELETE", "/models/" .. table.concat(parts, "/"))
    if answer == nil then return nil, message, class end
    return {}
end

local function declare(name, effects, body, idempotent)
    return task {
        implements = "io.kestra.plugin.docker.model." .. name,
        effects = effects,
        idempotent = function() return idempotent end,
        hosts = function(props) return http.hosts({ uri = props.host }) end,
        run = body,
        plan = body,
    }
end

return {
    declare("List", { "net" }, list, "yes"),
    declare("Pull", { "net", "create" }, pull, "yes"),
    declare("Delete", { "net", "destroy" }, delete, "no"),
}
