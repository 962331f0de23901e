-- Where a state is kept: in the key-value store, in a namespace that no flow can have.
local M = {}

-- The namespace and key of a task's state: of the flow, or of its namespace; in a loop one per value
-- unless `taskrunValue` is false.
function M.place(props, host)
    local context = host.context
    local name = props.name or "default"
    local key = props.namespace and name or context.flow_id .. "/" .. name
    local value = context.value
    if props.taskrunValue ~= false and value ~= nil and value ~= "" then key = key .. "/" .. value end
    return key, context.namespace .. ":state"
end

-- The map that is kept; nil where there is none, and a message where it cannot be read.
function M.read(props, host)
    return host.kv.get(M.place(props, host))
end

function M.size(map)
    local count = 0
    for _ in pairs(map) do count = count + 1 end
    return count
end

return M
