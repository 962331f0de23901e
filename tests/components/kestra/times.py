"""times.py - how long the same flows take in Kestra and here, each side measured in the same run.

usage: times.py [--kestra 2.0.0] [--runs N] [--long]

Kestra is its engine on H2 with the front of the oracle, warm: from the request to the end of the execution, seen by asking every
20 ms. Here it is one process from its start to its end, with a state directory that is there. What comes back after kill -9 is
timed from the kill: for Kestra with a grace period of 10 s in place of its default of 5 minutes, and with the start of its
process. --long adds the loop of 1,000 values in 1.3.31, which takes some ten minutes there.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import flowtest
import judge
import oracle
from generate import CORE

OVER = set(oracle.Server.api_states())
GRACE = "10s"


def returns(count):
    return [{"id": f"t{n}", "type": CORE + "debug.Return", "format": "{{ flow.id }}"} for n in range(count)]


def shells(count):
    shell = "io.kestra.plugin.scripts.shell.Commands"
    return [{"id": f"t{n}", "type": shell, "taskRunner": {"type": CORE + "runner.Process"}, "commands": [":"]} for n in range(count)]


def loop(count, is_new):
    values = [f"v{n}" for n in range(count)]
    kind = "flow.Loop" if is_new else "flow.ForEach"
    return [{"id": "loop", "type": CORE + kind, "values": values, "tasks": returns(1)}]


def flows(is_new, is_long):
    log = {"id": "say", "type": CORE + "log.Log", "message": "done"}
    yield "two tasks, Return and Log", "two", returns(1) + [log], None
    yield "40 Return tasks", "forty", returns(40), None
    yield "40 shell tasks", "shells", shells(40), 3
    yield "loop over 100 values, one after the other", "hundred", loop(100, is_new), 1
    if is_new or is_long:
        yield "loop over 1,000 values, one after the other", "thousand", loop(1000, is_new), 1


def flow_of(name, tasks):
    return {"id": name, "namespace": "judge.times", "tasks": tasks}


def in_kestra(server, flow, runs):
    """Seconds of each run; the flow is there and has run once."""
    server.start([judge.dump(flow)], {})
    times = []
    for number in range(runs + 1):
        begin = time.perf_counter()
        code, started = server.api.start(flow["namespace"], flow["id"], {})
        assert code == 200, started
        pause = 0.02 if len(flow["tasks"]) > 1 else 0.25  # asking for a large execution costs the server as much as running it
        while True:
            code, now = server.api.req("GET", f"/executions/{started['id']}?brief")
            if code == 200 and now["state"]["current"] in OVER:
                break
            time.sleep(pause)
        assert now["state"]["current"] == "SUCCESS", now
        if number > 0 or runs == 1:
            times.append(time.perf_counter() - begin)
        if runs == 1:
            break
    return times


def compiled(folder, flow, target):
    source, artifact = folder / f"{flow['id']}.yaml", folder / f"{flow['id']}.flowc"
    source.write_text(judge.dump(flow))
    flowtest.run([flowtest.FLOWC, "compile", source, "-o", artifact, "--target", target], check=0)
    return artifact


def here(folder, flow, target, runs):
    artifact = compiled(folder, flow, target)
    command = [flowtest.FLOWRUN, "run", artifact, "--state-dir", folder / "state", "--output", "json"]
    times = []
    for number in range(runs + 1):
        begin = time.perf_counter()
        flowtest.run(command, timeout=300, check=0)
        if number > 0:
            times.append(time.perf_counter() - begin)
    return times


# ---- kill -9


def killed_flow(kind):
    tasks = {
        "wait": [{"id": "work", "type": CORE + "flow.Sleep", "duration": "PT10S"}],
        "shell": [dict(shells(1)[0], id="work", commands=["sleep 10"])],
    }[kind]
    return flow_of(f"killed-{kind}", tasks + returns(1))


def killed_in_kestra(version, flow):
    """Seconds from the kill to the end of the execution, which began a task of 10 s before."""
    with tempfile.TemporaryDirectory(prefix="times-") as data:
        with oracle.serve(version, Path(data), GRACE) as server:
            identity = server.start([judge.dump(flow)], {})
            while "RUNNING" not in {r["state"]["current"] for r in server.get(identity).get("taskRunList") or [] if r["taskId"] == "work"}:
                time.sleep(0.05)
            time.sleep(2)
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()
        begin = time.perf_counter()
        with oracle.serve(version, Path(data), GRACE) as server:
            while server.get(identity)["state"]["current"] not in OVER:
                time.sleep(0.25)
            took = time.perf_counter() - begin
            attempts = [[a["state"]["current"] for a in r["attempts"]] for r in server.get(identity)["taskRunList"] if r["taskId"] == "work"][0]
    return took, f"attempts {', '.join(attempts)}"


def killed_here(folder, flow, target):
    artifact = compiled(folder, flow, target)
    state = ["--state-dir", folder / "state", "--output", "json"]
    command = [flowtest.FLOWRUN, "run", artifact, "--id", flow["id"], *state]
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not any(r["taskId"] == "work" and r["state"]["current"] == "RUNNING" for r in shown(flow, state).get("taskRunList") or []):
        time.sleep(0.05)
    time.sleep(2)
    process.kill()
    process.wait()
    begin = time.perf_counter()
    done = flowtest.run([flowtest.FLOWRUN, "resume", flow["id"], *state], timeout=60)
    took = time.perf_counter() - begin
    end = json.loads(done.stdout)
    return took, end["state"]["current"] if end["state"]["current"] != "PAUSED" else "asks: its outcome is not known"


def shown(flow, state):
    done = flowtest.run([flowtest.FLOWRUN, "show", flow["id"], *state])
    return json.loads(done.stdout) if done.returncode == 0 else {}


# ---- the table


def seconds(times):
    return f"{statistics.median(times):.3f} s" if len(times) == 1 else f"{statistics.median(times):.3f} s ({min(times):.3f} to {max(times):.3f})"


def table(version, runs=7, is_long=False, out=print):
    """Prints the table; gives its rows (what, seconds in Kestra, seconds here)."""
    is_new = version.startswith("2")
    target = "2.0" if is_new else "1.3"
    rows = []
    out(f"{'':44} {'Kestra ' + version + ' on H2':>32} {'here':>32}")
    with tempfile.TemporaryDirectory(prefix="times-") as made:
        folder = Path(made)
        with oracle.serve(version) as server:
            for what, name, tasks, fixed in flows(is_new, is_long):
                flow = flow_of(name, tasks)
                theirs, ours = in_kestra(server, flow, fixed or runs), here(folder, flow, target, runs)
                rows.append((what, statistics.median(theirs), statistics.median(ours)))
                out(f"{what:44} {seconds(theirs):>32} {seconds(ours):>32}")
        for kind, what in (("wait", "kill -9 in a wait of 10 s, to its end"), ("shell", "kill -9 in a shell task of 10 s")):
            flow = killed_flow(kind)
            theirs, how = killed_in_kestra(version, flow)
            ours, end = killed_here(folder, flow, target)
            rows.append((what, theirs, ours))
            out(f"{what:44} {theirs:>30.1f} s {ours:>30.1f} s   there {how}; here {end}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kestra", default="2.0.0")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    table(options.kestra, options.runs, options.long)


if __name__ == "__main__":
    main()
