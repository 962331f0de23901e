-- Fetch a URL into internal storage.
local http = use "lib.http"

local PART = ".download"

-- The last segment of the name a server gives, or nil.
local function given_name(headers)
    local disposition = headers["content-disposition"]
    if disposition == nil then return nil end
    for _, piece in ipairs(string.split(disposition[1], ";")) do
        piece = string.trim(piece)
        if string.starts(piece:lower(), "filename=") then
            local name = piece:sub(10)
            if string.starts(name, '"') and string.ends(name, '"') then name = name:sub(2, -2) end
            local segments = string.split(table.concat(string.split(name, "\\"), "/"), "/")
            name = segments[#segments]
            if name ~= "" and name ~= "." and name ~= ".." then return name end
        end
    end
    return nil
end

-- What the last segment of the address ends with, so that the file can be told by its name.
local function extension_of(uri)
    if type(uri) ~= "string" then return nil end  -- it holds a secret
    local path = string.split(string.split(uri, "?")[1], "#")[1]
    local segments = string.split(path, "/")
    local parts = string.split(segments[#segments], ".")
    if #segments < 4 or #parts < 2 then return nil end  -- a host's name has dots as well
    local last = parts[#parts]
    for i = 1, #last do
        local c = last:sub(i, i):lower()
        if not (c >= "a" and c <= "z" or c >= "0" and c <= "9") then return nil end
    end
    return last ~= "" and "." .. last or nil
end

local function run(props, host)
    local request, problem = http.request(props, host)
    if request == nil then return nil, problem, "permanent" end
    request.save = PART
    local answer, message, class = host.http(request)
    if answer == nil then return nil, message, class end
    http.log(props, host, request, answer)
    message, class = http.check(props, host, answer)
    if message ~= nil then return nil, message, class end
    if answer.size == 0 and props.failOnEmptyResponse ~= false and not answer.planned then
        return nil, "the answer is empty; `failOnEmptyResponse: false` accepts that", "permanent"
    end
    host.metric("response.length", "counter", answer.size)
    local name = props.saveAs or given_name(answer.headers)
    local uri
    uri, message, class = host.storage.put({ file = PART, name = name,
        extension = name == nil and extension_of(props.uri) or nil })
    if uri == nil then return nil, message, class end
    host.workdir.remove(PART)
    return { uri = uri, code = answer.status, length = answer.size, headers = answer.headers }
end

return task {
    implements = "io.kestra.plugin.core.http.Download",
    effects = { "net", "file" },
    idempotent = http.idempotent,
    hosts = http.hosts,
    run = run,
    plan = run,
}
