-- Which executions a task means: by namespace, flow, states and a span of time.
local executions = {}

-- Whether `namespace` is `wanted` or below it.
local function is_below(namespace, wanted)
    return namespace == wanted or string.starts(namespace, wanted .. ".")
end

-- Those of `wanted` (`namespace`, `flow`, `states`: nil means any) that began between two instants in
-- ms; nil, message, class where they cannot be had.
function executions.find(host, wanted, from, to)
    local found, message, class = host.executions.list({ flow = wanted.flow, since = from })
    if found == nil then return nil, message, class end
    local states, out = nil, {}
    for _, state in ipairs(wanted.states or {}) do
        states = states or {}
        states[state] = true
    end
    for _, row in ipairs(found) do
        local is_meant = row.created <= to and (states == nil or states[row.state])
            and (wanted.namespace == nil or is_below(row.namespace, wanted.namespace))
        if is_meant then out[#out + 1] = row end
    end
    return out
end

-- An instant in ms: `text`, or `otherwise` where it is absent.
function executions.instant(host, text, otherwise)
    if text == nil then return otherwise end
    return host.instant(text)
end

return executions
