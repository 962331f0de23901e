-- List the DNS records of a zone.
local cloudflare = use "lib.cloudflare"

local function run(props, host)
    local found, message, class = cloudflare.list(props, host, cloudflare.record_path(props, host))
    if found == nil then return nil, message, class end
    local records = host.list()
    for i, record in ipairs(found) do records[i] = host.map(cloudflare.record(record, "id")) end
    return { records = records }
end

return task {
    implements = "io.kestra.plugin.cloudflare.dns.records.List",
    effects = { "net" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
