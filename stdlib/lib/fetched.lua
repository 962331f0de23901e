-- Rows that a task has fetched, given as `fetchType` says.
local serdes = use "lib.serdes"

local fetched = {}

-- Outputs of a list of rows: `rows`, `row` or a stored file, and their number.
function fetched.outputs(kind, list, host)
    if kind == "NONE" then return { size = #list } end
    if kind == "FETCH" then return { rows = host.list(list), size = #list } end
    if kind == "FETCH_ONE" then return { row = list[1], size = #list > 0 and 1 or 0 } end
    local rows, message, class = serdes.rows(host, ".ion")
    if rows == nil then return nil, message, class end
    for _, row in ipairs(list) do
        local ok
        ok, message, class = rows.add(row)
        if ok == nil then return nil, message, class end
    end
    return rows.close()
end

return fetched
