-- A message of Internet mail (RFC 5322, MIME) from parts, and where it is sent.
local mail = {}

local LINE = 57  -- bytes that become 76 characters of Base64
local ATTACHMENTS_MAX = 20 << 20  -- bytes in all: what mail servers take

local DAYS = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" }  -- 1970 began with a Thursday
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

local function date_of(host, ms)
    local iso = host.date(ms)  -- 2024-01-02T03:04:05.678Z
    local day = DAYS[(ms // 86400000) % 7 + 1]
    return day .. ", " .. iso:sub(9, 10) .. " " .. MONTHS[tonumber(iso:sub(6, 7))] .. " " .. iso:sub(1, 4)
        .. " " .. iso:sub(12, 19) .. " +0000"
end

local function has_line_end(text)
    return string.find(text, "\n") ~= nil or string.find(text, "\r") ~= nil
end

local function is_plain(text)
    for i = 1, #text do
        local byte = text:byte(i)
        if byte < 32 or byte > 126 then return false end
    end
    return true
end

-- A text in a header, encoded where it is more than ASCII (RFC 2047).
local function header_text(host, text)
    if is_plain(text) then return text end
    local words, at = {}, 1
    while at <= #text do
        local stop = math.min(at + 44, #text)
        while stop < #text and text:byte(stop + 1) >= 128 and text:byte(stop + 1) < 192 do
            stop = stop - 1  -- not inside a character
        end
        words[#words + 1] = "=?UTF-8?B?" .. host.base64.encode(text:sub(at, stop)) .. "?="
        at = stop + 1
    end
    return table.concat(words, "\r\n ")
end

-- `A <a@x>, b@y` to a list of {text, address}.
function mail.addresses(text)
    local out = {}
    for _, piece in ipairs(string.split(text or "", ",")) do
        piece = string.trim(piece)
        if piece ~= "" then
            local open, close = string.find(piece, "<"), string.find(piece, ">")
            local address = open and close and piece:sub(open + 1, close - 1) or piece
            out[#out + 1] = { name = open and string.trim(piece:sub(1, open - 1)) or "", address = address }
        end
    end
    return out
end

local function address_list(host, list)
    local out = {}
    for i, each in ipairs(list) do
        local name = each.name
        if name ~= "" and string.starts(name, '"') then
            out[i] = name .. " <" .. each.address .. ">"
        elseif name ~= "" then
            out[i] = header_text(host, name) .. " <" .. each.address .. ">"
        else
            out[i] = each.address
        end
    end
    return table.concat(out, ",\r\n ")
end

local function base64_lines(host, bytes)
    local out = {}
    for at = 1, #bytes, LINE do
        out[#out + 1] = host.base64.encode(bytes:sub(at, at + LINE - 1))
    end
    return table.concat(out, "\r\n")
end

local function text_part(host, text, kind)
    return { head = "Content-Type: text/" .. kind .. "; charset=UTF-8\r\nContent-Transfer-Encoding: base64",
        body = host.is_secret(text) and host.base64.encode(text) or base64_lines(host, text) }
end

local function file_part(host, file, is_inline)
    local name = tostring(file.name)
    if has_line_end(name) or string.find(name, '"') then return nil, "the name of an attachment is not possible" end
    local bytes, message, class = host.storage.get(file.uri)
    if bytes == nil then return nil, message, class end
    local kind = type(file.contentType) == "string" and file.contentType or "application/octet-stream"
    local encoded = is_plain(name) and 'filename="' .. name .. '"'
        or "filename*=UTF-8''" .. host.url.encode(name)
    local head = "Content-Type: " .. kind .. "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: "
        .. (is_inline and "inline; " or "attachment; ") .. encoded
    if is_inline then head = head .. "\r\nContent-ID: <" .. name .. ">" end
    return { head = head, body = base64_lines(host, bytes), size = #bytes }
end

local function multipart(host, kind, parts)
    if #parts == 1 then return parts[1] end
    local boundary = "=_" .. table.concat(string.split(host.uuid(), "-"))
    local body = {}
    for _, part in ipairs(parts) do
        body[#body + 1] = host.join({ "--", boundary, "\r\n", part.head, "\r\n\r\n", part.body, "\r\n" })
    end
    body[#body + 1] = "--" .. boundary .. "--\r\n"
    return { head = "Content-Type: multipart/" .. kind .. '; boundary="' .. boundary .. '"',
        body = host.join(body) }
end

local function files_of(host, given)
    local list = given
    if type(given) == "string" then list = host.json.decode(given) end
    if given ~= nil and not host.is_list(list) then return nil, "attachments are no list" end
    return list or {}
end

-- The message of `from`, `to`, `cc` (lists of addresses), `subject`, `text`, `html`, `attachments`,
-- `images`; nil, message, class where it cannot be made.
function mail.message(host, given)
    local subject = tostring(given.subject or "")
    if has_line_end(subject) then return nil, "'subject' has a line end in it", "permanent" end
    local bodies, related, mixed, size = {}, {}, {}, 0
    if given.text ~= nil or given.html == nil then
        bodies[1] = text_part(host, given.text or "", "plain")
    end
    if given.html ~= nil then bodies[#bodies + 1] = text_part(host, given.html, "html") end
    related[1] = multipart(host, "alternative", bodies)
    for _, group in ipairs({ { given.images, related, true }, { given.attachments, mixed, false } }) do
        local files, problem = files_of(host, group[1])
        if files == nil then return nil, problem, "permanent" end
        for _, file in ipairs(files) do
            local part, message, class = file_part(host, file, group[3])
            if part == nil then return nil, message, class or "permanent" end
            size = size + part.size
            if size > ATTACHMENTS_MAX then
                return nil, "the attachments have more than " .. ATTACHMENTS_MAX .. " bytes", "permanent"
            end
            group[2][#group[2] + 1] = part
        end
    end
    table.insert(mixed, 1, multipart(host, "related", related))
    local whole = multipart(host, "mixed", mixed)
    local head = {
        "Date: " .. date_of(host, host.now()),
        "Message-ID: <" .. host.uuid() .. "@flowrun>",
        "From: " .. address_list(host, given.from),
        "To: " .. address_list(host, given.to),
        "Subject: " .. header_text(host, subject),
        "MIME-Version: 1.0",
    }
    if #given.cc > 0 then table.insert(head, 5, "Cc: " .. address_list(host, given.cc)) end
    return host.join({ table.concat(head, "\r\n"), "\r\n", whole.head, "\r\n\r\n", whole.body })
end

local TRANSPORT = {
    SMTP = { scheme = "smtp", port = 25, tls = "try" },
    SMTPS = { scheme = "smtps", port = 465, tls = "all" },
    SMTP_TLS = { scheme = "smtp", port = 587, tls = "all" },
    SMTP_OAUTH2 = { scheme = "smtp", port = 587, tls = "all" },
}

-- Sends what the properties of a mail task say, with texts of `body`.
function mail.send(props, host, body)
    local transport = TRANSPORT[props.transportStrategy or "SMTPS"]
    if transport == nil then
        return nil, "'transportStrategy' is one of SMTP, SMTPS, SMTP_TLS, SMTP_OAUTH2", "permanent"
    end
    local from, to, cc = mail.addresses(props.from), mail.addresses(props.to), mail.addresses(props.cc)
    if props.host == nil or #from ~= 1 or #to + #cc == 0 then
        return nil, "'host', 'from' (one address) and 'to' are needed", "permanent"
    end
    local everyone = {}
    for _, list in ipairs({ from, to, cc }) do
        for _, each in ipairs(list) do
            if has_line_end(each.address) or has_line_end(each.name) or not string.find(each.address, "@")
                or string.find(each.address, " ") then
                return nil, "'" .. each.address .. "' is no mail address", "permanent"
            end
            if list ~= from then everyone[#everyone + 1] = each.address end
        end
    end
    local message, problem, class = mail.message(host, {
        from = from, to = to, cc = cc, subject = props.subject, text = body.text, html = body.html,
        attachments = props.attachments, images = props.embeddedImages,
    })
    if message == nil then return nil, problem, class end
    local auth
    if props.accessToken ~= nil then
        auth = { type = "bearer", token = props.accessToken, username = props.username }
    elseif props.username ~= nil then
        auth = { type = "basic", username = props.username, password = props.password }
    end
    local is_insecure = props.verifyServerIdentity == false
    for _, name in ipairs(props.trustedHosts or {}) do
        is_insecure = is_insecure or name == props.host or name == "*"
    end
    local limit = (props.sessionTimeout or 10000) / 1000
    local answer
    answer, problem, class = host.http({
        url = transport.scheme .. "://" .. props.host .. ":" .. (props.port or transport.port),
        mail = { from = from[1].address, to = everyone, tls = transport.tls },
        body = message,
        auth = auth,
        tls = is_insecure and { insecure = true } or nil,
        limits = { connect = limit, idle = limit },
    })
    if answer == nil then return nil, problem, class end
    return {}
end

return mail
