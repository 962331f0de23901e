-- Rows between formats. A stored row is a line of JSON, which is Ion text as well.
local records = use "lib.records"

local serdes = {}

local WHOLE_MAX = 32 << 20  -- bytes of what is read as one value

function serdes.check_charset(charset)
    local name = (charset or "UTF-8"):upper()
    if name == "UTF-8" or name == "UTF8" or name == "US-ASCII" then return true end
    return nil, "the charset '" .. name .. "' is not possible: texts are UTF-8", "permanent"
end

-- A writer of rows: add(row) and close(), which gives the outputs.
function serdes.rows(host, extension)
    local writer, message, class = host.storage.writer({ name = "rows", extension = extension or ".ion" })
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

-- The text of a whole file.
function serdes.whole(host, uri)
    if host.context.mode == "plan" then return "" end
    return host.storage.get(uri, WHOLE_MAX)
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

return serdes
