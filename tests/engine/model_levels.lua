-- model_levels.lua - of the model: the levels (flow-language.md 5.4) and how each kind of task begins and goes on.
local values, Model, shared = ...
local NULL, parse, to_text = values.NULL, values.parse, values.to_text
local is_true, duration = values.is_true, values.duration
local over, is_level, with_flags, SLOT = shared.over, shared.is_level, shared.with_flags, shared.SLOT
local find, count, has_live = shared.find, shared.count, shared.has_live
local value_of, last_attempt = shared.value_of, shared.last_attempt

-- --- levels (5.4) --------------------------------------------------------------------------------

local function tasks_of(run)
    local node = run.node
    if node.kind == "IF" or node.kind == "SWITCH" then return run.branch or {} end
    return node.body
end

-- One after the other; true behind the last.
function Model:sequence(run, list, role, index)
    if has_live(run, role, index) then return false end
    for _, node in ipairs(list) do
        if not find(run, node, index) then
            self:create(run, node, role, index)
            return false
        end
    end
    return true
end

local function concurrency(run)
    local limit = tonumber(to_text(value_of(run, SLOT.A).value)) or 0
    return limit > 0 and limit or math.huge
end

function Model:parallel(run)
    for _, node in ipairs(run.node.body) do
        if not find(run, node) then
            if count(run, "tasks").live >= concurrency(run) then return false end
            self:create(run, node, "tasks")
        end
    end
    return not has_live(run, "tasks")
end

function Model:dag(run)
    for _, node in ipairs(run.node.body) do
        local is_ready = not find(run, node) and count(run, "tasks").live < concurrency(run)
        for _, id in ipairs(node.deps) do
            local met = false
            for _, kid in ipairs(run.kids) do
                met = met or (kid.node.id == id and kid.role == "tasks" and over(kid))
            end
            is_ready = is_ready and met
        end
        if is_ready then self:create(run, node, "tasks") end
    end
    return not has_live(run, "tasks")
end

-- The values of a loop as texts; nil: they are none.
local function loop_values(run)
    local given = value_of(run, SLOT.A).value
    local is_loop = run.node.kind == "LOOP"
    if type(given) == "string" then
        local fits, list = pcall(parse, given)
        if not fits then return nil end
        given = list
    end
    if type(given) ~= "table" or given == NULL then return nil end
    if given.order then
        if not is_loop then return nil end
        local values = {}
        for i, key in ipairs(given.order) do values[i] = to_text(given[key]) end
        return values
    end
    local values, seen = {}, {}
    for _, item in ipairs(given) do
        if item == NULL then return nil end
        local text = to_text(item)
        if is_loop or not seen[text] then values[#values + 1] = text end
        seen[text] = true
    end
    return values
end

function Model:for_each(run)
    local values, body, limit = loop_values(run), run.node.body, run.node.limit
    if run.node.pairs then
        for index = 0, #values - 1 do
            for _, node in ipairs(body) do
                if not find(run, node, index) then
                    if limit > 0 and count(run, "tasks").live >= limit then return false end
                    self:create(run, node, "tasks", index)
                end
            end
        end
        return not has_live(run, "tasks")
    end
    local slots = limit < 0 and 1 or limit == 0 and #values or math.min(limit, #values)
    while count(run, "tasks").live < slots do
        local found = false
        for index = 0, #values - 1 do
            if not found and not has_live(run, "tasks", index) then
                for _, node in ipairs(body) do
                    if not found and not find(run, node, index) then
                        self:create(run, node, "tasks", index)
                        found = true
                    end
                end
            end
        end
        if not found then break end
    end
    return not has_live(run, "tasks")
end

function Model:iteration(run, index)
    local one = run.iterations[index]
    local sum = count(run, "tasks", index)
    if over(one) or sum.live > 0 then return end
    local outputs = run.node.props
    local waits = outputs and outputs.constant == nil and not one.told
    if sum.KILLED > 0 then
        one.state = "KILLED"
    elseif sum.FAILED > 0 then
        if waits then return end  -- it puts out what it can
        one.state = "FAILED"
    elseif self:sequence(run, run.node.body, "tasks", index) then
        if waits then return end
        if outputs and outputs.constant == nil and one.told.is_error then
            one.state = "FAILED"
            self.changed = true
            return
        end
        one.state = sum.WARNING > 0 and "WARNING" or "SUCCESS"
    else
        return
    end
    self.changed = true
end

-- Iterations of a Loop go on by themselves, also when no new one may start.
function Model:iterations(run, may_start)
    local limit = run.node.limit < 0 and 1 or run.node.limit
    local begun = run.iterations.count or 0
    for index = 0, begun - 1 do self:iteration(run, index) end
    local sum = count(run, "tasks")
    local fails = run.node.transmitFailed and sum.FAILED + sum.KILLED > 0
    while may_start and not fails and begun < #loop_values(run) do
        if limit > 0 and count(run, "tasks").live >= limit then break end
        run.iterations[begun] = { state = "" }
        begun = begun + 1
        run.iterations.count = begun
        self.changed = true
    end
    return count(run, "tasks").live == 0
end

function Model:until_true(run)
    if run.state == "PAUSED" then
        if not run.fired then return false end
        local pass = run.pass + 1
        for _, kid in ipairs(run.kids) do self:drop(kid) end
        run.kids, run.pass, run.fired = {}, pass, nil
        self:set(run, "RUNNING")
    end
    run.pass = run.pass or 0
    if not self:sequence(run, run.node.body, "tasks", run.pass) then return false end
    local passes = run.pass + 1
    local condition = self:need(run, SLOT.A, passes)
    if not condition then return false end
    if is_true(condition.value) then return true end
    local frequency = value_of(run, SLOT.B).value
    local passes_max, time_max = frequency.maxIterations, duration(frequency.maxDuration)
    if (passes_max and passes >= passes_max) or (time_max and self.now - run.begun >= time_max) then
        if run.node.failOnMax then run.has_failed = true end
        return true
    end
    run.timer, run.fired = self.now + duration(frequency.interval), nil
    self:set(run, "PAUSED")
    return false
end

local PARTS = { "split", "items", "merge" }

function Model:parts(run)
    if count(run, "tasks").live > 0 then return false end
    for i = 1, run.node.wait and 3 or 2 do
        if not find(run, run.node, nil, PARTS[i]) then
            self:create(run, run.node, "tasks", nil, PARTS[i])
            return false
        end
    end
    return true
end

-- The task runs of `tasks` that may start; true when none is left.
function Model:advance(run)
    local kind = run.node.kind
    if kind == "PARALLEL" then return self:parallel(run) end
    if kind == "DAG" then return self:dag(run) end
    if kind == "FOREACH" then return self:for_each(run) end
    if kind == "LOOP" then return self:iterations(run, true) end
    if kind == "LOOP_UNTIL" then return self:until_true(run) end
    if kind == "ITEMS" then return self:parts(run) end
    return self:sequence(run, tasks_of(run), "tasks")
end

local function result(run)
    local sum = count(run, "tasks")
    local counts = run.node.kind ~= "LOOP" or run.node.transmitFailed
    local state = "SUCCESS"
    if run.node.kind ~= "LOOP" and sum.WARNING > 0 then state = "WARNING" end
    if run.has_failed or (counts and sum.FAILED > 0) then state = "FAILED" end
    if counts and sum.KILLED > 0 then state = "KILLED" end
    return with_flags(run.node, state)
end

function Model:end_level(run)
    if run == self.root then
        self:end_flow(result(run))
    else
        self:set(run, result(run))
    end
end

function Model:level(run)
    if self.is_paused then return end
    local node = run.node
    if count(run, "finally").all == 0 then
        local sum = count(run, "tasks")
        local counts = node.kind ~= "LOOP" or node.transmitFailed
        local is_killed = counts and sum.KILLED > 0
        local is_failed = run.has_failed or (counts and sum.FAILED > 0)
        if is_killed or is_failed or count(run, "errors").all > 0 then
            if node.kind == "LOOP" then self:iterations(run, false) end
            sum = count(run, "tasks")
            if sum.live > 0 then return end
            if counts and sum.KILLED > 0 then  -- perhaps by an iteration that ended just now
                self:end_level(run)
                return
            end
            if not self:sequence(run, node.errors, "errors") then return end
        else
            if not self:advance(run) or over(run) then return end
            -- What was just found may be a failure: then the list to look at is another.
            sum = count(run, "tasks")
            is_killed, is_failed = counts and sum.KILLED > 0, counts and sum.FAILED > 0
            if is_killed or is_failed or (run.has_failed and #node.errors > 0) then
                self.changed = true
                return
            end
        end
    end
    if self:sequence(run, node.finally, "finally") then self:end_level(run) end
end

-- --- the kinds -----------------------------------------------------------------------------------

function Model:begin_level(run)
    local kind = run.node.kind
    local found = self:need(run, SLOT.A)
    if not found then return end
    if kind == "IF" then
        run.branch = is_true(found.value) and run.node.body or run.node.extra
        if not is_true(found.value) and #run.node.extra == 0 then
            self:set(run, "SUCCESS")  -- no branch: nothing to do, not even its `finally`
            return
        end
    elseif kind == "SWITCH" then
        for _, case in ipairs(run.node.cases) do
            if not run.branch and case.key == to_text(found.value) then run.branch = case.tasks end
        end
        if not run.branch and #run.node.extra == 0 then
            self:fail(run)
            return
        end
        run.branch = run.branch or run.node.extra
    elseif (kind == "FOREACH" or kind == "LOOP") and not loop_values(run) then
        self:fail(run)
        return
    end
    self:set(run, "RUNNING")
    if kind == "LOOP" and #loop_values(run) == 0 then self:set(run, "SUCCESS") end
end

function Model:begin_pause(run)
    local rule = self:need(run, SLOT.A)
    if not rule then return end
    local wait = duration(rule.value.pauseDuration) or duration(rule.value.timeout)
    run.timer, run.fired = wait and self.now + wait, nil
    self:set(run, "PAUSED")
end

function Model:fail_inside(run)
    if #run.node.errors == 0 and #run.node.finally == 0 then
        self:fail(run)
    else
        run.has_failed = true
        self:set(run, "RUNNING")
    end
end

function Model:pause(run)
    if self.is_paused then return end
    if run.state == "RUNNING" then
        if not has_live(run, "extra") then self:level(run) end
        return
    end
    if not self:sequence(run, run.node.extra, "extra") or not run.fired then return end
    local rule = value_of(run, SLOT.A).value
    local behavior = rule.behavior or "RESUME"
    if not rule.pauseDuration or behavior == "FAIL" then
        self:fail_inside(run)
    elseif behavior == "WARN" then
        self:set(run, with_flags(run.node, "WARNING"))
    elseif behavior == "CANCEL" then
        self:end_early({ state = "CANCELLED", run = run, cancels = true })
    else
        self:set(run, "RUNNING")
    end
end

function Model:begin_update(run)
    local props = self:need(run, SLOT.PROPS)
    if not props then return end
    if run.node.update ~= "EXIT" then
        self:set(run, "SUCCESS")
        return
    end
    local state = props.value.state
    self:end_early({ state = state, run = run, cancels = state == "KILLED" })
    self:set(run, state)
end

function Model:begin_task(run)
    if run.part == "" and not self:need(run, SLOT.TIMEOUT, #run.attempts + 1) then return end
    if not run.may_start then run.may_start, self.changed = true, true end
end

local function transmitted(node, state, is_error)
    if is_error then return "FAILED" end
    local is_bad = state == "FAILED" or state == "KILLED" or state == "WARNING"
    return node.wait and node.transmitFailed and is_bad and state or "SUCCESS"
end

function Model:begin_subflow(run)
    if not self:need(run, SLOT.B) then return end
    local old = run.child
    if run.state == "RESTARTED" and old and not old.is_error
        and (old.state == "SUCCESS" or old.state == "WARNING") then
        self:set(run, "SUCCESS")
        return
    end
    run.attempts[#run.attempts + 1] = { started = self.now }
    run.child = {}
    self:set(run, "RUNNING")
end

function Model:batches(run)
    local split = find(run.parent, run.node, nil, "split")
    local total = split.batches and #split.batches or 0
    local begun = run.iterations.count or 0
    while begun < total and not self.is_paused do
        run.iterations[begun] = { state = "" }
        begun = begun + 1
        run.iterations.count = begun
        self.changed = true
    end
    for index = 0, begun - 1 do
        local one = run.iterations[index]
        local leaf = run.node.b
        if not over(one) and leaf and leaf.constant == nil and one.told then
            if one.told.is_error then
                one.state = "FAILED"
                self.changed = true
            else
                one.is_called = true
            end
        elseif not over(one) and (not leaf or leaf.constant ~= nil) then
            one.is_called = true
        end
    end
    local sum = count(run, "tasks")
    if begun < total or sum.live > 0 then return end
    local state = "SUCCESS"
    if sum.WARNING > 0 then state = "WARNING" end
    if sum.KILLED > 0 then state = "KILLED" end
    if sum.FAILED > 0 then state = "FAILED" end
    self:set(run, state)
end

function Model:begin(run)
    local node = run.node
    if run.part == "" then
        local condition = self:need(run, SLOT.RUN_IF)
        if not condition then return end
        if node.runIf and not is_true(condition.value) then
            self:set(run, "SKIPPED")
            return
        end
    end
    local kind = node.kind
    if kind == "TASK" or run.part == "split" or run.part == "merge" then
        self:begin_task(run)
    elseif kind == "SUBFLOW" then
        self:begin_subflow(run)
    elseif kind == "PAUSE" then
        self:begin_pause(run)
    elseif kind == "UPDATE" then
        self:begin_update(run)
    elseif kind == "TIMER" then
        local props = self:need(run, SLOT.PROPS)
        local limit = props and self:need(run, SLOT.TIMEOUT, #run.attempts + 1)
        if not limit then return end
        local sleep, most = duration(props.value.duration), duration(limit.value)
        run.is_cut = most ~= nil and most < sleep
        run.timer, run.fired = self.now + (run.is_cut and most or sleep), nil
        self:set(run, "RUNNING")
    elseif kind == "LOOP_UNTIL" then
        if self:need(run, SLOT.B) then self:set(run, "RUNNING") end
    elseif kind == "ITEMS" then
        local is_known = run.part == "items" or (self:need(run, SLOT.A) and self:need(run, SLOT.C))
        if is_known then self:set(run, "RUNNING") end
    else
        self:begin_level(run)
    end
end

function Model:go_on(run)
    local kind = run.node.kind
    local last = last_attempt(run)
    if kind == "PAUSE" then
        self:pause(run)
    elseif kind == "TIMER" then
        if run.fired and run.is_cut then self:fail(run) end
        if run.fired and not over(run) then self:set(run, "SUCCESS") end
    elseif run.part == "items" then
        self:batches(run)
    elseif is_level(run) then
        self:level(run)
    elseif last and last.state and not last.is_decided then
        self:conclude(run, last.state)
    end
end

return transmitted
