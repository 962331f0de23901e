-- Delete a DNS record.
local cloudflare = use "lib.cloudflare"

local function run(props, host)
    local answer, message, class = cloudflare.call(props, host, "DELETE",
        cloudflare.record_path(props, host, props.recordId))
    if answer == nil then return nil, message, class end
    return { deletedId = props.recordId }
end

return task {
    implements = "io.kestra.plugin.cloudflare.dns.records.Delete",
    effects = { "net", "destroy" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
