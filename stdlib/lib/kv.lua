-- Texts that become values of the key-value store.
local kv = {}

-- A text is kept as the value it looks like (number, boolean, list, map), or as what `kind` says; nil
-- and a message where it is none.
function kv.typed(text, kind, host)
    if type(text) ~= "string" then return text end
    if kind == "STRING" then return text end
    local decoded = host.json.decode(text)
    if kind == nil then
        if decoded == nil then return text end
        return decoded
    elseif kind == "NUMBER" then
        if math.type(decoded) ~= nil then return decoded end
    elseif kind == "BOOLEAN" then
        if type(decoded) == "boolean" then return decoded end
    elseif kind == "JSON" then
        if decoded ~= nil then return decoded end
    elseif kind == "DURATION" then
        if host.duration(text) ~= nil then return text end
    elseif host.instant(text) ~= nil then
        return text  -- DATE, DATETIME: the text is the value
    end
    return nil, "the value is no " .. kind
end

-- Says that a key is missing, and where a whole namespace is: nothing but keys makes one here.
function kv.missing(props, host)
    local namespace = props.namespace or host.context.namespace
    local text = "there is no key '" .. props.key .. "' in namespace '" .. namespace .. "'"
    if namespace ~= host.context.namespace and #(host.kv.keys(nil, namespace) or {}) == 0 then
        text = text .. ", which does not exist: no flow has written a key there"
    end
    return text
end

return kv
