"""kill -9 of the process a user sees: what is known goes on, what is not is asked, nothing runs beside the resumed run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

LONG = f"30.{os.getpid()}"  # seconds; other runs on this machine have other ones
SAMPLE = flowtest.SOURCE / "samples/kill_and_resume/flow.yaml"


def compiled(folder, text):
    (folder / "flow.yaml").write_text(text)
    artifact = folder / "flow.flowc"
    flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", artifact], check=0)
    return artifact


def flowrun(folder, *arguments, check=0):
    done = flowtest.run([flowtest.FLOWRUN, *arguments, "--state-dir", folder / "state", "--output", "json"], check=check)
    return json.loads(done.stdout) if done.stdout.strip() else None


def start(folder, artifact, name):
    return subprocess.Popen(
        [flowtest.FLOWRUN, "run", artifact, "--id", name, "--state-dir", folder / "state"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


def wait_for(folder, name, task, state):
    for _ in range(300):
        done = flowtest.run([flowtest.FLOWRUN, "show", name, "--state-dir", folder / "state", "--output", "json"])
        if done.returncode == 0:
            for run in json.loads(done.stdout)["taskRunList"]:
                if run["taskId"] == task and run["state"]["current"] == state:
                    return
        time.sleep(0.05)
    raise AssertionError(f"{task} did not become {state}")


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_timer_goes_on_and_nothing_is_repeated():
    with flowtest.temporary() as name:
        folder = Path(name)
        count = folder / "count"
        text = SAMPLE.read_text().replace('echo "built at', f'echo x >> {count}; echo "built at').replace("PT4S", "PT2S")
        process = start(folder, compiled(folder, text), "one")
        wait_for(folder, "one", "soak", "RUNNING")
        kill(process)
        result = flowrun(folder, "resume", "one")
        assert result["state"]["current"] == "SUCCESS"
        assert count.read_text() == "x\n"


def test_an_unknown_outcome_is_asked_for():
    with flowtest.temporary() as name:
        folder = Path(name)
        count = folder / "count"
        text = SAMPLE.read_text().replace("PT4S", "PT0S").replace(
            'echo "released $VERSION"', f"echo x >> {count}; sleep {LONG}; echo y >> {count}"
        )
        process = start(folder, compiled(folder, text), "one")
        for _ in range(200):
            if count.exists():
                break
            time.sleep(0.05)
        kill(process)
        result = flowrun(folder, "resume", "one", check=50)
        assert result["state"]["current"] == "PAUSED"
        assert result["reason"]["taskId"] == "release"
        assert result["taskRunList"][-1]["unknown"] is True
        # The child of the dead run is gone: nobody writes to the file any more.
        assert not flowtest.run(["sh", "-c", f"ps -eo args | grep '^sleep {LONG}$' || true"]).stdout
        flowrun(folder, "resolve", "one", "release", "--as", "success")
        result = flowrun(folder, "resume", "one")
        assert result["state"]["current"] == "SUCCESS"
        assert count.read_text() == "x\n"


LOOPS = """id: loops
namespace: test
tasks:
  - id: outer
    type: io.kestra.plugin.core.flow.ForEach
    values: ["a b"]
    tasks:
      - id: inner
        type: io.kestra.plugin.core.flow.ForEach
        values: [1]
        tasks:
          - id: work
            type: io.kestra.plugin.scripts.shell.Commands
            commands: ["echo 'begun'; sleep 31"]
"""


def test_what_is_to_be_typed_next_can_be_typed():
    with flowtest.temporary() as name:
        folder = Path(name)
        process = start(folder, compiled(folder, LOOPS), "one")
        wait_for(folder, "one", "work", "RUNNING")
        kill(process)
        done = flowtest.run([flowtest.FLOWRUN, "resume", "one", "--state-dir", folder / "state"], check=50)
        assert "reason: task 'work[a b][1]': " in done.stdout, done.stdout
        command, _, _ = done.stdout.split("next: flowrun ")[1].partition(", then")
        assert command == "resolve one 'work[a b][1]' --as success|failed|retry", command
        command = f"{flowtest.FLOWRUN} {command.replace('|failed|retry', '')} --state-dir {folder}/state"
        flowtest.run(["sh", "-c", command], check=0)
        assert flowrun(folder, "resume", "one")["state"]["current"] == "SUCCESS"


def test_a_second_process_is_told_that_it_is_busy():
    with flowtest.temporary() as name:
        folder = Path(name)
        process = start(folder, compiled(folder, SAMPLE.read_text()), "one")
        wait_for(folder, "one", "soak", "RUNNING")
        flowrun(folder, "resume", "one", check=75)
        kill(process)


flowtest.main()
