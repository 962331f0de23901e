-- Change a part of a key's value: a list of {key, value} sets what lies at dotted paths, a map is merged
-- deeply, anything else replaces the value.
local kv = use "lib.kv"
local value = use "lib.value"

local function merge(host, old, new)
    if not host.is_map(old) or not host.is_map(new) then return new end
    local out = value.put(host.map(), old)
    for key, item in pairs(new) do out[key] = merge(host, old[key], item) end
    return out
end

local function set_path(host, old, path, new)
    if #path == 0 then return new end
    local out = value.put(host.map(), host.is_map(old) and old or nil)
    local rest = table.move(path, 2, #path, 1, {})
    out[path[1]] = set_path(host, out[path[1]], rest, new)
    return out
end

local function is_patch(host, given)
    if not host.is_list(given) or #given == 0 then return false end
    for _, entry in ipairs(given) do
        if not host.is_map(entry) or entry.key == nil then return false end
    end
    return true
end

local function changed(host, old, given)
    if not is_patch(host, given) then return merge(host, old, given) end
    if old ~= nil and not host.is_map(old) then
        return nil, "its value is no map, so that nothing can be set in it"
    end
    for _, entry in ipairs(given) do
        old = set_path(host, old, string.split(tostring(entry.key), "."), entry.value)
    end
    return old
end

local function run(props, host)
    local old, message, class = host.kv.get(props.key, props.namespace)
    if old == nil and message ~= nil then return nil, message, class end
    if old == nil and props.errorOnMissing then
        return nil, "there is no key '" .. props.key .. "'", "permanent"
    end
    if host.context.mode == "plan" then old = nil end
    local new, problem = changed(host, old, kv.typed(props.value, nil, host))
    if new == nil then return nil, "key '" .. props.key .. "': " .. problem, "permanent" end
    local ok
    ok, message, class = host.kv.set(props.key, new, { namespace = props.namespace })
    if ok == nil then return nil, message, class end
    return {}
end

return task {
    implements = "io.kestra.plugin.core.kv.Put",
    effects = { "kv" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
