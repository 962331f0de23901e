-- Namespace files: which ones a list of patterns means.
local namespace = {}

function namespace.patterns(host, given)
    local list = given
    if type(given) == "string" then
        local decoded = host.json.decode(given)
        list = host.is_list(decoded) and decoded or { given }
    end
    local out = {}
    for i, pattern in ipairs(list) do
        pattern = tostring(host.text(pattern))
        while string.starts(pattern, "/") do pattern = pattern:sub(2) end
        out[i] = pattern
    end
    return host.list(out)
end

function namespace.find(props, host)
    return host.nsfiles.list(namespace.patterns(host, props.files), props.namespace)
end

-- `destination` with one slash between it and the path.
function namespace.below(destination, path)
    while string.starts(path, "/") do path = path:sub(2) end
    if destination == nil or destination == "" or destination == "/" then return path end
    if not string.ends(destination, "/") then destination = destination .. "/" end
    return destination .. path
end

return namespace
