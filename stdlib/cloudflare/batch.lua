-- Delete, change and create DNS records of a zone in one transaction.
local cloudflare = use "lib.cloudflare"
local value = use "lib.value"

local function run(props, host)
    local batch = host.map()
    batch.deletes, batch.patches, batch.posts = props.deletes, props.patches, props.posts
    if value.is_empty(batch) then
        return nil, "one of 'posts', 'patches' and 'deletes' is needed", "permanent"
    end
    local answer, message, class = cloudflare.call(props, host, "POST",
        cloudflare.record_path(props, host) .. "/batch", { json = batch })
    if answer == nil then return nil, message, class end
    return { success = true }
end

return task {
    implements = "io.kestra.plugin.cloudflare.dns.records.Batch",
    effects = { "net", "create", "destroy" },
    idempotent = function() return "no" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
