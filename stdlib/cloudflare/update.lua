-- Change what is given of a DNS record.
local cloudflare = use "lib.cloudflare"

local function run(props, host)
    local change = host.map()
    change.type, change.name, change.content = props.recordType, props.name, props.content
    change.ttl, change.proxied = props.ttl, props.proxied
    local answer, message, class = cloudflare.call(props, host, "PATCH",
        cloudflare.record_path(props, host, props.recordId), { json = change })
    if answer == nil then return nil, message, class end
    return { id = answer.result.id }
end

return task {
    implements = "io.kestra.plugin.cloudflare.dns.records.Update",
    effects = { "net", "create" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
