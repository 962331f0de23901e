-- Reading maps that may lack a key or hold null, putting them together, and small things about texts.
local value = {}

-- map[key], nil where there is no map, no such key, or null.
function value.get(host, map, key)
    if not host.is_map(map) then return nil end
    local found = map[key]
    if found == host.null then return nil end
    return found
end

-- A list of what may be one value or a list of them; null and absent give an empty one.
function value.list(host, given)
    if given == nil or given == host.null then return {} end
    if host.is_list(given) then return given end
    return { given }
end

-- Whether a map or table has no member. (`next` of a map meets what keeps the order of its keys.)
function value.is_empty(map)
    for _ in pairs(map) do return false end
    return true
end

-- Puts the members of `more`, where it is given, into a map or table, and gives that.
function value.put(into, more)
    for key, item in pairs(more or {}) do into[key] = item end
    return into
end

-- The members of a map as texts, in a table.
function value.texts(host, map)
    local out = {}
    for name, item in pairs(map or {}) do out[name] = host.text(item) end
    return out
end

-- The text between quotes for a POSIX shell.
function value.quote(text)
    return "'" .. table.concat(string.split(text, "'"), "'\\''") .. "'"
end

-- The truth of a condition's rendered text: trimmed, not one of `false`, `0`, `-0` and empty.
function value.is_true(host, given)
    local text = string.trim(tostring(host.text(given)))
    return text ~= "" and text ~= "false" and text ~= "0" and text ~= "-0"
end

return value
