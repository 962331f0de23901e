-- Keep the items of a file for which a condition holds, or those for which it does not.
local records = use "lib.records"
local value = use "lib.value"

-- Whether the condition holds; nil and a message where it cannot be told. The condition's template is
-- the compiler's: host.item renders it over one item.
local function holds(host, item, number)
    local text, message = host.item(item)
    if text == nil then return nil, "item " .. number .. ": " .. message end
    if text == host.null then return nil, "item " .. number .. ": the condition is null" end
    return value.is_true(host, text)
end

local function run(props, host)
    local includes = props.filterType ~= "EXCLUDE"
    local behavior = props.errorOrNullBehavior or "FAIL"
    local writer, message, class = host.storage.writer({ name = "filtered",
        extension = records.extension(props.from) })
    if writer == nil then return nil, message, class end
    local dropped = 0
    local count
    count, message, class = records.rows(host, props.from, function(item, number, line)
        local is_kept, problem = holds(host, item, number)
        if is_kept == nil and behavior == "FAIL" then return nil, problem, "permanent" end
        if is_kept == nil then
            is_kept = behavior == "INCLUDE"
        elseif not includes then
            is_kept = not is_kept
        end
        if not is_kept then
            dropped = dropped + 1
            return true
        end
        return writer:write(line, "\n")
    end)
    if count == nil then return nil, message, class end
    local uri
    uri, message, class = writer:close()
    if uri == nil then return nil, message, class end
    return { uri = uri, processedItemsTotal = count, droppedItemsTotal = dropped }
end

return task {
    implements = "io.kestra.plugin.core.storage.FilterItems",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
