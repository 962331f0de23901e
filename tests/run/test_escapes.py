"""Ten ways to escape × a kill, a timeout, SIGKILL of the engine and of the process a user sees: nobody is left."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import escapes
import flowtest

GRACE = 10  # seconds between TERM and KILL
IS_LONG = flowtest.MODE == "long"
# What ignores TERM takes the whole grace time: in the long run only.
NAMES = [name for name in escapes.ESCAPES if IS_LONG or name not in ("term_ignored", "ptraced")]
WITHIN = GRACE + 1 if IS_LONG else 4


def new_mark():
    return f"1{random.randrange(10**6):06d}.{random.randrange(10**9):09d}"


def compiled(folder, mark, end, **more):
    tasks = [{"id": name, "type": "io.kestra.plugin.scripts.shell.Commands", "allowFailure": True, "failFast": False,
              "commands": [escapes.commands(name, mark, 500 if IS_LONG else 50), "echo up", end], **more} for name in NAMES]
    flow = {"id": "escapes", "namespace": "company.test",
            "tasks": [{"id": "all", "type": "io.kestra.plugin.core.flow.Parallel", "tasks": tasks}]}
    (folder / "flow.yaml").write_text(json.dumps(flow))
    flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", folder / "flow.flowc", "-q"], check=0)
    return folder / "flow.flowc"


def start(folder, artifact):
    return subprocess.Popen([flowtest.FLOWRUN, "run", artifact, "--id", "x", "--state-dir", folder / "state"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_until_up(folder):
    for _ in range(600):
        log = flowtest.run([flowtest.FLOWRUN, "logs", "x", "--state-dir", folder / "state"]).stdout
        if log.count(": up") == len(NAMES):
            return
        time.sleep(0.05)
    raise AssertionError(log)


def check_none(mark, within):
    left = escapes.wait_for_none(mark, within)
    for pid, _ in left:
        os.kill(int(pid), signal.SIGKILL)
    assert not left, left


def ended_by(how):
    mark = new_mark()
    with flowtest.temporary() as name:
        folder = Path(name)
        process = start(folder, compiled(folder, mark, f"sleep {mark}"))
        wait_until_up(folder)
        assert len(escapes.survivors(mark)) > len(NAMES)
        begin = time.monotonic()
        how(folder, process)
        process.wait(WITHIN + 5)
        check_none(mark, WITHIN - (time.monotonic() - begin))
        return folder


def engine_of(process):
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    engines = [int(pid) for pid in children if b"flowrun" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]]
    return engines[0]


def test_a_kill_leaves_nobody():
    ended_by(lambda folder, _: flowtest.run([flowtest.FLOWRUN, "kill", "x", "--state-dir", folder / "state"], check=0))


def test_sigkill_of_the_engine_leaves_nobody():
    ended_by(lambda _, process: os.kill(engine_of(process), signal.SIGKILL))


def test_sigkill_of_both_processes_is_made_up_for_at_the_next_start():
    def both(folder, process):
        engine = engine_of(process)
        os.kill(process.pid, signal.SIGKILL)
        os.kill(engine, signal.SIGKILL)
        process.wait()
        for _ in range(100):
            done = flowtest.run([flowtest.FLOWRUN, "resume", "x", "--state-dir", folder / "state"])
            if done.returncode != 75:  # busy: the engine is not quite gone
                break
            time.sleep(0.05)
        assert done.returncode == 50, done.stderr  # nobody knows what the tasks have done

    ended_by(both)


def test_a_timeout_leaves_nobody():
    mark = new_mark()
    with flowtest.temporary() as name:
        folder = Path(name)
        process = start(folder, compiled(folder, mark, f"sleep {mark}", timeout="PT2S"))
        begin = time.monotonic()
        process.wait(60)
        assert time.monotonic() - begin < 2 + WITHIN + 2
        check_none(mark, 0)


def test_the_end_of_the_main_process_is_the_end_of_the_task():
    """A pipe that is held delays it by two seconds and what a busy machine adds, and who held it is gone."""
    mark = new_mark()
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, mark, "trap - TERM; exit 0")
        done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--id", "x", "--state-dir", folder / "state", "--output", "json"])
        check_none(mark, 0)
        log = flowtest.run([flowtest.FLOWRUN, "logs", "x", "--state-dir", folder / "state", "--output", "json"], check=0).stdout
        over = {line["taskId"]: line["date"] for line in map(json.loads, log.splitlines()) if line["message"] == "up"}
        for run in json.loads(done.stdout)["taskRunList"]:
            if run["taskId"] in NAMES and run["taskId"] not in ("term_ignored", "ptraced"):
                assert run["state"]["current"] == "SUCCESS", run
                held = datetime.fromisoformat(run["state"]["endDate"].rstrip("Z")) - datetime.fromisoformat(over[run["taskId"]].rstrip("Z"))
                assert held.total_seconds() < 5, (run["taskId"], held)


if __name__ == "__main__":
    flowtest.main()
