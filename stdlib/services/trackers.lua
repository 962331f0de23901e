-- GitLab, Jira, ServiceNow, Zendesk, Confluence, Notion, HubSpot: records of all kinds, a request each.
local fetched = use "lib.fetched"
local rest = use "lib.rest"
local value = use "lib.value"

-- --- GitLab ---------------------------------------------------------------------------------------

local function gitlab(props, host, method, path, more)
    local base = rest.at(props.url or "https://gitlab.com", (props.apiPath or "/api/v4/projects") .. "/" .. host.url.encode(props.projectId))
    local request = { method = method, url = base .. path, headers = { ["PRIVATE-TOKEN"] = props.token } }
    return rest.send(value.put(request, more), nil, host)
end

local function joined(list)
    return list and table.concat(list, ",") or nil
end

local function gitlab_issue(props, host)
    local answer, message, class = gitlab(props, host, "POST", "/issues", { json = host.map({ title = props.title,
        description = props.issueDescription, labels = joined(props.labels) }) })
    if answer == nil then return nil, message, class end
    return { issueId = host.text(answer.json.iid), webUrl = answer.json.web_url, statusCode = answer.status }
end

local function gitlab_issues(props, host)
    local list, page, status = {}, 1, nil
    repeat
        local answer, message, class = gitlab(props, host, "GET", "/issues", { query = { search = props.search,
            state = props.state or "opened", labels = joined(props.labels), per_page = "100", page = tostring(page) } })
        if answer == nil then return nil, message, class end
        local found = value.list(host, answer.json)
        if answer.planned then found = {} end
        for _, item in ipairs(found) do list[#list + 1] = item end
        page, status = page + 1, answer.status
    until #found < 100
    return { issues = host.list(list), count = #list, statusCode = status }
end

local function gitlab_merge(props, host)
    local answer, message, class = gitlab(props, host, "POST", "/merge_requests", { json = host.map({ title = props.title,
        source_branch = props.sourceBranch, target_branch = props.targetBranch, description = props.mergeRequestDescription }) })
    if answer == nil then return nil, message, class end
    return { mergeReqID = host.text(answer.json.iid), webUrl = answer.json.web_url, statusCode = answer.status }
end

-- --- Jira -----------------------------------------------------------------------------------------

local function jira(props, host, method, path, json)
    local auth = props.accessToken and rest.bearer(props.accessToken) or rest.basic(props.username, props.password)
    local request = { method = method, url = rest.at(props.baseUrl, "/rest/api/2/issue" .. path), auth = auth, json = json }
    if props.payload ~= nil then
        request.json, request.body = nil, props.payload
        request.headers = { ["Content-Type"] = "application/json" }
    end
    local answer, message, class = rest.send(request, props.options, host)
    if answer == nil then return nil, message, class end
    return {}
end

local function jira_issue(props, host)
    return jira(props, host, "POST", "/", { fields = host.map({ project = { key = props.projectKey }, summary = props.summary,
        description = props.description, labels = props.labels, issuetype = { id = props.issueTypeId or "10001" } }) })
end

local function jira_comment(props, host)
    return jira(props, host, "POST", "/" .. host.url.encode(props.issueIdOrKey) .. "/comment", { body = props.body })
end

local function jira_fields(props, host)
    return jira(props, host, "PUT", "/" .. host.url.encode(props.issueIdOrKey), { fields = props.fields })
end

-- --- ServiceNow -----------------------------------------------------------------------------------

local function servicenow(props, host, method, path, more)
    local base = string.find(props.domain, "://") and props.domain or "https://" .. props.domain .. ".service-now.com"
    local request = { method = method, url = rest.at(base, "/api/now/table/" .. host.url.encode(props.table) .. path),
        headers = value.texts(host, props.headers), auth = rest.basic(props.username, props.password) }
    if props.clientId ~= nil then
        local token, message, class = rest.ask({ method = "POST", url = rest.at(base, "/oauth_token.do"), form = { grant_type = "password",
            client_id = props.clientId, client_secret = props.clientSecret, username = props.username, password = props.password } },
            props.options, host)
        if token == nil then return nil, message, class end
        request.auth = rest.bearer(host.hide("servicenow token " .. host.uuid(), token.access_token or ""))
    end
    return rest.send(value.put(request, more), props.options, host)
end

local function servicenow_post(props, host)
    local answer, message, class = servicenow(props, host, "POST", "", { json = props.data })
    if answer == nil then return nil, message, class end
    return { result = value.get(host, answer.json, "result") }
end

local function servicenow_update(props, host)
    local answer, message, class = servicenow(props, host, "PATCH", "/" .. props.sysId, { json = props.data })
    if answer == nil then return nil, message, class end
    return { result = value.get(host, answer.json, "result") }
end

local function servicenow_delete(props, host)
    local answer, message, class = servicenow(props, host, "DELETE", "/" .. props.sysId)
    if answer == nil then return nil, message, class end
    return { deleted = answer.planned or answer.status == 204 }
end

local function servicenow_get(props, host)
    local answer, message, class = servicenow(props, host, "GET", "", { query = { sysparm_query = props.query,
        sysparm_limit = props.limit and host.text(props.limit), sysparm_offset = props.offset and host.text(props.offset),
        sysparm_fields = joined(props.fields) } })
    if answer == nil then return nil, message, class end
    local list = value.list(host, value.get(host, answer.json, "result"))
    if (props.fetchType or "FETCH") == "STORE" then
        local out
        out, message, class = fetched.outputs("STORE", list, host)
        if out == nil then return nil, message, class end
        return { size = #list, offset = props.offset, uri = out.uri }
    end
    return { results = host.list(list), size = #list, offset = props.offset }
end

-- --- Zendesk, Confluence --------------------------------------------------------------------------

local function zendesk(props, host)
    local auth = props.oauthToken and rest.bearer(props.oauthToken) or { type = "basic", username = host.join({ props.username or "", "/token" }),
        password = props.token }
    local answer, message, class = rest.send({ method = "POST", url = rest.at(props.domain, "/api/v2/tickets.json"), auth = auth,
        json = { ticket = host.map({ subject = props.subject, comment = props.description and { body = props.description },
            priority = props.priority and props.priority:lower(), type = props.ticketType and props.ticketType:lower(),
            assignee_id = props.assigneeId, tags = props.tags }) } }, nil, host)
    if answer == nil then return nil, message, class end
    local ticket = value.get(host, answer.json, "ticket") or {}
    return { url = ticket.url, id = ticket.id }
end

local function confluence(method, path_of, body_of)
    return function(props, host)
        local answer, message, class = rest.send({ method = method, url = rest.at(props.serverUrl, (props.apiPath or "/wiki/api/v2")
            .. path_of(props)), auth = rest.basic(props.username, props.apiToken), json = body_of(props, host) }, nil, host)
        if answer == nil then return nil, message, class end
        return { value = answer.body }
    end
end

local function page_of(props)
    return { representation = "wiki", value = props.markdown or "" }
end

-- --- Notion, HubSpot ------------------------------------------------------------------------------

local function blocks(text, host)
    local list = {}
    for i, paragraph in ipairs(string.split(text, "\n\n")) do
        list[i] = { object = "block", type = "paragraph", paragraph = { rich_text = host.list({ { type = "text", text = { content = paragraph } } }) } }
    end
    return host.list(list)
end

local function notion(props, host, method, path, json)
    return rest.ask({ method = method, url = "https://api.notion.com/v1" .. path, auth = rest.bearer(props.apiToken),
        headers = { ["Notion-Version"] = "2022-06-28" }, json = json }, props.options, host)
end

local function notion_title(props, host)
    return { title = { title = host.list({ { text = { content = props.title } } }) } }
end

local function notion_outputs(props, page)
    return { pageId = page.id, url = page.url, title = props.title, content = props.content, createdTime = page.created_time,
        lastEditedTime = page.last_edited_time, archived = page.archived, properties = page.properties }
end

local function notion_create(props, host)
    if props.parentPageId == nil then return nil, "'parentPageId' is needed", "permanent" end
    local page, message, class = notion(props, host, "POST", "/pages", host.map({ parent = { page_id = props.parentPageId },
        properties = notion_title(props, host), children = props.content and blocks(props.content, host) or nil }))
    if page == nil then return nil, message, class end
    return notion_outputs(props, page)
end

local function notion_update(props, host)
    local page, message, class = notion(props, host, "PATCH", "/pages/" .. props.pageId,
        { properties = props.title and notion_title(props, host) or host.map() })
    if page == nil then return nil, message, class end
    if props.content ~= nil then
        local ok
        ok, message, class = notion(props, host, "PATCH", "/blocks/" .. props.pageId .. "/children", { children = blocks(props.content, host) })
        if ok == nil then return nil, message, class end
    end
    return notion_outputs(props, page)
end

local function hubspot(props, host, method, path, json, query)
    return rest.send({ method = method, url = "https://api.hubapi.com/crm/v3/objects/" .. path, auth = rest.bearer(props.oauthToken or props.apiKey),
        json = json, query = query }, props.options, host)
end

-- Properties of ours and HubSpot's names for them, by kind of object.
local HUBSPOT = {
    companies = { id = "companyId", fields = { name = "name", domain = "domain", companyDescription = "description", industry = "industry", companyType = "type" } },
    contacts = { id = "contactId", fields = { email = "email", firstName = "firstname", lastName = "lastname", phone = "phone",
        jobTitle = "jobtitle", lifecycleStage = "lifecyclestage" } },
    deals = { id = "dealId", fields = { name = "dealname", pipeline = "pipeline", stage = "dealstage", amount = "amount", closeDate = "closedate", dealType = "dealtype" } },
    tickets = { id = "ticketId", fields = { subject = "subject", content = "content", pipeline = "hs_pipeline", stage = "hs_pipeline_stage",
        priority = "hs_ticket_priority" } },
}

local function hubspot_stored(host, object)
    local uri, message, class = host.storage.put({ text = host.json.encode(object), name = "object.json" })
    if uri == nil then return nil, message, class end
    return { id = math.tointeger(tonumber(object.id)), uri = uri }
end

local function hubspot_write(kind, is_update)
    local about = HUBSPOT[kind]
    return function(props, host)
        local fields = host.map()
        for ours, theirs in pairs(about.fields) do
            if props[ours] ~= nil then fields[theirs] = host.text(props[ours]) end
        end
        if kind == "tickets" and fields.hs_pipeline_stage == nil then fields.hs_pipeline_stage = "1" end
        value.put(fields, props.additionalProperties)
        local path = is_update and kind .. "/" .. props[about.id] or kind
        local answer, message, class = hubspot(props, host, is_update and "PATCH" or "POST", path, { properties = fields })
        if answer == nil then return nil, message, class end
        return hubspot_stored(host, answer.json)
    end
end

local function hubspot_get(kind)
    return function(props, host)
        local answer, message, class = hubspot(props, host, "GET", kind .. "/" .. props[HUBSPOT[kind].id], nil, { properties = joined(props.properties) })
        if answer == nil then return nil, message, class end
        return hubspot_stored(host, answer.json)
    end
end

local function hubspot_delete(kind)
    return function(props, host)
        local answer, message, class = hubspot(props, host, "DELETE", kind .. "/" .. props[HUBSPOT[kind].id])
        if answer == nil then return nil, message, class end
        return {}
    end
end

local function hubspot_search(kind)
    return function(props, host)
        local list, after, total = {}, props.after, nil
        repeat
            local answer, message, class = hubspot(props, host, "POST", kind .. "/search", host.map({ query = props.query, after = after,
                filterGroups = props.filterGroups, properties = props.properties, limit = props.limit or 10, sorts = props.sorts }))
            if answer == nil then return nil, message, class end
            for _, item in ipairs(value.list(host, value.get(host, answer.json, "results"))) do list[#list + 1] = item end
            total, after = value.get(host, answer.json, "total") or #list, rest.dig(host, answer.json, "paging", "next", "after")
        until after == nil or not props.fetchAllPages
        local out, message, class = fetched.outputs("STORE", list, host)
        if out == nil then return nil, message, class end
        return { total = total, uri = out.uri }
    end
end

-- --------------------------------------------------------------------------------------------------

local TASKS = {
    { "gitlab.issues.Create", gitlab_issue }, { "gitlab.issues.Search", gitlab_issues, "yes" },
    { "gitlab.mergerequests.Create", gitlab_merge },
    { "jira.issues.Create", jira_issue }, { "jira.issues.CreateComment", jira_comment }, { "jira.issues.UpdateFields", jira_fields, "yes" },
    { "servicenow.Post", servicenow_post }, { "servicenow.Update", servicenow_update, "yes" }, { "servicenow.Get", servicenow_get, "yes" },
    { "servicenow.Delete", servicenow_delete },
    { "zendesk.tickets.Create", zendesk },
    { "confluence.pages.Create", confluence("POST", function(props)
        local words = {}
        for _, name in ipairs({ "embedded", "makePrivate", "rootLevel" }) do
            if props[name] ~= nil then words[#words + 1] = (name == "makePrivate" and "private" or name == "rootLevel" and "root-level" or name) .. "=" .. tostring(props[name]) end
        end
        return "/pages" .. (#words > 0 and "?" .. table.concat(words, "&") or "")
    end, function(props, host)
        return host.map({ spaceId = props.spaceId, status = props.status, title = props.title, parentId = props.parentId,
            subtype = props.subtype, body = page_of(props) })
    end) },
    { "confluence.pages.Update", confluence("PUT", function(props) return "/pages/" .. props.pageId end, function(props, host)
        return host.map({ id = props.pageId, status = props.status, title = props.title, spaceId = props.spaceId, parentId = props.parentId,
            ownerId = props.ownerId, body = page_of(props), version = props.versionInfo })
    end) },
    { "notion.page.Create", notion_create }, { "notion.page.Update", notion_update },
}
for _, kind in ipairs({ "companies", "contacts", "deals", "tickets" }) do
    TASKS[#TASKS + 1] = { "hubspot." .. kind .. ".Create", hubspot_write(kind) }
    if kind ~= "tickets" then
        TASKS[#TASKS + 1] = { "hubspot." .. kind .. ".Update", hubspot_write(kind, true), "yes" }
        TASKS[#TASKS + 1] = { "hubspot." .. kind .. ".Get", hubspot_get(kind), "yes" }
        TASKS[#TASKS + 1] = { "hubspot." .. kind .. ".Delete", hubspot_delete(kind), "yes" }
        TASKS[#TASKS + 1] = { "hubspot." .. kind .. ".Search", hubspot_search(kind), "yes" }
    end
end

local tasks = {}
for i, row in ipairs(TASKS) do
    tasks[i] = task {
        implements = "io.kestra.plugin." .. row[1],
        effects = { "net", row[3] and "file" or "create" },
        idempotent = function() return row[3] or "no" end,
        run = row[2],
        plan = row[2],
    }
end
return tasks
