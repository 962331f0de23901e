-- Read a DNS record.
local cloudflare = use "lib.cloudflare"

local function run(props, host)
    local answer, message, class = cloudflare.call(props, host, "GET",
        cloudflare.record_path(props, host, props.recordId))
    if answer == nil then return nil, message, class end
    return cloudflare.record(answer.result)
end

return task {
    implements = "io.kestra.plugin.cloudflare.dns.records.Get",
    effects = { "net" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
