-- CSV to rows: maps by the header, or lists without one.
local serdes = use "lib.serdes"

local BATCH = 1 << 20  -- bytes that are decoded at once

local function quotes_in(line, quote)
    return #string.split(line, quote) - 1
end

-- The names of the columns; false for one that is left out.
local function header_of(fields, props)
    local names = {}
    for i, name in ipairs(fields) do
        if name ~= "" then
            names[i] = name
        else
            names[i] = props.onEmptyHeader == "RENAME" and "column_" .. i
        end
    end
    return names
end

local function convert(props, host, rows)
    local separator, quote = props.fieldSeparator or ",", props.textDelimiter or '"'
    if #separator ~= 1 or #quote ~= 1 then
        return nil, "'fieldSeparator' and 'textDelimiter' are one character each", "permanent"
    end
    local names, skip, number, width = nil, props.skipRows or 0, 0, nil
    local behavior = props.onBadLines or (props.errorOnDifferentFieldCount == false and "SKIP") or "ERROR"

    local function bad(fields)
        local text = "row " .. number .. " has " .. #fields .. " fields instead of " .. width
        if behavior == "ERROR" then return nil, text, "permanent" end
        if behavior == "WARN" then host.log("WARN", text .. " and is left out") end
        return true
    end

    local function add(fields)
        number = number + 1
        if skip > 0 then
            skip = skip - 1
            return true
        end
        if #fields == 1 and fields[1] == "" then
            if props.skipEmptyRows or width ~= 1 then return true end
        end
        if width == nil then width = #fields end
        if names == nil and props.header ~= false then
            names = header_of(fields, props)
            return true
        end
        if #fields ~= width then return bad(fields) end
        if names == nil then return rows.add(host.list(fields)) end
        local pairs_of = {}
        for i, field in ipairs(fields) do
            if names[i] then pairs_of[#pairs_of + 1] = { names[i], field } end
        end
        return rows.add(host.map(pairs_of))
    end

    local function flush(lines)
        local decoded, problem = host.csv.decode(table.concat(lines, "\n") .. "\n",
            { separator = separator, quote = quote })
        if decoded == nil then return nil, "behind row " .. number .. ": " .. problem, "permanent" end
        for _, fields in ipairs(decoded) do
            local good, wrong, why = add(fields)
            if good == nil then return nil, wrong, why end
        end
        return true
    end

    local ok
    local reader, message, class = host.storage.reader(props.from)
    if reader == nil then return nil, message, class end
    local lines, size, is_open = {}, 0, false
    local limit = props.maxBufferSize or 16777216
    while true do
        local line
        line, message, class = reader:line()
        if line == nil and message ~= nil then return nil, message, class end
        if line == nil then break end
        if #lines == 0 and number == 0 and string.starts(line, "\xEF\xBB\xBF") then line = line:sub(4) end
        lines[#lines + 1], size = line, size + #line
        -- A quoted field may go over lines: a batch ends where no quote is open.
        if quotes_in(line, quote) % 2 == 1 then is_open = not is_open end
        if is_open and size > limit + BATCH then
            return nil, "behind row " .. number .. ": a quoted field is not closed within "
                .. limit .. " bytes", "permanent"
        end
        if size > BATCH and not is_open then
            ok, message, class = flush(lines)
            if ok == nil then return nil, message, class end
            lines, size = {}, 0
        end
    end
    reader:close()
    if #lines > 0 then return flush(lines) end
    return true
end

local function run(props, host)
    return serdes.convert(".ion", convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.csv.CsvToIon",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
