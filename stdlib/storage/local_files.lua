-- Lay out files in the working directory and keep files of it.
local function run(props, host)
    if props.inputs ~= nil then
        local ok, message, class = host.workdir.input_files(props.inputs)
        if ok == nil then return nil, message, class end
    end
    if props.outputs == nil then return { uris = host.map() } end
    local found, message, class = host.workdir.output_files(props.outputs)
    if found == nil then return nil, message, class end
    return { uris = found }
end

return task {
    implements = "io.kestra.plugin.core.storage.LocalFiles",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
