-- Cut a file into parts: when a part has so many bytes or rows, over a number of parts in turn, or by
-- what a regular expression finds in each row. A row is never cut.
local records = use "lib.records"

local OPEN_MAX = 500  -- parts that are written at the same time

local function way_of(props, host)
    local bytes = records.bytes(props.bytes)
    if props.bytes ~= nil and (bytes == nil or bytes < 1) then
        return nil, "'bytes' is no size: " .. tostring(props.bytes) .. " (10MB, 200KB, 512)"
    end
    for _, name in ipairs({ "partitions", "rows" }) do
        if props[name] ~= nil and props[name] < 1 then return nil, "'" .. name .. "' must be at least 1" end
    end
    if props.regexPattern ~= nil then
        local ok, message = host.re.matches(props.regexPattern, "")
        if ok == nil then return nil, message end
        -- The part of a row: what the first group matched; rows without a match are left out.
        return function(row)
            local found = host.re.find(props.regexPattern, row)
            return found and (found[2] or found[1])
        end
    elseif bytes ~= nil then
        return function(_, part) return part.size >= bytes and part.key + 1 or part.key end
    elseif props.partitions ~= nil then
        return function(_, _, number) return number % props.partitions end
    elseif props.rows ~= nil then
        return function(_, part) return part.rows >= props.rows and part.key + 1 or part.key end
    end
    return nil, "one of 'bytes', 'partitions', 'rows' and 'regexPattern' is needed"
end

local function open_part(host, parts, key, extension)
    if #parts >= OPEN_MAX and parts.is_parallel then
        return nil, "more than " .. OPEN_MAX .. " parts at the same time", "permanent"
    end
    local writer, message, class = host.storage.writer({ name = "split-" .. (#parts + 1),
        extension = extension })
    if writer == nil then return nil, message, class end
    local part = { key = key, writer = writer, size = 0, rows = 0 }
    parts[#parts + 1] = part
    parts.by_key[key] = part
    return part
end

local function close_part(part)
    if part.uri ~= nil then return part.uri end
    local message, class
    part.uri, message, class = part.writer:close()
    return part.uri, message, class
end

local function run(props, host)
    local key_of, problem = way_of(props, host)
    if key_of == nil then return nil, problem, "permanent" end
    local reader, message, class = host.storage.reader(props.from)
    if reader == nil then return nil, message, class end
    local separator = props.separator or "\n"
    local extension = records.extension(props.from)
    local parts = { by_key = {}, is_parallel = props.regexPattern ~= nil
        or (props.bytes == nil and props.partitions ~= nil) }
    local part, number = { key = 0, size = 0, rows = 0 }, 0
    while true do
        local row
        row, message, class = reader:line(separator)
        if row == nil and message ~= nil then return nil, message, class end
        if row == nil then break end
        local key = key_of(row, part, number)
        number = number + 1
        if key ~= nil then
            local next_part = parts.by_key[key]
            if next_part == nil then
                if part.writer ~= nil and not parts.is_parallel then
                    local uri
                    uri, message, class = close_part(part)
                    if uri == nil then return nil, message, class end
                end
                next_part, message, class = open_part(host, parts, key, extension)
                if next_part == nil then return nil, message, class end
            end
            part = next_part
            local size
            size, message, class = part.writer:write(row, separator)
            if size == nil then return nil, message, class end
            part.size, part.rows = size, part.rows + 1
        end
    end
    reader:close()
    local uris = {}
    for i, each in ipairs(parts) do
        uris[i], message, class = close_part(each)
        if uris[i] == nil then return nil, message, class end
    end
    return { uris = host.list(uris) }
end

return task {
    implements = "io.kestra.plugin.core.storage.Split",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
