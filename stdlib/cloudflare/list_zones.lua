-- List the zones that the token may see.
local cloudflare = use "lib.cloudflare"

local function run(props, host)
    local found, message, class = cloudflare.list(props, host, "/zones")
    if found == nil then return nil, message, class end
    local zones = host.list()
    for i, zone in ipairs(found) do
        zones[i] = host.map({ id = zone.id, name = zone.name, status = zone.status })
    end
    return { zones = zones }
end

return task {
    implements = "io.kestra.plugin.cloudflare.zones.List",
    effects = { "net" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
