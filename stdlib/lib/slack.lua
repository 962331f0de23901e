-- Slack's Web API: it answers 200 also where it refuses.
local notify = use "lib.notify"

local slack = {}

local BASE = "https://slack.com/api/"

local PASSING = { ratelimited = "throttled", service_unavailable = "transient", fatal_error = "transient",
    internal_error = "transient", invalid_auth = "auth", token_expired = "auth" }

-- Arguments as a form: every method takes one, and the interface's own description knows no other body. Lists and
-- maps (blocks, attachments) are JSON in it.
local function form_of(arguments, host)
    if arguments == nil then return nil end
    local form = host.map()
    for name, given in pairs(arguments) do
        if given ~= host.null then form[name] = host.text(given) end
    end
    return form
end

-- One method; the decoded answer, or nil, message, class.
function slack.call(host, token, method, arguments, query)
    local answer, message, class = notify.send({
        url = BASE .. method,
        auth = { type = "bearer", token = token },
        form = form_of(arguments, host),
        query = query,
        method = query and "GET" or "POST",
        headers = not query and { ["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8" } or nil,
    }, nil, host)
    if answer == nil then return nil, message, class end
    if answer.planned then return { planned = true } end
    local decoded = host.json.decode(answer.body)
    if not host.is_map(decoded) then return nil, "Slack's answer is no JSON", "permanent" end
    if decoded.ok == true then return decoded end
    local problem = tostring(decoded.error)
    local needed = decoded.needed and ", the token lacks the scope " .. tostring(decoded.needed) or ""
    return nil, "Slack refuses: " .. problem .. needed, PASSING[problem] or "permanent"
end

-- The outputs of a conversation.
function slack.conversation(host, channel)
    if not host.is_map(channel) then return {} end
    local names = { id = "id", name = "name", isPrivate = "is_private", isChannel = "is_channel",
        isGroup = "is_group", isInstantMessage = "is_im", isMultiPersonInstantMessage = "is_mpim",
        created = "created", isArchived = "is_archived", isGeneral = "is_general", topic = "topic",
        purpose = "purpose" }
    local out = {}
    for ours, theirs in pairs(names) do
        if channel[theirs] ~= host.null then out[ours] = channel[theirs] end
    end
    return out
end

function slack.hosts() return { "slack.com" } end

return slack
