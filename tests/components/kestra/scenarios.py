"""scenarios.py - what is done to executions from outside, in Kestra and here: resume, kill, pause, restart, replay.

usage: scenarios.py [--kestra 1.3.31] [--url URL --steer URL] [--count N] [--from SEED] [--seed SEED]... [--jobs N] [--keep DIR]

A seed gives a flow as generate.py makes them, with one task in it at which something is done, and what that is. Compared is
what judge.py compares, at the moment itself and at the end. Status 0: no difference without an explanation, 1: differences.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import flowtest
import generate
import judge
from generate import CALM, CORE, OPEN, Flow, Place, tasks

EXPLAINED = Path(__file__).with_name("explained_scenarios.yaml")
KINDS = ("resume", "resume", "kill waiting", "kill running", "pause", "restart", "restart", "replay", "replay", "replay with inputs")
OVER = {"SUCCESS", "FAILED", "KILLED", "WARNING", "CANCELLED", "SKIPPED", "RETRIED"}


# ---- flows


def waiting_task(flow, place):
    task = {"id": "gate", "type": CORE + "flow.Pause"}
    if flow.chance(70):
        task["onResume"] = [
            {"id": "why", "type": "STRING", "defaults": "because"},
            {"id": "count", "type": "INT", "required": False},
        ]
        place.known += ["outputs.gate.onResume.why"]
    return task


def acting_task(flow, place, kind):
    """The task at which it is done; what waits or works there begins after all before it has ended."""
    if kind in ("resume", "kill waiting"):
        return waiting_task(flow, place)
    if kind == "kill running":
        if flow.chance(50):
            return {"id": "gate", "type": "io.kestra.plugin.scripts.shell.Commands", "taskRunner": {"type": CORE + "runner.Process"}, "commands": ["sleep 60"]}
        return {"id": "gate", "type": CORE + "flow.Sleep", "duration": "PT60S"}
    if kind == "pause":
        return {"id": "gate", "type": CORE + "flow.Sleep", "duration": "PT3S"}
    # mended by being started again
    task = {"id": "gate", "type": CORE + "execution.Fail", "condition": "{{ taskrun.attemptsCount < 1 }}"}
    return task if kind == "restart" else {"id": "gate", "type": CORE + "debug.Return", "format": "{{ inputs.n }} {{ inputs.s }}"}


def around(flow, gate, place):
    """The task alone, or inside of flowables, with calm neighbours."""
    kind = flow.pick(("alone", "alone", "sequential", "parallel", "if", "allow", "each"))
    calm = place.inner(mode=CALM)
    calm.known = []
    if kind == "alone":
        return gate
    if kind == "sequential":
        made = {"id": "box", "type": CORE + "flow.Sequential", "tasks": tasks(flow, calm, 0, 1) + [gate] + tasks(flow, calm, 0, 1)}
    elif kind == "parallel":
        made = {"id": "box", "type": CORE + "flow.Parallel", "tasks": tasks(flow, calm, 1, 2) + [gate]}
    elif kind == "if":
        made = {"id": "box", "type": CORE + "flow.If", "condition": "{{ true }}", "then": [gate] + tasks(flow, calm, 0, 1)}
    elif kind == "allow":
        made = {"id": "box", "type": CORE + "flow.AllowFailure", "tasks": [gate] + tasks(flow, calm, 0, 1)}
    elif flow.is_new:
        return gate
    else:
        made = {"id": "box", "type": CORE + "flow.ForEach", "values": ["one"], "tasks": [gate] + tasks(flow, calm.inner(loops=1, direct=True), 0, 1)}
    if flow.chance(30):
        made["errors"] = tasks(flow, calm, 1, 1)
    if flow.chance(30):
        made["finally"] = tasks(flow, calm, 1, 1)
    return made


def make(seed, target):
    """(flows, inputs, kind): the flow last."""
    flow = Flow(f"scenario-{seed}", target)
    flow.seed = seed
    flow.budget = flow.rng.choice((3, 6, 10))
    kind = flow.pick(KINDS)
    flow.inputs = [
        {"id": "n", "type": "INT", "defaults": flow.rng.randrange(6)},
        {"id": "s", "type": "STRING", "defaults": flow.pick(("a", "b c", "zz"))},
        {"id": "b", "type": "BOOL", "defaults": flow.chance(50)},
        {"id": "list", "type": "JSON", "defaults": flow.pick(('["red", "blue"]', '["1"]', '["x"]'))},
    ]
    before = Place(mode=CALM)
    body = tasks(flow, before, 0, 2)
    gate = acting_task(flow, before, kind)
    known = list(before.known)
    box = around(flow, gate, before)
    after = Place(known=known if box is gate else [k for k in known if "onResume" not in k], mode=OPEN)
    flow.budget = flow.rng.choice((3, 6, 10))
    body += [box] + tasks(flow, after, 1, 2)
    made = {
        "id": f"scenario-{seed}",
        "namespace": f"judge.s{seed}",
        "labels": {"team": "judge"},
        "inputs": flow.inputs,
        "variables": {"v": "vee", "deep": {"a": [1, "two"], "t": "{{ inputs.n }}"}},
        "tasks": body,
    }
    for name, chance in (("errors", 40), ("finally", 40)):
        if flow.chance(chance):
            made[name] = tasks(flow, Place(mode=CALM, depth=2), 1, 2)
    if flow.chance(40):
        made["outputs"] = [{"id": "read", "type": "STRING", "value": "{{ inputs.n }}-{{ vars.v }}"}]
    act = {"kind": kind, "inputs": None, "from": None}
    if kind == "resume" and "onResume" in gate and flow.chance(60):
        act["inputs"] = {"why": flow.pick(("so", "two words"))} | ({"count": str(flow.rng.randrange(9))} if flow.chance(50) else {})
    if kind == "replay with inputs":
        act["inputs"] = {"n": str(flow.rng.randrange(6, 9)), "s": "other"}
    if kind.startswith("replay") and flow.chance(70):
        act["from"] = flow.rng.random()
    children = [generate.child_flow(flow, child) for child in flow.children]
    return children + [made], act


def handlers_of(value, inside=False):
    """Ids of tasks in lists of handlers: a replay does not begin there."""
    found = set()
    if isinstance(value, list):
        for item in value:
            found |= handlers_of(item, inside)
    elif isinstance(value, dict):
        if inside and "id" in value and "type" in value:
            found.add(value["id"])
        for key, item in value.items():
            found |= handlers_of(item, inside or key in ("errors", "finally"))
    return found


# ---- the two sides


class Kestra:
    def __init__(self, server):
        self.server = server

    def start(self, flows, _folder, _target):
        self.flow = flows[-1]
        self.id = self.server.start([judge.dump(f) for f in flows], {})

    def show(self):
        now = self.server.get(self.id) or {}
        return now if "state" in now else {"state": {"current": "CREATED"}, "taskRunList": []}  # 2.0 creates it a moment later

    def act(self, what, task=None, inputs=None):
        if what == "kill":
            self.server.kill(self.id)
            return None
        identity, refusal = self.server.steer(what, self.id, task, inputs)
        self.id = identity or self.id
        return refusal

    def ended(self):
        return self.server.ended(self.id)


class Ours:
    def __init__(self):
        self.running = []

    def start(self, flows, folder, target):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        for flow in flows:
            (folder / f"{flow['id']}.yaml").write_text(judge.dump(flow))
        source = folder / f"{flows[-1]['id']}.yaml"
        flowtest.run([flowtest.FLOWC, "compile", source, "-o", folder / "flow.flowc", "--flows", folder, "--target", target], timeout=60, check=0)
        self.id = "acted"
        self.go("run", folder / "flow.flowc", "--id", self.id)

    def go(self, command, *options):
        """A command in the foreground: it is left running while something is done."""
        out = open(self.folder / f"{command}.out", "w")
        arguments = [flowtest.FLOWRUN, command, *options, "--output", "json", "--state-dir", self.folder / "state"]
        process = subprocess.Popen([str(a) for a in arguments], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.running.append(process)
        return process

    def ask(self, command, *options):
        done = flowtest.run([flowtest.FLOWRUN, command, *options, "--output", "json", "--state-dir", self.folder / "state"], timeout=60)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return {"error": {"message": done.stderr}}

    def show(self):
        shown = self.ask("show", self.id)
        return shown if "state" in shown else {"state": {"current": "CREATED"}, "taskRunList": []}

    def act(self, what, task=None, inputs=None):
        options = [x for name, value in (inputs or {}).items() for x in ("-i", f"{name}={value}")]
        if what in ("kill", "pause"):
            done = flowtest.run([flowtest.FLOWRUN, what, self.id, "--state-dir", self.folder / "state"], timeout=60)
            return None if done.returncode in (0, 50, 130) else done.stderr
        for process in self.running:
            process.wait(60)
        if task is not None:
            options += ["--from", task]
        answer = self.ask(what, self.id, *options)
        if "error" in answer:
            return answer["error"]["message"]
        self.id = answer["id"]
        return None

    def ended(self):
        for process in self.running:
            process.wait(60)
        return self.show()

    def close(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()


def gate_is_reached(side, state, seconds=40):
    """Waits until the gate has that state and nothing but what is around it runs; gives the execution."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        now = side.show()
        runs = now.get("taskRunList") or []
        states = [(r["taskId"], r["state"]["current"]) for r in runs]
        gates = [r for r in runs if r["taskId"] == "gate"]
        if now["state"]["current"] in OVER and all(r["state"]["current"] in OVER for r in runs):
            return now
        around_it = {"gate", "box"}
        others = [r for r in runs if r["taskId"] not in around_it and r["state"]["current"] not in OVER]
        if gates and gates[0]["state"]["current"] == state and not others and states == last:
            return now
        last = states
        time.sleep(0.2)
    return now


def play(side, flows, act, folder, target):
    """[(name of the moment, execution)], or a text where something was refused."""
    kind = act["kind"]
    side.start(flows, folder, target)
    seen = []
    if kind in ("resume", "kill waiting", "kill running", "pause"):
        state = "PAUSED" if kind in ("resume", "kill waiting") else "RUNNING"
        seen.append(("reached", gate_is_reached(side, state)))
        if kind == "pause":
            refusal = side.act("pause")
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:  # what runs already ends
                now = side.show()
                if now["state"]["current"] in OVER or all(r["state"]["current"] in OVER for r in now["taskRunList"] if r["taskId"] == "gate"):
                    break
                time.sleep(0.2)
            time.sleep(1)
            seen.append(("paused", side.show()))
            refusal = refusal or side.act("resume")
        else:
            refusal = side.act("resume" if kind == "resume" else "kill", None, act["inputs"])
    else:
        first = side.ended()
        seen.append(("before", first))
        task = None
        if act["from"] is not None:
            flow = flows[-1]
            handlers = handlers_of(flow)
            by_id = {r["id"]: r for r in first["taskRunList"]}
            seen_by_both = [r for r in first["taskRunList"] if not judge.is_inside(r, by_id, judge.loops_of(flow))]
            named = sorted({r["taskId"] for r in seen_by_both} - handlers)
            one = named[int(act["from"] * len(named))]
            task = next(r["id"] for r in first["taskRunList"] if r["taskId"] == one)
        refusal = side.act("restart" if kind == "restart" else "replay", task, act["inputs"])
    if refusal:
        seen.append(("refused", {"refused": refusal}))
        return seen
    seen.append(("ended", side.ended()))
    return seen


# ---- judging


def form(execution, flows):
    return execution if "refused" in execution else judge.form(execution, judge.loops_of(flows[-1]))


def compare(theirs, ours, flows, reasons, target):
    """What no reason accounts for, of all moments up to the first at which one side did something else."""
    left = []
    for (moment, other), (own_moment, mine) in zip(theirs, ours):
        if moment != own_moment:
            told = [e.get("refused") or e["state"]["current"] for e in (other, mine)]
            found, _ = judge.explained([("moments", f"theirs {moment}: {told[0]}, ours {own_moment}: {told[1]}")], reasons, target, flows[-1], moment)
            return left + found
        found = judge.differences(form(other, flows), form(mine, flows))
        rest, is_over = judge.explained(found, reasons, target, flows[-1], moment)
        if is_over:
            return left
        left += [(kind, f"{moment}: {what}") for kind, what in rest]
    return left


def judge_one(seed, server, target, keep, reasons):
    flows, act = make(seed, target)
    with tempfile.TemporaryDirectory(prefix="scenario-") as temporary:
        folder = Path(keep) / str(seed) if keep else Path(temporary)
        side = Ours()
        try:
            mine = play(side, flows, act, folder, target)
        finally:
            side.close()
        for _ in range(judge.ANSWERS):  # Kestra's own answers differ from run to run where its queues race
            other = play(Kestra(server), flows, act, folder, target)
            found = compare(other, mine, flows, reasons, target)
            if not found:
                break
        if keep:
            (folder / "act.json").write_text(json.dumps(act))
            for name, seen in (("ours", mine), ("theirs", other)):
                (folder / f"{name}.json").write_text(json.dumps({m: form(e, flows) for m, e in seen}, indent=1))
    return act["kind"], found, other[-1][1].get("state", {}).get("current", "refused")


def judge_all(server, target, seeds, jobs=3, keep=None, out=print):
    """Gives [(seed, differences)]."""
    reasons = yaml.safe_load(EXPLAINED.read_text()) + yaml.safe_load(judge.EXPLAINED.read_text())
    bad, kinds = [], Counter()

    def one(seed):
        try:
            return judge_one(seed, server, target, keep, reasons)
        except (AssertionError, KeyError, subprocess.SubprocessError) as problem:
            return "broken", [("broken", f"{type(problem).__name__}: {str(problem)[-600:]}")], "broken"

    with ThreadPoolExecutor(jobs) as pool:
        for seed, (kind, found, state) in zip(seeds, pool.map(one, seeds)):
            kinds[f"{kind}: {state}"] += 1
            if found:
                bad.append((seed, found))
                out(f"seed {seed} ({kind}):")
                for difference, what in found[:8]:
                    out(f"  {difference}: {what[:400]}")
    out(f"{len(seeds)} scenarios, {len(bad)} differ; {dict(sorted(kinds.items()))}")
    judge.tell_reasons(reasons, out)
    return bad


if __name__ == "__main__":
    judge.command_line(__doc__, 40, lambda server, target, seeds, options: judge_all(server, target, seeds, options.jobs, options.keep))
