-- Terraform and OpenTofu: the counts of the last plan or apply as an output, and the lock of the state
-- that must not outlive the tool.
local script = use "lib.script"

local terraform = {}

local LOCK = ".terraform.tfstate.lock.info"  -- of a state in a local file
local LOCK_WAIT = 9                          -- seconds that `kill` has for looking

-- "Plan: 1 to add, 2 to change, 0 to destroy." and "Apply complete! Resources: 1 added, …"
local COUNTS = {
    add = "([0-9]+) (?:to add|added)",
    change = "([0-9]+) (?:to change|changed)",
    destroy = "([0-9]+) (?:to destroy|destroyed)",
}

local function counts_of(host, line)
    local counts = {}
    if string.find(line, "Plan:") == nil and string.find(line, " complete! Resources: ") == nil
        and string.find(line, "No changes.") == nil then
        return nil
    end
    line = host.re.replace("\\x1b\\[[0-9;]*m", line, "")  -- colours
    for name, pattern in pairs(COUNTS) do
        local found = host.re.find(pattern, line)
        counts[name] = found and tonumber(found[2]) or 0
    end
    return host.map(counts)
end

function terraform.run(props, host, spec, last)
    spec.grace = 60  -- an apply that is stopped finishes what it has begun and gives back the lock
    spec.on_line = function(stream, line)
        local counts = stream == "stdout" and counts_of(host, line)
        if counts then host.outputs({ plan = counts }) end
        return false
    end
    return script.run(props, host, spec, last)
end

local function lock_id(host)
    for _, path in ipairs(host.workdir.list({ "**/" .. LOCK, LOCK }) or {}) do
        local info = host.json.decode(host.workdir.read(path) or "")
        if info ~= nil and info.ID ~= nil then return info.ID end
    end
    return nil
end

-- The tool is told to stop by the host. A lock that is still there at the end is named, since nobody
-- can go on before it is released.
function terraform.kill(host)
    local id
    for _ = 1, LOCK_WAIT * 2 do
        local found = lock_id(host)
        if found == nil then return end
        id = found
        host.sleep(0.5)
    end
    host.log("WARN", "the state is still locked, lock id '" .. id .. "': if the tool ends without "
        .. "giving it back, run 'force-unlock " .. id .. "'")
end

return terraform
