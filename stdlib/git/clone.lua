-- Clone a repository into the working directory. Credentials go by the environment: git reads the
-- header for HTTPS from its configuration there, ssh a key from a file of mode 0600 that is removed.
local value = use "lib.value"

local KEY = ".git-clone-key"
local ASK = ".git-clone-ask"

local function environment(props, host)
    local env = { GIT_TERMINAL_PROMPT = "0" }
    local count = 0
    local function config(name, text)
        env["GIT_CONFIG_KEY_" .. count], env["GIT_CONFIG_VALUE_" .. count] = name, text
        count = count + 1
    end
    for name, text in pairs(props.gitConfig or {}) do config(name, host.text(text)) end
    if props.password ~= nil then
        local pair = host.join({ props.username or "", ":", props.password })
        config("http.extraHeader", host.join({ "Authorization: Basic ", host.base64.encode(pair) }))
    end
    if props.readTimeout ~= nil then
        config("http.lowSpeedLimit", "1")
        config("http.lowSpeedTime", tostring(math.max(1, props.readTimeout // 1000)))
    end
    env.GIT_CONFIG_COUNT = tostring(count)
    if props.trustedCaPemPath ~= nil then env.GIT_SSL_CAINFO = props.trustedCaPemPath end
    if props.noProxy then env.no_proxy, env.NO_PROXY = "*", "*" end
    return env
end

local function write_key(props, host, env)
    if props.privateKey == nil then return true end
    local folder = host.workdir.path() .. "/"
    local ok, message, class = host.workdir.write(KEY, host.join({ props.privateKey, "\n" }),
        { mode = 384 })
    if ok == nil then return nil, message, class end
    env.GIT_SSH_COMMAND = "ssh -i " .. value.quote(folder .. KEY)
        .. " -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new"
    if props.passphrase ~= nil then
        ok, message, class = host.workdir.write(ASK,
            "#!/bin/sh\nprintf '%s\\n' \"$GIT_KEY_PASSPHRASE\"\n", { mode = 448 })
        if ok == nil then return nil, message, class end
        env.SSH_ASKPASS, env.SSH_ASKPASS_REQUIRE = folder .. ASK, "force"
        env.GIT_KEY_PASSPHRASE = props.passphrase
    end
    return true
end

-- The folder becomes a repository, empty or not, and the branch is checked out over what is there.
local SCRIPT = [=[
set -e
mkdir -p "$CLONE_INTO"
cd "$CLONE_INTO"
git init -q
git remote add origin "$CLONE_URL" 2>/dev/null || git remote set-url origin "$CLONE_URL"
if [ -z "$CLONE_BRANCH$CLONE_COMMIT$CLONE_TAG" ]; then
    head=$(git ls-remote --symref origin HEAD)
    CLONE_BRANCH=$(printf '%s\n' "$head" | sed -n 's|^ref: refs/heads/\(.*\)[[:space:]]HEAD$|\1|p')
    [ -n "$CLONE_BRANCH" ] || { echo "the repository has no default branch; name one by 'branch'" >&2; exit 1; }
fi
if [ "$CLONE_ALL" = true ]; then
    git fetch -q $CLONE_OPTIONS origin '+refs/heads/*:refs/remotes/origin/*'
else
    git fetch -q $CLONE_OPTIONS origin "+refs/heads/$CLONE_BRANCH:refs/remotes/origin/$CLONE_BRANCH"
fi
if [ -n "$CLONE_COMMIT" ]; then
    git cat-file -e "$CLONE_COMMIT^{commit}" 2>/dev/null || git fetch -q origin "$CLONE_COMMIT"
    git checkout -q -f --detach "$CLONE_COMMIT"
elif [ -n "$CLONE_TAG" ]; then
    git checkout -q -f --detach "refs/tags/$CLONE_TAG"
else
    git checkout -q -f -B "$CLONE_BRANCH" --track "origin/$CLONE_BRANCH"
fi
[ "$CLONE_SUBMODULES" != true ] || git submodule update -q --init --recursive
git rev-parse HEAD
]=]

local function run(props, host)
    local tag, commit = props.tag, props.commit
    if props.noTags and tag ~= nil then
        return nil, "'tag' needs the tags that 'noTags: true' leaves out", "permanent"
    end
    if props.cloneAllBranches == false and props.branch == nil and commit == nil and tag == nil then
        return nil, "'cloneAllBranches: false' needs 'branch', which names the one to clone", "permanent"
    end
    if host.which("git") == nil then
        return nil, "'git' is not on the PATH of this host; install it", "permanent"
    end
    local env = environment(props, host)
    local ok, message, class = write_key(props, host, env)
    if ok == nil then return nil, message, class end
    local directory = host.workdir.path()
    if props.directory ~= nil then
        ok, message, class = host.workdir.make(props.directory)  -- beneath the working directory
        if ok == nil then return nil, message, class end
        directory = directory .. "/" .. props.directory
    end
    local options = { props.noTags and "--no-tags" or "--tags" }
    if commit == nil and tag == nil and (props.depth or 1) > 0 then
        options[#options + 1] = "--depth=" .. (props.depth or 1)
        options[1] = "--no-tags"  -- a shallow fetch of every tag would fetch all of them
    end
    local only_one = props.cloneAllBranches == false and props.branch ~= nil
    env.CLONE_URL, env.CLONE_INTO = props.url, directory
    env.CLONE_BRANCH, env.CLONE_COMMIT, env.CLONE_TAG = props.branch or "", commit or "", tag or ""
    env.CLONE_ALL = only_one and "false" or "true"
    env.CLONE_OPTIONS = table.concat(options, " ")
    env.CLONE_SUBMODULES = tostring(props.cloneSubmodules or false)
    local result
    result, message, class = host.exec({ script = SCRIPT, env = env })
    if result == nil then return nil, message, class end
    host.workdir.remove(KEY)
    host.workdir.remove(ASK)
    if result.code ~= 0 then
        return nil, "git could not clone the repository (exit code " .. result.code .. ")", "transient"
    end
    return { directory = directory }
end

return task {
    implements = "io.kestra.plugin.git.Clone",
    effects = { "exec", "net" },
    idempotent = function() return "yes" end,
    run = run,
    plan = run,
}
