-- Create or update resources by server-side apply, in the order in which they are written.
--
-- `spec` is YAML text; `manifests` names files: in the working directory, else namespace files, or
-- URIs. Earlier resources stay applied where a later one fails.
local k8s = use "lib.k8s"
local value = use "lib.value"

local function is_uri(name)
    return string.starts(name, "kestra://") or string.starts(name, "nsfile://")
        or string.starts(name, "file://")
end

local function read_manifest(host, name)
    if is_uri(name) then return host.storage.get(name) end
    if host.workdir.exists(name) == "file" then return host.workdir.read(name) end
    local text, message, class = host.nsfiles.read(name)
    if text ~= nil then return text end
    return nil, "manifest '" .. name .. "' is neither in the working directory nor a namespace file"
        .. (message and ": " .. message or ""), class or "permanent"
end

-- Where a document came from, for messages, and its text.
local function read_sources(props, host)
    if (props.spec == nil) == (props.manifests == nil) then
        return nil, "exactly one of 'spec' and 'manifests' must be given", "permanent"
    end
    if props.spec ~= nil then
        if host.is_secret(props.spec) then
            return nil, "'spec' holds a secret; keep the resource that needs it in a cluster's own "
                .. "secret store", "permanent"
        end
        return { { name = "spec", text = tostring(host.text(props.spec)) } }
    end
    if props.inputFiles ~= nil then
        local ok, message, class = host.workdir.input_files(props.inputFiles)
        if ok == nil then return nil, message, class end
    end
    local sources = {}
    for _, name in ipairs(props.manifests) do
        local text, message, class = read_manifest(host, name)
        if text == nil then return nil, message, class end
        sources[#sources + 1] = { name = name, text = text }
    end
    return sources
end

-- A list of resources counts as its items.
local function add_document(host, documents, source, object)
    if not host.is_map(object) then
        return nil, "'" .. source .. "': a document is no map", "permanent"
    end
    local kind, version = value.get(host, object, "kind"), value.get(host, object, "apiVersion")
    if type(kind) ~= "string" or type(version) ~= "string" then
        return nil, "'" .. source .. "': a document lacks 'apiVersion' or 'kind'", "permanent"
    end
    if string.ends(kind, "List") and host.is_list(value.get(host, object, "items")) then
        for _, item in ipairs(object.items) do
            local ok, message, class = add_document(host, documents, source, item)
            if ok == nil then return nil, message, class end
        end
        return true
    end
    local name = value.get(host, value.get(host, object, "metadata"), "name")
    if type(name) ~= "string" then
        return nil, "'" .. source .. "': " .. kind .. " has no 'metadata.name', which server-side "
            .. "apply needs", "permanent"
    end
    documents[#documents + 1] = { object = object, kind = kind, version = version, name = name }
    return true
end

local function read_documents(props, host)
    local sources, problem, why = read_sources(props, host)
    if sources == nil then return nil, problem, why end
    local documents = {}
    for _, source in ipairs(sources) do
        local objects, message = host.yaml.decode_all(source.text)
        if objects == nil then return nil, "'" .. source.name .. "': " .. message, "permanent" end
        for _, object in ipairs(objects) do
            local ok, text, class = add_document(host, documents, source.name, object)
            if ok == nil then return nil, text, class end
        end
    end
    return documents
end

-- Path and label of a document.
local function place(props, host, connection, document)
    local own = value.get(host, document.object.metadata, "namespace")
    return k8s.place(host, connection, document.version, document.kind,
        own or props.namespace or "default", document.name)
end

-- The server-side apply of one document.
local function send(host, connection, path, document, dry_run)
    return k8s.call(host, connection, {
        method = "PATCH",
        path = path,
        query = { fieldManager = k8s.FIELD_MANAGER, dryRun = dry_run },
        headers = { ["Content-Type"] = "application/apply-patch+yaml" },
        body = host.json.encode(document.object),
    })
end

local function apply(props, host, connection, document)
    local path, label, class = place(props, host, connection, document)
    if path == nil then return nil, label, class end
    local object, message, why = send(host, connection, path, document)
    if object == nil then return nil, "cannot apply " .. label .. ": " .. message, why end
    if object.planned then return k8s.metadata(host, document.object) end
    host.log("INFO", "applied " .. label)
    if props.waitUntilReady ~= nil then
        local ok, problem, kind = k8s.wait_ready(host, connection, path, label, props.waitUntilReady)
        if ok == nil then return nil, problem, kind end
    end
    return k8s.metadata(host, object)
end

local function run(props, host)
    local documents, problem, why = read_documents(props, host)
    if documents == nil then return nil, problem, why end
    local connection, message, class = k8s.connect(host, props)
    if connection == nil then return nil, message, class end
    local applied = {}
    for _, document in ipairs(documents) do
        local metadata
        metadata, message, class = apply(props, host, connection, document)
        host.outputs({ metadata = host.list(applied) })
        if metadata == nil then return nil, message, class end
        applied[#applied + 1] = metadata
    end
    return { metadata = host.list(applied) }
end

-- Says of each resource whether it would be created or changed, and what the cluster has against
-- it: a dry run goes through admission and writes nothing.
local function plan(props, host)
    local documents, problem, why = read_documents(props, host)
    if documents == nil then return nil, problem, why end
    local connection, message, class = k8s.connect(host, props)
    if connection == nil then return nil, message, class end
    for _, document in ipairs(documents) do
        local path, label
        path, label, class = place(props, host, connection, document)
        if path == nil then return nil, label, class end
        local found
        found, message, class = k8s.call(host, connection, { path = path, may_lack = true })
        if found == nil and message ~= nil then return nil, message, class end
        host.log("INFO", (found and "would change " or "would create ") .. label)
        local tried
        tried, message = send(host, connection, path, document, "All")
        if tried == nil then host.log("WARN", "would be refused: " .. label .. ": " .. message) end
    end
    return run(props, host)
end

return task {
    implements = "io.kestra.plugin.kubernetes.kubectl.Apply",
    extends = { manifests = { type = "list<string>" } },
    effects = { "net", "create" },
    idempotent = function() return "yes" end,
    hosts = k8s.hosts,
    run = run,
    plan = plan,
}
