-- Terraform and OpenTofu: the counts of the last plan or apply as an output, and the lock of the state
-- that must not outlive the tool.
local script = use "lib.script"
local value = use "lib.value"

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

-- --- plan --plan=live -----------------------------------------------------------------------------

-- What only reads, or prepares the working directory, which is thrown away.
local READS = { init = true, validate = true, version = true, plan = true, show = true,
    output = true, providers = true, get = true, graph = true }
local DROPPED = { "-auto-approve", "-migrate-state", "-force-copy" }
local COMMAND = "^(\\s*(?:[A-Za-z_][A-Za-z0-9_]*=\\S*\\s+)*)(terraform|tofu)((?:\\s+-chdir=\\S+)?)\\s+([a-z-]+)(.*)$"

-- A line of a script as it may be run while planning: nil where it is left out.
local function planned_line(host, line)
    local found = host.re.find(COMMAND, line)
    if found == nil then
        return host.re.matches("\\s*(cd|export|set)\\s.*", line) and line or nil
    end
    local before, program, folder, verb, rest = found[2] or "", found[3], found[4] or "", found[5],
        found[6] or ""
    if host.re.find("[|;&><`]|\\$\\(", rest) then return nil end
    if verb == "apply" or verb == "destroy" then
        rest = (verb == "destroy" and " -destroy" or "") .. " -lock=false" .. rest
        verb = "plan"
    elseif not READS[verb] then
        return nil
    end
    for _, option in ipairs(DROPPED) do
        rest = host.re.replace("\\s" .. option .. "(=\\S+)?(?=\\s|$)", rest, "")
    end
    local input = (verb == "plan" or verb == "init") and " -input=false" or ""
    return before .. program .. folder .. " " .. verb .. input .. rest
end

local function planned_lines(host, commands)
    local lines, left_out, asks = {}, 0, false
    for _, command in ipairs(commands) do
        if host.is_secret(command) then return nil end
        local joined = host.re.replace("\\\\\n\\s*", host.text(command), " ")
        for _, line in ipairs(string.split(joined, "\n")) do
            local planned = planned_line(host, line)
            if planned ~= nil then
                lines[#lines + 1] = planned
                asks = asks or string.find(planned, " plan ") ~= nil
            elseif string.trim(line) ~= "" then
                left_out = left_out + 1
            end
        end
    end
    return asks and lines or nil, left_out
end

-- Shows the steps as ever, then asks the tool what an apply would change: in a working directory that
-- is thrown away, without taking the lock of the state.
function terraform.plan(props, host, spec)
    local outputs, message, class = terraform.run(props, host, spec)
    if outputs == nil then return nil, message, class end
    local lines, left_out = planned_lines(host, spec.commands)
    if lines == nil then
        host.log("INFO", "the tool is not asked: no command of the task is a plain apply, destroy or plan")
        return outputs
    end
    if host.which(spec.program) == nil then
        host.log("WARN", "'" .. spec.program .. "' is not on the PATH of this host: it is not asked for its plan")
        return outputs
    end
    local all = { "set -e" }
    for _, group in ipairs({ props.beforeCommands or {}, lines }) do
        for _, line in ipairs(group) do
            local planned = group == lines and line or planned_line(host, host.text(line))
            if planned ~= nil then all[#all + 1] = planned end
        end
    end
    local counts
    local env = value.put(value.put({ TF_IN_AUTOMATION = "1" }, spec.env), props.env)
    local result
    result, message = host.exec({ script = table.concat(all, "\n"), env = env, reads = true, log = false,
        on_line = function(stream, line)
            counts = stream == "stdout" and counts_of(host, line) or counts
            return true
        end })
    if result == nil or result.code ~= 0 then
        host.log("WARN", "the tool cannot say what it would do: "
            .. (message or result.last_error or "exit code " .. result.code))
        return outputs
    end
    if counts then
        host.outputs({ plan = counts })
        host.log("INFO", "would add " .. counts.add .. ", change " .. counts.change .. ", destroy " .. counts.destroy)
    end
    if left_out > 0 then host.log("INFO", left_out .. " lines of the script were left out of that, as they may change something") end
    return outputs
end

-- --- a stop ---------------------------------------------------------------------------------------

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
