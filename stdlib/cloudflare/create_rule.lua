-- Create an access rule of a zone or an account.
local cloudflare = use "lib.cloudflare"

local function run(props, host)
    local scope, message, class = cloudflare.scope(props, host)
    if scope == nil then return nil, message, class end
    local target = props.target:lower()
    local rule = host.map({
        mode = props.mode:lower(),
        configuration = host.map({ target = target, value = props.value }),
        notes = props.notes,
    })
    local answer
    answer, message, class = cloudflare.call(props, host, "POST",
        scope .. "/firewall/access_rules/rules", { json = rule })
    if answer == nil then return nil, message, class end
    local made = answer.result
    local configuration = host.is_map(made.configuration) and made.configuration or {}
    return { ruleId = made.id, mode = made.mode, target = configuration.target,
        value = configuration.value }
end

return task {
    implements = "io.kestra.plugin.cloudflare.waf.accessrules.Create",
    effects = { "net", "create" },
    idempotent = function() return "no" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
