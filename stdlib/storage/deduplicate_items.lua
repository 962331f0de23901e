-- Keep of all items with the same key the last one.
local records = use "lib.records"

local function run(props, host)
    local last, keys = {}, 0
    local count, message, class = records.rows(host, props.from, function(item, number)
        local key, problem, why = host.item(item)
        if key == nil then return nil, "item " .. number .. ": " .. problem, why end
        if key == host.null then
            return nil, "item " .. number .. ": the expression of its key is null", "permanent"
        end
        key = tostring(host.text(key))
        if last[key] == nil then keys = keys + 1 end
        last[key] = number
        return true
    end)
    if count == nil then return nil, message, class end
    local is_last = {}
    for _, number in pairs(last) do is_last[number] = true end
    local writer
    writer, message, class = host.storage.writer({ name = "deduplicated",
        extension = records.extension(props.from) })
    if writer == nil then return nil, message, class end
    local ok
    ok, message, class = records.lines(host, props.from, function(line, number)
        if not is_last[number] then return true end
        return writer:write(line, "\n")
    end)
    if ok == nil then return nil, message, class end
    local uri
    uri, message, class = writer:close()
    if uri == nil then return nil, message, class end
    return { uri = uri, numKeys = keys, processedItemsTotal = count,
        droppedItemsTotal = count - keys }
end

return task {
    implements = "io.kestra.plugin.core.storage.DeduplicateItems",
    effects = { "file" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
