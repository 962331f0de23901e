-- Create a DNS record.
local cloudflare = use "lib.cloudflare"

local function run(props, host)
    local answer, message, class = cloudflare.call(props, host, "POST",
        cloudflare.record_path(props, host), { json = cloudflare.wanted(props, host) })
    if answer == nil then return nil, message, class end
    return cloudflare.record(answer.result)
end

return task {
    implements = "io.kestra.plugin.cloudflare.dns.records.Create",
    effects = { "net", "create" },
    idempotent = function() return "no" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
