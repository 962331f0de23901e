-- Run an inline Node.js script.
local script = use "lib.script"

local function run(props, host)
    return script.language(props, host, {
        command = "node",
        file = ".script.js",
        program = "node",
    })
end

return task {
    implements = "io.kestra.plugin.scripts.node.Script",
    effects = { "exec" },
    run = run,
    plan = run,
}
