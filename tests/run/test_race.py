"""Many processes want to go on with one execution whose owner died: one of them does, the others are told who is busy.

The one that gets it is held in a task until all have reported. 1,000 races where FLOW_TEST_MODE=long.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

RACERS = 8
RACES = 500 if flowtest.MODE == "long" else 3  # of each kind

# What the owner dies in, then a task that writes down who runs it and waits until it is let go.
FLOW = """id: race
namespace: test
tasks:
  - id: wait
    {wait}
  - id: hold
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {{type: io.kestra.plugin.core.runner.Process}}
    commands: ["echo begun >> {folder}/begun; until [ -e {folder}/go ]; do sleep 0.01; done"]
  - id: again
    type: io.kestra.plugin.core.flow.Pause
    pauseDuration: PT0.01S
"""


def compiled(folder, wait):
    (folder / "flow.yaml").write_text(FLOW.format(folder=folder, wait=wait))
    artifact = folder / "flow.flowc"
    flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", artifact], check=0)
    return artifact


def flowrun(folder, *arguments):
    return [flowtest.FLOWRUN, *map(str, arguments), "--state-dir", str(folder / "state"), "--output", "json"]


def start(command):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def state_of(folder, name):
    """Of the first task run, from the store: asking flowrun takes longer than a timer here."""
    try:
        with sqlite3.connect(f"file:{folder}/state/store.db?mode=ro", uri=True, timeout=0.2) as store:
            row = store.execute("SELECT state FROM taskrun WHERE execution = ? AND task = 'wait'", (name,)).fetchone()
    except sqlite3.OperationalError:
        return None
    return row and row[0]


def kill_while(folder, artifact, name, state):
    """An execution whose owner was killed while `wait` was in `state`; False where the machine was too slow for that."""
    process = start(flowrun(folder, "run", artifact, "--id", name))
    for _ in range(5000):
        if state_of(folder, name) == state:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return not (folder / "begun").exists() and state_of(folder, name) == state


def race(folder, name):
    racers = [start(flowrun(folder, "resume", name)) for _ in range(RACERS)]
    ended = {}
    deadline = time.monotonic() + 60
    while len(ended) < RACERS - 1 and time.monotonic() < deadline:
        for racer in racers:
            if racer not in ended and racer.poll() is not None:
                ended[racer] = racer.communicate()
        time.sleep(0.005)
    (folder / "go").touch()
    winner = [racer for racer in racers if racer not in ended]
    assert len(winner) == 1, f"{name}: {[(r.returncode, *ended[r]) for r in ended]}"
    out, err = winner[0].communicate(timeout=60)
    assert winner[0].returncode == 0 and json.loads(out)["state"]["current"] == "SUCCESS", (out, err)
    for racer, (out, err) in ended.items():
        assert racer.returncode == 75, (racer.returncode, out, err)
        assert json.loads(out)["error"]["kind"] == "busy", out
    assert (folder / "begun").read_text() == "begun\n", "the task ran more than once"


def races(wait, state):
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, wait)
        done = tries = 0
        while done < RACES:
            for file in ("begun", "go"):
                (folder / file).unlink(missing_ok=True)
            tries += 1
            assert tries <= 3 * RACES, "it cannot be killed in time"
            if kill_while(folder, artifact, f"run-{tries}", state):
                race(folder, f"run-{tries}")
                done += 1
    print(f"    {done} races of {RACERS} processes, {tries - done} more whose owner was not killed in time")


def test_one_goes_on_with_a_run_whose_owner_died_in_a_timer():
    races("type: io.kestra.plugin.core.flow.Sleep\n    duration: PT0.2S", "RUNNING")


def test_one_resumes_a_pause_whose_owner_died():
    races("type: io.kestra.plugin.core.flow.Pause", "PAUSED")


def test_a_pause_is_resumed_in_the_process_that_runs_it():
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, "type: io.kestra.plugin.core.flow.Pause\n    pauseDuration: PT1M")
        (folder / "go").touch()
        owner = start(flowrun(folder, "run", artifact, "--id", "one"))
        for _ in range(500):
            done = flowtest.run(flowrun(folder, "show", "one"))
            if done.returncode == 0 and json.loads(done.stdout)["state"]["current"] == "PAUSED":
                break
            time.sleep(0.01)
        done = flowtest.run(flowrun(folder, "resume", "one"))
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
        out, err = owner.communicate(timeout=60)
        assert json.loads(out)["state"]["current"] == "SUCCESS", (out, err)


if __name__ == "__main__":
    flowtest.main()
