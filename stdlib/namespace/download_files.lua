-- Copy namespace files that match into internal storage.
local namespace = use "lib.namespace"

local function run(props, host)
    local paths, message, class = namespace.find(props, host)
    if paths == nil then return nil, message, class end
    local files = host.map()
    for i, path in ipairs(paths) do
        local text, uri
        text, message, class = host.nsfiles.read(path, props.namespace)
        if text == nil then return nil, message, class end
        local segments = string.split(path, "/")
        uri, message, class = host.storage.put({ text = text, name = i .. "-" .. segments[#segments] })
        if uri == nil then return nil, message, class end
        files[namespace.below(props.destination, path)] = uri
    end
    return { files = files }
end

return task {
    implements = "io.kestra.plugin.core.namespace.DownloadFiles",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
