-- Delete a file of internal storage.
local function run(props, host)
    local deleted, message, class = host.storage.delete(props.uri)
    if deleted == nil then return nil, message, class end
    if not deleted and props.errorOnMissing then
        return nil, "there is no file '" .. props.uri .. "', and 'errorOnMissing' is true", "permanent"
    end
    return { uri = props.uri, deleted = deleted }
end

return task {
    implements = "io.kestra.plugin.core.storage.Delete",
    effects = { "file", "destroy" },
    idempotent = function(props) return props.errorOnMissing and "no" or "yes" end,
    run = run,
    plan = run,
}
