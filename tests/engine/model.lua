-- model.lua - what the language says becomes of an execution, written a second time.
--
-- It is told a plan and the log of a run and reads only the outside events of the log: what the
-- world did and when. After each it works out by itself, from flow-language.md 4 and 5 (5.4 for the
-- levels) and the differences of design section 20, which task runs there are and in which state.
-- It shares no code with the engine and none of its ideas: it counts nothing, remembers no cursor,
-- and looks at every live task run again and again until nothing changes. Where the engine knows
-- run ids, it knows places: "/loop[2]/task".
--
-- Of the engine's decisions it reads four things: which place an id belongs to, the names of timers,
-- when a random retry comes (any time in its bounds is right), and the state it shows, to compare.
--
-- check(plan, log, state, runs) gives nil or a text that says where the two differ.

local folder = debug.getinfo(1, "S").source:match("^@(.*/)")
local values = dofile(folder .. "model_values.lua")
local NULL, parse, is_true = values.NULL, values.parse, values.is_true

-- --- states --------------------------------------------------------------------------------------

local OVER = {
    SUCCESS = true, WARNING = true, FAILED = true, KILLED = true,
    CANCELLED = true, RETRIED = true, SKIPPED = true,
}

local function over(thing) return OVER[thing.state] == true end

local LEVELS = {
    SEQUENCE = true, PARALLEL = true, DAG = true, IF = true, SWITCH = true, FOREACH = true,
    LOOP = true, LOOP_UNTIL = true, PAUSE = true,
}
local SLOT = { RUN_IF = 1, TIMEOUT = 2, A = 3, B = 4, C = 5, PROPS = 6, OUTPUTS = 7, SLA = 8 }

local Model = {}
Model.__index = Model

local function is_level(run)
    return LEVELS[run.node.kind] or (run.node.kind == "ITEMS" and (run.part == "" or run.part == "items"))
end

local function complain(format, ...) error({ says = format:format(...) }, 0) end

-- What ends first is noticed first by the level above it.
function Model:notice(level)
    if level == nil or level.noticed then return end
    self.notices = self.notices + 1
    level.noticed = self.notices
end

function Model:set(run, state)
    if run.state == state then return end
    run.state = state
    self.changed = true
    if OVER[state] then
        run.timer, run.may_start = nil, nil
        self:notice(run.parent)
    end
end

local function with_flags(node, state)
    if state == "FAILED" and node.allowFailure then state = "WARNING" end
    if state == "WARNING" and node.allowWarning then state = "SUCCESS" end
    return state
end

function Model:fail(run) self:set(run, with_flags(run.node, "FAILED")) end

-- --- task runs -----------------------------------------------------------------------------------

local function clear(run)
    run.kids = {}        -- task runs directly below, in order of creation
    run.iterations = {}  -- LOOP, batches: from 0; {state, told, child}
    run.pass = nil       -- LOOP_UNTIL
end

local function new_run(parent, node, role, index, part)
    local run = {
        node = node, parent = parent, role = role, index = index, part = part or "",
        state = "CREATED", attempts = {}, told = {},
    }
    run.task = node.id .. (run.part ~= "" and "_" .. run.part or "")
    run.path = parent and parent.path .. "/" .. run.task .. (index and "[" .. index .. "]" or "") or ""
    clear(run)
    return run
end

function Model:create(parent, node, role, index, part)
    local run = new_run(parent, node, role, index, part)
    self.made = self.made + 1
    run.begun, run.number = self.now, self.made
    parent.kids[#parent.kids + 1] = run
    self.order[#self.order + 1] = run
    self.runs[run.path] = run
    self.changed = true
end

function Model:drop(run)
    for _, kid in ipairs(run.kids) do self:drop(kid) end
    run.is_gone = true
    if self.runs[run.path] == run then self.runs[run.path] = nil end
end

local function without_gone(list)
    local kept = {}
    for _, run in ipairs(list) do
        if not run.is_gone then kept[#kept + 1] = run end
    end
    return kept
end

local function still_live(list)
    local kept = {}
    for _, run in ipairs(list) do
        if not run.is_gone and not OVER[run.state] then kept[#kept + 1] = run end
    end
    return kept
end

local function find(run, node, index, part)
    for _, kid in ipairs(run.kids) do
        if kid.node == node and kid.index == index and kid.part == (part or "") then return kid end
    end
end

-- How many there are, live, and in each state: of a role, of one iteration where it is given.
local function count(run, role, index)
    local sum = { all = 0, live = 0, FAILED = 0, KILLED = 0, WARNING = 0 }
    local isolated = role == "tasks" and index == nil
        and (run.node.kind == "LOOP" or run.part == "items")
    local list, first, last = run.kids, 1, #run.kids
    if isolated then list, first, last = run.iterations, 0, (run.iterations.count or 0) - 1 end
    for i = first, last do
        local one = list[i]
        if isolated or (one.role == role and (index == nil or one.index == index)) then
            local state = one.state
            sum.all = sum.all + 1
            if not OVER[state] then sum.live = sum.live + 1 end
            if sum[state] then sum[state] = sum[state] + 1 end
        end
    end
    return sum
end

-- Whether there is a live one; nothing isolated.
local function has_live(run, role, index)
    for _, one in ipairs(run.kids) do
        local fits = one.role == role and (index == nil or one.index == index)
        if fits and not OVER[one.state] then return true end
    end
    return false
end

-- What a property is: nil as long as the world has not said it.
local function value_of(run, slot, turn)
    local node = run.node
    local leaf
    if slot == SLOT.RUN_IF then leaf = node.runIf
    elseif slot == SLOT.TIMEOUT then leaf = node.timeout
    elseif slot == SLOT.A then leaf = node.a
    elseif slot == SLOT.B then leaf = node.b
    elseif slot == SLOT.C then leaf = node.c
    else leaf = node.props end
    if leaf == nil then return { value = NULL } end
    if leaf.constant ~= nil then return { value = leaf.constant } end
    return run.told[slot .. "." .. (turn or 0)]
end

-- As value_of, and an error ends the run.
function Model:need(run, slot, turn)
    local found = value_of(run, slot, turn)
    if found and found.is_error then
        if slot == SLOT.RUN_IF then self:set(run, "FAILED") else self:fail(run) end
        return nil
    end
    return found
end

-- --- one attempt (3.3, 5.3) ----------------------------------------------------------------------

local function last_attempt(run) return run.attempts[#run.attempts] end

local function is_under_way(run)
    local last = last_attempt(run)
    return last ~= nil and last.state == nil
end

function Model:next_attempt_at(run)
    local retry = run.node.retry
    if retry == nil or run.part ~= "" then return nil end
    local made = retry.isNew and self.attempt or #run.attempts
    if retry.isNew and OVER[self.state] then return nil end
    if retry.maxAttempts > 0 and made >= retry.maxAttempts then return nil end
    local ended = last_attempt(run).ended
    local first = retry.isNew and self.created or run.attempts[1].started
    local function is_late(at) return retry.maxDuration > 0 and at - first >= retry.maxDuration end
    local delay = retry.interval
    if retry.kind == "EXPONENTIAL" then
        for _ = 2, made do delay = delay * retry.delayFactor end
        if retry.maxInterval > 0 then delay = math.min(delay, retry.maxInterval) end
    elseif retry.kind == "RANDOM" then
        local least, most = ended + retry.interval, ended + math.max(retry.maxInterval - 1, retry.interval)
        local at = self.hints[run.path]
        if at == nil then
            if not is_late(most) then complain("%s: no retry, though there is time for one", run.path) end
            return nil
        end
        if at < least or at > most then complain("%s: a random retry out of its bounds", run.path) end
        return not is_late(at) and at or nil
    end
    return not is_late(ended + delay) and ended + delay or nil
end

function Model:conclude(run, state)
    local retry = run.node.retry
    last_attempt(run).is_decided = true
    if state == "SUCCESS" and #run.attempts > 1 and retry and retry.warning then state = "WARNING" end
    if state == "FAILED" and not self:ending_now() then
        local at = self:next_attempt_at(run)
        if at then
            run.timer, run.fired = at, nil
            self:set(run, "RETRYING")
            return
        end
    end
    self:set(run, run.part == "" and with_flags(run.node, state) or state)
end
local transmitted = assert(loadfile(folder .. "model_levels.lua"))(values, Model, {
    over = over, is_level = is_level, with_flags = with_flags, SLOT = SLOT, find = find, count = count, has_live = has_live,
    value_of = value_of, last_attempt = last_attempt,
})

-- --- ending early (5.5; Exit, agreements, Pause with CANCEL, a retry elsewhere) ------------------

function Model:end_early(ending)
    if self.ending or OVER[self.state] then return end
    self.ending = ending
    self.is_paused = false
    self.changed = true
end

function Model:ending_now()
    if OVER[self.state] then return self.is_killed_after and { state = "KILLED", cancels = true } or nil end
    return self.ending
end

local function holds(outer, inner)
    while inner do
        if inner == outer then return true end
        inner = inner.parent
    end
    return false
end

function Model:wind_down(run, ending)
    run.may_start = nil
    if is_under_way(run) then return end
    for _, kid in ipairs(run.kids) do
        if not over(kid) then return end
    end
    for index = 0, (run.iterations.count or 0) - 1 do
        local one = run.iterations[index]
        if run.part == "items" and one.is_called and not over(one) then return end
    end
    local last = last_attempt(run)
    local was_stopped = ending.cancels and run.child and run.child.state == "KILLED"
    if last and not last.is_decided and not was_stopped then
        self:conclude(run, last.state)
    else
        self:set(run, ending.run and holds(run, ending.run) and ending.state or "KILLED")
    end
end

-- --- the execution -------------------------------------------------------------------------------

function Model:end_flow(state)
    if self.plan.hasOutputs and state ~= "KILLED" then
        if not self.outputs then return end
        if self.outputs.is_error then state = "FAILED" end
    end
    self.state = state
    self.changed = true
end

function Model:show()
    local state = "RUNNING"
    for _, run in ipairs(self.order) do
        if run.state == "RETRYING" and state == "RUNNING" then state = "RETRYING" end
        if run.state == "PAUSED" then state = "PAUSED" end
    end
    if self.is_paused then state = "PAUSED" end
    if self.ending and self.ending.cancels then state = "KILLING" end
    self.state = state
end

function Model:live()
    local live = 0
    for _, run in ipairs(self.order) do
        if not over(run) then live = live + 1 end
    end
    return live
end

-- No task begins before every assertion has been looked at once.
function Model:awaits_assertions()
    for i, sla in ipairs(self.plan.slas) do
        local seen = self.slas[i]
        if sla.kind ~= "DURATION" and not seen.is_told and not seen.is_handled then return true end
    end
    return false
end

function Model:step_root()
    if OVER[self.state] then
        if self.state ~= "RETRIED" and not self.is_killed_after then
            self:sequence(self.root, self.root.node.extra, "extra")
        end
        return
    end
    if not self.ending then
        for i, sla in ipairs(self.plan.slas) do
            local seen = self.slas[i]
            if not self.ending and seen.is_violated and not seen.is_handled then
                seen.is_handled = true
                if sla.behavior ~= "NONE" then
                    self:end_early({ state = sla.behavior == "FAIL" and "FAILED" or "CANCELLED", cancels = true })
                end
            end
        end
    end
    self:show()
    if not self.ending then
        if not self:awaits_assertions() then self:level(self.root) end
        return
    end
    if self:live() > 0 then return end
    if self.ending.follows then
        if not self.follower then return end
        self.state = self.follower.is_error and "FAILED" or self.ending.state
    else
        self.state = self.ending.state
    end
    self.changed = true
end

function Model:step(run)
    local ending = self:ending_now()
    if ending then
        self:wind_down(run, ending)
    elseif run.state == "CREATED" or run.state == "RESTARTED" then
        self:begin(run)
    elseif run.state == "RETRYING" then
        if run.fired then
            self:end_early({ state = "RETRIED", run = run, cancels = true, follows = true })
        end
    elseif not run.is_unknown then
        self:go_on(run)
    end
end

local function begins(run) return run.state == "CREATED" or run.state == "RESTARTED" end

-- Looks at the live task runs of a kind, and at the execution; true where something changed.
function Model:look(matches)
    self.changed = false
    local now, is_noticed = {}, false
    for _, run in ipairs(self.order) do
        if matches(run) then
            now[#now + 1] = run
            is_noticed = is_noticed or run.noticed
        end
    end
    if is_noticed then
        local place = {}
        for i, run in ipairs(now) do place[run] = run.noticed or math.maxinteger - #now + i end
        table.sort(now, function(a, b) return place[a] < place[b] end)
    end
    for _, run in ipairs(now) do
        run.noticed = nil
        if not run.is_gone and not over(run) then self:step(run) end
    end
    self.order = still_live(self.order)
    self:step_root()
    return self.changed
end

function Model:settle()
    -- What is under way is looked at until nothing changes, then what begins: where an Exit begins,
    -- whatever could go on at that moment has done so.
    for round = 1, 1000 do
        local is_quiet = not self:look(function(run) return not begins(run) end)
        if is_quiet and not self:look(begins) then break end
        if round == 1000 then complain("the model finds no end") end
    end
end

-- --- restart (5.6) -------------------------------------------------------------------------------

local RESTARTABLE = { FAILED = true, KILLED = true, CANCELLED = true, PAUSED = true }

local function reopen_iterations(run)
    local at = run
    while at do
        local above = at.parent
        local one = above and above.node.kind == "LOOP" and at.index and above.iterations[at.index]
        if one and over(one) then one.state, one.told = "", nil end
        at = above
    end
end

function Model:drop_followers(run)
    for _, kid in ipairs(run.kids) do
        local follows = kid.role == "errors" or kid.role == "finally"
            or (kid.role == "extra" and run == self.root)
        if follows then self:drop(kid) end
    end
    run.kids = without_gone(run.kids)
end

function Model:reopen(run)
    self:drop_followers(run)
    if run == self.root then return end
    run.has_failed, run.timer, run.fired = nil, nil, nil
    if run.node.kind == "LOOP" then
        for index = 0, (run.iterations.count or 0) - 1 do
            local one = run.iterations[index]
            if one.state == "FAILED" and count(run, "tasks", index).FAILED == 0 then
                one.state, one.told = "", nil
            end
        end
    end
    reopen_iterations(run)
    run.state = "RUNNING"
end

function Model:reset(run)
    if run.part == "items" then
        for index = 0, (run.iterations.count or 0) - 1 do
            local one = run.iterations[index]
            if one.state == "FAILED" or one.state == "KILLED" then
                one.state, one.is_called = "", nil
                if one.told and one.told.is_error then one.told = nil end
            end
        end
    else
        for _, kid in ipairs(run.kids) do self:drop(kid) end
        clear(run)
    end
    run.told, run.branch, run.has_failed, run.is_unknown = {}, nil, nil, nil
    run.timer, run.fired, run.may_start = nil, nil, nil
    local last = last_attempt(run)
    if last then
        last.state = last.state or "KILLED"
        last.is_decided = true
    end
    reopen_iterations(run)
    run.state = "RESTARTED"
end

function Model:restart_run(run)
    local is_whole = not is_level(run) or run.node.workdir or run.part == "items"
    local is_tolerated = run.state == "SUCCESS" or run.state == "WARNING"
    if not is_whole and not is_tolerated and self:restart_level(run) then return true end
    if not RESTARTABLE[run.state] then return false end
    local has_failed_iteration = false
    for index = 0, (run.iterations.count or 0) - 1 do
        has_failed_iteration = has_failed_iteration or run.iterations[index].state == "FAILED"
    end
    local was_stopped = #run.kids > 0 and (run.state == "KILLED" or run.state == "CANCELLED")
    if not is_whole and (was_stopped or (run.node.kind == "LOOP" and has_failed_iteration)) then
        self:reopen(run)
    else
        self:reset(run)
    end
    return true
end

function Model:restart_level(run)
    local found = false
    for _, kid in ipairs(run.kids) do
        if kid.role == "tasks" and self:restart_run(kid) then found = true end
    end
    if found then self:reopen(run) end
    return found
end

-- What is to act at the same moment acts in the order of the flow.
local function collect(run, into)
    for _, kid in ipairs(run.kids) do
        into[#into + 1] = kid
        collect(kid, into)
    end
    return into
end

function Model:restart()
    if not self:restart_level(self.root) then self:drop_followers(self.root) end
    self.order = collect(self.root, {})
    self.ending, self.outputs, self.follower = nil, nil, nil
    self.is_paused, self.is_killed_after = false, false
    self.attempt = self.attempt + 1
    self:watch()
    self.state = "RESTARTED"
end

-- --- the world -----------------------------------------------------------------------------------

function Model:watch()
    for i, sla in ipairs(self.plan.slas) do
        self.slas[i] = { timer = sla.kind == "DURATION" and self.now + sla.duration or nil }
    end
end

local on = {}

function on.CREATED(model)
    model.created = model.now
    model:watch()
end

function on.RESOLVED(model, event, run)
    local said = { value = event.value == nil and NULL or event.value, is_error = event.error }
    if event.run == nil then
        local seen = model.slas[(event.index or 0) + 1]
        seen.is_told = true
        if not said.is_error and not is_true(said.value) then seen.is_violated = true end
    elseif run == nil or over(run) then
        return
    elseif event.frame then
        local one = run.iterations[model.frames[event.frame].index]
        if not over(one) then one.told = said end
    else
        run.told[event.slot .. "." .. (event.index or 0)] = said
    end
end

-- The attempt an answer is about.
local function attempt_of(event, run, may_begin)
    if run == nil or over(run) then return nil end
    local last = last_attempt(run)
    if last and last.state == nil then return event.attempt == #run.attempts and last or nil end
    local begins = may_begin and (run.state == "CREATED" or run.state == "RESTARTED")
    if not begins or event.attempt ~= #run.attempts + 1 then return nil end
    if not run.may_start then complain("%s: an attempt began that should not", run.path) end
    return {}
end

local function begin_attempt(model, run, attempt)
    if attempt == last_attempt(run) then return end
    attempt.started = model.now
    run.attempts[#run.attempts + 1] = attempt
    run.may_start = nil
    model:set(run, "RUNNING")
end

function on.STARTED(model, event, run)
    local attempt = attempt_of(event, run, true)
    if attempt then begin_attempt(model, run, attempt) end
end

function on.ENDED(model, event, run)
    local attempt = attempt_of(event, run, true)
    if not attempt then return end
    begin_attempt(model, run, attempt)
    attempt.state, attempt.ended = event.state, model.now
    if run.part == "split" and event.more and event.more.batches then run.batches = event.more.batches end
    model:set(run, "RUNNING")
end

function on.DONE(model, event, run) on.ENDED(model, event, run) end

function on.UNKNOWN(model, event, run)
    local attempt = attempt_of(event, run, false)
    if not attempt then return end
    attempt.state, attempt.ended, attempt.is_decided = "KILLED", model.now, true
    run.is_unknown = true
    model:set(run, "PAUSED")
end

function on.UNKNOWN_RESOLVED(model, event, run)
    if run == nil or not run.is_unknown then return end
    run.is_unknown = nil
    if OVER[event.state] then
        local last = last_attempt(run)
        last.state, last.is_decided = event.state, nil
        model:set(run, "RUNNING")
    else
        model:set(run, "CREATED")
    end
end

function on.FIRED(model, event, run)
    local id, number = event.id:match("^(%x+)%.(%d+)$")
    if not id:find("[^0]") then
        local seen = model.slas[tonumber(number) % (1 << 20) + 1]
        local is_of_now = tonumber(number) // (1 << 20) == model.attempt
        if is_of_now and seen.timer and model.now >= seen.timer then seen.is_violated = true end
        return
    end
    run = model.runs[model.places[id]]
    if run == nil or over(run) or run.timer == nil then return end
    if event.id ~= model.timers[run.path] then return end  -- one that was set before
    if model.now < run.timer then complain("%s: its timer fires too early", run.path) end
    run.timer, run.fired = nil, true
    if run.state == "RETRYING" and not run.node.retry.isNew then
        run.fired = nil
        model:set(run, "CREATED")
    end
end

function on.CHILD_ENDED(model, event, run)
    local child = { state = event.state or "CREATED", is_error = event.error }
    if event.run == nil then
        model.follower = child
        return
    end
    if run == nil then return end
    local state = transmitted(run.node, child.state, child.is_error)
    if event.frame then
        local one = run.iterations[model.frames[event.frame].index]
        if over(run) or over(one) then return end
        if not one.is_called then complain("%s: a child that should not be", run.path) end
        one.state = state
        return
    end
    local last = last_attempt(run)
    if over(run) or not is_under_way(run) then return end
    run.child = child
    last.state, last.ended = state, model.now
end

local function waits_for_a_person(run)
    return run.state == "PAUSED" and run.node.kind == "PAUSE" and not run.is_unknown
end

function on.RESUMED(model, event, run)
    if event.run == nil then
        model.is_paused = false
    elseif run and waits_for_a_person(run) then
        for _, other in ipairs(model.order) do
            if waits_for_a_person(other) and other.number < run.number then
                complain("%s was resumed, not %s", run.path, other.path)
            end
        end
        run.timer = nil
        model:set(run, "RUNNING")
    end
end

function on.PAUSE(model)
    model.is_paused = not OVER[model.state]
end

function on.KILL(model, event)
    if OVER[model.state] then
        model.is_killed_after = true
    else
        model.ending = { state = OVER[event.state or ""] and event.state or "KILLED", cancels = true }
        model.is_paused = false
    end
end

function on.OUTPUTS(model, event) model.outputs = { is_error = event.error } end

function on.RESTARTED(model) model:restart() end

function on.OWNER() end

-- --- comparing -----------------------------------------------------------------------------------

local LEARNED = { FRAME = true, TASKRUN = true, RETRY_AT = true, TIMER_SET = true, STATE = true }

function Model:learn(kind, event)
    if kind == "FRAME" then
        self.frames[event.frame] = { loop = event.run, index = event.index or 0 }
    elseif kind == "TASKRUN" then
        local above = event.parent and self.places[event.parent] or ""
        local frame = event.frame and self.frames[event.frame]
        local index = frame and frame.loop == event.parent and "[" .. frame.index .. "]" or ""
        self.places[event.run] = above .. "/" .. event.task .. index
    elseif kind == "RETRY_AT" then
        self.hints[self.places[event.run]] = event.at
        self.timers[self.places[event.run]] = event.id
    elseif kind == "TIMER_SET" and event.run then
        self.timers[self.places[event.run]] = event.id
    elseif kind == "STATE" then
        self.shown = event.state
    end
end

local function new_model(plan)
    local root = new_run(nil, plan.root, "tasks")
    root.state = "RUNNING"
    return setmetatable({
        plan = plan, root = root, order = {}, runs = {}, slas = {}, now = 0, made = 0, notices = 0,
        state = "CREATED", attempt = 1, places = {}, frames = {}, hints = {}, timers = {},
    }, Model)
end

local function compare(model, ends)
    if ends.state ~= model.state then
        complain("the execution is %s, by the language %s", ends.state, model.state)
    end
    local seen = {}
    for id, state, attempts in ends.runs:gmatch("(%x+) (%u+) (%d+)\n") do
        local place = model.places[id] or id
        local run = model.runs[place]
        if run == nil then complain("%s is there, by the language it is not", place) end
        if seen[place] then complain("%s is there twice", place) end
        if run.state ~= state then complain("%s is %s, by the language %s", place, state, run.state) end
        if #run.attempts ~= tonumber(attempts) then
            complain("%s has %s attempts, by the language %d", place, attempts, #run.attempts)
        end
        seen[place] = true
    end
    for place in pairs(model.runs) do
        if not seen[place] then complain("%s is missing", place) end
    end
end

local known_text, known_plan

-- `log`: one line per event, "time kind body". Outside events are those `on` knows.
local function check(plan_text, log, ends_state, ends_runs)
    if known_text ~= plan_text then known_text, known_plan = plan_text, parse(plan_text) end
    local model = new_model(known_plan)
    local events = {}
    for time, kind, body in log:gmatch("(%-?%d+) (%u[%u_]*) ([^\n]*)\n") do
        if kind == "COPIED" or kind == "MARKED" then return nil end  -- not described here
        events[#events + 1] = { tonumber(time), kind, (on[kind] or LEARNED[kind]) and parse(body) }
    end
    local fits, why = pcall(function()
        local at = 1
        while at <= #events do
            local time, kind, event = table.unpack(events[at])
            local first = at
            model.hints = {}
            at = at + 1
            while events[at] and not on[events[at][2]] do
                model:learn(events[at][2], events[at][3])
                at = at + 1
            end
            model.now = time
            local answer = on[kind]
            if answer == nil then complain("event %d is a decision without a cause", first) end
            local run = event.run and model.places[event.run] and model.runs[model.places[event.run]]
            answer(model, event, run or nil)
            model:settle()
            if model.shown and model.shown ~= model.state then
                complain("behind event %d the execution is %s, by the language %s", first, model.shown,
                    model.state)
            end
        end
        compare(model, { state = ends_state, runs = ends_runs })
    end)
    if fits then return nil end
    return type(why) == "table" and why.says or tostring(why)
end

return check
