-- Render a template and return it as the output.
local function run(props, host)
    local text = props.format
    if text == nil then return {} end
    host.log("DEBUG", text)
    if type(text) == "string" then host.metric("length", "counter", #text) end
    return { value = text }
end

return task {
    implements = "io.kestra.plugin.core.debug.Return",
    effects = {},
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
