-- Write namespace files: from the working directory by pattern, or from URIs by name.
local namespace = use "lib.namespace"

local function entries_of(props, host)
    local entries = {}
    if props.filesMap ~= nil then
        local map = props.filesMap
        if type(map) == "string" then map = host.json.decode(map) end
        if not host.is_map(map) then return nil, "'filesMap' is no map", "permanent" end
        for path, uri in pairs(map) do entries[#entries + 1] = { path = path, from = uri } end
    end
    if props.files ~= nil then
        local found, message, class = host.workdir.list(props.files)
        if found == nil then return nil, message, class end
        for _, path in ipairs(found) do entries[#entries + 1] = { path = path, from = path } end
    end
    return entries
end

local function run(props, host)
    local entries, message, class = entries_of(props, host)
    if entries == nil then return nil, message, class end
    local there = {}
    for _, path in ipairs(host.nsfiles.list(nil, props.namespace) or {}) do there[path] = true end
    local files, conflict = host.map(), props.conflict or "OVERWRITE"
    for _, entry in ipairs(entries) do
        local path = namespace.below(props.destination, entry.path)
        while string.starts(path, "/") do path = path:sub(2) end
        if there[path] and conflict == "ERROR" then
            return nil, "the namespace file '" .. path .. "' is there already", "permanent"
        elseif not (there[path] and conflict == "SKIP") then
            local uri
            uri, message, class = host.nsfiles.write(path, entry.from, props.namespace)
            if uri == nil then return nil, message, class end
            files["/" .. path] = uri
        end
    end
    return { files = files }
end

return task {
    implements = "io.kestra.plugin.core.namespace.UploadFiles",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
