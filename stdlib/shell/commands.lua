-- Run a list of shell commands, all in one shell.
local script = use "lib.script"

local function run(props, host)
    return script.run(props, host, { commands = props.commands })
end

return task {
    implements = "io.kestra.plugin.scripts.shell.Commands",
    effects = { "exec" },
    run = run,
    plan = run,
}
