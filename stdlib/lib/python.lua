-- What Python tasks have in common: the environment, and requirements installed beside the script.
local value = use "lib.value"

local python = {}

local FOLDER = ".python-packages"

function python.env(props, host)
    local env = {
        PYTHONUNBUFFERED = "true",
        PIP_ROOT_USER_ACTION = "ignore",
        PIP_DISABLE_PIP_VERSION_CHECK = "1",
    }
    if #value.list(host, props.dependencies) > 0 then
        env.PYTHONPATH = host.workdir.path() .. "/" .. FOLDER
    end
    return env
end

-- Commands before the task's own. The package index is that of the host's pip (PIP_INDEX_URL,
-- pip.conf), so a host without network names a local one there.
function python.before(props, host)
    local wanted = value.list(host, props.dependencies)
    if #wanted == 0 then return nil end
    local words = { "python3 -m pip install --quiet --target " .. FOLDER .. " --" }
    for _, requirement in ipairs(wanted) do words[#words + 1] = value.quote(requirement) end
    return { table.concat(words, " ") }
end

return python
