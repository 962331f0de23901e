-- Unpack an archive.
local function run(props, host)
    local files, size, class = host.archive.unpack(props.from,
        { format = props.algorithm, compression = props.compression })
    if files == nil then return nil, size, class end
    local count = 0
    for _ in pairs(files) do count = count + 1 end
    host.metric("size", "counter", size)
    host.metric("count", "counter", count)
    return { files = files }
end

return task {
    implements = "io.kestra.plugin.compress.ArchiveDecompress",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
