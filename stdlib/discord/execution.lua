-- Post a summary of an execution to a Discord webhook.
local notify = use "lib.notify"

-- The properties of an embed as Discord names them.
local function embed(given, host)
    local out = host.map()
    local names = { title = "title", websiteUrl = "url", description = "description" }
    for name, theirs in pairs(names) do
        if given[name] ~= nil and given[name] ~= host.null then out[theirs] = given[name] end
    end
    if given.thumbnail ~= nil then out.thumbnail = host.map({ { "url", given.thumbnail } }) end
    if given.authorName ~= nil then out.author = host.map({ { "name", given.authorName } }) end
    if given.footer ~= nil then out.footer = host.map({ { "text", given.footer } }) end
    local color = given.color
    if host.is_list(color) and #color == 3 then
        out.color = (color[1] << 16) | (color[2] << 8) | color[3]
    end
    return out
end

local SPEC = {
    message = function(props, host)
        local embeds = host.list()
        for i, given in ipairs(props.embedList or {}) do embeds[i] = embed(given, host) end
        return host.map({
            content = props.content or props.payload == nil and notify.text(props, host) or nil,
            username = props.username,
            avatar_url = props.avatarUrl,
            embeds = #embeds > 0 and embeds or nil,
        })
    end,
}

local function run(props, host)
    return notify.run(SPEC, props, host)
end

return task {
    implements = "io.kestra.plugin.discord.DiscordExecution",
    effects = { "net", "notify" },
    run = run,
    plan = run,
}
