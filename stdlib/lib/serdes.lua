-- Rows between formats. A stored row is a line of JSON, which is Ion text as well.
local records = use "lib.records"

local serdes = {}

local WHOLE_MAX = 32 << 20  -- bytes of what is read as one value

local function check_charset(charset)
    local name = (charset or "UTF-8"):upper()
    if name == "UTF-8" or name == "UTF8" or name == "US-ASCII" then return true end
    return nil, "the charset '" .. name .. "' is not possible: texts are UTF-8", "permanent"
end

-- A writer of rows: add(row) and close(), which gives the outputs.
function serdes.rows(host, extension)
    local writer, message, class = host.storage.writer({ name = "rows", extension = extension })
    if writer == nil then return nil, message, class end
    local count = 0
    return {
        add = function(row)
            count = count + 1
            return writer:write(host.json.encode(row), "\n")
        end,
        text = function(...) return writer:write(...) end,
        count = function(more) count = count + more end,
        close = function()
            local uri, problem, why = writer:close()
            if uri == nil then return nil, problem, why end
            host.metric("records", "counter", count)
            return { uri = uri, size = count }
        end,
    }
end

-- All rows of a list, or one row.
function serdes.add_all(host, rows, value)
    for _, row in ipairs(host.is_list(value) and value or { value }) do
        local ok, message, class = rows.add(row)
        if ok == nil then return nil, message, class end
    end
    return true
end

-- The rows of each of several values.
function serdes.add_each(host, rows, values)
    for _, value in ipairs(values) do
        local ok, message, class = serdes.add_all(host, rows, value)
        if ok == nil then return nil, message, class end
    end
    return true
end

-- A whole file as a value: `decode` gives it, or nil and a message. `what` names the format. A plan reads
-- nothing and decodes `empty`.
function serdes.whole(host, uri, what, decode, empty)
    local text, message, class = empty, nil, nil
    if host.context.mode ~= "plan" then text, message, class = host.storage.get(uri, WHOLE_MAX) end
    if text == nil then return nil, message, class end
    local value
    value, message = decode(text == "" and empty or text)
    if value == nil then return nil, "'" .. uri .. "' is no " .. what .. ": " .. message, "permanent" end
    return value
end

function serdes.whole_json(host, uri)
    return serdes.whole(host, uri, "JSON", host.json.decode, "[]")
end

-- Every row of a file as a list.
function serdes.read_rows(host, uri)
    local all = host.list()
    local count, message, class = records.rows(host, uri, function(row)
        all[#all + 1] = row
        return true
    end)
    if count == nil then return nil, message, class end
    return all
end

-- Rows of a file, each handed to `write`, which counts nothing itself.
function serdes.each_row(host, uri, rows, write)
    local count, message, class = records.rows(host, uri, write)
    if count == nil then return nil, message, class end
    rows.count(count)
    return true
end

-- A conversion: `body(props, host, rows)` fills the rows of a file with that extension and gives true, or
-- nil, message, class.
function serdes.convert(extension, body, props, host)
    local ok, rows, message, class
    ok, message, class = check_charset(props.charset)
    if ok == nil then return nil, message, class end
    rows, message, class = serdes.rows(host, extension)
    if rows == nil then return nil, message, class end
    ok, message, class = body(props, host, rows)
    if ok == nil then return nil, message, class end
    return rows.close()
end

return serdes
