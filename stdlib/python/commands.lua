-- Run shell commands with Python at hand.
local python = use "lib.python"
local script = use "lib.script"

local function run(props, host)
    return script.run(props, host, {
        commands = props.commands,
        before = python.before(props, host),
        env = python.env(props, host),
        program = "python3",
    })
end

return task {
    implements = "io.kestra.plugin.scripts.python.Commands",
    effects = { "exec" },
    run = run,
    plan = run,
}
