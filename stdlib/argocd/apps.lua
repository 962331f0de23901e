-- Argo CD: `argocd app sync` and `argocd app get`, their JSON as outputs. The token goes by the
-- environment variable that the tool reads itself.
local script = use "lib.script"
local value = use "lib.value"

local RELEASES = "https://github.com/argoproj/argo-cd/releases/"
local CERTIFICATE = ".argocd-server.crt"

-- The tool is fetched where it is missing, as in the image that Kestra uses.
local function install(props)
    local version = props.argoCDVersion
    local at = version and "download/v" .. version:sub(string.starts(version, "v") and 2 or 1)
        or "latest/download"
    return "command -v argocd >/dev/null || { curl -sSfL -o ./argocd "
        .. value.quote(RELEASES .. at .. "/argocd-linux-amd64")
        .. ' && chmod +x ./argocd && PATH="$PWD:$PATH"; }'
end

local function server_words(props, host)
    local words = { "--server", value.quote(host.text(props.server)) }
    if props.insecure then words[#words + 1] = "--insecure" end
    if props.plaintext then words[#words + 1] = "--plaintext" end
    if props.grpcWeb then words[#words + 1] = "--grpc-web" end
    if props.serverCert ~= nil then words[#words + 1] = "--server-crt " .. CERTIFICATE end
    words[#words + 1] = "--output json"
    return table.concat(words, " ")
end

local function outputs_of(host, raw)
    local status = value.get(host, host.json.decode(raw), "status")
    if status == nil then
        host.log("WARN", "the answer of argocd is no JSON with a status")
        return { rawOutput = raw }
    end
    local sync = value.get(host, status, "sync")
    return {
        rawOutput = raw,
        syncStatus = value.get(host, sync, "status"),
        revision = value.get(host, sync, "revision"),
        healthStatus = value.get(host, value.get(host, status, "health"), "status"),
        conditions = value.get(host, status, "conditions"),
        resources = value.get(host, status, "resources"),
    }
end

local function call(props, host, last, words, wanted)
    local raw = {}
    words[#words + 1] = server_words(props, host)
    return script.run(props, host, {
        commands = { install(props), table.concat(words, " ") },
        no_fail_fast = true,
        env = { ARGOCD_AUTH_TOKEN = props.token },
        files = props.serverCert and { [CERTIFICATE] = props.serverCert } or nil,
        program = "argocd",
        image = "curlimages/curl:latest",
        on_line = function(stream, line)
            if stream == "stdout" then raw[#raw + 1] = line end
            return stream == "stdout"
        end,
        collect = function()
            local found, kept = outputs_of(host, table.concat(raw, "\n")), {}
            for _, name in ipairs(wanted) do kept[name] = found[name] end
            host.outputs(kept)
            return {}
        end,
    }, last)
end

local function sync(props, host, last)
    local words = { "argocd app sync", value.quote(props.application) }
    if props.revision ~= nil then words[#words + 1] = "--revision " .. value.quote(props.revision) end
    if props.prune then words[#words + 1] = "--prune" end
    if props.dryRun then words[#words + 1] = "--dry-run" end
    if props.force then words[#words + 1] = "--force" end
    if props.timeout ~= nil then
        words[#words + 1] = "--timeout " .. math.floor(host.duration(props.timeout) or 0)
    end
    return call(props, host, last, words,
        { "rawOutput", "syncStatus", "healthStatus", "revision", "resources" })
end

local function status(props, host, last)
    local words = { "argocd app get", value.quote(props.application) }
    if props.refresh then words[#words + 1] = "--refresh" end
    return call(props, host, last, words,
        { "rawOutput", "syncStatus", "healthStatus", "conditions", "resources" })
end

local function declare(name, run)
    return task {
        implements = "io.kestra.plugin.argocd.apps." .. name,
        effects = { "exec", "net" },
        idempotent = function() return "checkpoint" end,  -- a container is gone on with
        run = run,
        recover = run,
        plan = run,
        kill = script.kill,
    }
end

return { declare("Sync", sync), declare("Status", status) }
