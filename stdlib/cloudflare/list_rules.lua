-- List the access rules of a zone.
local cloudflare = use "lib.cloudflare"

local function run(props, host)
    local rules, message, class = cloudflare.list(props, host,
        "/zones/" .. host.url.encode(props.zoneId) .. "/firewall/access_rules/rules")
    if rules == nil then return nil, message, class end
    return { rules = rules }
end

return task {
    implements = "io.kestra.plugin.cloudflare.waf.accessrules.List",
    effects = { "net" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
