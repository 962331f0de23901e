-- XML to values and back, as JSON sees it: an element is a map of its attributes and children, text among
-- them is `content`, an element of nothing but text is that text, and one that is repeated is a list.
-- Document types are refused: entities of one's own can read files and fill memory.
local value = use "lib.value"

local xml = {}

local DEPTH_MAX = 64
local ENTITIES = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }

local function decode(text)
    if not string.find(text, "&") then return text end
    local out, at = {}, 1
    while true do
        local start = string.find(text, "&", at)
        if start == nil then break end
        local stop = string.find(text, ";", start)
        local name = stop and text:sub(start + 1, stop - 1) or ""
        local char = ENTITIES[name]
        if char == nil and string.starts(name, "#") then
            local number = string.starts(name:lower(), "#x") and tonumber(name:sub(3), 16)
                or tonumber(name:sub(2))
            if math.type(number) == "integer" and number > 0 and number <= 0x10FFFF then
                char = utf8.char(number)
            end
        end
        if char == nil then return nil, "unknown entity '&" .. name:sub(1, 20) .. ";'" end
        out[#out + 1] = text:sub(at, start - 1)
        out[#out + 1] = char
        at = stop + 1
    end
    out[#out + 1] = text:sub(at)
    return table.concat(out)
end

-- A text as the value it looks like.
local function typed(text)
    if text == "true" then return true end
    if text == "false" then return false end
    local first = text:byte(1)
    local is_number = first and (first == 45 or (first >= 48 and first <= 57))
        and not (#text > 1 and text:sub(1, 1) == "0" and text:sub(2, 2) ~= ".")
    if is_number and not string.find(text:lower(), "x") and not string.find(text, " ") then
        local number = tonumber(text)
        if number ~= nil then return number end
    end
    return text
end

local function add(host, map, name, item)
    local old = map[name]
    if old == nil then
        map[name] = item
    elseif host.is_list(old) then
        old[#old + 1] = item
    else
        map[name] = host.list({ old, item })
    end
end

local function attributes(host, text, map)
    local at = 1
    while true do
        local equals = string.find(text, "=", at)
        if equals == nil then
            if string.trim(text:sub(at)) ~= "" then return nil, "an attribute without a value" end
            return true
        end
        local name = string.trim(text:sub(at, equals - 1))
        local open = equals + 1
        while text:sub(open, open) == " " or text:sub(open, open) == "\n" do open = open + 1 end
        local quote = text:sub(open, open)
        if quote ~= '"' and quote ~= "'" then return nil, "the value of '" .. name .. "' has no quotes" end
        local close = string.find(text, quote, open + 1)
        if close == nil then return nil, "the value of '" .. name .. "' has no end" end
        local plain, problem = decode(text:sub(open + 1, close - 1))
        if plain == nil then return nil, problem end
        map[name] = typed(plain)
        at = close + 1
    end
end

local function finish(host, map, texts)
    local text = string.trim(table.concat(texts))
    if value.is_empty(map) then return typed(text) end
    if text ~= "" then add(host, map, "content", typed(text)) end
    return map
end

-- The end of a tag that begins at `at`, outside of quotes.
local function tag_end(text, at)
    local quote = nil
    while true do
        local close = string.find(text, ">", at)
        if close == nil then return nil end
        local inner, is_inside, scan = text:sub(at, close), false, 1
        while true do
            local double, single = string.find(inner, '"', scan), string.find(inner, "'", scan)
            if quote ~= nil then
                local found = quote == '"' and double or quote == "'" and single or nil
                if found == nil then is_inside = true break end
                quote, scan = nil, found + 1
            else
                local found = double and single and math.min(double, single) or double or single
                if found == nil then break end
                quote, scan = inner:sub(found, found), found + 1
            end
        end
        if not is_inside then return close end
        at = close + 1
    end
end

-- A map with the root element; nil and a message.
function xml.decode(host, text)
    local stack, at = { { map = host.map(), texts = {} } }, 1
    while true do
        local open = string.find(text, "<", at)
        local between, problem = decode(text:sub(at, open and open - 1 or #text))
        local top = stack[#stack]
        if between == nil then return nil, problem end
        if #stack > 1 then
            top.texts[#top.texts + 1] = between
        elseif string.trim(between) ~= "" then
            return nil, "text outside of the root element"
        end
        if open == nil then break end
        if text:sub(open, open + 3) == "<!--" then
            local _, stop = string.find(text, "-->", open + 4)
            if stop == nil then return nil, "a comment has no end" end
            at = stop + 1
        elseif text:sub(open, open + 8) == "<![CDATA[" then
            local start, stop = string.find(text, "]]>", open + 9)
            if start == nil then return nil, "a CDATA section has no end" end
            top.texts[#top.texts + 1] = text:sub(open + 9, start - 1)
            at = stop + 1
        elseif text:sub(open, open + 1) == "<?" then
            local _, stop = string.find(text, "?>", open)
            if stop == nil then return nil, "a processing instruction has no end" end
            at = stop + 1
        elseif text:sub(open, open + 1) == "<!" then
            return nil, "document types are refused"
        else
            local close = tag_end(text, open)
            if close == nil then return nil, "a tag has no end" end
            local tag = text:sub(open + 1, close - 1)
            at = close + 1
            if string.starts(tag, "/") then
                local name = string.trim(tag:sub(2))
                if #stack == 1 or top.name ~= name then
                    return nil, "'</" .. name .. ">' closes what is not open"
                end
                stack[#stack] = nil
                add(host, stack[#stack].map, name, finish(host, top.map, top.texts))
            else
                local is_empty = string.ends(tag, "/")
                if is_empty then tag = tag:sub(1, -2) end
                local stop = #tag + 1
                for _, blank in ipairs({ " ", "\n", "\t", "\r" }) do
                    stop = math.min(stop, string.find(tag, blank) or stop)
                end
                local element = { name = tag:sub(1, stop - 1), map = host.map(), texts = {} }
                local ok, wrong = attributes(host, tag:sub(stop), element.map)
                if not ok then return nil, "element '" .. element.name .. "': " .. wrong end
                if is_empty then
                    add(host, top.map, element.name, finish(host, element.map, {}))
                elseif #stack > DEPTH_MAX then
                    return nil, "elements are nested more than " .. DEPTH_MAX .. " deep"
                else
                    stack[#stack + 1] = element
                end
            end
        end
    end
    if #stack > 1 then return nil, "element '" .. stack[#stack].name .. "' is not closed" end
    return stack[1].map
end

local function escape(text)
    text = table.concat(string.split(text, "&"), "&amp;")
    text = table.concat(string.split(text, "<"), "&lt;")
    return table.concat(string.split(text, ">"), "&gt;")
end

-- A key as the name of an element.
local function element_name(key)
    local out = {}
    for i = 1, #key do
        local c, b = key:sub(i, i), key:byte(i)
        local is_letter = (b >= 65 and b <= 90) or (b >= 97 and b <= 122) or c == "_" or b >= 128
        local is_more = i > 1 and ((b >= 48 and b <= 57) or c == "-" or c == ".")
        out[i] = (is_letter or is_more) and c or "_"
    end
    return #out > 0 and table.concat(out) or "_"
end

-- An element of a value; a list gives one for each item.
function xml.encode(host, name, item)
    name = element_name(name)
    if host.is_list(item) then
        local out = {}
        for i, each in ipairs(item) do out[i] = xml.encode(host, name, each) end
        return table.concat(out)
    end
    if item == nil or item == host.null then return "<" .. name .. "/>" end
    if not host.is_map(item) then
        return "<" .. name .. ">" .. escape(tostring(host.text(item))) .. "</" .. name .. ">"
    end
    local out = { "<" .. name .. ">" }
    for key, inner in pairs(item) do out[#out + 1] = xml.encode(host, key, inner) end
    out[#out + 1] = "</" .. name .. ">"
    return table.concat(out)
end

return xml
