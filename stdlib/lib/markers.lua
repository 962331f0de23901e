-- Lines of a program that runs elsewhere: logged, or read as markers `::{"outputs": …}::`.
local markers = {}

local function metrics(host, list)
    for _, metric in ipairs(host.is_list(list) and list or {}) do
        local kind, amount = metric.type, metric.value
        if kind == "timer" then amount = host.duration(amount) end
        if type(metric.name) == "string" and type(amount) == "number" then
            host.metric(metric.name, kind == "timer" and "timer" or kind == "gauge" and "gauge" or "counter",
                amount, metric.tags ~= host.null and metric.tags or nil)
        end
    end
end

-- Takes one line; outputs of markers go into `vars`.
function markers.take(host, line, vars)
    if string.ends(line, "\r") then line = line:sub(1, -2) end
    local marker = string.starts(line, "::{") and string.ends(line, "}::")
        and host.json.decode(line:sub(3, -3))
    if not host.is_map(marker) then
        if line ~= "" then host.log("INFO", line) end
        return
    end
    if host.is_map(marker.outputs) then
        for name, item in pairs(marker.outputs) do vars[name] = item end
    end
    metrics(host, marker.metrics)
    for _, entry in ipairs(host.is_list(marker.logs) and marker.logs or {}) do
        host.log(type(entry.level) == "string" and entry.level or "INFO", tostring(entry.message))
    end
end

return markers
