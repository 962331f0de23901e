-- model_values.lua - what the model needs to read a plan, a log and the values in them: JSON, the text of a value, its
-- truth, durations. The rules of the language are in model.lua.

local NULL = setmetatable({}, { __name = "null" })
local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function unescape(text)
    if not text:find("\\", 1, true) then return text end
    text = text:gsub("\\u(%x%x%x%x)", function(code) return utf8.char(tonumber(code, 16)) end)
    return (text:gsub("\\(.)", function(one) return escapes[one] or one end))
end

local read

local function read_string(text, at)
    local from = at + 1
    local stop = from
    while true do
        local found = text:find('["\\]', stop)
        if text:byte(found) == 34 then return unescape(text:sub(from, found - 1)), found + 1 end
        stop = found + 2
    end
end

local function read_items(text, at, close, each)
    at = text:match("^%s*()", at + 1)
    if text:sub(at, at) == close then return at + 1 end
    while true do
        at = text:match("^%s*,?%s*()", each(at))
        if text:sub(at, at) == close then return at + 1 end
    end
end

function read(text, at)
    at = text:match("^%s*()", at)
    local first = text:sub(at, at)
    if first == '"' then return read_string(text, at) end
    if first == "{" then
        local map = { order = {} }
        at = read_items(text, at, "}", function(from)
            local key, colon = read_string(text, from)
            map.order[#map.order + 1] = key
            map[key], colon = read(text, text:match("^%s*:()", colon))
            return colon
        end)
        return map, at
    end
    if first == "[" then
        local list = {}
        at = read_items(text, at, "]", function(from)
            list[#list + 1], from = read(text, from)
            return from
        end)
        return list, at
    end
    local word, after = text:match("^([%w%.%+%-]+)()", at)
    if word == nil then error("no JSON") end
    if word == "null" then return NULL, after end
    if word == "true" or word == "false" then return word == "true", after end
    return math.tointeger(word) or tonumber(word) or error("no JSON"), after
end

local function parse(text)
    local value = read(text, 1)
    return value
end

-- The text of a value, compact, maps in their order: what a loop calls it by.
local function print_value(value)
    if type(value) == "string" then return '"' .. value .. '"' end
    if value == NULL then return "null" end
    if type(value) ~= "table" then return tostring(value) end
    local parts = {}
    if value.order then
        for i, key in ipairs(value.order) do parts[i] = '"' .. key .. '":' .. print_value(value[key]) end
        return "{" .. table.concat(parts, ",") .. "}"
    end
    for i, item in ipairs(value) do parts[i] = print_value(item) end
    return "[" .. table.concat(parts, ",") .. "]"
end

local function to_text(value)
    if type(value) == "string" then return value end
    if value == nil or value == NULL then return "" end
    return print_value(value)
end

local function is_true(value)
    local text = to_text(value):match("^%s*(.-)%s*$")
    return not (text == "" or text == "false" or text == "0" or text == "-0")
end

-- Milliseconds of PT…S, the only durations the plans have; nil where there is none.
local function duration(value)
    if value == nil or value == NULL then return nil end
    return math.floor(tonumber(value:match("^PT([%d%.]+)S$")) * 1000 + 0.5)
end

return { NULL = NULL, parse = parse, to_text = to_text, is_true = is_true, duration = duration }
