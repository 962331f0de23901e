-- Command line tools: each type runs its commands in one shell, with what the tool needs prepared.
local script = use "lib.script"
local terraform = use "lib.terraform"
local value = use "lib.value"

local SHELL = { "/bin/sh", "-c" }
local SERVICE_ACCOUNT = ".service-account.json"

local function set(env, name, given)
    if given ~= nil then env[name] = given end
end

-- aws: connection properties become the variables the tool knows; what it knows no variable for is
-- configured before the first command.
local function aws(props, host)
    local env, before = {}, {}
    set(env, "AWS_ACCESS_KEY_ID", props.accessKeyId)
    set(env, "AWS_SECRET_ACCESS_KEY", props.secretKeyId)
    set(env, "AWS_SESSION_TOKEN", props.sessionToken)
    set(env, "AWS_DEFAULT_REGION", props.region)
    set(env, "AWS_ENDPOINT_URL", props.endpointOverride)
    env.AWS_DEFAULT_OUTPUT = string.lower(props.outputFormat or "json")
    local sources = { EC2_INSTANCE_METADATA = "Ec2InstanceMetadata", ENVIRONMENT = "Environment",
        ECS_CONTAINER = "EcsContainer" }
    local source = props.stsCredentialSource
    for _, setting in ipairs({
        { "role_arn", props.stsRoleArn or false },
        { "external_id", props.stsRoleExternalId or false },
        { "role_session_name", props.stsRoleSessionName or false },
        { "credential_source", source and (sources[source] or source) or false },
    }) do
        if setting[2] then
            before[#before + 1] = host.join({ "aws configure set ", setting[1], " ", setting[2] })
        end
    end
    return { env = env, before = before }
end

local function gcloud(props, host)
    local env, files = {}, {}
    set(env, "CLOUDSDK_CORE_PROJECT", props.projectId)
    if props.serviceAccount ~= nil then
        local path = host.workdir.path() .. "/" .. SERVICE_ACCOUNT
        env.GOOGLE_APPLICATION_CREDENTIALS = path
        env.CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE = path
        files[SERVICE_ACCOUNT] = props.serviceAccount
    end
    return { env = env, files = files }
end

-- az takes a password on its command line only; it gets there from the environment, so that no
-- script and no command line of ours holds it.
local function az(props, host)
    if props.username == nil then return {} end
    local words = { "az login -u ", value.quote(props.username), ' -p "$AZURE_LOGIN_PASSWORD"' }
    if props.tenant ~= nil then words[#words + 1] = " --tenant " .. value.quote(props.tenant) end
    if props.servicePrincipal then words[#words + 1] = " --service-principal" end
    return { env = { AZURE_LOGIN_PASSWORD = props.password or "" }, before = { host.join(words) } }
end

local function databricks(props)
    local env = { DATABRICKS_HOST = props.databricksHost }
    set(env, "DATABRICKS_TOKEN", props.databricksToken)
    set(env, "DATABRICKS_CLIENT_ID", props.clientId)
    set(env, "DATABRICKS_CLIENT_SECRET", props.clientSecret)
    return { env = env }
end

local function databricks_sql(props, host)
    local words = { "dbsqlcli --hostname ", value.quote(props.host),
        ' --access-token "$DATABRICKS_TOKEN" --http-path ', value.quote(props.httpPath) }
    for _, query in ipairs(props.commands) do
        words[#words + 1] = " -e " .. value.quote(query)
    end
    for name, given in pairs(props.options or {}) do
        words[#words + 1] = " " .. name
        if given ~= host.null and host.text(given) ~= "" then
            words[#words + 1] = " " .. host.text(given)
        end
    end
    return { env = { DATABRICKS_TOKEN = props.token }, commands = { host.join(words) } }
end

local function snowflake(props)
    local env, files = {}, {}
    set(env, "SNOWFLAKE_ACCOUNT", props.account)
    set(env, "SNOWFLAKE_USER", props.username)
    set(env, "SNOWFLAKE_PASSWORD", props.password)
    set(env, "SNOWFLAKE_PRIVATE_KEY_RAW", props.privateKey)
    set(env, "PRIVATE_KEY_PASSPHRASE", props.privateKeyPassword)
    if props.privateKey ~= nil then env.SNOWFLAKE_AUTHENTICATOR = "SNOWFLAKE_JWT" end
    return { env = env, files = files }
end

-- hcloud reads its credentials from options only where no profile has them.
local function koocli(props, host)
    local before = {}
    local env = {}
    for name, given in pairs({ ["cli-access-key"] = { "HUAWEICLOUD_SDK_AK", props.accessKeyId },
        ["cli-secret-key"] = { "HUAWEICLOUD_SDK_SK", props.secretAccessKey },
        ["cli-security-token"] = { "HUAWEICLOUD_SDK_SECURITY_TOKEN", props.securityToken } }) do
        if given[2] ~= nil then
            env[given[1]] = given[2]
            before[#before + 1] = "--" .. name .. '="$' .. given[1] .. '"'
        end
    end
    for name, given in pairs({ ["cli-region"] = props.region, ["cli-project-id"] = props.projectId,
        ["cli-domain-id"] = props.domainId }) do
        before[#before + 1] = "--" .. name .. "=" .. value.quote(host.text(given))
    end
    table.sort(before)
    local lines = { 'command -v hcloud >/dev/null || { curl -sSL '
        .. value.quote(props.installScriptUrl
            or "https://cn-north-4-hdn-koocli.obs.cn-north-4.myhuaweicloud.com/cli/latest/hcloud_install.sh")
        .. " -o hcloud_install.sh && bash hcloud_install.sh -y; }" }
    if #before > 0 then lines[2] = "hcloud configure set " .. table.concat(before, " ") end
    return { env = env, before = lines }
end

local function spark_submit(props, host)
    local words = { props.sparkSubmitPath or "/opt/spark/bin/spark-submit" }
    local function add(name, given)
        if given ~= nil then
            words[#words + 1] = name
            words[#words + 1] = value.quote(host.text(given))
        end
    end
    local function fetch(files)
        local paths = {}
        for name, uri in pairs(files or {}) do
            local ok, message, class = host.workdir.fetch(uri, name)
            if ok == nil then host.fail(message, { class = class }) end
            paths[#paths + 1] = host.workdir.path() .. "/" .. name
        end
        if #paths > 0 then return table.concat(paths, ",") end
    end
    add("--master", props.master)
    add("--deploy-mode", string.lower(props.deployMode or "client"))
    add("--name", props.name)
    if props.verbose then words[#words + 1] = "--verbose" end
    for name, given in pairs(props.configurations or {}) do
        add("--conf", name .. "=" .. host.text(given))
    end
    add("--files", fetch(props.appFiles))
    add("--class", props.mainClass)
    add("--jars", fetch(props.jars))
    add("--py-files", fetch(props.pythonFiles))
    local files = {}
    if props.mainScript ~= nil and not string.starts(props.mainScript, "kestra://") then
        local name = host.context.task_type == "io.kestra.plugin.spark.RSubmit" and "main.R" or "main.py"
        files[name] = props.mainScript
        words[#words + 1] = host.workdir.path() .. "/" .. name
    else
        words[#words + 1] = props.mainScript or props.mainResource
    end
    for _, argument in ipairs(props.args or {}) do words[#words + 1] = value.quote(argument) end
    return { commands = { table.concat(words, " ") }, files = files }
end

-- redis-cli: what each command answers becomes the variable `command_1`, `command_2`, … An answer that
-- is an error ends the task, though the tool exits with 0 then.
local REDIS_END = ":redis-end:"

local function redis(props, host)
    local base = "redis-cli -h " .. value.quote(host.text(props.host)) .. " -p "
        .. host.text(props.port or 6379) .. " -n " .. host.text(props.database or 0)
    local env = {}
    if props.username ~= nil then
        env.REDIS_USER = props.username
        base = base .. ' --user "$REDIS_USER"'
    end
    set(env, "REDISCLI_AUTH", props.password)
    if props.tls then base = base .. " --tls" end
    if props.jsonOutput then base = base .. " --json" end
    local commands = {}
    for i, command in ipairs(props.commands) do
        commands[i] = host.join({ "OUT=$(", base, " ", command, " 2>&1); RC=$?\n",
            "case \"$OUT\" in '(error)'*|'ERR '*) RC=1;; esac\n",
            "printf '%s\\n' \"$OUT\"; echo '", REDIS_END, tostring(i), "'\n",
            "[ $RC = 0 ] || exit $RC" })
    end
    local answers, lines = {}, {}
    return {
        env = env,
        commands = commands,
        on_line = function(stream, line)
            if stream ~= "stdout" then return false end
            if string.starts(line, REDIS_END) then
                answers[#answers + 1] = { "command_" .. line:sub(#REDIS_END + 1), table.concat(lines, "\n") }
                lines = {}
                return true
            end
            lines[#lines + 1] = line
            return false
        end,
        collect = function(result)
            for name, given in pairs(result.vars) do answers[#answers + 1] = { name, given } end
            host.outputs({ vars = host.map(answers) })
            host.metric("executed.commands.count", "counter", #commands)
            return {}
        end,
    }
end

-- Types that have no failFast go on after a command that fails.
local TOOLS = {
    { "opentofu.cli.OpenTofuCLI", program = "tofu", image = "ghcr.io/opentofu/opentofu",
      is_terraform = true },
    { "terraform.cli.TerraformCLI", program = "terraform", image = "hashicorp/terraform",
      is_terraform = true },
    { "aws.cli.AwsCLI", program = "aws", image = "amazon/aws-cli", prepare = aws, goes_on = true },
    { "azure.cli.AzCLI", program = "az", image = "mcr.microsoft.com/azure-cli", prepare = az,
      goes_on = true },
    { "gcp.cli.GCloudCLI", program = "gcloud", image = "google/cloud-sdk", prepare = gcloud,
      goes_on = true },
    { "databricks.cli.DatabricksCLI", program = "databricks", image = "ghcr.io/databricks/cli:latest",
      prepare = databricks },
    { "databricks.cli.DatabricksSQLCLI", program = "dbsqlcli",
      image = "ghcr.io/kestra-io/databricks-sql-cli", prepare = databricks_sql, goes_on = true },
    { "dataform.cli.DataformCLI", program = "dataform", image = "dataformco/dataform:latest",
      goes_on = true },
    { "huawei.koocli.KooCLI", program = "hcloud", image = "ubuntu:26.04", prepare = koocli },
    { "jdbc.clickhouse.ClickHouseLocalCLI", program = "clickhouse-local",
      image = "clickhouse/clickhouse-server:latest", goes_on = true },
    { "jdbc.snowflake.SnowflakeCLI", program = "snow", image = "ghcr.io/kestra-io/snowflake-cli",
      prepare = snowflake, goes_on = true },
    { "malloy.CLI", program = "malloy-cli", image = "ghcr.io/kestra-io/malloy" },
    { "modal.cli.ModalCLI", program = "modal", image = "ghcr.io/kestra-io/modal", goes_on = true },
    { "redis.cli.RedisCLI", program = "redis-cli", image = "redis:7-alpine", prepare = redis,
      goes_on = true },
    { "spark.SparkCLI", program = "spark-submit", image = "apache/spark:4.0.1-java21-r" },
    { "spark.JarSubmit", program = "spark-submit", image = "apache/spark:4.0.1-java21-r",
      prepare = spark_submit, goes_on = true },
    { "spark.PythonSubmit", program = "spark-submit", image = "apache/spark:4.0.1-java21-r",
      prepare = spark_submit, goes_on = true },
    { "spark.RSubmit", program = "spark-submit", image = "apache/spark:4.0.1-java21-r",
      prepare = spark_submit, goes_on = true },
    { "sqlmesh.cli.SQLMeshCLI", program = "sqlmesh", image = "ghcr.io/kestra-io/sqlmesh",
      goes_on = true },
    { "trivy.cli.TrivyCLI", program = "trivy", image = "ghcr.io/aquasecurity/trivy" },
    -- No shell: the commands are the argument vector.
    { "cloudquery.CloudQueryCLI", program = "cloudquery",
      image = "ghcr.io/cloudquery/cloudquery:latest-ubuntu", interpreter = {}, goes_on = true,
      own_entry = true },
}

local function runner(row, is_live)
    return function(props, host, last)
        local spec = row.prepare and row.prepare(props, host) or {}
        spec.commands = spec.commands or props.commands or {}
        spec.program, spec.image = row.program, row.image
        spec.interpreter = row.interpreter or SHELL
        spec.no_fail_fast, spec.own_entry = row.goes_on, row.own_entry
        if row.is_terraform and is_live then return terraform.plan(props, host, spec) end
        if row.is_terraform then return terraform.run(props, host, spec, last) end
        return script.run(props, host, spec, last)
    end
end

local tasks = {}
for i, row in ipairs(TOOLS) do
    local run = runner(row)
    tasks[i] = task {
        implements = "io.kestra.plugin." .. row[1],
        effects = { "exec" },
        idempotent = function() return "checkpoint" end,  -- a container is gone on with
        run = run,
        recover = run,
        plan = runner(row, true),
        kill = function(_, host, last)
            if row.is_terraform then terraform.kill(host) end
            script.kill(nil, host, last)
        end,
    }
end
return tasks
