-- Purge what is cached of a zone: all of it, or by URL and tag.
local cloudflare = use "lib.cloudflare"
local value = use "lib.value"

local function run(props, host)
    local what = host.map()
    if props.purgeAll then
        what.purge_everything = true
    else
        what.files, what.tags = props.files, props.tags
    end
    if value.is_empty(what) then
        return nil, "one of 'purgeAll', 'files' and 'tags' is needed", "permanent"
    end
    local answer, message, class = cloudflare.call(props, host, "POST",
        "/zones/" .. host.url.encode(props.zoneId) .. "/purge_cache", { json = what })
    if answer == nil then return nil, message, class end
    return { requestId = answer.result.id }
end

return task {
    implements = "io.kestra.plugin.cloudflare.cache.Purge",
    effects = { "net", "destroy" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
