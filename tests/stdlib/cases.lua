-- cases.lua - what each module does with its properties, against the fake host: the core, scripts and
-- tools; the rest is in cases_services.lua.
local fake = ...

local cases = {}
local order = {}

local function case(name, body)
    order[#order + 1] = name
    cases[name] = body
end

local function show(v)
    if type(v) ~= "table" then return tostring(v) end
    local keys, out = {}, {}
    for key in pairs(v) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do out[#out + 1] = tostring(key) .. "=" .. show(v[key]) end
    return "{" .. table.concat(out, ", ") .. "}"
end

local function same(got, want)
    if show(got) ~= show(want) then error("got  " .. show(got) .. "\nwant " .. show(want), 2) end
end

local function contains(text, part)
    if not tostring(text):find(part, 1, true) then
        error("'" .. tostring(text) .. "' lacks '" .. part .. "'", 2)
    end
end

-- The argument vector as one text a line; a script is its last element.
local function argv(request)
    local out = {}
    for _, word in ipairs(request.argv or request.interpreter) do out[#out + 1] = word end
    if request.script then
        out[#out + 1] = type(request.script) == "table" and request.script.text or request.script
    end
    return out
end

local CORE = "io.kestra.plugin.core."
local OK = { exec = { { code = 0, vars = {} } } }

case("log_writes_one_line_a_text", function()
    same(fake.run(CORE .. "log.Log", { message = "a" }).logs, { "INFO a" })
    same(fake.run(CORE .. "log.Log", { message = { "a", "b" }, level = "WARN" }).logs,
        { "WARN a", "WARN b" })
end)

case("log_masks_a_secret", function()
    same(fake.run(CORE .. "log.Log", { message = fake.secret("s") }).logs, { "INFO ******" })
end)

case("return_gives_its_text_and_measures_it", function()
    local record = fake.run(CORE .. "debug.Return", { format = "four" })
    same(record.outputs, { value = "four" })
    same(record.metrics, { length = "counter 4" })
    same(fake.run(CORE .. "debug.Return", {}).outputs, {})
end)

case("fail_fails_always_or_on_its_condition", function()
    same(fake.run(CORE .. "execution.Fail", {}).failure, "Task failure")
    same(fake.run(CORE .. "execution.Fail", { condition = "false" }).failure, nil)
    same(fake.run(CORE .. "execution.Fail", { condition = " 0 " }).failure, nil)
    same(fake.run(CORE .. "execution.Fail", { condition = "no", errorMessage = "why" }).failure, "why")
end)

case("assert_counts_and_logs_what_does_not_hold", function()
    local record = fake.run(CORE .. "execution.Assert", { conditions = { "true", "", "-0" } })
    same(record.metrics, { failed = "counter 2", success = "counter 1" })
    same(record.logs, { "ERROR assertion 2 failed", "ERROR assertion 3 failed" })
    same(record.failure, "2 of 3 assertions failed")
    same(fake.run(CORE .. "execution.Assert", { conditions = { "yes" } }).failure, nil)
end)

case("output_values_are_kept_as_they_are", function()
    same(fake.run(CORE .. "output.OutputValues", { values = { a = 1 } }).outputs, { values = { a = 1 } })
end)

case("sleep_waits_and_its_plan_does_not", function()
    same(fake.run(CORE .. "flow.Sleep", { duration = "PT2S" }).failure, nil)
    same(fake.run(CORE .. "flow.Sleep", { duration = "PT2S" }, {}, "plan").logs,
        { "INFO would wait PT2S" })
end)

-- --- scripts: argument vectors ------------------------------------------------------------------

case("commands_are_one_script_that_stops_at_the_first_failure", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands",
        { beforeCommands = { "cd x" }, commands = { "a", "b" } }, OK)
    same(argv(record.exec[1]), { "/bin/sh", "-c", "set -e\ncd x\na\nb" })
    same(record.outputs, { exitCode = 0, vars = {}, outputFiles = {} })
end)

case("without_fail_fast_the_script_goes_on", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands",
        { commands = { "a", "b" }, failFast = false }, OK)
    same(argv(record.exec[1]), { "/bin/sh", "-c", "a\nb" })
end)

case("windows_gets_its_own_line_ends", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands",
        { commands = { "a", "b" }, targetOS = "WINDOWS" }, OK)
    same(argv(record.exec[1]), { "/bin/sh", "-c", "a\r\nb" })
end)

case("without_interpreter_and_before_commands_the_commands_are_the_vector", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands",
        { commands = { "ls", "-l" }, interpreter = {} }, OK)
    same(argv(record.exec[1]), { "ls", "-l" })
end)

case("another_interpreter_is_used", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands",
        { commands = { "a" }, interpreter = { "/bin/bash", "-ec" } }, OK)
    same(argv(record.exec[1]), { "/bin/bash", "-ec", "set -e\na" })
end)

case("a_shell_script_is_the_text_itself", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Script", { script = "a\nb" }, OK)
    same(argv(record.exec[1]), { "/bin/sh", "-c", "set -e\na\nb" })
end)

case("terraform_runs_before_commands_and_commands_in_one_shell", function()
    local record = fake.run("io.kestra.plugin.terraform.cli.TerraformCLI",
        { beforeCommands = { "terraform init" }, commands = { "terraform apply" },
          namespaceFiles = { enabled = true } }, OK)
    same(argv(record.exec[1]), { "/bin/sh", "-c", "set -e\nterraform init\nterraform apply" })
    same(record.namespace_files, { enabled = true })
end)

case("opentofu_follows_the_whole_script_contract", function()
    local record = fake.run("io.kestra.plugin.opentofu.cli.OpenTofuCLI",
        { commands = { "tofu apply" }, failFast = false }, OK)
    same(argv(record.exec[1]), { "/bin/sh", "-c", "tofu apply" })
end)

case("a_secret_in_a_command_makes_the_script_a_handle", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands",
        { commands = { fake.secret("curl -H KEY") } }, OK)
    same(tostring(record.exec[1].script), "******")
    same(record.exec[1].argv, nil)
end)

case("environment_and_runner_are_passed_on", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands", {
        commands = { "a" }, env = { A = fake.secret("x"), B = fake.null },
        runner = "PROCESS", docker = { image = "alpine" },
    }, OK)
    same(tostring(record.exec[1].env.A), "******")
    same(record.exec[1].env.B, nil)
    same(record.exec[1].runner, { type = "io.kestra.plugin.core.runner.Process" })
    same(record.exec[1].image, "alpine")
end)

case("outputs_of_a_failed_script_are_kept", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands",
        { commands = { "a" }, outputFiles = { "*.txt" } }, {
        exec = { { code = 3, vars = { k = "v" } } },
        output_files = function() return { ["a.txt"] = "kestra:///a" } end,
    })
    same(record.failure, "Command failed with exit code 3")
    same(record.outputs, { exitCode = 3, vars = { k = "v" }, outputFiles = { ["a.txt"] = "kestra:///a" } })
end)

case("a_missing_program_is_named", function()
    local record = fake.run("io.kestra.plugin.terraform.cli.TerraformCLI",
        { commands = { "terraform" } }, { exec = { { code = 127, vars = {} } } })
    contains(record.failure, "Command failed with exit code 127")
    contains(record.failure, "'terraform' is not on the PATH")
end)

case("what_cannot_be_started_fails_with_its_class", function()
    local record = fake.run("io.kestra.plugin.scripts.shell.Commands", { commands = { "a" } },
        { exec = { { failure = "no container engine", class = "permanent" } } })
    same({ record.failure, record.class }, { "no container engine", "permanent" })
end)

case("a_python_script_is_a_file_beside_the_commands", function()
    local record = fake.run("io.kestra.plugin.scripts.python.Script", { script = "print(1)" }, OK)
    same(argv(record.exec[1]), { "/bin/sh", "-c",
        'set -e\n"${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/}python3" .script.py' })
    same(record.written, { [".script.py"] = "true = True\nfalse = False\nnull = None\nprint(1)" })
    same(record.removed, { ".script.py" })
    same(record.exec[1].env.PYTHONUNBUFFERED, "true")
end)

case("a_python_script_with_a_secret_is_on_no_disk", function()
    local record = fake.run("io.kestra.plugin.scripts.python.Script",
        { script = fake.secret("print('x')") }, OK)
    same(record.written, {})
    same(tostring(record.exec[1].script), "******")
    contains(record.exec[1].script.text, "print('x')")
end)

case("python_requirements_are_installed_first", function()
    local record = fake.run("io.kestra.plugin.scripts.python.Script",
        { script = "x", dependencies = { "a>=1", "b'c" }, beforeCommands = { "y" } }, OK)
    contains(record.exec[1].script, "pip install --quiet --target .python-packages -- 'a>=1' 'b'\\''c'\ny\n")
    same(record.exec[1].env.PYTHONPATH, "/task/dir/.python-packages")
end)

case("a_node_script_is_run_by_node", function()
    local record = fake.run("io.kestra.plugin.scripts.node.Script", { script = "1" }, OK)
    same(argv(record.exec[1]), { "/bin/sh", "-c", "set -e\nnode .script.js" })
    same(record.written, { [".script.js"] = "1" })
end)

-- --- every other language and tool: what is executed --------------------------------------------

-- Type, properties, last word of the argument vector, then what else is to be seen.
local VECTORS = {
    { "scripts.bun.Script", { script = "1" }, "set -e\nbun run .script.ts" },
    { "scripts.deno.Script", { script = "1" }, "set -e\ndeno run .script.ts" },
    { "scripts.groovy.Script", { script = "1" }, "set -e\ngroovy script_main.groovy" },
    { "scripts.julia.Script", { script = "1" }, "set -e\njulia .script.jl" },
    { "scripts.jbang.Script", { script = "1" }, "set -e\njbang --quiet script_main.java" },
    { "scripts.jbang.Script", { script = "1", extension = ".kt", quiet = false },
      "set -e\njbang script_main.kt" },
    { "scripts.powershell.Script", { script = "1" },
      '$ErrorActionPreference = "Stop"\n./.script.ps1', first = "pwsh" },
    { "scripts.powershell.Commands", { commands = { "Get-Date" }, failFast = false }, "Get-Date",
      first = "pwsh" },
    { "trivy.cli.TrivyCLI", { commands = { "trivy image a" } }, "set -e\ntrivy image a" },
    { "malloy.CLI", { commands = { "malloy-cli run a.malloysql" } },
      "set -e\nmalloy-cli run a.malloysql" },
    { "spark.SparkCLI", { commands = { "spark-submit a.py" } }, "set -e\nspark-submit a.py" },
    { "sqlmesh.cli.SQLMeshCLI", { beforeCommands = { "a" }, commands = { "sqlmesh plan" } },
      "a\nsqlmesh plan" },
    { "modal.cli.ModalCLI", { commands = { "modal run a.py" } }, "modal run a.py" },
    { "dataform.cli.DataformCLI", { commands = { "dataform run" } }, "dataform run" },
    { "jdbc.clickhouse.ClickHouseLocalCLI", { commands = { "SELECT 1" } }, "SELECT 1" },
    { "cloudquery.CloudQueryCLI", { commands = { "sync", "config.yml" } }, "config.yml",
      first = "sync" },
    { "aws.cli.AwsCLI", { commands = { "aws s3 ls", "aws sts get-caller-identity" },
        accessKeyId = "A", secretKeyId = fake.secret("k"), region = "eu-west-1",
        stsRoleArn = "arn:r", stsCredentialSource = "ENVIRONMENT" },
      "aws configure set role_arn arn:r\naws configure set credential_source Environment\n"
          .. "aws s3 ls\naws sts get-caller-identity",
      env = { AWS_ACCESS_KEY_ID = "A", AWS_SECRET_ACCESS_KEY = "******",
          AWS_DEFAULT_REGION = "eu-west-1", AWS_DEFAULT_OUTPUT = "json" } },
    { "gcp.cli.GCloudCLI", { commands = { "gcloud projects list" }, projectId = "p",
        serviceAccount = fake.secret("{}") }, "gcloud projects list",
      env = { CLOUDSDK_CORE_PROJECT = "p",
          GOOGLE_APPLICATION_CREDENTIALS = "/task/dir/.service-account.json" },
      removed = { ".service-account.json" } },
    { "azure.cli.AzCLI", { commands = { "az vm list" }, username = "u", password = fake.secret("p"),
        tenant = "t", servicePrincipal = true },
      "az login -u 'u' -p \"$AZURE_LOGIN_PASSWORD\" --tenant 't' --service-principal\naz vm list",
      env = { AZURE_LOGIN_PASSWORD = "******" } },
    { "azure.cli.AzCLI", { commands = { "az vm list" } }, "az vm list" },
    { "databricks.cli.DatabricksCLI", { commands = { "databricks jobs list" },
        databricksHost = "https://d", databricksToken = fake.secret("t") },
      "set -e\ndatabricks jobs list", env = { DATABRICKS_HOST = "https://d",
          DATABRICKS_TOKEN = "******" } },
    { "databricks.cli.DatabricksSQLCLI", { host = "h", token = fake.secret("t"), httpPath = "/p",
        commands = { "SELECT 'a'" } },
      [[dbsqlcli --hostname 'h' --access-token "$DATABRICKS_TOKEN" --http-path '/p' ]]
          .. [[-e 'SELECT '\''a'\''']], env = { DATABRICKS_TOKEN = "******" } },
    { "jdbc.snowflake.SnowflakeCLI", { commands = { "snow sql -q 'SELECT 1'" }, account = "a",
        username = "u", password = fake.secret("p") }, "snow sql -q 'SELECT 1'",
      env = { SNOWFLAKE_ACCOUNT = "a", SNOWFLAKE_USER = "u", SNOWFLAKE_PASSWORD = "******" } },
    { "huawei.koocli.KooCLI", { commands = { "hcloud ECS ListServers" }, region = "r",
        accessKeyId = fake.secret("a"), installScriptUrl = "https://i" },
      "set -e\ncommand -v hcloud >/dev/null || { curl -sSL 'https://i' -o hcloud_install.sh "
          .. "&& bash hcloud_install.sh -y; }\nhcloud configure set "
          .. [[--cli-access-key="$HUAWEICLOUD_SDK_AK" --cli-region='r']] .. "\nhcloud ECS ListServers",
      env = { HUAWEICLOUD_SDK_AK = "******" } },
    { "spark.JarSubmit", { master = "spark://m:7077", mainClass = "C", mainResource = "/a.jar",
        args = { "10" }, configurations = { ["spark.x"] = "y" } },
      "/opt/spark/bin/spark-submit --master 'spark://m:7077' --deploy-mode 'client' "
          .. "--conf 'spark.x=y' --class 'C' /a.jar '10'" },
    { "spark.PythonSubmit", { master = "local", mainScript = "print(1)" },
      "/opt/spark/bin/spark-submit --master 'local' --deploy-mode 'client' /task/dir/main.py",
      removed = { "main.py" } },
    { "dbt.cli.DbtCLI", { commands = { "dbt deps", "echo x" }, projectDir = "p",
        profiles = "a: 1" },
      "set -e\ndbt deps --project-dir p --log-format json --log-path logs\necho x",
      written = { ["profiles.yml"] = "a: 1" } },
    { "dbt.cli.DbtCLI", { commands = { "dbt ls" }, logFormat = "NONE" },
      "set -e\ndbt ls --log-path logs" },
    { "dbt.cli.Build", { dbtPath = "dbt", fullRefresh = true, select = { "a", "b" } },
      "dbt --log-format json build --full-refresh --select a b" },
    { "dbt.cli.Compile", {}, "./bin/dbt --log-format json compile" },
    { "dbt.cli.Deps", { debug = true }, "./bin/dbt --log-format json --debug deps" },
    { "dbt.cli.Freshness", {}, "./bin/dbt --log-format json source freshness" },
    { "dbt.cli.List", { selector = "s" }, "./bin/dbt --log-format json ls --selector s" },
    { "dbt.cli.Run", { thread = 4, target = "prod" },
      "./bin/dbt --log-format json run --threads 4 --target prod" },
    { "dbt.cli.Seed", { profiles = "a: 1" },
      "./bin/dbt --log-format json seed --profiles-dir /task/dir/.profile",
      written = { [".profile/profiles.yml"] = "a: 1" } },
    { "dbt.cli.Snapshot", { exclude = { "a", "b" } }, "./bin/dbt --log-format json snapshot --exclude a b" },
    { "dbt.cli.Test", { failFast = true, warnError = true, projectDir = "p" },
      "./bin/dbt --log-format json --fail-fast --warn-error test --project-dir p" },
    { "docker.cli.Compose", { composeFile = "c.yml", composeArgs = { "up", "-d" } },
      "set -e\ndocker compose -f 'c.yml' up -d" },
    { "argocd.apps.Status", { server = "s", token = fake.secret("t"), application = "app" },
      "command -v argocd >/dev/null || { curl -sSfL -o ./argocd 'https://github.com/argoproj/argo-cd/"
          .. "releases/latest/download/argocd-linux-amd64' && chmod +x ./argocd && PATH=\"$PWD:$PATH\"; }\n"
          .. "argocd app get 'app' --server 's' --output json", env = { ARGOCD_AUTH_TOKEN = "******" } },
    { "scripts.bun.Commands", { commands = { "bun x" } }, "set -e\nbun x" },
    { "scripts.deno.Commands", { commands = { "deno task x" } }, "set -e\ndeno task x" },
    { "scripts.dotnet.Commands", { beforeCommands = { "a" }, commands = { "dotnet build" } },
      "set -e\ncommand -v dotnet-script >/dev/null || dotnet tool install -g dotnet-script "
          .. "--ignore-failed-sources || true\nexport PATH=\"$PATH:$HOME/.dotnet/tools\"\na\ndotnet build" },
    { "scripts.dotnet.Script", { script = "1" },
      "set -e\ncommand -v dotnet-script >/dev/null || dotnet tool install -g dotnet-script "
          .. "--ignore-failed-sources || true\nexport PATH=\"$PATH:$HOME/.dotnet/tools\"\n"
          .. "dotnet-script ./script_main.csx", written = { ["./script_main.csx"] = "1" } },
    { "scripts.groovy.Commands", { commands = { "groovy a" }, failFast = false }, "groovy a" },
    { "scripts.jbang.Commands", { commands = { "jbang a" } }, "set -e\njbang a" },
    { "scripts.julia.Commands", { commands = { "julia a.jl" } }, "set -e\njulia a.jl" },
    { "spark.RSubmit", { master = "local", mainScript = "x <- 1" },
      "/opt/spark/bin/spark-submit --master 'local' --deploy-mode 'client' /task/dir/main.R",
      removed = { "main.R" } },
    { "dbt.cli.Setup", { profiles = { a = 1 }, requirements = { "dbt-duckdb" } },
      "set -e\n'python' -m venv --system-site-packages .\n./bin/pip install --quiet -- 'dbt-duckdb'",
      written = { [".profile/profiles.yml"] = '{"a":1}' } },
    { "beam.RunPipeline", { definition = "pipeline: {}", options = { job_name = "a b" } },
      "set -e\ntimeout 300 python3 -m apache_beam.yaml.main --yaml_pipeline_file='pipeline.yaml' "
          .. "--runner=DirectRunner --job_name='a b'", written = { ["pipeline.yaml"] = "pipeline: {}" } },
    { "beam.RunPipeline", { file = "wordcount.py", beamRunner = "FLINK", requirements = { "x" },
        pipelineTimeoutSeconds = 9 },
      "set -e\npython3 -m venv --system-site-packages .packages\n./.packages/bin/pip install --quiet "
          .. "--disable-pip-version-check -- 'x'\nPATH=\"$PWD/.packages/bin:$PATH\"\n"
          .. "timeout 9 python3 'wordcount.py' --runner=FlinkRunner" },
    { "cloudquery.Sync", { configs = { { kind = "source" }, "kind: destination" } }, "--log-console",
      first = "cloudquery", written = { ["config1.yml"] = '{"kind":"source"}',
          ["config2.yml"] = "kind: destination" } },
    { "datahub.Ingestion", { recipe = { source = { type = "mysql" } } },
      "set -e\ndatahub ingest -c recipe.yml",
      written = { ["recipe.yml"] = '{"source":{"type":"mysql"}}' } },
    { "ollama.cli.OllamaCLI", { commands = { "ollama list" }, host = "http://o:1",
        auth = { apiKey = fake.secret("k") } }, "set -e\nollama list",
      env = { OLLAMA_HOST = "http://o:1", OLLAMA_API_KEY = "******" } },
    { "ollama.cli.OllamaCLI", { commands = { "ollama list" }, modelCachePath = "/m" },
      "set -e\nollama serve >.ollama.log 2>&1 &\nfor i in 1 2 3 4 5 6 7 8 9 10; do ollama list "
          .. ">/dev/null 2>&1 && break; sleep 1; done\nollama list", env = { OLLAMA_MODELS = "/m" } },
    { "soda.Scan", { configuration = { ["data_source w"] = {} }, checks = { a = 1 }, verbose = true,
        variables = { day = "x y" } },
      "set -e\n'soda' 'scan' '-d' 'w' '-c' 'configuration.yml' '-srf' 'result.json' '-V' '-v' "
          .. "'day=x y' 'checks.yml'", written = { ["configuration.yml"] = '{"data_source w":{}}',
          ["checks.yml"] = '{"a":1}' } },
}

case("each_tool_runs_its_commands_as_its_type_says", function()
    for _, row in ipairs(VECTORS) do
        local record = fake.run("io.kestra.plugin." .. row[1], row[2], OK)
        same({ row[1], record.failure }, { row[1] })
        local words = argv(record.exec[1])
        same({ row[1], words[#words] }, { row[1], row[3] })
        same({ row[1], words[1] }, { row[1], row.first or "/bin/sh" })
        for name, text in pairs(row.env or {}) do
            same({ row[1], name, tostring(record.exec[1].env[name]) }, { row[1], name, text })
        end
        if row.removed then same(record.removed, row.removed) end
        if row.written then same(record.written, row.written) end
    end
end)

case("a_scan_with_warnings_is_a_warning_and_one_that_fails_keeps_its_result", function()
    local props = { configuration = { ["data_source w"] = {} }, checks = { a = 1 } }
    local function scan(code)
        return fake.run("io.kestra.plugin.soda.Scan", props, { exec = { { code = code, vars = {} } },
            files = { ["result.json"] = '{"hasErrors": false, "default_data_source": "w"}' } })
    end
    local record = scan(1)
    same({ record.how, record.outputs.exitCode }, { { state = "WARNING" }, 1 })
    record = scan(2)
    same({ record.failure, record.outputs.exitCode }, { "Command failed with exit code 2", 2 })
    same(record.outputs.result, { hasErrors = false, defaultDataSource = "w" })
end)

case("what_dbt_has_written_is_kept_and_counted", function()
    local results = [[{"results": [{"status": "success", "unique_id": "m.a"},
        {"status": "warn", "unique_id": "t.b", "message": "two rows"}]}]]
    local record = fake.run("io.kestra.plugin.dbt.cli.DbtCLI", { commands = { "dbt build" } },
        { exec = OK.exec, files = { ["target/run_results.json"] = results } })
    same(record.metrics, { ["log.stats.success"] = "counter 1", ["log.stats.warn"] = "counter 1",
        ["log.stats.error"] = "counter 0" })
    same(record.outputs.outputFiles, { ["run_results.json"] = "kestra:///stored/run_results.json" })
    same(record.how, { state = "WARNING" })
    same(record.logs, { "WARN t.b: two rows" })
end)

case("a_line_of_the_log_of_dbt_is_logged_as_what_it_says", function()
    local record = fake.run("io.kestra.plugin.dbt.cli.DbtCLI", { commands = { "dbt build" } },
        { exec = function(request)
            request.on_line("stdout", '{"info": {"level": "error", "msg": "no such model"}}')
            assert(not request.on_line("stdout", "plain"))
            return { code = 0, vars = {} }
        end })
    same(record.logs, { "ERROR no such model" })
end)

case("the_counts_of_a_plan_are_an_output", function()
    for _, row in ipairs({
        { "\27[1mPlan:\27[0m 3 to add, 1 to change, 2 to destroy.", { add = 3, change = 1, destroy = 2 } },
        { "Apply complete! Resources: 4 added, 0 changed, 1 destroyed.",
          { add = 4, change = 0, destroy = 1 } },
        { "No changes. Your infrastructure matches the configuration.",
          { add = 0, change = 0, destroy = 0 } },
    }) do
        local record = fake.run("io.kestra.plugin.terraform.cli.TerraformCLI",
            { commands = { "terraform plan" } }, { exec = function(request)
                assert(not request.on_line("stdout", row[1]))
                request.on_line("stdout", "Planting trees")
                return { code = 0, vars = {} }
            end })
        same(record.outputs.plan, row[2])
    end
end)

case("a_lock_that_outlives_its_tool_is_named", function()
    local module = fake.load("io.kestra.plugin.terraform.cli.TerraformCLI")
    local host, record = fake.host({ files = { [".terraform.tfstate.lock.info"] = '{"ID": "l-1"}' } })
    host.workdir.list = function() return { ".terraform.tfstate.lock.info" } end
    module.kill({}, host, {})
    contains(record.logs[1], "lock id 'l-1'")
    host.workdir.list = function() return {} end
    module.kill({}, host, {})
    same(#record.logs, 1)
end)

case("a_clone_hides_its_password_and_names_what_cannot_be", function()
    local CLONE = "io.kestra.plugin.git.Clone"
    local world = { exec = OK.exec, programs = { git = true } }
    local record = fake.run(CLONE, { url = "https://h/r.git", username = "u",
        password = fake.secret("p"), directory = "d" }, world)
    local env = record.exec[1].env
    same({ env.CLONE_URL, env.CLONE_INTO, env.CLONE_OPTIONS, env.CLONE_ALL },
        { "https://h/r.git", "/task/dir/d", "--no-tags --depth=1", "true" })
    same({ env.GIT_CONFIG_KEY_0, tostring(env.GIT_CONFIG_VALUE_0) },
        { "http.extraHeader", "******" })
    same(record.outputs, { directory = "/task/dir/d" })
    contains(fake.run(CLONE, { url = "u", tag = "t", noTags = true }, world).failure, "noTags")
    contains(fake.run(CLONE, { url = "u", cloneAllBranches = false }, world).failure, "'branch'")
    contains(fake.run(CLONE, { url = "u" }, {}).failure, "'git' is not on the PATH")
end)

local folder = debug.getinfo(1, "S").source:match("^@(.*/)")
assert(loadfile(folder .. "cases_services.lua"))(fake, { case = case, same = same, contains = contains, argv = argv })

return { order = order, cases = cases }
