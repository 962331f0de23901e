-- GitHub: workflows, issues, pull requests, and searches of all kinds.
local fetched = use "lib.fetched"
local rest = use "lib.rest"
local value = use "lib.value"

local function send(props, host, method, path, more)
    local request = value.put({ method = method, url = rest.at(props.endpoint or "https://api.github.com", path), headers = {
        Accept = "application/vnd.github+json", ["X-GitHub-Api-Version"] = "2022-11-28" } }, more)
    local token = props.oauthToken or props.jwtToken or props.appInstallationToken
    if props.login ~= nil and token ~= nil then
        request.auth = rest.basic(props.login, token)
    else
        request.auth = rest.bearer(token)
    end
    return rest.send(request, nil, host)
end

local function repository(props)
    if props.repository == nil then return nil, "'repository' is needed: OWNER/NAME", "permanent" end
    return "/repos/" .. props.repository
end

local function run_workflow(props, host)
    local path, message, class = repository(props)
    if path == nil then return nil, message, class end
    if props.workflowId == nil or props.ref == nil then return nil, "'workflowId' and 'ref' are needed", "permanent" end
    local answer
    answer, message, class = send(props, host, "POST", path .. "/actions/workflows/" .. host.url.encode(props.workflowId) .. "/dispatches",
        { json = host.map({ ref = props.ref, inputs = props.inputs }) })
    if answer == nil then return nil, message, class end
    return {}
end

local function create_issue(props, host)
    local path, message, class = repository(props)
    if path == nil then return nil, message, class end
    local answer
    answer, message, class = send(props, host, "POST", path .. "/issues", { json = host.map({ title = props.title or "Kestra Github",
        body = props.body, labels = props.labels, assignees = props.assignees }) })
    if answer == nil then return nil, message, class end
    return { issueUrl = answer.json.html_url, issueNumber = answer.json.number }
end

local function comment(props, host)
    local path, message, class = repository(props)
    if path == nil then return nil, message, class end
    local answer
    answer, message, class = send(props, host, "POST", path .. "/issues/" .. host.text(props.issueNumber) .. "/comments",
        { json = { body = props.body or "" } })
    if answer == nil then return nil, message, class end
    local url = answer.json.html_url or ""
    return { issueUrl = string.split(url, "#")[1], commentUrl = url }
end

local function create_pull(props, host)
    local path, message, class = repository(props)
    if path == nil then return nil, message, class end
    local answer
    answer, message, class = send(props, host, "POST", path .. "/pulls", { json = host.map({ title = props.title, body = props.body,
        head = props.sourceBranch, base = props.targetBranch, draft = props.draft or false,
        maintainer_can_modify = props.maintainerCanModify or false }) })
    if answer == nil then return nil, message, class end
    if props.reviewers ~= nil and not answer.planned then
        local asked
        asked, message, class = send(props, host, "POST", path .. "/pulls/" .. host.text(answer.json.number) .. "/requested_reviewers",
            { json = { reviewers = props.reviewers } })
        if asked == nil then return nil, message, class end
    end
    return { issueUrl = answer.json.issue_url, pullRequestUrl = answer.json.html_url }
end

-- --- searches -------------------------------------------------------------------------------------

local MOST = 1000  -- GitHub gives no more of one search

local function quoted(text)
    text = tostring(text)
    return string.find(text, " ") and '"' .. text .. '"' or text
end

-- Each search: its path, what properties become of the query (`name` or `name>qualifier`), and words.
local SEARCHES = {
    code = { "code", "repository>repo user in language extension filename path size" },
    commits = { "commits", "repository>repo is hash parent tree user org author authorDate>author-date authorEmail>author-email "
        .. "authorName>author-name committer committerDate>committer-date committerEmail>committer-email "
        .. "committerName>committer-name merge" },
    issues = { "issues", "mentions repository>repo", "is:issue" },
    pulls = { "issues", "mentions reviewRequested>review-requested draft assigned>assignee closedAt>closed createdAt>created "
        .. "updatedAt>updated commit repository>repo base head author", "is:pr" },
    repositories = { "repositories", "repository>repo language created stars user topic" },
    topics = { "topics", "repositories created" },
    users = { "users", "language created repositories>repos in location followers accountType>type" },
}
local FORKS = { PARENT_AND_FORKS = "true", FORKS_ONLY = "only" }

local function query_of(row, props, host)
    local words = { props.query, row[3] }
    if props.query == nil then words = { row[3] } end
    for _, name in ipairs(string.split(row[2], " ")) do
        local parts = string.split(name, ">")
        local given = props[parts[1]]
        if given ~= nil then
            words[#words + 1] = (parts[2] or parts[1]) .. ":" .. quoted(type(given) == "string" and given or host.text(given)):lower()
        end
    end
    for _, state in ipairs({ "open", "closed", "merged" }) do
        if (row[1] == "issues") and props[state] then words[#words + 1] = "is:" .. state end
    end
    if row[3] == "is:pr" and props.title then words[#words + 1] = quoted(props.title) .. " in:title" end
    if row[3] == "is:pr" and props.createdByMe then words[#words + 1] = "author:@me" end
    if row[1] == "code" and FORKS[props.fork] then words[#words + 1] = "fork:" .. FORKS[props.fork] end
    if row[1] == "repositories" and props.visibility then words[#words + 1] = "is:" .. props.visibility:lower() end
    local shown = row[1] == "topics" and props.is
    if shown then words[#words + 1] = string.starts(shown, "NOT_") and "not:" .. shown:sub(5):lower() or "is:" .. shown:lower() end
    return table.concat(words, " ")
end

local function search(row)
    return function(props, host)
        local list, page, total = {}, 1, nil
        local sort = props.sort and props.sort:lower() or nil
        if sort == "best_match" then sort = nil end
        if sort == "committer_date" or sort == "author_date" then sort = table.concat(string.split(sort, "_"), "-") end
        repeat
            local answer, message, class = send(props, host, "GET", "/search/" .. row[1], { query = {
                q = query_of(row, props, host), sort = sort, order = props.order and props.order:lower() or nil, per_page = "100",
                page = tostring(page) } })
            if answer == nil then return nil, message, class end
            local items = value.list(host, value.get(host, answer.json, "items"))
            for _, item in ipairs(items) do list[#list + 1] = item end
            total, page = value.get(host, answer.json, "total_count") or #list, page + 1
        until #items == 0 or #list >= total or #list >= MOST
        local out, message, class = fetched.outputs(props.fetchType or "STORE", list, host)
        if out == nil then return nil, message, class end
        out.total = total
        return out
    end
end

local TASKS = { { "actions.RunWorkflow", run_workflow }, { "issues.Create", create_issue }, { "issues.Comment", comment },
    { "pulls.Create", create_pull } }
for name, row in pairs(SEARCHES) do TASKS[#TASKS + 1] = { name .. ".Search", search(row), true } end

local tasks = {}
for i, row in ipairs(TASKS) do
    tasks[i] = task {
        implements = "io.kestra.plugin.github." .. row[1],
        effects = { "net", row[3] and "file" or "create" },
        idempotent = function() return row[3] and "yes" or "no" end,
        hosts = function(props) return props.endpoint == nil and { "api.github.com" } or {} end,
        run = row[2],
        plan = row[2],
    }
end
return tasks
