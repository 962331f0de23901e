-- Telegram's bot API, for the two names under which its tasks are known.
local notify = use "lib.notify"

local telegram = {}

local MODES = { HTML = "HTML", MARKDOWNV2 = "MarkdownV2" }

local function url(props, host)
    local base = props.endpointOverride or "https://api.telegram.org"
    if string.ends(base, "/") then base = base:sub(1, -2) end
    return host.join({ base, "/bot", props.token, "/sendMessage" })
end

-- `payload` is the text of the message, not JSON. A summary is sent where there is none.
function telegram.send(props, host, is_summary)
    local text = props.payload
    if text == nil and is_summary then text = notify.text(props, host) end
    return notify.run({
        text_payload = true,
        url = url,
        message = function()
            return host.map({
                chat_id = props.channel,
                text = text,
                parse_mode = MODES[props.parseMode],
            })
        end,
    }, props, host)
end

function telegram.hosts(props)
    return props.endpointOverride == nil and { "api.telegram.org" } or {}
end

return telegram
