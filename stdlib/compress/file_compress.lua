-- Compress one file.
local EXTENSIONS = { BZIP2 = ".bz2", GZIP = ".gz", LZ4FRAME = ".lz4", LZMA = ".lzma", XZ = ".xz", Z = ".Z",
    ZSTD = ".zst" }

local function run(props, host)
    local segments = string.split(props.from, "/")
    local uri, message, class = host.archive.pack({
        entries = host.map({ file = props.from }),
        compression = props.compression,
        name = segments[#segments] .. (EXTENSIONS[props.compression] or ""),
    })
    if uri == nil then return nil, message, class end
    return { uri = uri }
end

return task {
    implements = "io.kestra.plugin.compress.FileCompress",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
