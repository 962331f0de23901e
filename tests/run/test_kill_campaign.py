"""kill -9 at points of every kind, over twelve flows: each command writes a line into a ledger, and in the end the ledger
has each line as often as without a kill.

What nobody can know is asked for (status 50) and answered here by what the ledger says. 500 kills where
FLOW_TEST_MODE=long, a sample else. FLOW_SEED changes what is drawn; a histogram over the kinds of points is printed.
"""

import collections
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

KILLS = int(os.environ.get("FLOW_KILLS", 500 if flowtest.MODE == "long" else 12))
SEED = int(os.environ.get("FLOW_SEED", "1"))

SHELL = """type: io.kestra.plugin.scripts.shell.Commands
{indent}  taskRunner: {{type: io.kestra.plugin.core.runner.Process}}
{indent}  commands: ['sleep 0.03; echo {line} >> $LEDGER; sleep 0.03; {end}']"""


def shell(name, indent="", end="true", line=None, more=""):
    text = SHELL.format(indent=indent, line=line or name, end=end)
    return f"{indent}- id: {name}\n{indent}  {text}\n" + (f"{indent}  {more}\n" if more else "")


def flowable(name, kind, properties, *tasks, indent=""):
    lines = "".join(f"{indent}  {line}\n" for line in properties)
    return f"{indent}- id: {name}\n{indent}  type: io.kestra.plugin.core.flow.{kind}\n{lines}{indent}  tasks:\n" + "".join(tasks)


IN = "    "
RETRY = "retry: {type: constant, interval: PT0.2S, maxAttempts: 4}"
# The attempt fails as long as the ledger has fewer than three of its lines.
FLAKY = "[ $(grep -c flaky $LEDGER) -ge 3 ]"
FLOWS = {
    "sequence": shell("a") + shell("b") + shell("c"),
    "parallel": flowable("p", "Parallel", [], shell("a", IN), shell("b", IN), shell("c", IN)) + shell("d"),
    "dag": "- id: g\n  type: io.kestra.plugin.core.flow.Dag\n  tasks:\n" + "".join(
        f"    - task:\n{shell(n, IN + '    ').replace('- id', '  id', 1)}" + (f"      dependsOn: [{d}]\n" if d else "")
        for n, d in (("a", ""), ("b", "a"), ("c", "a"))),
    "branch": "- id: if\n  type: io.kestra.plugin.core.flow.If\n  condition: \"{{ true }}\"\n  then:\n" + shell("a", IN) + shell("b", IN)
              + shell("c"),
    "each": flowable("e", "ForEach", ["values: [x, y, z]"], shell("a", IN, line="a-{{ taskrun.value }}")) + shell("b"),
    "together": flowable("e", "ForEach", ["values: [x, y, z]", "concurrencyLimit: 0"],
                         shell("a", IN, line="a-{{ taskrun.value }}"), shell("b", IN, line="b-{{ taskrun.value }}")),
    "iterations": flowable("e", "Loop", ["values: [x, y]", "concurrencyLimit: 2"], shell("a", IN, line="a-{{ item.value }}")) + shell("b"),
    "until": flowable("u", "LoopUntil", ["condition: \"{{ outputs.u.iterationCount > 2 }}\"", "checkFrequency: {interval: PT0.1S}"],
                      shell("a", IN)) + shell("b"),
    "retried": shell("flaky", end=FLAKY, more=RETRY) + shell("b"),
    "timers": shell("a") + "- {id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.3S}\n" + shell("b")
              + "- {id: p, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT0.3S}\n" + shell("c"),
    "parent": shell("a") + "- {id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: test, flowId: sequence, wait: true,"
              " transmitFailed: true}\n" + shell("d"),
    "failing": shell("a") + shell("bad", end="exit 3") + shell("never") + "errors:\n" + shell("e") + "finally:\n" + shell("f"),
}
LEDGERS = {
    "sequence": "a b c", "parallel": "a b c d", "dag": "a b c", "branch": "a b c", "each": "a-x a-y a-z b",
    "together": "a-x a-y a-z b-x b-y b-z", "iterations": "a-x a-y b", "until": "a a a b", "retried": "flaky flaky flaky b",
    "timers": "a b c", "parent": "a b c a d", "failing": "a bad e f",
}
# Kinds of points: between the intent of a command and its effect, between its effect and its result, between its end and the
# commit of its result, while a timer, a child, a retry is awaited.
KINDS = {
    "intent-effect": [n for n in FLOWS], "effect-result": [n for n in FLOWS], "result-commit": [n for n in FLOWS],
    "timer": ["timers", "until"], "child": ["parent"], "retry": ["retried"],
}


class World:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.number = 0
        for name, tasks in FLOWS.items():
            (self.folder / f"{name}.yaml").write_text(f"id: {name}\nnamespace: test\ntasks:\n{tasks}")
        for name in FLOWS:
            flowtest.run([flowtest.FLOWC, "compile", self.folder / f"{name}.yaml", "-o", self.folder / f"{name}.flowc", "--flows",
                          self.folder], check=0)

    def begin(self, flow):
        self.number += 1
        self.id = f"{flow}-{self.number}"
        self.ledger = self.folder / f"{self.id}.ledger"
        self.ledger.touch()
        return self.start("run", self.folder / f"{flow}.flowc", "--id", self.id)

    def start(self, *arguments):
        return subprocess.Popen([flowtest.FLOWRUN, *map(str, arguments), "--state-dir", self.state, "--output", "json"],
                                env={**os.environ, "LEDGER": str(self.ledger)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def flowrun(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def lines(self):
        return self.ledger.read_text().split()

    def count(self, query, *values):
        """From the store, read as anybody can; 0 as long as there is none."""
        try:
            with sqlite3.connect(f"file:{self.state}/store.db?mode=ro", uri=True, timeout=0.2) as store:
                return store.execute(query, values).fetchone()[0]
        except sqlite3.OperationalError:
            return 0


STARTED = "SELECT count(*) FROM event WHERE kind = 7 AND (execution = ?1 OR execution IN (SELECT id FROM execution WHERE parent = ?1))"
TIMER = "SELECT count(*) FROM event WHERE kind = 12 AND execution = ?1"
CHILD = "SELECT count(*) FROM event WHERE kind = 16 AND execution = ?1"
RETRY_AT = "SELECT count(*) FROM event WHERE kind = 11 AND execution = ?1"


def await_point(world, process, kind, at, draw):
    """Waits for the point `at` of the kind; the process may end before."""
    total = len(LEDGERS[world.id.rpartition("-")[0]].split())
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        if kind == "intent-effect" and world.count(STARTED, world.id) >= 1 + at % total:
            return
        if kind in ("effect-result", "result-commit") and len(world.lines()) >= 1 + at % total:
            if kind == "result-commit":
                time.sleep(0.028 + draw.random() * 0.012)
            return
        if kind == "timer" and world.count(TIMER, world.id) >= 1 + at % 2:
            time.sleep(draw.random() * 0.09)
            return
        if kind == "child" and world.count(CHILD, world.id) >= 1:
            time.sleep(draw.random() * 0.25)
            return
        if kind == "retry" and world.count(RETRY_AT, world.id) >= 1 + at % 2:
            time.sleep(draw.random() * 0.18)
            return
        time.sleep(0.001)


def kill(process, draw):
    """The process a user sees, or the one behind it that does the work."""
    victim = process.pid
    if draw.random() < 0.5:
        try:
            children = Path(f"/proc/{victim}/task/{victim}/children").read_text().split()
            victim = int(children[0]) if children else victim
        except (OSError, ValueError):
            pass
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()


def answer(world):
    """Says of each unknown outcome what the ledger knows."""
    code, out, err = world.flowrun("list", "--limit", "1000")
    assert code == 0, err
    answered = 0
    for execution in json.loads(out)["executions"]:
        if execution["id"] != world.id and execution.get("parentId") != world.id:
            continue
        shown = json.loads(world.flowrun("show", execution["id"])[1])
        for run in shown["taskRunList"]:
            if not run["unknown"]:
                continue
            name = run["taskId"] + (f"-{run['value']}" if run["value"] is not None else "")
            # Of 'parent' there are two tasks 'a': that of the child, and its own, which comes first.
            written = world.lines().count(name) - (1 if execution["id"] != world.id and name == "a" else 0)
            if run["taskId"] == "a" and world.id.startswith("until"):
                written -= run["iteration"] or 0
            ended = len(run["attempts"]) - 1
            outcome = "retry"
            if written > ended:
                outcome = "failed" if run["taskId"] == "bad" or (name == "flaky" and written < 3) else "success"
            code, out, err = world.flowrun("resolve", execution["id"], run["id"], "--as", outcome)
            assert code == 0, (code, out, err)
            answered += 1
    return answered


def go_on(world):
    for _ in range(12):
        code, out, err = world.flowrun("resume", world.id)
        if code == 2 and "nothing to resume" in out + err:
            return
        if code in (0, 1):
            return
        assert code == 50, (world.id, code, out[-2000:], err)
        answer(world)
    raise AssertionError(f"{world.id} does not end")


def attempt(world, kind, flow, at, draw):
    process = world.begin(flow)
    await_point(world, process, kind, at, draw)
    was_over = process.poll() is not None
    if draw.random() < 0.2 and not was_over:  # twice
        kill(process, draw)
        process = world.start("resume", world.id)
        time.sleep(draw.random() * 0.1)
    kill(process, draw)
    if world.flowrun("show", world.id)[0] == 2:
        return False  # killed before there was an execution
    go_on(world)
    code, out, err = world.flowrun("show", world.id)
    state = json.loads(out)["state"]["current"]
    assert state == ("FAILED" if flow == "failing" else "SUCCESS"), (world.id, kind, at, state, out)
    wrote = collections.Counter(world.lines())
    assert wrote == collections.Counter(LEDGERS[flow].split()), f"{world.id}, killed at {kind} {at}: the ledger has {dict(wrote)}"
    return not was_over


def test_nothing_is_lost_and_nothing_runs_twice():
    if not hasattr(os, "pidfd_open"):
        flowtest.skip("needs Linux")
    draw = random.Random(SEED)
    histogram = collections.Counter()
    with flowtest.temporary() as name:
        world = World(name)
        kinds = list(KINDS)
        tries = 0
        while sum(histogram.values()) < KILLS and tries < 2 * KILLS:
            kind = kinds[tries % len(kinds)]
            flow = draw.choice(KINDS[kind])
            if attempt(world, kind, flow, draw.randrange(6), draw):
                histogram[kind] += 1
            tries += 1
    killed = sum(histogram.values())
    print(f"    seed {SEED}: {killed} kills, " + ", ".join(f"{kind} {histogram[kind]}" for kind in kinds)
          + f"; {tries - killed} more came when all was over")
    assert killed == KILLS, histogram
    assert flowtest.MODE != "long" or min(histogram[kind] for kind in kinds) >= min(20, KILLS // 12), histogram


if __name__ == "__main__":
    flowtest.main()
