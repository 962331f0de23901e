-- aws.s3: objects and buckets. One file is one request, so at most 5 GiB.
local aws = use "lib.aws"
local value = use "lib.value"

-- A request about a bucket, or about an object of it.
local function request(connection, host, bucket, key, spec)
    spec.service = "s3"
    local is_host = not connection.path_style and string.find(bucket, ".") == nil
    local path = "/" .. (key or "")
    if is_host then
        spec.prefix = bucket .. ".s3"
    else
        path = "/" .. bucket .. path
    end
    spec.path = path
    return aws.request(connection, host, spec)
end

local function header(answer, name)
    local found = answer.headers and answer.headers[name]
    return found and found[1]
end

local function put_headers(props, host)
    local headers = {}
    for name, given in pairs({ ["Cache-Control"] = props.cacheControl, ["Content-Type"] = props.contentType,
        ["Content-Encoding"] = props.contentEncoding, ["Content-Disposition"] = props.contentDisposition,
        ["Content-Language"] = props.contentLanguage, Expires = props.expires, ["x-amz-acl"] = props.acl,
        ["x-amz-storage-class"] = props.storageClass, ["x-amz-server-side-encryption"] = props.serverSideEncryption,
        ["x-amz-expected-bucket-owner"] = props.expectedBucketOwner, ["x-amz-request-payer"] = props.requestPayer,
        ["x-amz-object-lock-mode"] = props.objectLockMode,
        ["x-amz-object-lock-legal-hold"] = props.objectLockLegalHoldStatus,
        ["x-amz-object-lock-retain-until-date"] = props.objectLockRetainUntilDate }) do
        headers[name] = host.text(given)
    end
    for name, text in pairs(props.metadata or {}) do headers["x-amz-meta-" .. name:lower()] = host.text(text) end
    if props.tagging ~= nil then headers["x-amz-tagging"] = host.url.query(props.tagging) end
    if headers["Content-Type"] == nil then headers["Content-Type"] = "application/octet-stream" end
    return headers
end

local function last_segment(uri)
    local segments = string.split(uri, "/")
    return segments[#segments]
end

-- Which file goes to which key: a list of pairs, and whether it is several.
local function uploads(props, host)
    local from = props.from
    if type(from) == "string" then
        local decoded = host.json.decode(from)
        if not host.is_list(decoded) and not host.is_map(decoded) then return { { props.key, from } }, false end
        from = decoded
    end
    local list, folder = {}, string.ends(props.key, "/") and props.key or props.key .. "/"
    if host.is_map(from) then
        for name, uri in pairs(from) do list[#list + 1] = { folder .. name, host.text(uri) } end
    else
        for i, uri in ipairs(value.list(host, from)) do list[i] = { folder .. last_segment(uri), uri } end
    end
    return list, true
end

local function upload(props, host)
    local connection, message, class = aws.connect(props, host)
    if connection == nil then return nil, message, class end
    local list, is_many = uploads(props, host)
    if #list == 0 then return nil, "'from' names no file", "permanent" end
    local out, files, total = { bucket = props.bucket, key = props.key }, host.map(), 0
    for _, pair in ipairs(list) do
        local key, uri = pair[1], pair[2]
        local answer
        answer, message, class = request(connection, host, props.bucket, key, { method = "PUT", file = uri,
            headers = put_headers(props, host) })
        if answer == nil then return nil, message, class end
        local size = host.storage.size(uri) or 0
        total = total + size
        out.eTag, out.versionId = header(answer, "etag"), header(answer, "x-amz-version-id")
        files[key] = { uri = uri, contentLength = size, eTag = out.eTag, versionId = out.versionId }
    end
    host.metric("file.count", "counter", #list)
    host.metric("file.size", "counter", total)
    if is_many then out.files, out.eTag, out.versionId = files, nil, nil end
    return out
end

-- --- what is in a bucket --------------------------------------------------------------------------

local function is_meant(key, props, host)
    local filter = props.filter or "BOTH"
    local is_folder = string.ends(key, "/")
    if filter == "FILES" and is_folder or filter == "DIRECTORY" and not is_folder then return false end
    return props.regexp == nil or host.re.matches(props.regexp, key)
end

-- The objects below a prefix that are meant, at most maxKeys of them looked at.
local function listed(connection, props, host)
    local out, seen, token = {}, 0, nil
    local most = props.maxKeys or 1000
    repeat
        local answer, message, class = request(connection, host, props.bucket, nil, { method = "GET", query = {
            ["list-type"] = "2", prefix = props.prefix, delimiter = props.delimiter, ["start-after"] = props.marker,
            ["max-keys"] = tostring(math.min(most - seen, 1000)), ["continuation-token"] = token } })
        if answer == nil then return nil, message, class end
        if answer.planned then return out end
        for _, item in ipairs(aws.elements(answer.body, "Contents")) do
            local key = aws.element(item, "Key")
            seen = seen + 1
            if is_meant(key, props, host) then
                out[#out + 1] = host.map({ uri = "s3://" .. props.bucket .. "/" .. key, key = key, etag = aws.element(item, "ETag"),
                    size = tonumber(aws.element(item, "Size")), lastModified = aws.element(item, "LastModified") })
            end
        end
        token = aws.element(answer.body, "IsTruncated") == "true" and aws.element(answer.body, "NextContinuationToken") or nil
    until token == nil or seen >= most
    return out
end

local function cut(list, most, host)
    if #list <= most then return list end
    host.log("WARN", #list .. " objects are there, the first " .. most .. " are taken ('maxFiles')")
    return { table.unpack(list, 1, most) }
end

local function list(props, host)
    local connection, message, class = aws.connect(props, host)
    if connection == nil then return nil, message, class end
    local found
    found, message, class = listed(connection, props, host)
    if found == nil then return nil, message, class end
    found = cut(found, props.maxFiles or 25, host)
    host.metric("s3.objects.count", "counter", #found)
    return { objects = host.list(found) }
end

-- --- downloads ------------------------------------------------------------------------------------

local PART = ".object"

local function fetch(connection, props, host, key)
    local answer, message, class = request(connection, host, props.bucket, key, { method = "GET", save = PART,
        query = { versionId = props.versionId }, headers = { ["x-amz-request-payer"] = props.requestPayer } })
    if answer == nil then return nil, message, class end
    local uri
    uri, message, class = host.storage.put({ file = PART, name = last_segment(key) })
    if uri == nil then return nil, message, class end
    host.workdir.remove(PART)
    host.metric("file.size", "counter", answer.size)
    local metadata = host.map()
    for name, texts in pairs(answer.headers) do
        if string.starts(name, "x-amz-meta-") then metadata[name:sub(12)] = texts[1] end
    end
    return host.map({ uri = uri, contentLength = answer.size, contentType = header(answer, "content-type"), metadata = metadata,
        eTag = header(answer, "etag"), versionId = header(answer, "x-amz-version-id") })
end

local function download(props, host)
    local connection, message, class = aws.connect(props, host)
    if connection == nil then return nil, message, class end
    if props.key ~= nil then return fetch(connection, props, host, props.key) end
    if props.prefix == nil and props.regexp == nil and props.delimiter == nil then
        return nil, "one of 'key', 'prefix', 'delimiter' and 'regexp' is needed", "permanent"
    end
    local found
    found, message, class = listed(connection, props, host)
    if found == nil then return nil, message, class end
    if #found == 0 then host.log("WARN", "no object is meant") end
    local files = host.map()
    for _, object in ipairs(cut(found, props.maxFiles or 25, host)) do
        local file
        file, message, class = fetch(connection, props, host, object.key)
        if file == nil then return nil, message, class end
        files[object.key] = file
    end
    return { files = files }
end

local function remove(connection, host, bucket, key, query)
    return request(connection, host, bucket, key, { method = "DELETE", query = query })
end

local function copy_one(connection, host, from, to)
    local headers = { ["x-amz-copy-source"] = "/" .. from.bucket .. "/" .. host.url.encode(from.key)
        .. (from.versionId and "?versionId=" .. from.versionId or "") }
    if to.serverSideEncryption ~= nil and to.serverSideEncryption ~= "NONE" then
        headers["x-amz-server-side-encryption"] = to.serverSideEncryption == "AWS_KMS" and "aws:kms" or to.serverSideEncryption
        headers["x-amz-server-side-encryption-aws-kms-key-id"] = to.kmsKeyId
    end
    local answer, message, class = request(connection, host, to.bucket, to.key, { method = "PUT", headers = headers })
    if answer == nil then return nil, message, class end
    if not answer.planned and aws.element(answer.body, "Code") ~= nil then  -- said after the status was
        return nil, "s3 could not copy: " .. tostring(aws.element(answer.body, "Message")), "transient"
    end
    return { bucket = to.bucket, key = to.key, eTag = aws.element(answer.body or "", "ETag"), versionId = header(answer, "x-amz-version-id") }
end

local function downloads(props, host)
    local connection, message, class = aws.connect(props, host)
    if connection == nil then return nil, message, class end
    if props.action == "MOVE" and props.moveTo == nil then return nil, "'action: MOVE' needs 'moveTo'", "permanent" end
    local found
    found, message, class = listed(connection, props, host)
    if found == nil then return nil, message, class end
    found = cut(found, props.maxFiles or 25, host)
    local objects, files = {}, host.map()
    for i, object in ipairs(found) do
        local file, ok
        file, message, class = fetch(connection, props, host, object.key)
        if file == nil then return nil, message, class end
        files[object.key], object.uri = file.uri, file.uri
        objects[i] = object
        ok = true
        if props.action == "MOVE" then
            local below = props.moveTo.key or ""
            if #found > 1 or string.ends(below, "/") then
                below = (string.ends(below, "/") and below or below .. "/") .. last_segment(object.key)
            end
            ok, message, class = copy_one(connection, host, { bucket = props.bucket, key = object.key },
                { bucket = props.moveTo.bucket or props.bucket, key = below })
        end
        if ok and props.action ~= "NONE" then ok, message, class = remove(connection, host, props.bucket, object.key) end
        if ok == nil then return nil, message, class end
    end
    host.metric("files.count", "counter", #objects)
    return { objects = host.list(objects), outputFiles = files }
end

-- --- the rest -------------------------------------------------------------------------------------

local function delete(props, host)
    local connection, message, class = aws.connect(props, host)
    if connection == nil then return nil, message, class end
    local answer
    answer, message, class = request(connection, host, props.bucket, props.key, { method = "DELETE", headers = {
        ["x-amz-mfa"] = props.mfa, ["x-amz-request-payer"] = props.requestPayer,
        ["x-amz-bypass-governance-retention"] = props.bypassGovernanceRetention and "true" or nil } })
    if answer == nil then return nil, message, class end
    return { versionId = header(answer, "x-amz-version-id"), deleteMarker = header(answer, "x-amz-delete-marker") == "true",
        requestCharged = header(answer, "x-amz-request-charged") }
end

local function delete_list(props, host)
    local connection, message, class = aws.connect(props, host)
    if connection == nil then return nil, message, class end
    local found
    found, message, class = listed(connection, props, host)
    if found == nil then return nil, message, class end
    if #found == 0 and props.errorOnEmpty then return nil, "there is nothing to delete, and 'errorOnEmpty' is true", "permanent" end
    local size = 0
    for _, object in ipairs(found) do
        local answer
        answer, message, class = remove(connection, host, props.bucket, object.key)
        if answer == nil then return nil, message, class end
        size = size + (object.size or 0)
    end
    host.metric("s3.objects.deleted.count", "counter", #found)
    host.metric("s3.objects.deleted.size", "counter", size)
    return { count = #found, size = size }
end

local function create_bucket(props, host)
    local connection, message, class = aws.connect(props, host)
    if connection == nil then return nil, message, class end
    local body = ""
    if connection.region ~= "us-east-1" then
        body = '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>'
            .. connection.region .. "</LocationConstraint></CreateBucketConfiguration>"
    end
    local answer, code
    answer, message, class, code = request(connection, host, props.bucket, nil, { method = "PUT", body = body, headers = {
        ["x-amz-acl"] = props.acl, ["x-amz-grant-full-control"] = props.grantFullControl, ["x-amz-grant-read"] = props.grantRead,
        ["x-amz-grant-read-acp"] = props.grantReadACP, ["x-amz-grant-write"] = props.grantWrite,
        ["x-amz-grant-write-acp"] = props.grantWriteACP,
        ["x-amz-bucket-object-lock-enabled"] = props.objectLockEnabledForBucket and "true" or nil } })
    if answer == nil and code ~= "BucketAlreadyOwnedByYou" then return nil, message, class end
    return { bucket = props.bucket, region = connection.region }
end

local function copy(props, host)
    local connection, message, class = aws.connect(props, host)
    if connection == nil then return nil, message, class end
    local from, to = props.from, props.to or {}
    if from == nil then return nil, "'from' is needed", "permanent" end
    local out
    out, message, class = copy_one(connection, host, from, { bucket = to.bucket or from.bucket, key = to.key or from.key,
        serverSideEncryption = to.serverSideEncryption, kmsKeyId = to.kmsKeyId })
    if out == nil then return nil, message, class end
    if props.delete then
        local answer
        answer, message, class = remove(connection, host, from.bucket, from.key, { versionId = from.versionId })
        if answer == nil then return nil, message, class end
    end
    return out
end

local tasks = {}
for name, run in pairs({ Upload = upload, Download = download, Downloads = downloads, List = list, Delete = delete,
    DeleteList = delete_list, CreateBucket = create_bucket, Copy = copy }) do
    tasks[#tasks + 1] = task {
        implements = "io.kestra.plugin.aws.s3." .. name,
        effects = { "net", "file", (name == "Delete" or name == "DeleteList") and "destroy" or "create" },
        -- What is moved or copied away is gone the second time.
        idempotent = function(props) return (name == "Downloads" and props.action ~= "NONE" or props.delete) and "no" or "yes" end,
        hosts = function(props) return aws.hosts(props, "s3") end,
        run = run,
        plan = run,
    }
end
return tasks
