-- Run Terraform commands in one shell. State lives where the backend says; a local state file is lost
-- unless `outputFiles` names it.
local script = use "lib.script"

local function run(props, host)
    return script.run(props, host, {
        commands = props.commands,
        interpreter = { "/bin/sh", "-c" },  -- the type has no property for it
        program = "terraform",
    })
end

return task {
    implements = "io.kestra.plugin.terraform.cli.TerraformCLI",
    effects = { "exec" },
    run = run,
    plan = run,
}
