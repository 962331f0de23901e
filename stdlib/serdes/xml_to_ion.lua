-- XML to rows; `query` is a path of elements (/orders/order) to what becomes rows.
local serdes = use "lib.serdes"
local xml = use "lib.xml"

local function at_query(host, value, query)
    for _, part in ipairs(string.split(query or "", "/")) do
        if part ~= "" then
            if host.is_list(value) then
                local index = math.tointeger(tonumber(part))
                value = index and value[index + 1]
            else
                value = host.is_map(value) and value[part] or nil
            end
            if value == nil then return nil, "there is no '" .. part .. "' of the query '" .. query .. "'" end
        end
    end
    return value
end

-- Elements that are lists also where there is one of them.
local function force_lists(host, value, names)
    if host.is_list(value) then
        for _, item in ipairs(value) do force_lists(host, item, names) end
    elseif host.is_map(value) then
        for key, item in pairs(value) do
            force_lists(host, item, names)
            if names[key] and not host.is_list(item) then value[key] = host.list({ item }) end
        end
    end
end

local function convert(props, host, rows)
    local function decode(text) return xml.decode(host, text) end
    local value, message, class = serdes.whole(host, props.from, "XML", decode, "")
    if value == nil then return nil, message, class end
    local configuration, names = props.parserConfiguration, {}
    for _, name in ipairs(host.is_map(configuration) and configuration.forceList or {}) do
        names[name] = true
    end
    force_lists(host, value, names)
    if host.context.mode ~= "plan" then
        value, message = at_query(host, value, props.query)
        if value == nil then return nil, message, "permanent" end
    end
    return serdes.add_all(host, rows, value)
end

local function run(props, host)
    return serdes.convert(".ion", convert, props, host)
end

return task {
    implements = "io.kestra.plugin.serdes.xml.XmlToIon",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
