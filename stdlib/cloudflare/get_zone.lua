-- Read a zone by its id or its name.
local cloudflare = use "lib.cloudflare"

local function found(props, host)
    if (props.zoneId == nil) == (props.hostname == nil) then
        return nil, "exactly one of 'zoneId' and 'hostname' must be given", "permanent"
    end
    if props.zoneId ~= nil then
        local answer, message, class = cloudflare.call(props, host, "GET",
            "/zones/" .. host.url.encode(props.zoneId))
        if answer == nil then return nil, message, class end
        return answer.result
    end
    local zones, message, class = cloudflare.list(props, host, "/zones", { name = props.hostname })
    if zones == nil then return nil, message, class end
    if host.context.mode == "plan" then return {} end
    if zones[1] == nil then return nil, "there is no zone '" .. props.hostname .. "'", "permanent" end
    return zones[1]
end

local function run(props, host)
    local zone, message, class = found(props, host)
    if zone == nil then return nil, message, class end
    return { id = zone.id, name = zone.name, status = zone.status }
end

return task {
    implements = "io.kestra.plugin.cloudflare.zones.Get",
    effects = { "net" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
