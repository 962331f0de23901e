-- The contract of every task that ends in "run this command": files in, one shell, files out.
--
-- Order: namespace files, input files, the command, output files (also after a failure). With an
-- interpreter or beforeCommands everything is one script, so that `cd` and `export` hold on from one
-- command to the next; without either, the commands are the argument vector.
local docker = use "lib.docker"
local value = use "lib.value"

local script = {}

local SHELL = { "/bin/sh", "-c" }
local FILE_MODE = 384  -- 0600
local OUTPUT_FOLDER = ".outputs"  -- the deprecated output directory, in the working directory

-- The runner as the deprecated `runner` names it; an explicit taskRunner wins.
local function runner_of(props)
    if props.taskRunner ~= nil then return props.taskRunner end
    if props.runner == "PROCESS" then return { type = "io.kestra.plugin.core.runner.Process" } end
    if props.runner == "DOCKER" then
        return { type = "io.kestra.plugin.scripts.runner.docker.Docker" }
    end
    return nil
end

local function image_of(props, host)
    return props.containerImage or value.get(host, props.docker, "image")
        or value.get(host, props.taskRunner, "image")
end

-- What says how the container is to be; the deprecated `docker` replaces a Docker runner entirely.
local function options_of(props, runner)
    if props.docker ~= nil then return props.docker end
    return runner or {}
end

local function append(list, more)
    for _, item in ipairs(more) do list[#list + 1] = item end
end

-- The lines as one text; a handle where one of them holds a secret.
local function join_lines(host, lines, separator)
    local parts = {}
    for i, line in ipairs(lines) do
        if i > 1 then parts[#parts + 1] = separator end
        parts[#parts + 1] = host.text(line)
    end
    return host.join(parts)
end

-- What is executed: `argv`, or `script` and `interpreter`.
--   commands     lines after beforeCommands
--   interpreter  used where the flow or the type has no such property
--   no_fail_fast the type has no failFast
--   stop         the line that makes the interpreter stop at the first failure
--   before       lines of the type's own before beforeCommands
--   needs_shell  the commands are no argument vector
function script.command(props, host, spec)
    local interpreter = props.interpreter or spec.interpreter or SHELL
    local before = props.beforeCommands or {}
    if #interpreter == 0 and spec.needs_shell then interpreter = SHELL end
    if #interpreter == 0 and #before == 0 and spec.before == nil then
        return { argv = spec.commands }
    end
    local is_windows = props.targetOS == "WINDOWS"
    local lines = {}
    if props.failFast ~= false and not spec.no_fail_fast and not is_windows then
        lines[1] = spec.stop or "set -e"
    end
    append(lines, spec.before or {})
    append(lines, before)
    append(lines, spec.commands)
    return {
        interpreter = interpreter,
        script = join_lines(host, lines, is_windows and "\r\n" or "\n"),
    }
end

local function environment(props, host, spec)
    local env = value.put({}, spec.env)
    if props.outputDirectory then
        host.workdir.make(OUTPUT_FOLDER)
        env.OUTPUT_DIR = host.workdir.path() .. "/" .. OUTPUT_FOLDER
    end
    for name, text in pairs(props.env or {}) do
        if text ~= host.null then env[name] = text end
    end
    return env
end

-- Namespace files and input files; nil, message, class where one cannot be had.
function script.bring_files(props, host)
    if props.namespaceFiles ~= nil then
        local count, message, class = host.workdir.namespace_files(props.namespaceFiles)
        if count == nil then return nil, message, class end
    end
    if props.inputFiles ~= nil then
        local ok, message, class = host.workdir.input_files(props.inputFiles)
        if ok == nil then return nil, message, class end
    end
    return true
end

local function collect_files(props, host)
    local files = {}
    if props.outputFiles ~= nil then
        local found, message, class = host.workdir.output_files(props.outputFiles)
        if found == nil then return nil, message, class end
        value.put(files, found)
    end
    if props.outputDirectory then
        local found, message, class = host.workdir.output_files({ OUTPUT_FOLDER .. "/**" })
        if found == nil then return nil, message, class end
        for path, uri in pairs(found) do files[path:sub(#OUTPUT_FOLDER + 2)] = uri end
    end
    return host.map(files)
end

-- What shells and the system mean by a code, and what to do.
local MEANINGS = {
    [126] = "a program could not be executed; give it the right to ('chmod +x'), or name its interpreter",
    [137] = "it was ended by SIGKILL from outside: by somebody, or because memory ran out",
    [139] = "a program crashed (SIGSEGV)",
    [143] = "it was ended by SIGTERM from outside",
}

local function failure(result, host, spec)
    local code, in_container = result.code, result.runner ~= nil
    local message = "Command failed with exit code " .. code
    if MEANINGS[code] ~= nil then return message .. ": " .. MEANINGS[code] end
    if code ~= 127 then return message end
    local remedy = in_container and "use an image that has it"
        or "install it, or run the task in a container"
    if spec.program ~= nil and not in_container and host.which(spec.program) == nil then
        return message .. ": '" .. spec.program .. "' is not on the PATH of this host; " .. remedy
    end
    local said = result.last_error and host.re.find("([^\\s:]+): (?:command )?not found", result.last_error)
    if said == nil then return message .. ": a program was not found; " .. remedy end
    return message .. ": the program '" .. said[2] .. "' was not found; " .. remedy
end

local function write_files(host, files)
    for name, text in pairs(files or {}) do
        local ok, message, class = host.workdir.write(name, text, { mode = FILE_MODE })
        if ok == nil then return nil, message, class end
    end
    return true
end

-- The process that a run before a crash has left to its keeper; false where there is none.
local function go_on(host, spec, last)
    local kept = last and last.checkpoint and last.checkpoint.kept
    if kept == nil or kept == host.null then return false end
    return host.exec({ kept = kept, on_line = spec.on_line, grace = spec.grace })
end

-- As a process or in a container, by the rule of the host; what host.exec gives.
local function execute(props, host, spec, last)
    local command = script.command(props, host, spec)
    command.env = environment(props, host, spec)
    command.on_line = spec.on_line
    local runner, image = runner_of(props), image_of(props, host)
    local options = spec.container or options_of(props, runner)
    local engine, message, class = host.runner({ runner = spec.container or runner or props.docker,
        image = image, force = spec.container ~= nil })
    if engine == nil then return nil, message, class end
    if engine.kind == "process" or host.context.mode == "plan" then
        command.runner, command.image, command.grace = runner, image, spec.grace
        command.keep = value.get(host, runner, "keep") == true
        return host.exec(command)
    end
    command.image = image or spec.image
    local says_none = value.get(host, options, "entryPoint") == nil
    if spec.container or spec.own_entry and says_none then command.entry = false end  -- the image's
    if last and last.checkpoint and last.checkpoint.container then
        local result
        result, message, class = docker.go_on(host, engine, command, options, last)
        if result ~= false then return result, message, class end
    end
    return docker.run(host, engine, command, options)
end

function script.kill(_, host, last)
    docker.kill(host, last)
end

-- Runs `spec.commands` by the contract.
--   program     what the type is about, for the message
--   image       for runners that need one
--   files       texts that are written and removed again, by name; keep_files stay
--   prepare     called before the command; nil, message, class where it cannot
--   collect     called after it, also after a failure: more output files, …, whether it is a warning
--   container   properties of a container that it runs in, whatever the host's rule says
--   on_line, grace  as host.exec takes them
--   is_bare     no outputs but those of the type
--   own_entry   a container keeps the entrypoint of its image, where its runner says none
-- `last` is what a run before a crash left behind, where there was one.
function script.run(props, host, spec, last)
    local result, message, class = go_on(host, spec, last)
    if result == nil then return nil, message, class end
    if result then return script.finish(props, host, spec, result) end
    local ok
    ok, message, class = script.bring_files(props, host)
    if ok then ok, message, class = write_files(host, spec.keep_files) end
    if ok then ok, message, class = write_files(host, spec.files) end
    if ok and spec.prepare then ok, message, class = spec.prepare() end
    if ok == nil then return nil, message, class end
    result, message, class = execute(props, host, spec, last)
    if result == nil then return nil, message, class end
    return script.finish(props, host, spec, result)
end

-- What is left once the command has ended.
function script.finish(props, host, spec, result)
    for name in pairs(spec.files or {}) do host.workdir.remove(name) end
    if not spec.is_bare then
        host.outputs({ exitCode = result.code, vars = result.vars, taskRunner = result.runner })
    end
    if result.failure then return nil, result.failure, result.class end
    local more, is_warning
    local files, message, class = collect_files(props, host)
    if files == nil then return nil, message, class end
    if spec.collect and not result.planned then
        more, message, class, is_warning = spec.collect(result)
        if more == nil then return nil, message, class end
        value.put(files, host.map(more))
    end
    if not spec.is_bare then host.outputs({ outputFiles = files }) end
    if result.code ~= 0 then host.fail(failure(result, host, spec)) end
    if is_warning then host.fail("some results are warnings", { state = "WARNING" }) end
    return {}
end

-- A program in another language: a file beside the commands. Where its text holds a secret the shell
-- hands it over, so that the secret is on no disk, if the language reads programs from there.
function script.language(props, host, spec, last)
    local text = props.script
    spec.needs_shell = true  -- an empty interpreter still needs one
    if spec.prelude then text = host.join({ spec.prelude, text }) end
    if spec.stdin and host.is_secret(text) then
        local mark = "END_OF_SCRIPT_7f3a91c0"
        spec.commands = {
            host.join({ spec.command, " - <<'", mark, "'\n", text, "\n", mark }),
        }
    else
        spec.files = { [spec.file] = text }
        spec.commands = { string.trim(spec.command .. " " .. spec.file) }
    end
    return script.run(props, host, spec, last)
end

return script
