-- Decompress one file.
local EXTENSIONS = { BZIP2 = ".bz2", GZIP = ".gz", LZ4FRAME = ".lz4", LZMA = ".lzma", XZ = ".xz", Z = ".Z",
    ZSTD = ".zst" }

local function run(props, host)
    local segments = string.split(props.from, "/")
    local name, extension = segments[#segments], EXTENSIONS[props.compression]
    if extension and string.ends(name, extension) and #name > #extension then
        name = name:sub(1, -#extension - 1)
    end
    local files, message, class = host.archive.unpack(props.from,
        { compression = props.compression, name = name })
    if files == nil then return nil, message, class end
    for _, uri in pairs(files) do return { uri = uri } end
    return {}
end

return task {
    implements = "io.kestra.plugin.compress.FileDecompress",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
