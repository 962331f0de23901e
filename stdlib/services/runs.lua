-- Runs of other orchestrators: started by one request, looked at until they are over.
local http = use "lib.http"
local rest = use "lib.rest"
local value = use "lib.value"

-- The run of an attempt before a crash, or a new one: start() gives its id.
local function started(host, last, start)
    local id = last and last.checkpoint and last.checkpoint.run
    if id ~= nil then return id end
    local message, class
    id, message, class = start()
    if id == nil then return nil, message, class end
    host.checkpoint({ run = id })
    return id
end

-- --- Jenkins --------------------------------------------------------------------------------------

local function jenkins(props, host, method, path, more)
    local request = { method = method, url = rest.at(props.serverUrl, path), form = more }
    if props.username ~= nil or props.apiToken ~= nil then request.auth = rest.basic(props.username, props.apiToken) end
    return rest.send(request, props.options, host)
end

local function job_path(name)
    return "/job/" .. table.concat(string.split(name, "/"), "/job/")
end

local function jenkins_build(props, host)
    local form = value.texts(host, props.parameters)
    if value.is_empty(form) then form = nil end
    local answer, message, class = jenkins(props, host, "POST", job_path(props.jobName) .. (form and "/buildWithParameters" or "/build"), form)
    if answer == nil then return nil, message, class end
    return { status = answer.status }
end

local function jenkins_info(props, host)
    local answer, message, class = jenkins(props, host, "GET", job_path(props.jobName) .. "/" .. host.text(props.buildNumber) .. "/api/json")
    if answer == nil then return nil, message, class end
    return { info = answer.json }
end

-- --- Airflow, Dagster, Prefect --------------------------------------------------------------------

local function airflow(props, host, last)
    local base = rest.at(props.baseUrl, "/api/v1/dags/" .. host.url.encode(props.dagId) .. "/dagRuns")
    local function ask(method, path, json)
        return rest.ask({ method = method, url = base .. path, headers = value.texts(host, props.headers), json = json }, props.options, host)
    end
    local id, message, class = started(host, last, function()
        local run, problem, why = ask("POST", "", props.body or host.map({ { "conf", host.map({ { "kestra_execution_id", host.context.execution_id } }) } }))
        if run == nil then return nil, problem, why end
        return run.dag_run_id or "<run>"
    end)
    if id == nil then return nil, message, class end
    local function look()
        local run, problem, why = ask("GET", "/" .. host.url.encode(id))
        if run == nil then return nil, problem, why end
        local is_over = run.state == "success" or run.state == "failed"
        return (is_over or not props.wait) and run
    end
    local run
    run, message, class = rest.wait(host, props.pollFrequency or 1, props.maxDuration or 3600, "the DAG run", look)
    if run == nil then return nil, message, class end
    host.outputs({ dagId = props.dagId, dagRunId = id, state = run.state, started = run.start_date, ended = run.end_date })
    if props.wait and run.state == "failed" then return nil, "the DAG run '" .. id .. "' failed", "permanent" end
    return {}
end

local LAUNCH = "mutation L($e: ExecutionParams!) { launchRun(executionParams: $e) { __typename ... on LaunchRunSuccess { run { runId } } "
    .. "... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } } } }"
local STATUS = "query S($r: ID!) { runOrError(runId: $r) { __typename ... on Run { runId status jobName startTime endTime } } }"

local function dagster(props, host, last)
    local function ask(query, variables)
        local answer, message, class = rest.ask({ method = "POST", url = rest.at(props.baseUrl, "/graphql"),
            json = { query = query, variables = variables } }, props.options, host)
        if answer == nil then return nil, message, class end
        if value.get(host, answer, "errors") ~= nil then return nil, "dagster: " .. host.json.encode(answer.errors):sub(1, 500), "permanent" end
        return value.get(host, answer, "data") or host.map()
    end
    local id, message, class = started(host, last, function()
        local answer, problem, why = ask(LAUNCH, { e = { selector = { repositoryLocationName = props.location,
            repositoryName = props.repository, jobName = props.jobName }, runConfigData = props.body or host.map() } })
        if answer == nil then return nil, problem, why end
        if host.context.mode == "plan" then return "<run>" end
        local run = rest.dig(host, answer, "launchRun", "run", "runId")
        if run == nil then return nil, "dagster did not start the job: " .. host.json.encode(answer):sub(1, 500), "permanent" end
        return run
    end)
    if id == nil then return nil, message, class end
    local run
    run, message, class = rest.wait(host, props.pollFrequency or 5, props.maxDuration or 1800, "the run", function()
        local answer, problem, why = ask(STATUS, { r = id })
        if answer == nil then return nil, problem, why end
        local found = value.get(host, answer, "runOrError") or host.map()
        local state = found.status
        return (not props.wait or state == "SUCCESS" or state == "FAILURE" or state == "CANCELED") and found
    end)
    if run == nil then return nil, message, class end
    local function at(seconds) return math.type(seconds) and host.date(math.floor(seconds * 1000)) or nil end
    host.outputs({ runId = id, status = run.status, jobName = props.jobName, startTime = at(run.startTime), endTime = at(run.endTime) })
    if props.wait and run.status ~= "SUCCESS" and host.context.mode ~= "plan" then
        return nil, "the run '" .. id .. "' ended as " .. tostring(run.status), "permanent"
    end
    return {}
end

local PREFECT_BAD = { FAILED = true, CRASHED = true, CANCELLED = true }

local function prefect(props, host, last)
    local path = ""
    if props.accountId ~= nil then path = "/accounts/" .. props.accountId .. "/workspaces/" .. (props.workspaceId or "") end
    local function ask(method, tail, json)
        return rest.ask({ method = method, url = rest.at(props.apiUrl or "https://api.prefect.cloud/api", path .. tail),
            auth = rest.bearer(props.apiKey), json = json }, nil, host)
    end
    local id, message, class = started(host, last, function()
        local run, problem, why = ask("POST", "/deployments/" .. props.deploymentId .. "/create_flow_run",
            { parameters = props.parameters or host.map(), state = { type = "SCHEDULED" } })
        if run == nil then return nil, problem, why end
        return run.id or "<run>"
    end)
    if id == nil then return nil, message, class end
    local run
    run, message, class = rest.wait(host, props.pollFrequency or 5, nil, "the flow run", function()
        local found, problem, why = ask("GET", "/flow_runs/" .. id)
        if found == nil then return nil, problem, why end
        local state = found.state_type
        return (props.wait == false or state == "COMPLETED" or PREFECT_BAD[state]) and found
    end)
    if run == nil then return nil, message, class end
    host.outputs({ flowRunId = id, state = run.state_type, flowRunUrl = rest.at(props.apiUrl or "https://app.prefect.cloud", path .. "/flow-runs/flow-run/" .. id) })
    if PREFECT_BAD[run.state_type] then return nil, "the flow run '" .. id .. "' ended as " .. run.state_type, "permanent" end
    return {}
end

-- --- Hightouch, Fivetran, Airbyte, dbt Cloud ------------------------------------------------------

local HIGHTOUCH_OVER = { SUCCESS = true, success = true, FAILED = true, failed = true, CANCELLED = true, cancelled = true, INTERRUPTED = true,
    interrupted = true, WARNING = true, warning = true, COMPLETED_WITH_ERRORS = true, completed_with_errors = true }
local HIGHTOUCH_GOOD = { success = true, warning = true, completed_with_errors = true }

local function hightouch(props, host, last)
    local sync = host.text(props.syncId)
    local function ask(method, path, more)
        local request = { method = method, url = "https://api.hightouch.com/api/v1/syncs/" .. sync .. path, auth = rest.bearer(props.token) }
        return rest.ask(value.put(request, more), props.options, host)
    end
    local id, message, class = started(host, last, function()
        local run, problem, why = ask("POST", "/trigger", { json = { fullResync = props.fullResynchronization or false } })
        if run == nil then return nil, problem, why end
        return run.id or 0
    end)
    if id == nil then return nil, message, class end
    if props.wait == false then return { runId = math.tointeger(tonumber(id)) } end
    local run
    run, message, class = rest.wait(host, 1, props.maxDuration or 300, "the sync", function()
        local found, problem, why = ask("GET", "/runs", { query = { runId = host.text(id) } })
        if found == nil then return nil, problem, why end
        local first = value.list(host, value.get(host, found, "data"))[1]
        return first ~= nil and HIGHTOUCH_OVER[first.status] and first
    end)
    if run == nil then return nil, message, class end
    host.outputs({ runId = math.tointeger(tonumber(id)), metadata = run })
    local state = type(run.status) == "string" and run.status:lower()
    if state and not HIGHTOUCH_GOOD[state] then
        return nil, "the sync ended as " .. state .. ": " .. tostring(host.text(value.get(host, run, "error") or "")), "permanent"
    end
    return {}
end

local function fivetran(props, host)
    local function ask(method, path, json)
        return rest.ask({ method = method, url = rest.at(props.baseUrl or "https://api.fivetran.com", "/v1/connectors/" .. props.connectorId .. path),
            auth = rest.basic(props.apiKey, props.apiSecret), json = json }, props.options, host)
    end
    local before, message, class = ask("GET", "")
    if before == nil then return nil, message, class end
    local succeeded, failed = rest.dig(host, before, "data", "succeeded_at"), rest.dig(host, before, "data", "failed_at")
    local ok
    ok, message, class = ask("POST", "/sync", { force = props.force or false })
    if ok == nil then return nil, message, class end
    if props.wait == false then return {} end
    local state
    state, message, class = rest.wait(host, props.pollFrequency or 5, props.maxDuration or 3600, "the sync", function()
        local found, problem, why = ask("GET", "")
        if found == nil then return nil, problem, why end
        if rest.dig(host, found, "data", "failed_at") ~= failed then return "failed" end
        return rest.dig(host, found, "data", "succeeded_at") ~= succeeded and "succeeded"
    end)
    if state == nil then return nil, message, class end
    if state == "failed" then return nil, "the sync failed", "permanent" end
    return {}
end

local AIRBYTE_OVER = { succeeded = true, failed = true, cancelled = true, incomplete = true }

local function airbyte_ask(props, host, path, json)
    local auth = props.token and rest.bearer(props.token) or (props.username and rest.basic(props.username, props.password)) or nil
    local own = props.applicationCredentials
    if own ~= nil then
        local token, message, class = rest.ask({ method = "POST", url = rest.at(props.url, "/api/v1/applications/token"),
            json = { client_id = own.clientId, client_secret = own.clientSecret } }, props.options, host)
        if token == nil then return nil, message, class end
        auth = rest.bearer(host.hide("airbyte token " .. host.uuid(), token.access_token or ""))
    end
    return rest.ask({ method = "POST", url = rest.at(props.url, "/api/v1" .. path), auth = auth, json = json }, props.options, host)
end

local function airbyte_wait(props, host, id)
    local found, message, class = rest.wait(host, props.pollFrequency or 1, props.maxDuration or 3600, "the job", function()
        local job, problem, why = airbyte_ask(props, host, "/jobs/get", { id = id })
        if job == nil then return nil, problem, why end
        local state = rest.dig(host, job, "job", "status")
        return AIRBYTE_OVER[state] and state
    end)
    if found == nil then return nil, message, class end
    if found ~= "succeeded" and host.context.mode ~= "plan" then return nil, "the job " .. id .. " ended as " .. found, "permanent" end
    return found
end

local function airbyte_sync(props, host, last)
    local id, message, class = started(host, last, function()
        local answer, problem, why, status = airbyte_ask(props, host, "/connections/sync", { connectionId = props.connectionId })
        if answer == nil and status == 409 and props.failOnActiveSync == false then return -1 end
        if answer == nil then return nil, problem, why end
        return rest.dig(host, answer, "job", "id") or 0
    end)
    if id == nil then return nil, message, class end
    if id == -1 then return { alreadyRunning = true } end
    host.outputs({ jobId = id, alreadyRunning = false })
    if props.wait == false then return {} end
    local ok
    ok, message, class = airbyte_wait(props, host, id)
    if ok == nil then return nil, message, class end
    return {}
end

local function airbyte_status(props, host)
    local state, message, class = airbyte_wait(props, host, math.tointeger(tonumber(props.jobId)) or props.jobId)
    if state == nil then return nil, message, class end
    return { finalJobStatus = state }
end

local DBT_OVER = { [10] = "success", [20] = "error", [30] = "cancelled" }

local function dbt_ask(props, host, method, path, json)
    return rest.ask({ method = method, url = rest.at(props.baseUrl or "https://cloud.getdbt.com", "/api/v2/accounts/" .. props.accountId .. path),
        headers = { Authorization = host.join({ "Token ", props.token }) }, json = json }, props.options, host)
end

-- Waits for a run; its results and manifest are kept.
local function dbt_wait(props, host, id)
    local state, message, class = rest.wait(host, props.pollFrequency or 5, props.maxDuration or 3600, "the run", function()
        local run, problem, why = dbt_ask(props, host, "GET", "/runs/" .. id .. "/")
        if run == nil then return nil, problem, why end
        return DBT_OVER[rest.dig(host, run, "data", "status")] or false
    end)
    if state == nil then return nil, message, class end
    local out = {}
    for _, pair in ipairs({ { "runResults", "run_results.json" }, { "manifest", "manifest.json" } }) do
        local found = props.parseRunResults ~= false and dbt_ask(props, host, "GET", "/runs/" .. id .. "/artifacts/" .. pair[2])
        if found then out[pair[1]] = host.storage.put({ text = host.json.encode(found), name = pair[2] }) end
    end
    host.outputs(out)
    if state ~= "success" and host.context.mode ~= "plan" then return nil, "the run " .. id .. " ended as " .. tostring(state), "permanent" end
    return {}
end

local function dbt_trigger(props, host, last)
    local id, message, class = started(host, last, function()
        local run, problem, why = dbt_ask(props, host, "POST", "/jobs/" .. props.jobId .. "/run/", {
            cause = props.cause or "Triggered by Kestra.", git_sha = props.gitSha, git_branch = props.gitBranch,
            schema_override = props.schemaOverride, dbt_version_override = props.dbtVersionOverride, threads_override = props.threadsOverride,
            target_name_override = props.targetNameOverride, generate_docs_override = props.generateDocsOverride,
            timeout_seconds_override = props.timeoutSecondsOverride, steps_override = props.stepsOverride })
        if run == nil then return nil, problem, why end
        return rest.dig(host, run, "data", "id") or 0
    end)
    if id == nil then return nil, message, class end
    host.outputs({ runId = id })
    if props.wait == false then return {} end
    return dbt_wait(props, host, id)
end

local function dbt_status(props, host) return dbt_wait(props, host, props.runId) end

-- --- GraphQL, Zapier ------------------------------------------------------------------------------

local function graphql(props, host)
    if props.encryptBody then return nil, "'encryptBody' needs a server's encryption key; leave it out here", "permanent" end
    local request, problem = http.request(props, host)
    if request == nil then return nil, problem, "permanent" end
    request.method, request.body = props.method or "POST", nil
    request.json = host.map({ query = props.query, variables = props.variables, operationName = props.operationName })
    local answer, message, class = host.http(request)
    if answer == nil then return nil, message, class end
    http.log(props, host, request, answer)
    message, class = http.check(props, host, answer)
    if message ~= nil then return nil, message, class end
    local body = type(answer.body) == "string" and host.json.decode(answer.body) or nil
    local errors = value.get(host, body, "errors")
    host.outputs({ uri = not host.is_secret(props.uri) and answer.url or props.uri, code = answer.status, headers = answer.headers,
        body = value.get(host, body, "data"), error = errors })
    if errors ~= nil and props.failOnGraphQLErrors then return nil, "the answer has errors: " .. host.json.encode(errors):sub(1, 500), "permanent" end
    return {}
end

local function zapier(props, host)
    local is_get = props.method == "GET"
    local query = is_get and props.content and value.texts(host, props.content) or nil
    local answer, message, class = host.http({ method = props.method or "POST", url = props.url,
        headers = value.texts(host, props.headers), query = query,
        json = not is_get and (props.content or host.map()) or nil, limits = { total = host.duration(props.timeout or 30) } })
    if answer == nil then return nil, message, class end
    if not answer.planned and answer.status >= 400 and not props.allowFailed then
        return nil, "the service answered with status " .. answer.status, answer.class
    end
    local decoded = type(answer.body) == "string" and host.json.decode(answer.body)
    return { status = answer.status, body = answer.body, attemptId = value.get(host, decoded or nil, "id") }
end

-- --------------------------------------------------------------------------------------------------

local TASKS = {
    { "jenkins.JobBuild", jenkins_build }, { "jenkins.JobInfo", jenkins_info, "yes" },
    { "airflow.dags.TriggerDagRun", airflow, "checkpoint" }, { "dagster.TriggerRun", dagster, "checkpoint" },
    { "prefect.CreateFlowRun", prefect, "checkpoint" }, { "hightouch.Sync", hightouch, "checkpoint" },
    { "fivetran.connectors.Sync", fivetran }, { "airbyte.connections.Sync", airbyte_sync, "checkpoint" },
    { "airbyte.connections.CheckStatus", airbyte_status, "yes" }, { "dbt.cloud.TriggerRun", dbt_trigger, "checkpoint" },
    { "dbt.cloud.CheckStatus", dbt_status, "yes" }, { "graphql.Request", graphql }, { "zapier.TriggerZap", zapier },
}

local tasks = {}
for i, row in ipairs(TASKS) do
    tasks[i] = task {
        implements = "io.kestra.plugin." .. row[1],
        effects = { "net", "create" },
        idempotent = function() return row[3] or "no" end,
        run = row[2],
        recover = row[3] == "checkpoint" and row[2] or nil,
        plan = row[2],
    }
end
return tasks
