-- cases_services.lua - modules that speak to an engine, a server or a cluster; see cases.lua.
local fake, tools = ...
local case, same, contains, argv = tools.case, tools.same, tools.contains, tools.argv

local CORE = "io.kestra.plugin.core."
local OK = { exec = { { code = 0, vars = {} } } }

-- --- containers and images ----------------------------------------------------------------------

local DOCKER = "io.kestra.plugin.docker.cli."

-- An engine that says yes to everything; `answers` are bodies by a part of the path.
local function engine(answers)
    return { engine = { kind = "docker", name = "engine", url = "http://engine", unix = "/engine.sock" }, http = function(request)
        for part, body in pairs(answers or {}) do
            if request.url:find(part, 1, true) then
                if request.on_chunk then request.on_chunk(body) end
                return { status = 200, headers = {}, body = body }
            end
        end
        return { status = 200, headers = {}, body = "{}" }
    end, exec = { { code = 0, vars = {} } } }
end

local function calls(record)
    local out = {}
    for i, request in ipairs(record.http) do
        out[i] = request.method .. " " .. request.url:gsub("^http://engine/v1.41", "")
    end
    return out
end

case("a_command_in_a_container_is_made_filled_started_followed_and_removed", function()
    local world = engine { ["/create"] = '{"Id": "c1"}' }
    world.exec = { { code = 3, vars = {} } }
    world.said = { version = "7" }  -- in $FLOW_OUTPUT
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands", { commands = { "a" },
        containerImage = "img:2", env = { A = fake.secret("x") }, taskRunner = { type = "x.Docker",
            cpu = { cpus = 1.5 }, memory = { memory = "2GB" }, user = "u", killGracePeriod = "PT3S" } },
        world)
    local name = "flowrun-nil-nil"
    same(calls(record), { "GET /images/img%3A2/json", "POST /containers/create",
        "PUT /containers/" .. name .. "/archive", "PUT /containers/" .. name .. "/archive",
        "POST /containers/" .. name .. "/start",
        "GET /containers/" .. name .. "/archive", "GET /containers/" .. name .. "/archive",
        "DELETE /containers/" .. name })
    local body = record.http[2].json
    same(body.Cmd, { "/bin/sh", "-c", "set -e\na" })
    same({ body.Image, body.Entrypoint, body.WorkingDir, body.User }, { "img:2", { "" }, "/task/dir", "u" })
    same({ body.HostConfig.NanoCpus, body.HostConfig.Memory }, { 1500000000, 2147483648 })
    same({ tostring(body.Env[1]), body.Env[2], body.Env[3] },
        { "******", "FLOW_OUTPUT=/task/.output-x.d/vars", "WORKING_DIR=/task/dir" })
    same({ record.taken, record.outputs.vars }, { "/task/.output-x.d/vars", { version = "7" } })
    same({ record.exec[1].attach.unix, record.exec[1].attach.url },
        { "/engine.sock", "http://engine/v1.41/containers/" .. name })
    same(record.checkpoint.container, name)
    same({ record.outputs.exitCode, record.outputs.taskRunner.containerId }, { 3, "c1" })
    same(record.failure, "Command failed with exit code 3")
end)

case("a_stop_ends_the_container_of_every_type_that_runs_commands", function()
    for _, name in ipairs({ "beam.RunPipeline", "docker.cli.Run", "singer.taps.GenericTap",
        "singer.targets.GenericTarget", "soda.Scan", "terraform.cli.TerraformCLI" }) do
        local host, record = fake.host(engine {})
        fake.load("io.kestra.plugin." .. name).kill({}, host, { checkpoint = { container = "c" } })
        same(calls(record), { "POST /containers/c/kill", "DELETE /containers/c" })
    end
end)

case("files_that_cannot_be_brought_back_fail_a_type_without_outputs_of_a_script_too", function()
    local world = engine {}
    world.files = {}
    local answer = world.http
    world.http = function(request)
        if request.method == "GET" and request.url:find("/archive", 1, true) then return nil, "broken", "permanent" end
        return answer(request)
    end
    local record = fake.run("io.kestra.plugin.soda.Scan", { configuration = { ["data_source a"] = {} }, checks = {},
        containerImage = "img", taskRunner = { type = "x.Docker" } }, world)
    contains(record.failure, "the files of the container cannot be brought back")
end)

case("every_property_of_the_docker_runner_reaches_the_engine", function()
    local world = engine {}
    world.engine.volumes = true
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands", { commands = { "a" },
        containerImage = "img", taskRunner = { type = "x.Docker", user = "u", entryPoint = { "/e" },
            extraHosts = { "h:1" }, networkMode = "none", portBindings = { "8080:80", "127.0.0.1:53:53/udp" },
            volumes = { "/a:/b" }, shmSize = "1MB", privileged = true,
            cpu = { cpus = 2 }, memory = { memory = "1GB", memorySwap = "2GB", memorySwappiness = "30",
                memoryReservation = "512KB", kernelMemory = "64MB", oomKillDisable = true },
            deviceRequests = { { driver = "nvidia", count = 1, deviceIds = { "0" },
                capabilities = { { "gpu" } }, options = { a = "b" } } } } }, world)
    local body = record.http[2].json
    local on = body.HostConfig
    same({ body.User, body.Entrypoint, on.ExtraHosts, on.NetworkMode, on.Binds, on.ShmSize, on.Privileged },
        { "u", { "/e" }, { "h:1" }, "none", { "/a:/b" }, 1048576, true })
    same(on.PortBindings, { ["80/tcp"] = { { HostIp = "", HostPort = "8080" } },
        ["53/udp"] = { { HostIp = "127.0.0.1", HostPort = "53" } } })
    same({ on.NanoCpus, on.Memory, on.MemorySwap, on.MemorySwappiness, on.MemoryReservation,
        on.KernelMemory, on.OomKillDisable },
        { 2000000000, 1073741824, 2147483648, 30, 524288, 67108864, true })
    same(on.DeviceRequests, { { Driver = "nvidia", Count = 1, DeviceIDs = { "0" },
        Capabilities = { { "gpu" } }, Options = { a = "b" } } })
end)

case("the_deprecated_docker_says_the_same", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands", { commands = { "a" },
        docker = { image = "img", user = "u", networkMode = "none", pullPolicy = "ALWAYS", cpu = { cpus = 1 } } },
        engine {})
    same(calls(record)[1], "POST /images/create")
    local body = record.http[2].json
    same({ body.Image, body.User, body.HostConfig.NetworkMode, body.HostConfig.NanoCpus },
        { "img", "u", "none", 1000000000 })
end)

case("a_script_with_a_secret_is_no_argument_of_a_container", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands",
        { commands = { fake.secret("curl KEY") }, containerImage = "img" }, engine {})
    same(record.http[2].json.Cmd, { "/bin/sh", "/task/dir/.container-script" })
    same(tostring(record.written[".container-script"]), "******")
    contains(table.concat(record.removed, " "), ".container-script")
end)

case("docker_run_gives_the_image_its_own_entrypoint", function()
    local record = fake.run(DOCKER .. "Run", { containerImage = "img", commands = { "x", "y" },
        networkMode = "host" }, engine {})
    local body = record.http[2].json
    same({ body.Cmd, body.Entrypoint, body.HostConfig.NetworkMode }, { { "x", "y" }, nil, "host" })
end)

case("an_image_is_built_tagged_and_pushed", function()
    local world = engine { ["/build"] = '{"stream": "Step 1"}\n{"aux": {"ID": "sha256:1"}}\n' }
    local record = fake.run(DOCKER .. "Build", { dockerfile = "FROM a\n", tags = { "r:5000/n:1" },
        push = true, buildArgs = { A = "b" } }, world)
    same(record.written, { [".Dockerfile"] = "FROM a\n" })
    same(record.packed, { ".build-context.tar", "." })
    same({ record.http[1].query.dockerfile, record.http[1].query.t, record.http[1].query.buildargs },
        { ".Dockerfile", { "r:5000/n:1" }, '{"A":"b"}' })
    same(calls(record)[2], "POST /images/r:5000/n/push")
    same(record.http[2].query.tag, "1")
    same(record.outputs, { imageId = "sha256:1" })
    same(record.logs, { "INFO Step 1" })
    world = engine { ["/build"] = '{"error": "no such file"}\n' }
    contains(fake.run(DOCKER .. "Build", { tags = { "t" } }, world).failure, "no such file")
end)

case("images_and_containers_are_listed_tagged_and_removed", function()
    local record = fake.run(DOCKER .. "ImageLs", {}, engine { ["/images/json"] = '[{"Id": "i", "Size": 5}]' })
    same({ record.outputs.count, record.outputs.images[1].id }, { 1, "i" })
    record = fake.run(DOCKER .. "Tag", { sourceImage = "a:1", targetImage = "h:5/b:2" }, engine {})
    same({ calls(record)[1], record.http[1].query }, { "POST /images/a:1/tag", { repo = "h:5/b", tag = "2" } })
    record = fake.run(DOCKER .. "Rm", { containerIds = { "c" }, imageIds = { "i" }, force = true }, engine {})
    same(calls(record), { "DELETE /containers/c", "DELETE /images/i" })
    record = fake.run(DOCKER .. "Stop", { containerId = "c" }, engine {})
    same(calls(record), { "POST /containers/c/stop", "DELETE /containers/c" })
    record = fake.run(DOCKER .. "Compose", { composeFile = "c.yml", composeArgs = { "up", "-d" } }, OK)
    same(argv(record.exec[1])[3], "set -e\ndocker compose -f 'c.yml' up -d")
end)

case("ansible_runs_each_command_and_puts_out_what_hosts_answer", function()
    local record = fake.run("io.kestra.plugin.ansible.cli.AnsibleCLI",
        { commands = { "ansible-playbook a.yml", "ansible-playbook b.yml" },
          autoInstallPythonRequirements = false, autoInstallGalaxyRequirements = false },
        { exec = { { code = 0, vars = fake.mark({ playbooks = { { plays = {} } } }) } } })
    same(argv(record.exec[1]), { "/bin/bash", "-c",
        "(\nansible-playbook a.yml\n) || exit $?\n(\nansible-playbook b.yml\n) || exit $?" })
    same(#record.outputs.playbooks, 1)
end)

case("argocd_gives_what_its_json_says_and_hides_the_token", function()
    local record = fake.run("io.kestra.plugin.argocd.apps.Sync", { server = "s", token = fake.secret("t"),
        application = "app", prune = true, insecure = true }, { exec = function(request)
            assert(request.on_line("stdout", '{"status": {"sync": {"status": "Synced",'))
            request.on_line("stdout", '"revision": "r1"}, "health": {"status": "Healthy"}}}')
            return { code = 0, vars = {} }
        end })
    contains(argv(record.exec[1])[3], "argocd app sync 'app' --prune --server 's' --insecure --output json")
    same(tostring(record.exec[1].env.ARGOCD_AUTH_TOKEN), "******")
    same({ record.outputs.syncStatus, record.outputs.healthStatus, record.outputs.revision },
        { "Synced", "Healthy", "r1" })
end)

-- --- http ---------------------------------------------------------------------------------------

local function http_answer(t)
    return { http = { { status = t.status or 200, headers = t.headers or {}, body = t.body or "",
        size = #(t.body or ""), class = t.class, url = "https://h/p" } } }
end

case("a_request_has_the_defaults_of_the_language", function()
    local record = fake.run(CORE .. "http.Request", { uri = "https://h/p" }, http_answer { body = "x" })
    local request = record.http[1]
    same({ request.method, request.url, request.headers["User-Agent"], request.headers["Content-Type"] },
        { "GET", "https://h/p", "Kestra", "application/json" })
    same(request.limits.idle, 300)
    same(record.outputs, { uri = "https://h/p", code = 200, headers = {}, body = "x" })
end)

case("a_status_of_400_and_more_fails_unless_it_is_allowed", function()
    local wanted = http_answer { status = 404, body = "gone", class = "permanent" }
    local record = fake.run(CORE .. "http.Request", { uri = "https://h" }, wanted)
    contains(record.failure, "status 404: gone")
    same(record.class, "permanent")
    same(fake.run(CORE .. "http.Request", { uri = "https://h", options = { allowFailed = true } },
        wanted).outputs.code, 404)
    same(fake.run(CORE .. "http.Request", { uri = "https://h",
        options = { allowedResponseCodes = { 404 } } }, wanted).outputs.code, 404)
    contains(fake.run(CORE .. "http.Request", { uri = "https://h",
        options = { allowedResponseCodes = { 201 } } }, http_answer {}).failure, "status 200")
end)

case("parameters_form_and_auth_reach_the_host", function()
    local record = fake.run(CORE .. "http.Request", {
        uri = "https://h", method = "POST", params = { a = { 1, 2 }, b = true },
        formData = { k = "v" },
        options = { auth = { type = "BEARER", token = fake.secret("t") }, followRedirects = false,
            timeout = { readIdleTimeout = "PT7S" }, ssl = { insecureTrustAllCertificates = true } },
    }, http_answer {})
    local request = record.http[1]
    same(request.query, { a = { "1", "2" }, b = "true" })
    same(request.form, { k = "v" })
    same({ request.auth.type, tostring(request.auth.token) }, { "bearer", "******" })
    same({ request.follow, request.limits.idle, request.tls.insecure }, { false, 7, true })
end)

case("multipart_parts_may_be_files", function()
    local record = fake.run(CORE .. "http.Request", {
        uri = "https://h", method = "POST", contentType = "multipart/form-data",
        formData = { f = "kestra:///a", g = { name = "n.txt", content = "c" } },
    }, http_answer {})
    local parts = {}
    for _, part in ipairs(record.http[1].multipart) do parts[part.name] = part end
    same(parts.f, { name = "f", file = "kestra:///a" })
    same(parts.g, { name = "g", value = "c", filename = "n.txt" })
end)

case("only_a_request_with_a_key_may_be_sent_again", function()
    local module = fake.load(CORE .. "http.Request")
    same(module.idempotent({ uri = "u" }), "yes")
    same(module.idempotent({ uri = "u", method = "put" }), "yes")
    same(module.idempotent({ uri = "u", method = "POST" }), "no")
    same(module.idempotent({ method = "POST", headers = { ["Idempotency-Key"] = "k" } }), "yes")
end)

case("hosts_are_told_for_the_manifest", function()
    local module = fake.load(CORE .. "http.Request")
    same(module.hosts({ uri = "https://u:p@api.example.com:8443/a?b#c" }), { "api.example.com:8443" })
    same(module.hosts({ uri = fake.secret("https://h") }), {})
end)

case("a_body_that_is_no_text_is_refused", function()
    contains(fake.run(CORE .. "http.Request", { uri = "https://h" },
        http_answer { body = "\255\254" }).failure, "Download")
end)

case("a_download_is_stored_under_the_name_it_is_given", function()
    local answer = http_answer { body = "12345",
        headers = { ["content-disposition"] = { 'attachment; filename="../../e.csv"' } } }
    local record = fake.run(CORE .. "http.Download", { uri = "https://h" }, answer)
    same(record.stored, { file = ".download", name = "e.csv" })
    same({ record.outputs.uri, record.outputs.length }, { "kestra:///stored/e.csv", 5 })
    contains(fake.run(CORE .. "http.Download", { uri = "https://h" }, http_answer {}).failure, "empty")
end)

-- --- key-value, storage -------------------------------------------------------------------------

case("a_key_keeps_the_value_its_text_looks_like", function()
    local function stored(props)
        props.key = "k"
        local record = fake.run(CORE .. "kv.Set", props)
        return record.failure or record.kv.k.value
    end
    same(stored { value = "5" }, 5)
    same(stored { value = "true" }, true)
    same(stored { value = "text" }, "text")
    same(stored { value = "5", kvType = "STRING" }, "5")
    same(stored { value = "x", kvType = "NUMBER" }, "the value is no NUMBER")
    same(stored { value = '{"a":1}', kvType = "JSON" }, { a = 1 })
    contains(stored { value = fake.secret("s") }, "secret")
end)

case("a_key_is_looked_for_in_the_parents_of_the_own_namespace_only", function()
    local world = { kv = { company = { k = 1 }, other = {} } }
    same(fake.run(CORE .. "kv.Get", { key = "k" }, world).outputs, { value = 1 })
    same(fake.run(CORE .. "kv.Get", { key = "k", namespace = "other.part" }, world).outputs, {})
    contains(fake.run(CORE .. "kv.Get", { key = "no", errorOnMissing = true }, world).failure, "'no'")
end)

case("written_text_becomes_a_storage_file", function()
    local record = fake.run(CORE .. "storage.Write", { content = "c", extension = "txt" })
    same(record.stored, { text = "c", extension = "txt" })
end)

-- --- Kubernetes ---------------------------------------------------------------------------------

local APPLY = "io.kestra.plugin.kubernetes.kubectl.Apply"
local DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: prod\n"
local SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"

local function applied(request)
    return { status = 200, headers = {}, body = request.body }
end

case("apply_patches_each_document_in_order", function()
    local record = fake.run(APPLY, { spec = DEPLOYMENT .. "---\n" .. SERVICE, namespace = "team" },
        { http = applied })
    same(record.failure, nil)
    same({ record.http[1].method, record.http[1].url }, { "PATCH",
        "https://cluster:6443/apis/apps/v1/namespaces/prod/deployments/web" })
    same(record.http[2].url, "https://cluster:6443/api/v1/namespaces/team/services/web")
    same(record.http[1].query, { fieldManager = "flowrun" })
    same(record.http[1].headers["Content-Type"], "application/apply-patch+yaml")
    same(record.outputs.metadata, { { name = "web", namespace = "prod" }, { name = "web" } })
end)

case("manifests_come_from_the_working_directory_and_then_namespace_files", function()
    local record = fake.run(APPLY, { manifests = { "a.yaml", "b.yaml" } }, {
        http = applied, files = { ["a.yaml"] = DEPLOYMENT }, nsfiles = { ["b.yaml"] = SERVICE },
    })
    same(#record.http, 2)
    contains(fake.run(APPLY, { manifests = { "no.yaml" } }, {}).failure, "'no.yaml'")
end)

case("exactly_one_of_spec_and_manifests_is_taken", function()
    contains(fake.run(APPLY, {}).failure, "exactly one")
    contains(fake.run(APPLY, { spec = SERVICE, manifests = { "a" } }).failure, "exactly one")
end)

case("a_list_of_resources_counts_as_its_items", function()
    local record = fake.run(APPLY, { spec = '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": '
        .. '"v1", "kind": "Namespace", "metadata": {"name": "n"}}]}' }, { http = applied })
    same(record.http[1].url, "https://cluster:6443/api/v1/namespaces/n")
end)

case("an_unknown_kind_is_looked_up", function()
    local record = fake.run(APPLY,
        { spec = "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: g}\n" }, {
        http = function(request)
            if request.method == "PATCH" then return applied(request) end
            return { status = 200, headers = {}, body = '{"resources": [{"name": "gadgets/status", '
                .. '"kind": "Gadget", "namespaced": true}, {"name": "gadgets", "kind": "Gadget", '
                .. '"namespaced": false}]}' }
        end,
    })
    same(record.http[1].url, "https://cluster:6443/apis/example.com/v1")
    same(record.http[2].url, "https://cluster:6443/apis/example.com/v1/gadgets/g")
end)

case("earlier_resources_stay_and_the_answer_is_told", function()
    local record = fake.run(APPLY, { spec = DEPLOYMENT .. "---\n" .. SERVICE }, {
        http = function(request, number)
            if number == 1 then return applied(request) end
            return { status = 409, headers = {}, class = "permanent",
                body = '{"message": "Apply failed with 1 conflict"}' }
        end,
    })
    contains(record.failure, "cannot apply service 'web' in namespace 'default'")
    contains(record.failure, "1 conflict")
    same(record.outputs.metadata, { { name = "web", namespace = "prod" } })
end)

case("malformed_manifests_are_told_by_name", function()
    for _, spec in ipairs({ "kind: Pod\n", "- a\n", "apiVersion: v1\nkind: Pod\n", "a: [b" }) do
        local record = fake.run(APPLY, { spec = spec }, { http = applied })
        contains(record.failure, "'spec'")
        same(#record.http, 0)
    end
end)

case("a_plan_of_apply_says_what_would_be_created_or_changed", function()
    local record = fake.run(APPLY, { spec = DEPLOYMENT .. "---\n" .. SERVICE }, {
        mode = "plan",
        http = function(request)
            local is_service = request.url:find("/services/web", 1, true) ~= nil
            if request.method ~= "PATCH" then
                return { status = is_service and 404 or 200, headers = {}, body = "{}" }
            end
            if request.query.dryRun ~= "All" then return { planned = true } end
            return is_service and { status = 422, headers = {}, class = "permanent", body = '{"message": "no port"}' }
                or applied(request)
        end,
    }, "plan")
    same(record.logs, { "INFO would change deployment 'web' in namespace 'prod'",
        "INFO would create service 'web' in namespace 'default'",
        "WARN would be refused: service 'web' in namespace 'default': no port" })
end)

case("apply_waits_until_a_resource_is_ready", function()
    local polls = 0
    local record = fake.run(APPLY, { spec = SERVICE, waitUntilReady = "PT10S" }, {
        http = function(request)
            if request.method == "PATCH" then return applied(request) end
            polls = polls + 1
            return { status = 200, headers = {}, body = '{"status": {"conditions": [{"type": "Ready", '
                .. '"status": "' .. (polls == 3 and "True" or "False") .. '"}]}}' }
        end,
    })
    same({ record.failure, polls }, { nil, 3 })
    record = fake.run(APPLY, { spec = SERVICE, waitUntilReady = "PT2S" }, {
        http = function(request)
            return request.method == "PATCH" and applied(request)
                or { status = 200, headers = {}, body = "{}" }
        end,
    })
    contains(record.failure, "was not ready after PT2S")
end)

case("an_unreachable_cluster_is_one_clear_failure", function()
    local record = fake.run(APPLY, { spec = SERVICE },
        { http = { { failure = "cannot connect to cluster:6443", class = "transient" } } })
    contains(record.failure, "cannot connect to cluster:6443")
    same(record.class, "transient")
end)

local GET = "io.kestra.plugin.kubernetes.kubectl.Get"
local LIST = '{"metadata": {}, "items": [{"metadata": {"name": "a"}, "status": {"phase": "Running"}}]}'

case("get_fetches_all_or_those_named", function()
    local world = { http = { { status = 200, headers = {}, body = LIST } } }
    local record = fake.run(GET, { resourceType = "Pod", fetchType = "FETCH" }, world)
    same(record.http[1].url, "https://cluster:6443/api/v1/namespaces/default/pods")
    same(record.outputs.metadataItems, { { name = "a" } })
    same(record.outputs.statusItems, { { status = { phase = "Running" } } })
    record = fake.run(GET, { resourceType = "Pod", resourcesNames = { "a", "b" },
        fetchType = "FETCH_ONE" }, { http = {
        { status = 404, headers = {}, body = "{}" },
        { status = 200, headers = {}, body = '{"metadata": {"name": "b"}}' } } })
    same(record.logs, { "WARN there is no pod 'a'" })
    same(record.outputs.metadataItem, { name = "b" })
end)

case("get_stores_lines_of_json", function()
    local record = fake.run(GET, { resourceType = "Deployment", apiGroup = "apps",
        fetchType = "STORE" }, { http = { { status = 200, headers = {}, body = LIST } } })
    same(record.http[1].url, "https://cluster:6443/apis/apps/v1/namespaces/default/deployments")
    same(record.outputs.size, 1)
    contains(record.stored.text, '"phase":"Running"')
end)

-- --- Slack's Web API ----------------------------------------------------------------------------

local SLACK = "io.kestra.plugin.slack.app."

local function slack(body, status)
    return { http = { { status = status or 200, headers = {}, body = body, class = "ok" } } }
end

case("a_slack_message_has_its_fields_over_the_payload", function()
    local record = fake.run(SLACK .. "chats.Post", { token = fake.secret("t"), channel = "C1",
        payload = '{"blocks": [1], "channel": "old"}', messageText = "hi", timestamp = "1.2" },
        slack('{"ok": true, "ts": "3.4"}'))
    local request = record.http[1]
    same(request.url, "https://slack.com/api/chat.postMessage")
    same(request.method, "POST")
    same(request.auth.type, "bearer")
    same(request.form, { blocks = "[1]", channel = "C1", text = "hi", thread_ts = "1.2" })
    same(record.outputs, { timestamp = "3.4" })
end)

case("slack_refuses_with_status_200", function()
    local record = fake.run(SLACK .. "reactions.Add", { token = "t", channel = "C1", name = "ok",
        timestamp = "1.2" }, slack('{"ok": false, "error": "missing_scope", "needed": "reactions:write"}'))
    contains(record.failure, "missing_scope, the token lacks the scope reactions:write")
    same(record.class, "permanent")
    record = fake.run(SLACK .. "chats.Post", { token = "t", channel = "C1", messageText = "x" },
        slack('{"ok": false, "error": "ratelimited"}'))
    same(record.class, "throttled")
end)

case("slack_conversations_are_made_filled_and_named", function()
    local channel = '{"ok": true, "channel": {"id": "C1", "name": "ops", "is_private": true, "topic": {"value": "t"}}}'
    local record = fake.run(SLACK .. "conversations.Create", { token = "t", name = "ops", isPrivate = true },
        slack(channel))
    same(record.http[1].form, { is_private = "true", name = "ops" })
    same(record.outputs, { id = "C1", isPrivate = true, name = "ops", topic = { value = "t" } })
    record = fake.run(SLACK .. "conversations.Invite", { token = "t", channel = "C1", users = { "U1", "U2" } },
        slack(channel))
    same(record.http[1].form, { channel = "C1", users = "U1,U2" })
    record = fake.run(SLACK .. "conversations.SetTopic", { token = "t", channel = "C1", topic = "x" },
        slack(channel))
    same(record.http[1].url, "https://slack.com/api/conversations.setTopic")
    record = fake.run(SLACK .. "canvases.Create", { token = "t", title = "x",
        documentContent = { type = "markdown", markdown = "# x" } }, slack('{"ok": true, "canvas_id": "F1"}'))
    same(record.outputs, { id = "F1" })
end)

case("a_slack_history_is_read_page_by_page", function()
    local record = fake.run(SLACK .. "conversations.History", { token = "t", channel = "C1", limit = 3 }, { http = {
        { status = 200, headers = {}, class = "ok",
            body = '{"ok": true, "messages": [{"ts": "1"}, {"ts": "2"}], "response_metadata": {"next_cursor": "n"}}' },
        { status = 200, headers = {}, class = "ok", body = '{"ok": true, "messages": [{"ts": "3"}]}' } } })
    same(record.http[1].query, { channel = "C1", limit = "3" })
    same(record.http[2].query, { channel = "C1", cursor = "n", limit = "1" })
    same(record.outputs, { size = 3, uri = "kestra:///stored/history.ion" })
    same(record.stored.text, '{"ts":"1"}\n{"ts":"2"}\n{"ts":"3"}\n')
end)
