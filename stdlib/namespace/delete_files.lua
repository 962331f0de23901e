-- Delete namespace files that match.
local namespace = use "lib.namespace"

local function run(props, host)
    local paths, message, class = namespace.find(props, host)
    if paths == nil then return nil, message, class end
    local files = host.map()
    for _, path in ipairs(paths) do
        local deleted
        deleted, message, class = host.nsfiles.delete(path, props.namespace)
        if deleted == nil then return nil, message, class end
        if not deleted then
            return nil, "the namespace file '" .. path .. "' came with the artifact; it is not there "
                .. "once the flow is compiled without it", "permanent"
        end
        files[path] = "nsfile://" .. props.namespace .. "/" .. path
    end
    return { files = files }
end

return task {
    implements = "io.kestra.plugin.core.namespace.DeleteFiles",
    effects = { "file", "destroy" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
