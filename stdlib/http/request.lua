-- Send one HTTP request; the body of the answer is a text, never parsed.
local http = use "lib.http"

local function run(props, host)
    if props.encryptBody then
        return nil, "'encryptBody' needs a server's encryption key; leave it out here", "permanent"
    end
    local request, problem = http.request(props, host)
    if request == nil then return nil, problem, "permanent" end
    local answer, message, class = host.http(request)
    if answer == nil then return nil, message, class end
    http.log(props, host, request, answer)
    host.log("DEBUG", "the server answered with status " .. answer.status)
    message, class = http.check(props, host, answer)
    if message ~= nil then return nil, message, class end
    if type(answer.body) == "string" and utf8.len(answer.body) == nil then
        return nil, "the body is not text; use io.kestra.plugin.core.http.Download", "permanent"
    end
    local uri = not host.is_secret(props.uri) and answer.url or props.uri
    return { uri = uri, code = answer.status, headers = answer.headers,
        body = answer.body }
end

return task {
    implements = "io.kestra.plugin.core.http.Request",
    effects = { "net" },
    idempotent = http.idempotent,
    hosts = http.hosts,
    run = run,
    plan = run,
}
