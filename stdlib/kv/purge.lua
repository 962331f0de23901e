-- Delete keys: those whose time is over, unless `behavior` says all; of all namespaces, of a list or a
-- pattern of them.
local value = use "lib.value"

local function is_below(namespace, parent)
    return namespace == parent or string.starts(namespace, parent .. ".")
end

local function is_wanted(props, host, namespace)
    if string.find(namespace, ":") then return false end  -- states
    if props.namespacePattern ~= nil then return host.glob(props.namespacePattern, namespace) end
    if props.namespaces == nil then return true end
    for _, each in ipairs(props.namespaces) do
        if namespace == each then return true end
        if props.includeChildNamespaces ~= false and is_below(namespace, each) then return true end
    end
    return false
end

local function only_expired(props, host)
    if props.expiredOnly ~= nil then return props.expiredOnly end
    local given = value.get(host, props.behavior, "expiredOnly")
    return given == nil or given == true or given == "true"
end

local function run(props, host)
    local entries, message, class = host.kv.entries()
    if entries == nil then return nil, message, class end
    local expired_only, count = only_expired(props, host), 0
    for _, entry in ipairs(entries) do
        local matches = props.keyPattern == nil or host.glob(props.keyPattern, entry.key)
        if matches and (entry.expired or not expired_only)
            and is_wanted(props, host, entry.namespace) then
            local deleted
            deleted, message, class = host.kv.delete(entry.key, entry.namespace)
            if deleted == nil then return nil, message, class end
            count = count + 1
        end
    end
    return { size = count }
end

return task {
    implements = "io.kestra.plugin.core.kv.PurgeKV",
    effects = { "kv", "destroy" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
