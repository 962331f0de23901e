-- Run shell commands with Node.js at hand.
local script = use "lib.script"

local function run(props, host)
    return script.run(props, host, { commands = props.commands, program = "node" })
end

return task {
    implements = "io.kestra.plugin.scripts.node.Commands",
    effects = { "exec" },
    run = run,
    plan = run,
}
