-- Fetch resources of one kind: all of a namespace, or those named. A name that is not there is a
-- warning.
local k8s = use "lib.k8s"
local value = use "lib.value"

local PAGE = "500"
local GONE, STARTS = 410, 3

local function fetch_named(props, host, connection, version, namespace)
    local items = {}
    for _, name in ipairs(props.resourcesNames) do
        local path, message, class = k8s.path(host, connection, version, props.resourceType,
            namespace, name)
        if path == nil then return nil, message, class end
        local label = props.resourceType:lower() .. " '" .. name .. "'"
        local object
        object, message, class = k8s.call(host, connection, { path = path, may_lack = true })
        if object == nil and message ~= nil then return nil, message, class end
        if object == nil then
            host.log("WARN", "there is no " .. label)
        else
            if props.waitUntilReady ~= nil then
                local ok, problem, why = k8s.wait_ready(host, connection, path, label,
                    props.waitUntilReady)
                if ok == nil then return nil, problem, why end
            end
            if not object.planned then items[#items + 1] = object end
        end
    end
    return items
end

local function fetch_all(props, host, connection, version, namespace)
    local path, message, class = k8s.path(host, connection, version, props.resourceType, namespace)
    if path == nil then return nil, message, class end
    local items, continue, starts = {}, nil, 1
    while true do
        local list, problem, why, status = k8s.call(host, connection, {
            path = path,
            query = { limit = PAGE, continue = continue },
        })
        if list == nil and status == GONE and starts < STARTS then
            items, continue, starts = {}, nil, starts + 1  -- what was listed is too old to go on from
        elseif list == nil then
            return nil, problem, why
        else
            for _, item in ipairs(value.list(host, list.items)) do items[#items + 1] = item end
            continue = value.get(host, list.metadata, "continue")
            if continue == nil or continue == "" then return items end
        end
    end
end

local function status_of(host, item)
    return host.map({ { "status", value.get(host, item, "status") or host.map() } })
end

local function store(host, items)
    local lines = {}
    for i, item in ipairs(items) do lines[i] = host.json.encode(item) .. "\n" end
    return host.storage.put({ text = table.concat(lines), name = "resources.ion" })
end

local function result(props, host, items)
    local kind = props.fetchType or "NONE"
    if kind == "FETCH_ONE" then
        if items[1] == nil then return { size = 0 } end
        return {
            metadataItem = k8s.metadata(host, items[1]),
            statusItem = status_of(host, items[1]),
            size = 1,
        }
    elseif kind == "FETCH" then
        local metadata, status = {}, {}
        for i, item in ipairs(items) do
            metadata[i], status[i] = k8s.metadata(host, item), status_of(host, item)
        end
        return {
            metadataItems = host.list(metadata),
            statusItems = host.list(status),
            size = #items,
        }
    elseif kind == "STORE" then
        local uri, message, class = store(host, items)
        if uri == nil then return nil, message, class end
        return { uri = uri, size = #items }
    end
    return {}
end

local function run(props, host)
    local connection, message, class = k8s.connect(host, props)
    if connection == nil then return nil, message, class end
    local namespace = props.namespace or "default"
    local fetch = props.resourcesNames ~= nil and #props.resourcesNames > 0 and fetch_named
        or fetch_all
    local items
    items, message, class = fetch(props, host, connection, k8s.version(props), namespace)
    if items == nil then return nil, message, class end
    host.metric("fetch.size", "counter", #items)
    return result(props, host, items)
end

return task {
    implements = "io.kestra.plugin.kubernetes.kubectl.Get",
    effects = { "net" },
    idempotent = function() return "yes" end,
    hosts = k8s.hosts,
    run = run,
    plan = run,
}
