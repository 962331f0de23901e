-- Amazon Ion as text, as far as rows need it: what JSON lacks are names without quotes, symbols, typed
-- nulls, timestamps, annotations, long strings, comments. A timestamp stays a text, a symbol becomes one,
-- annotations are dropped, bytes stay Base64.
local ion = {}

local DEPTH_MAX = 64
local ESCAPES = { n = "\n", t = "\t", r = "\r", ["0"] = "\0", a = "\a", b = "\b", f = "\f", v = "\v" }

local function is_blank(b) return b == 32 or b == 9 or b == 10 or b == 13 end
local function is_digit(b) return b ~= nil and b >= 48 and b <= 57 end
local function is_name(b)
    return b ~= nil and (b == 36 or b == 95 or is_digit(b) or (b >= 65 and b <= 90) or (b >= 97 and b <= 122))
end

local function fail(at, message) error({ ion = message .. " at byte " .. at }, 0) end

-- Behind blanks and comments.
local function skip(s, at)
    while true do
        while is_blank(s:byte(at)) do at = at + 1 end
        if s:sub(at, at + 1) == "//" then
            at = (string.find(s, "\n", at) or #s) + 1
        elseif s:sub(at, at + 1) == "/*" then
            local _, stop = string.find(s, "*/", at + 2)
            if stop == nil then fail(at, "a comment has no end") end
            at = stop + 1
        else
            return at
        end
    end
end

local function escape(s, at)
    local c = s:sub(at, at)
    local size = c == "x" and 2 or c == "u" and 4 or c == "U" and 8
    if size then
        local code = tonumber(s:sub(at + 1, at + size), 16)
        if code == nil or code > 0x10FFFF then fail(at, "an escape is not possible") end
        if c == "u" and code >= 0xD800 and code < 0xDC00 and s:sub(at + 5, at + 6) == "\\u" then
            local low = tonumber(s:sub(at + 7, at + 10), 16) or 0
            return utf8.char(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), at + 11
        end
        return utf8.char(code), at + 1 + size
    end
    if c == "\n" then return "", at + 1 end
    return ESCAPES[c] or c, at + 1
end

-- The text that begins behind `at` and ends with `quote`.
local function quoted(s, at, quote)
    local out, from = {}, at
    while true do
        local stop, slash = string.find(s, quote, from), string.find(s, "\\", from)
        if stop == nil then fail(at, "a text has no end") end
        if slash == nil or stop < slash then
            out[#out + 1] = s:sub(from, stop - 1)
            return table.concat(out), stop + #quote
        end
        out[#out + 1] = s:sub(from, slash - 1)
        out[#out + 1], from = escape(s, slash + 1)
    end
end

-- Long strings that follow each other are one.
local function long(s, at)
    local out, piece = {}, nil
    while s:sub(at, at + 2) == "'''" do
        piece, at = quoted(s, at + 3, "'''")
        out[#out + 1] = piece
        at = skip(s, at)
    end
    return table.concat(out), at
end

local function number(s, at)
    local from = at
    while at <= #s and not is_blank(s:byte(at)) and not string.find(",]})/", s:sub(at, at)) do at = at + 1 end
    local text = s:sub(from, at - 1)
    local plain = table.concat(string.split(text, "_"))
    local is_time = string.find(text, "T") or string.find(text, ":") or string.find(text, "-", 3)
    if is_time and is_digit(text:byte(1)) and is_digit(text:byte(4)) and not string.find(text:lower(), "e") then
        return text, at
    end
    local sign, rest = 1, plain
    if string.starts(rest, "-") then sign, rest = -1, rest:sub(2) end
    if string.starts(rest:lower(), "0b") then
        local bits = tonumber(rest:sub(3), 2)
        if bits == nil then fail(from, "'" .. text .. "' is no number") end
        return sign * bits, at
    end
    local dee = string.find(plain:lower(), "d")
    if dee and not string.starts(rest:lower(), "0x") then
        plain = plain:sub(1, dee - 1) .. "e" .. plain:sub(dee + 1)
    end
    local found = tonumber(plain)
    if found == nil then fail(from, "'" .. text .. "' is no number") end
    return found, at
end

local value

local function list(host, s, at, close, depth)
    local out = host.list()
    while true do
        at = skip(s, at)
        if s:sub(at, at) == close then return out, at + 1 end
        out[#out + 1], at = value(host, s, at, depth + 1)
        at = skip(s, at)
        local c = s:sub(at, at)
        if c == "," then
            at = at + 1
        elseif c ~= close and close == "]" then
            fail(at, "',' or ']' is missing")
        end
    end
end

local function struct(host, s, at, depth)
    local out = host.map()
    while true do
        at = skip(s, at)
        local c, name = s:sub(at, at), nil
        if c == "}" then return out, at + 1 end
        if s:sub(at, at + 2) == "'''" then
            name, at = long(s, at)
        elseif c == "'" or c == '"' then
            name, at = quoted(s, at + 1, c)
        else
            local from = at
            while is_name(s:byte(at)) do at = at + 1 end
            if at == from then fail(at, "a name is missing") end
            name = s:sub(from, at - 1)
        end
        at = skip(s, at)
        if s:sub(at, at) ~= ":" then fail(at, "':' is missing behind '" .. name .. "'") end
        out[name], at = value(host, s, at + 1, depth + 1)
        at = skip(s, at)
        if s:sub(at, at) == "," then
            at = at + 1
        elseif s:sub(at, at) ~= "}" then
            fail(at, "',' or '}' is missing")
        end
    end
end

-- A word: null, a boolean, a number without digits, or a symbol.
local function word(host, s, at)
    local from = at
    while is_name(s:byte(at)) do at = at + 1 end
    local text = s:sub(from, at - 1)
    if text == "null" then
        if s:sub(at, at) == "." then
            at = at + 1
            while is_name(s:byte(at)) do at = at + 1 end
        end
        return host.null, at
    end
    if text == "true" then return true, at end
    if text == "false" then return false, at end
    return text, at
end

function value(host, s, at, depth)
    if depth > DEPTH_MAX then fail(at, "it is nested too deep") end
    at = skip(s, at)
    local c, b, found = s:sub(at, at), s:byte(at), nil
    local is_symbol = false
    if b == nil then fail(at, "a value is missing") end
    if s:sub(at, at + 1) == "{{" then
        local start, stop = string.find(s, "}}", at)
        if stop == nil then fail(at, "bytes have no end") end
        return string.trim(s:sub(at + 2, start - 1)), stop + 1
    elseif c == "{" then
        return struct(host, s, at + 1, depth)
    elseif c == "[" or c == "(" then
        return list(host, s, at + 1, c == "[" and "]" or ")", depth)
    elseif c == '"' then
        return quoted(s, at + 1, '"')
    elseif s:sub(at, at + 2) == "'''" then
        return long(s, at)
    elseif c == "'" then
        is_symbol = true
        found, at = quoted(s, at + 1, "'")
    elseif is_digit(b) or (c == "-" and is_digit(s:byte(at + 1))) then
        return number(s, at)
    elseif is_name(b) then
        is_symbol = true
        found, at = word(host, s, at)
    else
        fail(at, "'" .. c .. "' begins no value")
    end
    local behind = skip(s, at)
    if is_symbol and s:sub(behind, behind + 1) == "::" then return value(host, s, behind + 2, depth + 1) end
    return found, at
end

-- One value; nil and a message.
function ion.decode(host, text)
    local ok, found, at = pcall(value, host, text, 1, 0)
    if not ok then
        if type(found) == "table" and found.ion then return nil, found.ion end
        error(found, 0)
    end
    at = skip(text, at)
    if at <= #text then return nil, "more than one value at byte " .. at end
    return found
end

return ion
