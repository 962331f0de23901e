-- Run OpenTofu commands in one shell. State lives where the backend says; a local state file is lost
-- unless `outputFiles` names it.
local script = use "lib.script"

local function run(props, host)
    return script.run(props, host, { commands = props.commands, program = "tofu" })
end

return task {
    implements = "io.kestra.plugin.opentofu.cli.OpenTofuCLI",
    effects = { "exec" },
    run = run,
    plan = run,
}
