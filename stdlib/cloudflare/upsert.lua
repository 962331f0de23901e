-- Create a DNS record, or change the one that is there. Where several match, `content` picks one; a record
-- that is as wanted is left alone.
local cloudflare = use "lib.cloudflare"

local function pick(found, wanted)
    if #found <= 1 then return found[1] end
    for _, record in ipairs(found) do
        if record.content == wanted.content then return record end
    end
    return nil, #found .. " records '" .. tostring(wanted.name) .. "' of type " .. wanted.type
        .. " are there and none has the content '" .. tostring(wanted.content) .. "'", "permanent"
end

local function is_as_wanted(record, wanted)
    return record.content == wanted.content and record.ttl == wanted.ttl
        and record.proxied == wanted.proxied
end

local function run(props, host)
    local wanted = cloudflare.wanted(props, host)
    local found, message, class = cloudflare.list(props, host, cloudflare.record_path(props, host),
        { type = wanted.type, name = wanted.name })
    if found == nil then return nil, message, class end
    local record, answer
    record, message, class = pick(found, wanted)
    if record == nil and message ~= nil then return nil, message, class end
    local action = "created"
    if record == nil then
        answer, message, class = cloudflare.call(props, host, "POST",
            cloudflare.record_path(props, host), { json = wanted })
    elseif is_as_wanted(record, wanted) then
        action, answer = "unchanged", { result = record }
    else
        action = "updated"
        answer, message, class = cloudflare.call(props, host, "PATCH",
            cloudflare.record_path(props, host, record.id), { json = wanted })
    end
    if answer == nil then return nil, message, class end
    local outputs = cloudflare.record(answer.result)
    outputs.action = action
    return outputs
end

return task {
    implements = "io.kestra.plugin.cloudflare.dns.records.Upsert",
    effects = { "net", "create" },
    idempotent = function() return "yes" end,
    hosts = cloudflare.hosts,
    run = run,
    plan = run,
}
