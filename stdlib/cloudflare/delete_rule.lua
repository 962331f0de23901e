-- Delete an access rule of a zone or an account.
local cloudflare = use "lib.cloudflare"

local function run(props, host)
    local scope, message, class = cloudflare.scope(props, host)
    if scope == nil then return nil, message, class end
    local answer
    answer, message, class = cloudflare.call(props, host, "DELETE",
        scope .. "/firewall/access_rules/rules/" .. host.url.encode(props.ruleId))
    if answer == nil then return nil, message, class end
    return { ruleId = props.ruleId, deleted = true }
end

return task {
    implements = "io.kestra.plugin.cloudflare.waf.accessrules.Delete",
    effects = { "net", "destroy" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
