-- AWS services other than S3: queues, topics, tables, streams, events, functions, jobs, queries, stacks.
local aws = use "lib.aws"
local fetched = use "lib.fetched"
local records = use "lib.records"
local rest = use "lib.rest"
local serdes = use "lib.serdes"
local value = use "lib.value"

local POLL = 5  -- seconds between two looks at what goes on

-- --- rows -----------------------------------------------------------------------------------------

-- What `from` means: a map, a list of maps, JSON text of either, or a file of rows. Calls visit for each.
local function each(props, host, given, visit)
    if type(given) == "string" then
        local decoded = host.json.decode(given)
        if decoded == nil and string.find(given, "://") then
            if host.context.mode == "plan" then return 0 end
            return records.rows(host, given, visit)
        end
        given = decoded or given
    end
    local list = host.is_list(given) and given or { given }
    for i, row in ipairs(list) do
        local _, message, class = visit(row, i)
        if message ~= nil then return nil, message, class end
    end
    return #list
end

-- The member of a row by its name in a flow, or as AWS writes it.
local function member(host, row, name)
    return value.get(host, row, name) or value.get(host, row, name:sub(1, 1):upper() .. name:sub(2))
end

local function text_of(host, given)
    if given == nil then return nil end
    return host.text(given)
end

-- Sends rows in groups of at most `most`; `send` gives nil, message, class where it cannot.
local function groups(props, host, given, most, make, send)
    local batch = {}
    local total, message, class = each(props, host, given, function(row)
        batch[#batch + 1] = make(row)
        if #batch < most then return true end
        local full = batch
        batch = {}
        return send(full)
    end)
    if total == nil then return nil, message, class end
    if #batch > 0 then
        local ok
        ok, message, class = send(batch)
        if ok == nil then return nil, message, class end
    end
    return total
end

-- --- queues and topics ----------------------------------------------------------------------------

local function sqs(connection, host, operation, input)
    return aws.call(connection, host, "sqs", "AmazonSQS." .. operation, "1.0", input)
end

local function sqs_publish(props, host, connection)
    local count, message, class = each(props, host, props.from, function(row)
        local data = member(host, row, "data")
        return sqs(connection, host, "SendMessage", { QueueUrl = props.queueUrl, MessageBody = text_of(host, data or row),
            DelaySeconds = member(host, row, "delaySeconds"), MessageGroupId = member(host, row, "groupId"),
            MessageDeduplicationId = member(host, row, "deduplicationId") })
    end)
    if count == nil then return nil, message, class end
    host.metric("sqs.publish.messages", "counter", count)
    return { messagesCount = count }
end

local function sqs_consume(props, host, connection)
    if props.maxRecords == nil and props.maxDuration == nil then
        return nil, "'maxRecords' or 'maxDuration' is needed", "permanent"
    end
    local rows, message, class = serdes.rows(host, ".ion")
    if rows == nil then return nil, message, class end
    local count, start = 0, host.now()
    local most, span = props.maxRecords or math.maxinteger, props.maxDuration and host.duration(props.maxDuration) * 1000
    while count < most and (span == nil or host.now() - start < span) do
        local answer
        answer, message, class = sqs(connection, host, "ReceiveMessage", { QueueUrl = props.queueUrl,
            MaxNumberOfMessages = math.min(10, most - count), WaitTimeSeconds = 1, VisibilityTimeout = props.visibilityTimeout or 30 })
        if answer == nil then return nil, message, class end
        for _, item in ipairs(value.list(host, value.get(host, answer, "Messages"))) do
            local row = item.Body
            if props.serdeType == "JSON" then
                row, message = host.json.decode(row)
                if row == nil then return nil, "a message is no JSON: " .. message, "permanent" end
            end
            rows.add(row)
            count = count + 1
            if props.autoDelete ~= false then
                local ok
                ok, message, class = sqs(connection, host, "DeleteMessage", { QueueUrl = props.queueUrl, ReceiptHandle = item.ReceiptHandle })
                if ok == nil then return nil, message, class end
            end
        end
        if host.context.mode == "plan" then break end
    end
    host.metric("sqs.consume.messages", "counter", count)
    local out
    out, message, class = rows.close()
    if out == nil then return nil, message, class end
    return { count = count, uri = out.uri }
end

local function sns_publish(props, host, connection)
    local count, message, class = each(props, host, props.from, function(row)
        return aws.query(connection, host, "sns", nil, { Action = "Publish", Version = "2010-03-31", TopicArn = props.topicArn,
            Message = text_of(host, member(host, row, "data") or row), Subject = member(host, row, "subject"),
            MessageStructure = member(host, row, "structure"), MessageGroupId = member(host, row, "groupId"),
            MessageDeduplicationId = member(host, row, "deduplicationId") })
    end)
    if count == nil then return nil, message, class end
    host.metric("sns.publish.messages", "counter", count)
    return { messagesCount = count }
end

-- --- tables ---------------------------------------------------------------------------------------

-- A value as DynamoDB writes it, and back.
local function attribute(host, given)
    if given == nil or given == host.null then return { NULL = true } end
    if type(given) == "boolean" then return { BOOL = given } end
    if math.type(given) ~= nil then return { N = tostring(given) } end
    if host.is_list(given) then
        local list = {}
        for i, item in ipairs(given) do list[i] = attribute(host, item) end
        return { L = host.list(list) }
    end
    if not host.is_map(given) then return { S = host.text(given) } end
    local map = host.map()
    for name, item in pairs(given) do map[name] = attribute(host, item) end
    return { M = map }
end

local function plain(host, given)
    for kind, item in pairs(given) do
        if kind == "N" then return math.tointeger(tonumber(item)) or tonumber(item) end
        if kind == "NULL" then return host.null end
        if kind == "L" then
            local list = {}
            for i, one in ipairs(item) do list[i] = plain(host, one) end
            return host.list(list)
        end
        if kind == "M" then
            local map = host.map()
            for name, one in pairs(item) do map[name] = plain(host, one) end
            return map
        end
        return item  -- S, BOOL, B, sets
    end
end

local function attributes(host, given)
    if type(given) == "string" then given = host.json.decode(given) end
    if not host.is_map(given) then return nil end
    return attribute(host, given).M
end

local function dynamodb(connection, host, operation, input)
    return aws.call(connection, host, "dynamodb", "DynamoDB_20120810." .. operation, "1.0", input)
end

local function put_item(props, host, connection)
    local item = attributes(host, props.item)
    if item == nil then return nil, "'item' is no map", "permanent" end
    local ok, message, class = dynamodb(connection, host, "PutItem", { TableName = props.tableName, Item = item })
    if ok == nil then return nil, message, class end
    return {}
end

local function delete_item(props, host, connection)
    local ok, message, class = dynamodb(connection, host, "DeleteItem", { TableName = props.tableName, Key = attributes(host, props.key) })
    if ok == nil then return nil, message, class end
    return {}
end

local function get_item(props, host, connection)
    local answer, message, class = dynamodb(connection, host, "GetItem", { TableName = props.tableName, Key = attributes(host, props.key) })
    if answer == nil then return nil, message, class end
    if answer.Item == nil then return {} end
    return { row = plain(host, { M = answer.Item }) }
end

local function select(operation)
    return function(props, host, connection)
        local input, list = { TableName = props.tableName, FilterExpression = props.filterExpression }, {}
        if operation == "Query" then input.KeyConditionExpression = props.keyConditionExpression end
        if props.expressionAttributeValues ~= nil then
            input.ExpressionAttributeValues = attributes(host, props.expressionAttributeValues)
        end
        repeat
            if props.limit ~= nil then input.Limit = props.limit - #list end
            local answer, message, class = dynamodb(connection, host, operation, input)
            if answer == nil then return nil, message, class end
            for _, item in ipairs(value.list(host, value.get(host, answer, "Items"))) do list[#list + 1] = plain(host, { M = item }) end
            input.ExclusiveStartKey = value.get(host, answer, "LastEvaluatedKey")
        until input.ExclusiveStartKey == nil or props.limit ~= nil and #list >= props.limit
        host.metric("records", "counter", #list)
        return fetched.outputs(props.fetchType or "STORE", list, host)
    end
end

-- --- streams and events ---------------------------------------------------------------------------

local function put_records(props, host, connection)
    local rows, message, class = serdes.rows(host, ".ion")
    if rows == nil then return nil, message, class end
    local failed, why = 0, nil
    local count
    count, message, class = groups(props, host, props.records, 500, function(row)
        return { PartitionKey = member(host, row, "partitionKey"), ExplicitHashKey = member(host, row, "explicitHashKey"),
            Data = host.base64.encode(text_of(host, member(host, row, "data"))) }
    end, function(batch)
        local answer, problem, kind = aws.call(connection, host, "kinesis", "Kinesis_20131202.PutRecords", "1.1",
            { StreamName = props.streamName, StreamARN = props.streamArn, Records = batch })
        if answer == nil then return nil, problem, kind end
        failed = failed + (answer.FailedRecordCount or 0)
        for _, item in ipairs(value.list(host, value.get(host, answer, "Records"))) do
            why = why or value.get(host, item, "ErrorMessage")
            rows.add({ sequenceNumber = item.SequenceNumber, shardId = item.ShardId, errorCode = item.ErrorCode, errorMessage = item.ErrorMessage })
        end
        return true
    end)
    if count == nil then return nil, message, class end
    host.metric("record.count", "counter", count)
    host.metric("record.failed", "counter", failed)
    host.metric("record.successful", "counter", count - failed)
    local out
    out, message, class = rows.close()
    if out == nil then return nil, message, class end
    host.outputs({ uri = out.uri, failedRecordsCount = failed, recordCount = count })
    if failed > 0 and props.failOnUnsuccessfulRecords ~= false then
        return nil, failed .. " of " .. count .. " records were not taken: " .. tostring(why), "permanent"
    end
    return {}
end

local function put_events(props, host, connection)
    local rows, message, class = serdes.rows(host, ".ion")
    if rows == nil then return nil, message, class end
    local failed, why, count = 0, nil, nil
    count, message, class = groups(props, host, props.entries, 10, function(row)
        return { EventBusName = member(host, row, "eventBusName"), Source = member(host, row, "source"),
            DetailType = member(host, row, "detailType"), Detail = text_of(host, member(host, row, "detail")),
            Resources = member(host, row, "resources") }
    end, function(batch)
        local answer, problem, kind = aws.call(connection, host, "events", "AWSEvents.PutEvents", "1.1", { Entries = batch })
        if answer == nil then return nil, problem, kind end
        failed = failed + (answer.FailedEntryCount or 0)
        for _, item in ipairs(value.list(host, value.get(host, answer, "Entries"))) do
            why = why or value.get(host, item, "ErrorMessage")
            rows.add({ eventId = item.EventId, errorCode = item.ErrorCode, errorMessage = item.ErrorMessage })
        end
        return true
    end)
    if count == nil then return nil, message, class end
    host.metric("eventbridge.put.events.total", "counter", count)
    host.metric("eventbridge.put.events.failed", "counter", failed)
    host.metric("eventbridge.put.events.successful", "counter", count - failed)
    local out
    out, message, class = rows.close()
    if out == nil then return nil, message, class end
    host.outputs({ uri = out.uri, failedEntryCount = failed, entryCount = count })
    if failed > 0 and props.failOnUnsuccessfulEvents ~= false then
        return nil, failed .. " of " .. count .. " events were not taken: " .. tostring(why), "permanent"
    end
    return {}
end

-- --- functions and jobs ---------------------------------------------------------------------------

local ANSWER = ".lambda"

local function invoke(props, host, connection)
    local answer, message, class = aws.request(connection, host, { service = "lambda", save = ANSWER,
        path = "/2015-03-31/functions/" .. props.functionArn .. "/invocations",
        headers = { ["X-Amz-Invocation-Type"] = "RequestResponse", ["X-Amz-Log-Type"] = "Tail", ["Content-Type"] = "application/json" },
        body = host.json.encode(props.functionPayload or host.map()) })
    if answer == nil then return nil, message, class end
    local log = answer.headers["x-amz-log-result"]
    if log ~= nil then
        for _, line in ipairs(host.lines(host.base64.decode(log[1]) or "")) do host.log("INFO", line) end
    end
    if answer.headers["x-amz-function-error"] ~= nil then
        local text = host.workdir.read(ANSWER) or ""
        return nil, "the function failed (" .. answer.headers["x-amz-function-error"][1] .. "): " .. text:sub(1, 500), "permanent"
    end
    local uri
    uri, message, class = host.storage.put({ file = ANSWER, name = "answer.json" })
    if uri == nil then return nil, message, class end
    host.workdir.remove(ANSWER)
    host.metric("file.size", "counter", answer.size)
    local kind = answer.headers["content-type"]
    return { uri = uri, contentLength = answer.size, contentType = kind and kind[1] }
end

local function glue(connection, host, operation, input)
    return aws.call(connection, host, "glue", "AWSGlue." .. operation, "1.1", input)
end

local function job_run(props, host, connection, run_id)
    local answer, message, class = glue(connection, host, "GetJobRun", { JobName = props.jobName, RunId = run_id })
    if answer == nil then return nil, message, class end
    local run = value.get(host, answer, "JobRun") or {}
    local function at(seconds) return math.type(seconds) and host.date(math.floor(seconds * 1000)) or nil end
    return { jobName = props.jobName, jobRunId = run_id, state = run.JobRunState, startedOn = at(run.StartedOn),
        completedOn = at(run.CompletedOn), lastModifiedOn = at(run.LastModifiedOn), executionTime = run.ExecutionTime,
        timeout = run.Timeout, attempt = run.Attempt, errorMessage = run.ErrorMessage }
end

local OVER = { SUCCEEDED = true, FAILED = true, STOPPED = true, TIMEOUT = true, ERROR = true, EXPIRED = true }

-- Waits for the end of a run; one that ends badly fails unless it was to be stopped.
local function wait_run(props, host, connection, run_id, wanted)
    local run, message, class = rest.wait(host, props.interval or 1, props.maxDuration, "the job run", function()
        local found, problem, why = job_run(props, host, connection, run_id)
        if found == nil then return nil, problem, why end
        return (OVER[found.state] or host.context.mode == "plan") and found
    end)
    if run == nil then return nil, message, class end
    if run.state == wanted or host.context.mode == "plan" then return run end
    host.outputs(run)
    return nil, "the job run ended as " .. run.state .. (run.errorMessage and ": " .. run.errorMessage or ""), "permanent"
end

local function start_job(props, host, connection, last)
    local run_id = last and last.checkpoint and last.checkpoint.run
    if run_id == nil then
        local answer, message, class = glue(connection, host, "StartJobRun", { JobName = props.jobName, Arguments = props.arguments })
        if answer == nil then return nil, message, class end
        run_id = answer.JobRunId or "<run>"
        host.checkpoint({ run = run_id })
    end
    if props.wait == false then return job_run(props, host, connection, run_id) end
    return wait_run(props, host, connection, run_id, "SUCCEEDED")
end

local function get_job(props, host, connection)
    local run_id = props.runId
    if run_id == nil then
        local answer, message, class = glue(connection, host, "GetJobRuns", { JobName = props.jobName, MaxResults = 1 })
        if answer == nil then return nil, message, class end
        local first = value.list(host, value.get(host, answer, "JobRuns"))[1]
        if first == nil and host.context.mode ~= "plan" then return nil, "the job '" .. props.jobName .. "' has no run", "permanent" end
        run_id = first and first.Id or "<run>"
    end
    return job_run(props, host, connection, run_id)
end

local function stop_job(props, host, connection)
    local answer, message, class = glue(connection, host, "BatchStopJobRun", { JobName = props.jobName, JobRunIds = { props.jobRunId } })
    if answer == nil then return nil, message, class end
    local problem = value.list(host, value.get(host, answer, "Errors"))[1]
    if problem ~= nil then return nil, "glue could not stop the run: " .. host.json.encode(problem), "permanent" end
    if props.wait == false then return job_run(props, host, connection, props.jobRunId) end
    return wait_run(props, host, connection, props.jobRunId, "STOPPED")
end

-- --- queries --------------------------------------------------------------------------------------

local function athena(connection, host, operation, input)
    return aws.call(connection, host, "athena", "AmazonAthena." .. operation, "1.1", input)
end

local TYPES = { tinyint = true, smallint = true, integer = true, int = true, bigint = true, float = true, double = true, real = true }

local function cell(column, text, host)
    if text == nil then return host.null end
    if TYPES[column.Type] then return math.tointeger(tonumber(text)) or tonumber(text) or text end
    if column.Type == "boolean" then return text == "true" end
    return text
end

local function athena_rows(connection, props, host, id)
    local list, token, is_first = {}, nil, props.skipHeader ~= false
    repeat
        local answer, message, class = athena(connection, host, "GetQueryResults", { QueryExecutionId = id, NextToken = token })
        if answer == nil then return nil, message, class end
        local set = value.get(host, answer, "ResultSet") or {}
        local columns = value.list(host, value.get(host, set.ResultSetMetadata or host.map(), "ColumnInfo"))
        for _, row in ipairs(value.list(host, set.Rows)) do
            if is_first then
                is_first = false
            else
                local map = host.map()
                for i, column in ipairs(columns) do map[column.Name] = cell(column, value.get(host, row.Data[i], "VarCharValue"), host) end
                list[#list + 1] = map
            end
        end
        token = value.get(host, answer, "NextToken")
    until token == nil
    return list
end

local function athena_query(props, host, connection, last)
    local id = last and last.checkpoint and last.checkpoint.query
    local answer, message, class
    if id == nil then
        answer, message, class = athena(connection, host, "StartQueryExecution", { QueryString = props.query,
            ClientRequestToken = host.context.idempotency_key or host.uuid(),
            QueryExecutionContext = { Catalog = props.catalog, Database = props.database },
            ResultConfiguration = { OutputLocation = props.outputLocation } })
        if answer == nil then return nil, message, class end
        id = answer.QueryExecutionId or "<query>"
        host.checkpoint({ query = id })
    end
    while host.context.mode ~= "plan" do
        answer, message, class = athena(connection, host, "GetQueryExecution", { QueryExecutionId = id })
        if answer == nil then return nil, message, class end
        local status = answer.QueryExecution.Status
        if status.State == "SUCCEEDED" then break end
        if status.State == "FAILED" or status.State == "CANCELLED" then
            return nil, "the query ended as " .. status.State .. ": " .. tostring(status.StateChangeReason or ""), "permanent"
        end
        host.sleep(1)
    end
    if props.fetchType == "NONE" or host.context.mode == "plan" then return { queryExecutionId = id } end
    local list
    list, message, class = athena_rows(connection, props, host, id)
    if list == nil then return nil, message, class end
    host.metric("fetch.rows", "counter", #list)
    local out
    out, message, class = fetched.outputs(props.fetchType or "STORE", list, host)
    if out == nil then return nil, message, class end
    out.queryExecutionId = id
    return out
end

-- --- metrics and stacks ---------------------------------------------------------------------------

local function push_metrics(props, host, connection)
    local form = { Action = "PutMetricData", Version = "2010-08-01", Namespace = props.namespace }
    for i, metric in ipairs(props.metrics) do
        local prefix = "MetricData.member." .. i .. "."
        form[prefix .. "MetricName"], form[prefix .. "Value"] = metric.metricName, text_of(host, metric.value)
        form[prefix .. "Unit"] = value.get(host, metric, "unit")
        local at = 0
        for name, text in pairs(value.get(host, metric, "dimensions") or {}) do
            at = at + 1
            form[prefix .. "Dimensions.member." .. at .. ".Name"] = name
            form[prefix .. "Dimensions.member." .. at .. ".Value"] = host.text(text)
        end
    end
    local ok, message, class = aws.query(connection, host, "monitoring", nil, form)
    if ok == nil then return nil, message, class end
    return { count = #props.metrics }
end

local function query_metrics(props, host, connection)
    local statistic, stop = props.statistic or "Average", host.now()
    local form = { Action = "GetMetricStatistics", Version = "2010-08-01", Namespace = props.namespace, MetricName = props.metricName,
        Period = host.text(props.periodSeconds or 60), ["Statistics.member.1"] = statistic, EndTime = host.date(stop),
        StartTime = host.date(math.floor(stop - host.duration(props.window or 300) * 1000)) }
    for i, dimension in ipairs(props.dimensions or {}) do
        form["Dimensions.member." .. i .. ".Name"] = dimension.name
        form["Dimensions.member." .. i .. ".Value"] = dimension.value
    end
    local body, message, class = aws.query(connection, host, "monitoring", nil, form)
    if body == nil then return nil, message, class end
    local series = {}
    for i, item in ipairs(aws.elements(aws.elements(body, "Datapoints")[1] or "", "member")) do
        series[i] = host.map({ timestamp = aws.element(item, "Timestamp"), value = tonumber(aws.element(item, statistic)),
            unit = aws.element(item, "Unit") })
    end
    table.sort(series, function(a, b) return a.timestamp < b.timestamp end)
    return { count = #series, series = host.list(series) }
end

local function stack_query(connection, host, form)
    form.Version = "2010-05-15"
    return aws.query(connection, host, "cloudformation", nil, form)
end

-- Waits until nothing goes on in a stack; gives its description, nil where there is none.
local function wait_stack(props, host, connection, name)
    while true do
        local body, message, class, code = stack_query(connection, host, { Action = "DescribeStacks", StackName = name })
        if body == nil and code == "ValidationError" then return "", "DELETE_COMPLETE" end
        if body == nil then return nil, message, class end
        local state = aws.element(body, "StackStatus") or ""
        if props.waitForCompletion == false or host.context.mode == "plan" or not string.ends(state, "_IN_PROGRESS") then
            return body, state
        end
        host.sleep(POLL)
    end
end

local function create_stack(props, host, connection)
    local form = { StackName = props.stackName, TemplateBody = props.templateBody, ["Capabilities.member.1"] = "CAPABILITY_IAM",
        ["Capabilities.member.2"] = "CAPABILITY_NAMED_IAM" }
    local at = 0
    for name, text in pairs(props.parameters or {}) do
        at = at + 1
        form["Parameters.member." .. at .. ".ParameterKey"] = name
        form["Parameters.member." .. at .. ".ParameterValue"] = text
    end
    form.Action = "CreateStack"
    local body, message, class, code = stack_query(connection, host, form)
    if body == nil and code == "AlreadyExistsException" then
        form.Action = "UpdateStack"
        body, message, class = stack_query(connection, host, form)
        if body == nil and string.find(message, "No updates are to be performed") then body = "" end
    end
    if body == nil then return nil, message, class end
    local state
    body, state, class = wait_stack(props, host, connection, props.stackName)
    if body == nil then return nil, state, class end
    local outputs = host.map()
    for _, item in ipairs(aws.elements(aws.elements(body, "Outputs")[1] or "", "member")) do
        outputs[aws.element(item, "OutputKey")] = aws.element(item, "OutputValue")
    end
    host.outputs({ stackId = aws.element(body, "StackId"), stackName = props.stackName, stackOutputs = outputs })
    if string.find(state, "ROLLBACK") or string.ends(state, "_FAILED") then
        return nil, "the stack ended as " .. state .. ": " .. tostring(aws.element(body, "StackStatusReason") or ""), "permanent"
    end
    return {}
end

local function delete_stack(props, host, connection)
    local before, state, class = wait_stack({ waitForCompletion = false }, host, connection, props.stackName)
    if before == nil then return nil, state, class end
    local id = aws.element(before, "StackId") or props.stackName
    local ok, message
    ok, message, class = stack_query(connection, host, { Action = "DeleteStack", StackName = props.stackName })
    if ok == nil then return nil, message, class end
    ok, state, class = wait_stack(props, host, connection, id)
    if ok == nil then return nil, state, class end
    if state == "DELETE_FAILED" then return nil, "the stack could not be deleted", "permanent" end
    return {}
end

-- --- tokens ---------------------------------------------------------------------------------------

local function ecr_token(_, host, connection)
    local answer, message, class = aws.request(connection, host, { service = "ecr", prefix = "api.ecr", body = "{}", headers = {
        ["X-Amz-Target"] = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", ["Content-Type"] = "application/x-amz-json-1.1" } })
    if answer == nil then return nil, message, class end
    if answer.planned then return { token = "<token>" } end
    local given = value.list(host, value.get(host, host.json.decode(answer.body), "authorizationData"))[1]
    local text = given and host.base64.decode(given.authorizationToken)
    if text == nil then return nil, "the registry gave no token", "permanent" end
    return { token = host.hide("ecr token " .. host.uuid(), text:sub((string.find(text, ":") or 0) + 1)) }
end

local function eks_token(props, host, connection)
    local seconds = props.expirationDuration or 600
    local url = aws.presign(connection, host, { service = "sts", expires = seconds, headers = { ["x-k8s-aws-id"] = props.clusterName },
        query = { Action = "GetCallerIdentity", Version = "2011-06-15", ["X-Amz-Security-Token"] = connection.token } })
    local text = host.base64.encode(url, true)
    while string.ends(text, "=") do text = text:sub(1, -2) end
    return { token = { tokenValue = host.hide("eks token " .. host.uuid(), "k8s-aws-v1." .. text), expirationTime = host.date(host.now() + seconds * 1000) } }
end

-- --------------------------------------------------------------------------------------------------

local READ = "yes"  -- what only reads, or has the same effect twice

local TASKS = {
    { "sqs.Publish", sqs_publish, "sqs", "notify" },
    { "sqs.Consume", sqs_consume, "sqs", "destroy" },
    { "sns.Publish", sns_publish, "sns", "notify" },
    { "dynamodb.PutItem", put_item, "dynamodb", "create", READ },
    { "dynamodb.GetItem", get_item, "dynamodb", "file", READ },
    { "dynamodb.DeleteItem", delete_item, "dynamodb", "destroy", READ },
    { "dynamodb.Scan", select("Scan"), "dynamodb", "file", READ },
    { "dynamodb.Query", select("Query"), "dynamodb", "file", READ },
    { "kinesis.PutRecords", put_records, "kinesis", "notify" },
    { "eventbridge.PutEvents", put_events, "events", "notify" },
    { "lambda.Invoke", invoke, "lambda", "create" },
    { "glue.StartJobRun", start_job, "glue", "create", "checkpoint" },
    { "glue.GetJobRun", get_job, "glue", "file", READ },
    { "glue.StopJobRun", stop_job, "glue", "destroy", READ },
    { "athena.Query", athena_query, "athena", "create", "checkpoint" },
    { "cloudwatch.Push", push_metrics, "monitoring", "notify" },
    { "cloudwatch.Query", query_metrics, "monitoring", "file", READ },
    { "cloudformation.Create", create_stack, "cloudformation", "create", READ },
    { "cloudformation.Delete", delete_stack, "cloudformation", "destroy", READ },
    { "ecr.GetAuthToken", ecr_token, "api.ecr", "file", READ },
    { "auth.EksToken", eks_token, "sts", "file", READ },
}

local tasks = {}
for i, row in ipairs(TASKS) do
    local function run(props, host, last)
        local connection, message, class = aws.connect(props, host)
        if connection == nil then return nil, message, class end
        return row[2](props, host, connection, last)
    end
    tasks[i] = task {
        implements = "io.kestra.plugin.aws." .. row[1],
        effects = { "net", row[4] },
        idempotent = function() return row[5] or "no" end,
        hosts = function(props) return aws.hosts(props, row[3]) end,
        run = run,
        recover = run,
        plan = run,
    }
end
return tasks
