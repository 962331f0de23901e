-- Pack files into an archive: a map of paths to URIs, or URIs by their names.
local EXTENSIONS = { AR = ".ar", CPIO = ".cpio", JAR = ".jar", TAR = ".tar", ZIP = ".zip" }

local function entries_of(props, host)
    local given = props.from
    if type(given) == "string" then given = host.json.decode(given) or { given } end
    local entries = host.map()
    if host.is_map(given) then
        for path, uri in pairs(given) do entries[path] = host.text(uri) end
        return entries
    end
    for _, uri in ipairs(given) do
        local segments = string.split(host.text(uri), "/")
        local name, free, count = segments[#segments], segments[#segments], 1
        while entries[free] ~= nil do
            free = count .. "-" .. name
            count = count + 1
        end
        entries[free] = host.text(uri)
    end
    return entries
end

local function run(props, host)
    local uri, message, class = host.archive.pack({
        entries = entries_of(props, host),
        format = props.algorithm,
        compression = props.compression,
        name = "archive" .. (EXTENSIONS[props.algorithm] or ""),
    })
    if uri == nil then return nil, message, class end
    return { uri = uri }
end

return task {
    implements = "io.kestra.plugin.compress.ArchiveCompress",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
