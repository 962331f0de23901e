-- Run an inline Python script. Three lines before it define what JSON calls true, false and null, so
-- that rendered values are literals; a traceback counts them.
local python = use "lib.python"
local script = use "lib.script"

local function run(props, host)
    return script.language(props, host, {
        before = python.before(props, host),
        env = python.env(props, host),
        command = '"${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/}python3"',
        file = ".script.py",
        prelude = "true = True\nfalse = False\nnull = None\n",
        program = "python3",
    })
end

return task {
    implements = "io.kestra.plugin.scripts.python.Script",
    effects = { "exec" },
    run = run,
    plan = run,
}
