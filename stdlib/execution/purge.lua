-- Delete executions that are over: their history, logs, metrics and files.
local executions = use "lib.executions"

local OVER = { SUCCESS = true, WARNING = true, FAILED = true, KILLED = true, CANCELLED = true,
    RETRIED = true, SKIPPED = true }

-- The files of an execution; how many were deleted.
local function delete_files(row, host)
    local folder = table.concat(string.split(row.namespace, "."), "/")
    local found, message, class = host.storage.list("kestra:///" .. folder .. "/" .. row.flow
        .. "/executions/" .. row.id .. "/")
    if found == nil then return nil, message, class end
    for _, object in ipairs(found) do
        local deleted
        deleted, message, class = host.storage.delete(object.uri)
        if deleted == nil then return nil, message, class end
    end
    return #found
end

local function refuse(props)
    -- One row, one folder: they go together.
    for _, name in ipairs({ "purgeExecution", "purgeLog", "purgeMetric" }) do
        if props[name] == false then
            return "'" .. name .. ": false' is not possible: history, logs and metrics of an "
                .. "execution are kept, and deleted, together"
        end
    end
end

local function run(props, host)
    local problem = refuse(props)
    if problem ~= nil then return nil, problem, "permanent" end
    local from, to, message, class
    from, message = executions.instant(host, props.startDate, 0)
    if from == nil then return nil, message, "permanent" end
    to, message = host.instant(props.endDate)
    if to == nil then return nil, message, "permanent" end
    local found
    found, message, class = executions.find(host, { namespace = props.namespace, flow = props.flowId,
        states = props.states }, from, to)
    if found == nil then return nil, message, class end
    local executed, logged, stored = 0, 0, 0
    for _, row in ipairs(found) do
        if OVER[row.state] and row.id ~= host.context.execution_id then
            local _, lines = host.logs({ execution = row.id, level = "TRACE" })
            local is_gone
            is_gone, message, class = host.executions.delete(row.id)
            if is_gone == nil then return nil, message, class end
            if is_gone then
                executed = executed + 1
                logged = logged + (math.type(lines) and lines or 0)
                if props.purgeStorage ~= false then
                    local files
                    files, message, class = delete_files(row, host)
                    if files == nil then return nil, message, class end
                    stored = stored + files
                end
            end
        end
    end
    return { executionsCount = executed, logsCount = logged, storagesCount = stored, metricsCount = 0 }
end

return task {
    implements = "io.kestra.plugin.core.execution.PurgeExecutions",
    effects = { "file", "destroy" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
