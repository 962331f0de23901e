-- The size of a file in bytes.
local function run(props, host)
    if host.context.mode == "plan" then return {} end
    local size, message, class = host.storage.size(props.uri)
    if size == nil then return nil, message, class end
    return { size = size }
end

return task {
    implements = "io.kestra.plugin.core.storage.Size",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
