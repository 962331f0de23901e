"""generate.py - random flows that Kestra and we both run: one seed, one flow, always the same.

Nests of flowables, loops, conditions, retries, errors/finally/afterExecution, allowFailure, disabled, runIf, outputs read
across levels, inputs of every type, typed flow outputs. A flow is *loose* where the language leaves open what is started after a
failure (a failing task among tasks that run at the same time): only its state is compared.
"""

import random

CORE = "io.kestra.plugin.core."
TEXTS = ("a", "b c", "x-1", "Ünï", "", "5", "true", "{\"k\": 1}")
WORDS = ("red", "green", "blue", "1", "two words")
# Kinds of lists a task stands in.
CALM, OPEN = "calm", "open"


class Flow:
    """What is generated so far, and what may be read where."""

    def __init__(self, seed, target):
        self.rng = random.Random(f"{target}-{seed}")
        self.seed = seed
        self.is_new = target.startswith("2")
        self.count = 0
        self.budget = self.rng.choice((4, 8, 14, 20))
        self.loose = False
        self.inputs = []
        self.values = {}
        self.children = []
        self.after = 0

    def chance(self, percent):
        return self.rng.random() * 100 < percent

    def pick(self, items):
        return self.rng.choice(list(items))

    def name(self, stem):
        self.count += 1
        return f"{stem}{self.count}"


class Place:
    """Where a task stands: what it can read, in which loops it is, whether it may fail."""

    def __init__(self, known=(), depth=0, mode=OPEN, loops=0, direct=False, items=0, in_workdir=False):
        self.known = list(known)  # expressions whose value is there
        self.depth = depth
        self.mode = mode
        self.loops = loops  # values of loops around, the innermost last
        self.direct = direct  # stands directly in a loop
        self.items = items
        self.in_workdir = in_workdir
        self.is_hidden = False
        self.is_isolated = False

    def below(self):
        """Inside a flowable with outputs: what is `parent` there has the loop's value only if it stands directly in the loop."""
        return self.inner(loops=self.loops, is_hidden=self.is_hidden or (self.loops > 0 and not self.direct))

    def inner(self, **changes):
        # 1.3 finds no value for currentEachOutput() below a flowable of the loop
        known = [k for k in self.known if "currentEachOutput" not in k and "[taskrun" not in k]
        made = Place(known, self.depth + 1, self.mode, self.loops, False, self.items, self.in_workdir)
        made.is_hidden = self.is_hidden
        made.is_isolated = self.is_isolated
        for name, value in changes.items():
            setattr(made, name, value)
        return made


def current_value(flow, place):
    """The value of the innermost loop, seen from a task here."""
    if flow.is_new:
        return "item.value" if place.items else None
    if not place.loops or place.is_hidden or (place.in_workdir and not place.direct):
        return None
    return "taskrun.value" if place.direct else "parent.taskrun.value"


def atom(flow, place):
    options = ["flow.id", "'t'", "1 + 2", "inputs.n", "inputs.s", "vars.v", "vars.deep.a[1]", "labels.team"]
    options += place.known * 2
    value = current_value(flow, place)
    if value:
        options += [value] * 4
        if not flow.is_new and place.direct and not place.in_workdir:
            options += ["taskrun.iteration"]
        if flow.is_new:
            options += ["item.index"] * 2
    if not flow.is_new and place.loops and not place.direct and not place.in_workdir and not place.is_hidden:
        options += ["parents | length", "parents[0].taskrun.value"]
    if flow.is_new and place.items > 1:
        options += ["item.parent.value"]
    return flow.pick(options)


def text(flow, place):
    """A template, with what may be missing caught most of the time."""
    kind = flow.rng.randrange(10)
    one = atom(flow, place)
    if kind < 3:
        return "{{ " + one + " }}"
    if kind < 5:
        return "{{ " + one + " }} and {{ " + atom(flow, place) + " }}"
    if kind == 5:
        return "{{ (" + one + ") | upper }}" if "+" not in one and "n" != one[-1] else "{{ " + one + " }}"
    if kind == 6:
        return "{{ outputs.nowhere.value ?? 'none' }}"
    if kind == 7:
        return "{% if " + condition(flow, place)[3:-3] + " %}yes{% else %}no{% endif %}"
    if kind == 8:
        return "{{ [1, 2, " + one + "] | join('-') }}" if flow.chance(50) else "{{ {'k': " + one + "} }}"
    return flow.pick(TEXTS)


def condition(flow, place):
    kind = flow.rng.randrange(8)
    if kind == 0:
        return "{{ inputs.b }}"
    if kind == 1:
        return "{{ inputs.n > " + str(flow.rng.randrange(6)) + " }}"
    if kind == 2:
        return "{{ inputs.s == '" + flow.pick(("a", "b c", "zz")) + "' }}"
    if kind == 3:
        return "{{ " + flow.pick(("true", "false")) + " }}"
    if kind == 4:
        return "{{ " + atom(flow, place) + " is defined }}"
    if kind == 5:
        value = current_value(flow, place)
        return "{{ " + (value or "vars.v") + " == '" + flow.pick(WORDS) + "' }}"
    if kind == 6:
        return "{{ not inputs.b }}"
    return "{{ vars.v == 'vee' }}"


# --- properties that every task may have ---------------------------------------------------------


def common(flow, task, place, can_retry=True):
    if flow.chance(10):
        task["runIf"] = condition(flow, place)
    if flow.chance(5):
        task["disabled"] = True
    if flow.chance(6):
        task["allowFailure"] = True
    if flow.chance(4):
        task["allowWarning"] = True
    return task


def retry(flow):
    made = {"type": flow.pick(("constant", "constant", "random", "exponential")), "maxAttempts": flow.rng.randrange(1, 4)}
    if made["type"] == "random":
        made.update(minInterval="PT0.01S", maxInterval="PT0.05S")
    else:
        made["interval"] = "PT0.02S"
    if made["type"] == "exponential":
        made.update(maxInterval="PT0.1S", delayFactor=1.5)
    if flow.chance(30):
        made["warningOnRetry"] = True
    return made


def remember(place, flow, task, field, kind=None):
    """What a later task of the same list can read of this one."""
    if "runIf" in task or "when" in task or task.get("disabled") or task.get("allowFailure"):
        place.known.append(f"outputs.{task['id']}.{field} ?? 'gone'" if not place.loops else "'looped'")
        place.known.append(f"tasks.{task['id']}.state ?? 'never'" if not place.loops else "'looped'")
        return
    if place.loops and not flow.is_new:
        if place.direct:
            place.known.append(f"outputs.{task['id']}[taskrun.value].{field}")
            place.known.append(f"currentEachOutput(outputs.{task['id']}).{field}" if place.loops == 1 else "'deep'")
        return
    place.known.append(f"outputs.{task['id']}.{field}")


# --- tasks that do work --------------------------------------------------------------------------


def work(flow, place):
    kinds = ["return"] * 5 + ["log"] * 2 + ["values", "assert", "shell"]
    if not place.in_workdir:
        kinds += ["sleep"]
    # an iteration of a Loop has labels and variables of its own, and so have its handlers
    if not place.in_workdir and not place.items and not place.is_isolated:
        kinds += ["labels", "setvars"]
    if place.mode == OPEN:
        kinds += ["fail", "fail"]
    kinds += ["flaky", "soft"]
    kind = flow.pick(kinds)
    task = {"id": flow.name(kind[:2])}
    if kind == "return":
        task.update(type=CORE + "debug.Return", format=text(flow, place))
    elif kind == "log":
        task.update(type=CORE + "log.Log", message=text(flow, place) or "empty")
    elif kind == "values":
        task.update(type=CORE + "output.OutputValues", values={"one": text(flow, place), "two": [1, "{{ flow.id }}", {"x": text(flow, place)}]})
    elif kind == "assert":
        task.update(type=CORE + "execution.Assert", conditions=["{{ flow.id is defined }}"], errorMessage="no")
    elif kind == "labels":
        name = "made" + str(flow.rng.randrange(3)) if place.mode == OPEN else flow.name("made")
        task.update(type=CORE + "execution.Labels", labels={name: "{{ flow.id }}-" + flow.pick("abc")})
    elif kind == "setvars":
        # among tasks that run at the same time the last one would win
        what = text(flow, place) if place.mode == OPEN else flow.pick(TEXTS)
        name = "set" + str(flow.rng.randrange(3)) if place.mode == OPEN else flow.name("set")
        task.update(type=CORE + "execution.SetVariables", variables={name: what or "e", "deep": {"more": 1}})
    elif kind == "sleep":
        task.update(type=CORE + "flow.Sleep", duration="PT0.02S")
    elif kind == "shell":
        task.update(type="io.kestra.plugin.scripts.shell.Commands", taskRunner={"type": CORE + "runner.Process"},
                    commands=["echo '::{\"outputs\":{\"value\":\"" + flow.pick(("sh", "out 1", "z")) + "\",\"n\":" + str(flow.rng.randrange(9)) + "}}::'"])
    elif kind == "fail":
        task.update(type=CORE + "execution.Fail", errorMessage="failed " + flow.pick("xyz"))
        if flow.chance(60):
            task["condition"] = condition(flow, place)
    elif kind == "flaky":
        task.update(type=CORE + "execution.Fail", condition="{{ taskrun.attemptsCount < " + str(flow.rng.randrange(1, 3)) + " }}", retry=retry(flow))
        if place.mode != OPEN:
            task["retry"].update(maxAttempts=4)
    else:
        task.update(type=CORE + "execution.Fail", allowFailure=True)
        if flow.chance(40):
            task["retry"] = retry(flow)
    if kind == "shell" and place.mode == OPEN and flow.chance(20):
        task["commands"].append("exit 3")
    if kind == "flaky" and flow.chance(30) and place.mode == OPEN and place.depth:
        del task["retry"]  # that of a flowable around it, where there is one
    common(flow, task, place)
    if kind == "return":
        remember(place, flow, task, "value")
    elif kind == "values":
        remember(place, flow, task, "values.one")
    elif kind == "shell" and len(task["commands"]) == 1:
        remember(place, flow, task, "vars.value")
    return task


# --- tasks that hold others ----------------------------------------------------------------------


def tasks(flow, place, at_least=1, at_most=4):
    made = []
    for _ in range(flow.rng.randint(at_least, at_most)):
        made.append(one(flow, place))
    return made


def lists(flow, task, place):
    """errors and finally of a level."""
    has_outputs = task["type"].endswith((".If", ".Switch", ".LoopUntil"))
    handlers = place.below() if has_outputs else place.inner()
    handlers.known = []
    if task["type"].endswith(".Loop"):
        handlers.is_isolated = True
    if flow.chance(25):
        task["errors"] = tasks(flow, handlers, 1, 2)
    if flow.chance(20):
        task["finally"] = tasks(flow, handlers, 1, 2)


def values(flow):
    made = flow.rng.sample(WORDS, flow.rng.randint(1, 3))
    if flow.chance(20) and not flow.is_new:  # 2.0.0 drops equal values of a list in a Loop, too, but not those of a map or file
        made.append(made[0])
    kind = flow.rng.randrange(4)
    if kind == 0 and not flow.is_new:
        return "[" + ", ".join('"' + v + '"' for v in made) + "]"
    if kind == 1:
        return "{{ inputs.list }}"
    if kind == 2 and flow.chance(50):
        made.append({"k": "{{ flow.id }}", "n": 1})
    if kind == 3 and flow.chance(30):
        made.append(7)
    return made


def sequential(flow, place):
    task = {"id": flow.name("seq"), "type": CORE + "flow.Sequential", "tasks": tasks(flow, place.inner())}
    return task


def allow_failure(flow, place):
    return {"id": flow.name("all"), "type": CORE + "flow.AllowFailure", "tasks": tasks(flow, place.inner(mode=OPEN if place.mode == OPEN else CALM))}


def concurrent_mode(flow, place):
    if place.mode == OPEN and flow.chance(8):
        flow.loose = True
        return OPEN
    return CALM


def parallel(flow, place):
    mode = concurrent_mode(flow, place)
    task = {"id": flow.name("par"), "type": CORE + "flow.Parallel"}
    if flow.chance(40):
        task["concurrent"] = flow.rng.randrange(4)
    task["tasks"] = [one(flow, place.inner(mode=mode)) for _ in range(flow.rng.randint(1, 4))]
    return task


def dag(flow, place):
    mode = concurrent_mode(flow, place)
    task = {"id": flow.name("dag"), "type": CORE + "flow.Dag"}
    if flow.chance(30):
        task["concurrent"] = flow.rng.randrange(1, 4)
    task["tasks"], ids = [], []
    for _ in range(flow.rng.randint(1, 4)):
        entry = {"task": one(flow, place.inner(mode=mode))}
        needs = [i for i in ids if flow.chance(40)]
        if needs:
            entry["dependsOn"] = needs
        if not entry["task"].get("disabled"):
            ids.append(entry["task"]["id"])
        task["tasks"].append(entry)
    return task


def branch(flow, place):
    task = {"id": flow.name("if"), "type": CORE + "flow.If", "condition": condition(flow, place), "then": tasks(flow, place.inner(), 1, 2)}
    if flow.chance(60):
        task["else"] = tasks(flow, place.inner(), 1, 2)
    return task


def switch(flow, place):
    task = {"id": flow.name("sw"), "type": CORE + "flow.Switch", "value": text(flow, place) or "red"}
    task["cases"] = {w: tasks(flow, place.inner(), 1, 2) for w in flow.rng.sample(WORDS + ("yes", "no"), flow.rng.randint(1, 2))}
    if place.mode == CALM or flow.chance(80):
        task["defaults"] = tasks(flow, place.inner(), 1, 2)
    return task


def loop(flow, place):
    limit = flow.pick((None, 0, 1, 2))
    mode = place.mode if limit in (None, 1) else concurrent_mode(flow, place)
    inner = place.inner(mode=mode, loops=place.loops + 1, direct=True, is_hidden=False, known=[k for k in place.known if "taskrun" not in k])
    task = {"id": flow.name("each"), "type": CORE + "flow.ForEach", "values": values(flow)}
    if limit is not None:
        task["concurrencyLimit"] = limit
    task["tasks"] = tasks(flow, inner, 1, 3)
    return task


def each(flow, place):
    is_parallel = flow.chance(50)
    mode = concurrent_mode(flow, place) if is_parallel else place.mode
    inner = place.inner(mode=mode, loops=place.loops + 1, direct=True, is_hidden=False, known=[k for k in place.known if "taskrun" not in k])
    task = {"id": flow.name("es"), "type": CORE + ("flow.EachParallel" if is_parallel else "flow.EachSequential"), "value": values(flow)}
    # the tasks of a value are not ordered where pairs run by themselves
    task["tasks"] = [one(flow, inner.inner(mode=mode, direct=True, depth=inner.depth)) for _ in range(flow.rng.randint(1, 2))] if is_parallel else tasks(flow, inner, 1, 3)
    return task


def new_loop(flow, place):
    """Of 2.0. What runs in it are executions of their own, so only its outputs and state are seen."""
    limit = flow.pick((None, 0, 1, 2))
    mode = place.mode if limit in (None, 1) else concurrent_mode(flow, place)
    inner = place.inner(mode=mode, items=place.items + 1, known=[])
    task = {"id": flow.name("loop"), "type": CORE + "flow.Loop", "values": values(flow)}
    if flow.chance(15):
        task["values"] = {"k1": "v1", "k2": "{{ flow.id }}"}
    if limit is not None:
        task["concurrencyLimit"] = limit
    if flow.chance(20):
        task["transmitFailed"] = False
    task["tasks"] = tasks(flow, inner, 1, 3)
    if flow.chance(60):
        task["outputs"] = [{"id": "out", "type": "STRING", "value": text(flow, inner) or "e"}]
    return task


def until(flow, place):
    # Not on its own count: 1.3 looks at the condition a second time, with the count of the next pass.
    identity, counter = flow.name("until"), flow.name("pass")
    task = {
        "id": identity,
        "type": CORE + "flow.LoopUntil",
        "condition": "{{ outputs." + counter + ".value == '" + str(flow.rng.randrange(1, 4)) + "' }}",
        "checkFrequency": {"interval": "PT0.02S", "maxIterations": flow.rng.randrange(2, 5)},
        "tasks": [{"id": counter, "type": CORE + "debug.Return", "format": "{{ outputs." + identity + ".iterationCount }}"}] + tasks(flow, place.inner(), 1, 2),
    }
    if flow.chance(30):
        task["failOnMaxReached"] = place.mode == OPEN
    for child in task["tasks"]:
        child.pop("disabled", None)
    return task


def directory(flow, place):
    # Its tasks have its value, and no `parent`. With all of them disabled it ends in Kestra before its `finally`.
    inner = place.inner(in_workdir=True, direct=place.direct, known=[k for k in place.known if "parent" not in k])
    task = {"id": flow.name("wd"), "type": CORE + "flow.WorkingDirectory", "tasks": [work(flow, inner) for _ in range(flow.rng.randint(1, 3))]}
    task["tasks"][0].pop("disabled", None)
    if flow.chance(30):
        task["outputFiles"] = ["*.txt"]
        task["tasks"].append({"id": flow.name("touch"), "type": "io.kestra.plugin.scripts.shell.Commands", "taskRunner": {"type": CORE + "runner.Process"}, "commands": ["echo here > made.txt"]})
    return task


def subflow(flow, place):
    fails = place.mode == OPEN and flow.chance(30)
    state = flow.pick(("FAILED", "WARNING")) if fails else "SUCCESS"
    child = {"id": f"child-{state.lower()}", "state": state}
    if child not in flow.children:
        flow.children.append(child)
    task = {"id": flow.name("sub"), "type": CORE + "flow.Subflow", "namespace": f"judge.s{flow.seed}", "flowId": child["id"], "inputs": {"given": text(flow, place) or "e"}}
    if flow.chance(25):
        task["transmitFailed"] = False
    if flow.chance(20):
        task["labels"] = {"called": "{{ flow.id }}"}
    if flow.chance(20):
        task["inheritLabels"] = True
    if state == "SUCCESS":
        remember(place, flow, task, "outputs.said")
    return task


def one(flow, place):
    flow.budget -= 1
    if place.in_workdir or place.depth >= 4 or flow.budget <= 0 or flow.chance(45):
        return work(flow, place)
    old = (loop, loop, each)
    new = (new_loop, new_loop)
    kinds = (sequential, allow_failure, parallel, dag, branch, branch, switch, until, directory, subflow) + (new if flow.is_new else old)
    kind = flow.pick(kinds)
    if kind is until and (place.loops or place.items or place.mode == CALM):
        kind = sequential
    if kind is subflow and place.items:
        kind = sequential
    if kind in (loop, each, new_loop) and (place.loops + place.items) >= 2:
        kind = branch
    task = kind(flow, place)
    if kind is not subflow and kind is not until:
        lists(flow, task, place)
    common(flow, task, place)
    if kind is branch:
        remember(place, flow, task, "evaluationResult")
    if kind is not subflow and kind is not new_loop and flow.chance(8):
        task["retry"] = retry(flow)
        task["retry"].pop("warningOnRetry", None)
    return task


# --- inputs --------------------------------------------------------------------------------------

SAMPLES = {
    "STRING": ("hello", "two words", "5"),
    "INT": ("42", "-7", "0"),
    "FLOAT": ("1.5", "3", "-0.25", "1e3"),
    "BOOL": ("true", "false", "TRUE", "yes"),
    "SELECT": ("red", "green"),
    "MULTISELECT": ('["red"]', '["red","green"]'),
    "ARRAY": ('["1","2"]', "[]", "[3]"),
    "DATETIME": ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09.123Z", "2024-05-06T07:08:09+02:00"),
    "DATE": ("2024-05-06",),
    "TIME": ("07:08", "07:08:09"),
    "DURATION": ("PT1H", "P1DT2H", "PT0.5S"),
    "JSON": ('{"a": [1, {"b": null}], "c": 1.0}', "[1,2]", '"t"'),
    "YAML": ("a: 1\nb: [x, y]", "- 1\n- 2"),
    "URI": ("https://www.example.com/a?b=c", "http://example.com"),
    "EMAIL": ("who@example.com",),
}
BAD = {
    "INT": "4.5", "FLOAT": "x", "DATE": "06.05.2024", "TIME": "25:00", "DURATION": "1h", "DATETIME": "2024-05-06", "JSON": "{", "URI": "example", "EMAIL": "who@",
    "SELECT": "pink", "MULTISELECT": '["pink"]', "ARRAY": '["x"]',
}


def extra_inputs(flow):
    for kind in flow.rng.sample(sorted(SAMPLES), flow.rng.randint(0, 4)):
        name = flow.pick(("", "in.", "in.deep.")) + kind.lower()
        declared = {"id": name, "type": kind}
        if kind in ("SELECT", "MULTISELECT"):
            declared["values"] = ["red", "green", "blue"]
        if kind == "ARRAY":
            declared["itemType"] = "INT"
        if kind == "INT" and flow.chance(40):
            declared.update(min=-100, max=100)
        if kind == "STRING" and flow.chance(40):
            declared["validator"] = "[a-z0-9 ]+"
        how = flow.rng.randrange(10)
        if how < 5:
            flow.values[name] = flow.pick(SAMPLES[kind])
        elif how < 7 and kind in ("JSON", "YAML", "ARRAY", "MULTISELECT", "BOOL"):
            flow.values[name] = flow.pick(SAMPLES[kind])
        elif how < 7:
            declared["defaults"] = flow.pick(SAMPLES[kind])
            if kind in ("INT", "FLOAT"):
                declared["defaults"] = float(declared["defaults"]) if kind == "FLOAT" else int(declared["defaults"])
        elif how < 9 or kind not in BAD or flow.chance(50):
            declared["required"] = False
        else:
            flow.values[name] = BAD[kind]
        # a default below another id stays among the inputs in Kestra although its condition is not met
        if flow.chance(15) and not ("." in name and "defaults" in declared):
            declared["dependsOn"] = {"inputs": ["n"], "condition": "{{ inputs.n > " + str(flow.rng.randrange(6)) + " }}"}
        flow.inputs.append(declared)


def path_of(name):
    return "inputs." + name


def generate(seed, target="1.3"):
    """(flows, inputs, is loose): the flows of the children first, the flow last."""
    flow = Flow(seed, target)
    flow.inputs = [
        {"id": "n", "type": "INT", "defaults": flow.rng.randrange(6)},
        {"id": "s", "type": "STRING", "defaults": flow.pick(("a", "b c", "zz"))},
        {"id": "b", "type": "BOOL", "defaults": flow.chance(50)},
        {"id": "list", "type": "JSON", "defaults": flow.pick(('["red", "blue"]', '["1"]', "[]", '[{"a": 1}, "x"]'))},
    ]
    extra_inputs(flow)
    place = Place()
    made = {
        "id": f"flow-{flow.seed}",
        "namespace": f"judge.s{flow.seed}",
        "labels": {"team": "judge", "with.dot": "yes"},
        "inputs": flow.inputs,
        "variables": {"v": "vee", "deep": {"a": [1, "two"], "t": "{{ inputs.n }}"}},
        "tasks": tasks(flow, place, 1, 5),
    }
    if flow.chance(30):
        made["errors"] = tasks(flow, Place(mode=CALM if flow.chance(50) else OPEN, depth=2), 1, 2)
    if flow.chance(30):
        made["finally"] = tasks(flow, Place(mode=CALM if flow.chance(50) else OPEN, depth=2), 1, 2)
    if flow.chance(25):
        made["afterExecution"] = [{"id": "after1", "type": CORE + "debug.Return", "format": "{{ execution.state }}"}, {"id": "after2", "type": CORE + "log.Log", "message": "bye"}]
    if flow.chance(10):
        made["retry"] = {"type": "constant", "interval": "PT0.02S", "maxAttempts": 2}
    if flow.chance(60):
        made["outputs"] = [{"id": "read", "type": "STRING", "value": text(flow, place) or "e"}]
        for declared in flow.inputs:
            if flow.chance(50) and declared["type"] not in ("SECRET",) and "dependsOn" not in declared and declared.get("required", True):
                kind = declared["type"] if flow.chance(60) else "STRING"
                made["outputs"].append({"id": "out-" + declared["id"].replace(".", "-"), "type": kind, "value": "{{ " + path_of(declared["id"]) + " }}"})
                if kind == "ARRAY":
                    made["outputs"][-1]["itemType"] = "INT"
                if kind in ("SELECT", "MULTISELECT"):
                    made["outputs"][-1]["type"] = "STRING"
    children = [child_flow(flow, child) for child in flow.children]
    return children + [made], flow.values, flow.loose


def child_flow(flow, child):
    body = [{"id": "say", "type": CORE + "debug.Return", "format": "{{ inputs.given }}!"}]
    if child["state"] != "SUCCESS":
        body.append({"id": "end", "type": CORE + "execution.Fail", "allowFailure": child["state"] == "WARNING"})
    return {
        "id": child["id"], "namespace": f"judge.s{flow.seed}",
        "inputs": [{"id": "given", "type": "STRING"}],
        "tasks": body,
        "outputs": [{"id": "said", "type": "STRING", "value": "{{ outputs.say.value }}"}],
    }
