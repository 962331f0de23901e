-- Delete all files of this execution.
local function run(_, host)
    local found, message, class = host.storage.list()
    if found == nil then return nil, message, class end
    local uris = {}
    for i, object in ipairs(found) do
        local deleted
        deleted, message, class = host.storage.delete(object.uri)
        if deleted == nil then return nil, message, class end
        uris[i] = object.uri
    end
    return { uris = host.list(uris) }
end

return task {
    implements = "io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles",
    effects = { "file", "destroy" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
