-- Rows to CSV; the first row names the columns.
local serdes = use "lib.serdes"

local function writer_of(props, host)
    local separator, quote = props.fieldSeparator or ",", props.textDelimiter or '"'
    local mode = props.quoteMode or (props.alwaysDelimitText and "ALWAYS") or "REQUIRED"
    local function field(value)
        if value == nil or value == host.null then return mode == "ALWAYS" and quote .. quote or "" end
        local text = tostring(host.text(value))
        local needs = mode == "ALWAYS" or (mode == "NON_NUMERIC" and type(value) ~= "number")
            or string.find(text, separator) or string.find(text, quote) or string.find(text, "\n")
            or string.find(text, "\r")
        if not needs then return text end
        return quote .. table.concat(string.split(text, quote), quote .. quote) .. quote
    end
    return function(values, count)
        local fields = {}
        for i = 1, count do fields[i] = field(values[i]) end
        return table.concat(fields, separator)
    end
end

local function convert(props, host, rows)
    local write, ending, names = writer_of(props, host), props.lineDelimiter or "\n", nil
    return serdes.each_row(host, props.from, rows, function(row, number)
        if not host.is_map(row) and not host.is_list(row) then
            return nil, "row " .. number .. " is neither a map nor a list", "permanent"
        end
        if host.is_list(row) then return rows.text(write(row, #row), ending) end
        if names == nil then
            names = {}
            for name in pairs(row) do names[#names + 1] = name end
            if props.header ~= false then rows.text(write(names, #names), ending) end
        end
        local values = {}
        for i, name in ipairs(names) do values[i] = row[name] end
        return rows.text(write(values, #names), ending)
    end)
end

local function run(props, host)
    return serdes.convert(".csv", convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.csv.IonToCsv",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
