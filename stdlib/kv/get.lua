-- Read one key: in the flow's own namespace and then its parents, or in another one and only there.
local kv = use "lib.kv"

local function namespaces(props, host)
    local own = host.context.namespace
    if props.namespace ~= nil and props.namespace ~= own then return { props.namespace } end
    local parts = string.split(own, ".")
    local list = {}
    for count = #parts, 1, -1 do list[#list + 1] = table.concat(parts, ".", 1, count) end
    return list
end

local function run(props, host)
    for _, namespace in ipairs(namespaces(props, host)) do
        local found, message, class = host.kv.get(props.key, namespace)
        if found ~= nil then return { value = found } end
        if message ~= nil then return nil, message, class end
    end
    if props.errorOnMissing then
        return nil, kv.missing(props, host) .. "; `errorOnMissing: false` gives null then", "permanent"
    end
    return {}
end

return task {
    implements = "io.kestra.plugin.core.kv.Get",
    effects = { "kv" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
