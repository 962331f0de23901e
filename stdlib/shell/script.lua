-- Run an inline shell script; no file is written.
local script = use "lib.script"

local function run(props, host)
    return script.run(props, host, { commands = { props.script } })
end

return task {
    implements = "io.kestra.plugin.scripts.shell.Script",
    effects = { "exec" },
    run = run,
    plan = run,
}
