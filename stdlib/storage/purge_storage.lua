-- Delete the files of executions of a namespace or flow that were written in a span of time. Nothing
-- is deleted unless `dryRun` is false.
local function prefix_of(props)
    if props.namespace == nil then
        if props.flowId == nil then return "kestra:///" end
        return nil, "'flowId' needs 'namespace'"
    end
    local prefix = "kestra:///" .. table.concat(string.split(props.namespace, "."), "/") .. "/"
    return props.flowId and prefix .. props.flowId .. "/" or prefix
end

-- The part of a URI that names its execution, or nil for other files.
local function execution_of(uri)
    local start, finish = string.find(uri, "/executions/")
    if start == nil then return nil end
    local slash = string.find(uri, "/", finish + 1)
    return slash and uri:sub(1, slash)
end

local function run(props, host)
    local prefix, problem = prefix_of(props)
    if prefix == nil then return nil, problem, "permanent" end
    local from, to, message, class = 0, nil, nil, nil
    if props.startDate ~= nil then from, message, class = host.instant(props.startDate) end
    if from == nil then return nil, message, class end
    to, message, class = host.instant(props.endDate)
    if to == nil then return nil, message, class end
    local found
    found, message, class = host.storage.list(prefix)
    if found == nil then return nil, message, class end
    -- An execution is purged as a whole: by its last file, and never the one that asks.
    local newest, own = {}, "/executions/" .. host.context.execution_id .. "/"
    for _, object in ipairs(found) do
        local execution = execution_of(object.uri)
        if execution ~= nil and not string.find(execution, own) then
            newest[execution] = math.max(newest[execution] or 0, object.modified)
        end
    end
    local scanned, purged, deleted_files = 0, 0, 0
    for _, modified in pairs(newest) do
        scanned = scanned + 1
        if modified >= from and modified <= to then purged = purged + 1 end
    end
    for _, object in ipairs(found) do
        local modified = newest[execution_of(object.uri) or ""]
        if modified ~= nil and modified >= from and modified <= to then
            deleted_files = deleted_files + 1
            if props.dryRun == false then
                local deleted
                deleted, message, class = host.storage.delete(object.uri)
                if deleted == nil then return nil, message, class end
            end
        end
    end
    host.metric("scanned", "counter", scanned)
    host.metric("purged", "counter", purged)
    host.metric("deleted.files", "counter", deleted_files)
    return { scannedCount = scanned, purgedCount = purged, deletedFilesCount = deleted_files }
end

return task {
    implements = "io.kestra.plugin.core.storage.PurgeStorage",
    effects = { "file", "destroy" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
