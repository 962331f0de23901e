-- scripts.*: for each language `Commands`, a list of shell commands with the language at hand, and
-- `Script`, a program in it.
local python = use "lib.python"
local script = use "lib.script"

local PACKAGE = "io.kestra.plugin.scripts."

-- command  what runs a file; nil: the shell itself runs the text
-- file     name of the file; one that begins with a dot is in nobody's way, but not every tool takes it
-- stdin    a program is also taken from standard input, as `-`
local LANGUAGES = {
    { name = "shell", program = "sh", image = "ubuntu" },
    { name = "bun", program = "bun", command = "bun run", file = ".script.ts", stdin = true,
      image = "oven/bun" },
    { name = "deno", program = "deno", command = "deno run", file = ".script.ts", stdin = true,
      image = "denoland/deno" },
    { name = "dotnet", program = "dotnet", command = "dotnet-script", file = "./script_main.csx",
      image = "mcr.microsoft.com/dotnet/sdk:10.0",
      before = { "command -v dotnet-script >/dev/null || dotnet tool install -g dotnet-script "
          .. "--ignore-failed-sources || true",
          'export PATH="$PATH:$HOME/.dotnet/tools"' } },
    { name = "go", program = "go", command = "go run", file = "script_main.go", image = "golang" },
    { name = "groovy", program = "groovy", command = "groovy", file = "script_main.groovy",
      image = "groovy" },
    { name = "jbang", program = "jbang", command = "jbang", file = "script_main",
      image = "jbangdev/jbang-action" },
    { name = "julia", program = "julia", command = "julia", file = ".script.jl", stdin = true,
      image = "julia" },
    { name = "lua", program = "lua", command = "lua", file = ".script.lua", stdin = true,
      image = "nickblah/lua" },
    { name = "node", program = "node", command = "node", file = ".script.js", stdin = true,
      image = "node", env = { PYTHONUNBUFFERED = "true", PIP_ROOT_USER_ACTION = "ignore" } },
    { name = "perl", program = "perl", command = "perl", file = ".script.pl", stdin = true,
      image = "perl" },
    { name = "php", program = "php", command = "php", file = ".script.php", image = "php" },
    { name = "powershell", program = "pwsh", command = "", file = "./.script.ps1",
      image = "ghcr.io/kestra-io/powershell:latest", stop = '$ErrorActionPreference = "Stop"',
      interpreter = { "pwsh", "-NoProfile", "-NonInteractive", "-Command" } },
    { name = "python", program = "python3", command = '"${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/}python3"',
      file = ".script.py", stdin = true, image = "python:3.13-slim",
      prelude = "true = True\nfalse = False\nnull = None\n" },
    { name = "r", program = "Rscript", command = "Rscript", file = ".script.R", stdin = true,
      image = "r-base" },
    { name = "ruby", program = "ruby", command = "ruby", file = ".script.rb", stdin = true,
      image = "ruby" },
}

-- A row as lib.script takes it; Python's environment and requirements depend on the task.
local function spec_of(row, props, host)
    local spec = { program = row.program, image = row.image, env = row.env, before = row.before,
        interpreter = row.interpreter, stop = row.stop, command = row.command, file = row.file,
        stdin = row.stdin, prelude = row.prelude }
    if row.name == "python" then
        spec.env, spec.before = python.env(props, host), python.before(props, host)
    elseif row.name == "jbang" and props.script ~= nil then
        spec.file = row.file .. (props.extension or ".java")
        if props.quiet ~= false then spec.command = "jbang --quiet" end
    end
    return spec
end

local function run_commands(row)
    return function(props, host, last)
        local spec = spec_of(row, props, host)
        spec.commands = props.commands
        return script.run(props, host, spec, last)
    end
end

local function run_script(row)
    return function(props, host, last)
        local spec = spec_of(row, props, host)
        if row.command ~= nil then return script.language(props, host, spec, last) end
        spec.commands = { props.script }
        return script.run(props, host, spec, last)
    end
end

local tasks = {}
for _, row in ipairs(LANGUAGES) do
    for kind, make in pairs({ Commands = run_commands, Script = run_script }) do
        local run = make(row)
        tasks[#tasks + 1] = task {
            implements = PACKAGE .. row.name .. "." .. kind,
            effects = { "exec" },
            idempotent = function() return "checkpoint" end,  -- a container is gone on with
            run = run,
            recover = run,
            plan = run,
            kill = script.kill,
        }
    end
end
return tasks
