-- Files of rows and lines, read and written piece by piece, so that their size does not matter.
local ion = use "lib.ion"

local records = {}

local UNITS = { { "GB", 1 << 30 }, { "MB", 1 << 20 }, { "KB", 1 << 10 }, { "B", 1 } }

-- The end of a URI's name with its dot, or nil.
function records.extension(uri)
    local segments = string.split(uri, "/")
    local parts = string.split(segments[#segments], ".")
    if #parts < 2 or parts[#parts] == "" then return nil end
    return "." .. parts[#parts]
end

-- `10MB`, `200KB`, or a number of bytes; nil where it is neither.
function records.bytes(text)
    if text == nil then return nil end
    if math.type(text) == "integer" then return text end
    local trimmed = string.trim(tostring(text)):upper()
    for _, unit in ipairs(UNITS) do
        if string.ends(trimmed, unit[1]) then
            local amount = tonumber(string.trim(trimmed:sub(1, -#unit[1] - 1)))
            return amount and amount * unit[2]
        end
    end
    return tonumber(trimmed)
end

-- Calls visit(line, number) for every line that is not blank. What visit returns as a second value is
-- a failure, which ends it. Gives the number of lines, or nil, message, class.
function records.lines(host, uri, visit)
    local reader, message, class = host.storage.reader(uri)
    if reader == nil then return nil, message, class end
    local count = 0
    while true do
        local line
        line, message, class = reader:line()
        if line == nil then
            reader:close()
            if message ~= nil then return nil, message, class end
            return count
        end
        if string.ends(line, "\r") then line = line:sub(1, -2) end
        if string.trim(line) ~= "" then
            count = count + 1
            local _, problem, why = visit(line, count)
            if problem ~= nil then
                reader:close()
                return nil, problem, why
            end
        end
    end
end

-- The same with each line as a value: JSON or Ion text.
function records.rows(host, uri, visit)
    return records.lines(host, uri, function(line, number)
        local row, message = host.json.decode(line)
        if row == nil then row, message = ion.decode(host, line) end
        if row == nil then
            return nil, "row " .. number .. " of '" .. uri .. "' is neither JSON nor Ion: " .. message,
                "permanent"
        end
        return visit(row, number, line)
    end)
end

-- All that a file has left goes to the writer.
function records.append(writer, reader)
    while true do
        local count, message, class = writer:copy(reader)
        if count == nil then return nil, message, class end
        if count == 0 then return true end
    end
end

-- A list of URIs: the list itself, or its text.
function records.uris(host, given)
    if host.is_list(given) then return given end
    local decoded = type(given) == "string" and host.json.decode(given)
    if host.is_list(decoded) then return decoded end
    if type(given) == "string" then return { given } end
    return nil, "a list of files is needed", "permanent"
end

return records
