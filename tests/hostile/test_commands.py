"""Commands that cannot work: each task FAILED, its last line says what is wrong and what to do, what it put out before is kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

SHELL = "io.kestra.plugin.scripts.shell.Commands"
# name: properties, what the last line of the log says
ROWS = {
    "missing_program": ({"commands": ["no-such-tool --version"]},
                        "exit code 127: the program 'no-such-tool' was not found; install it, or run the task in a container"),
    "missing_in_bash": ({"interpreter": ["bash", "-c"], "commands": ["no-such-tool"]}, "the program 'no-such-tool' was not found; install it"),
    "missing_interpreter": ({"interpreter": ["no-such-shell", "-c"], "commands": ["x"]}, "program 'no-such-shell' not found on PATH ("),
    "no_program": ({"interpreter": ["/etc/passwd"], "commands": ["x"]}, "'/etc/passwd' is not an executable file"),
    "not_executable": ({"commands": ["echo x > tool", "./tool"]}, "exit code 126: a program could not be executed; give it the right"),
    "killed": ({"commands": ["kill -9 $$"]}, "exit code 137: it was ended by SIGKILL from outside"),
    "input_above": ({"inputFiles": {"../x.txt": "x"}, "commands": ["true"]},
                    "input file '../x.txt' cannot be written: the path '../x.txt' leaves its folder: give one without '..'"),
    "input_within_above": ({"inputFiles": {"a/../../x.txt": "x"}, "commands": ["true"]}, "leaves its folder: give one without '..'"),
    "input_absolute": ({"inputFiles": {"/etc/x.txt": "x"}, "commands": ["true"]},
                       "the path '/etc/x.txt' is outside of the working directory: give one that is relative to it"),
    "output_above": ({"outputFiles": ["../*.txt"], "commands": ["echo '::{\"outputs\":{\"kept\":1}}::'"]},
                     "the output files '../*.txt' are outside of the working directory: write them below it"),
    "lost_object": ({"commands": ["cat kestra:///company/test/none/x.txt"]}, "there is no object 'kestra:///company/test/none/x.txt'"),
    "bad_variable": ({"env": {"A B=": "x"}, "commands": ["true"]}, "'A B=' cannot be a variable of the environment"),
    "too_long": ({"env": {"A": "{{ range(1, 60000) | join }}"}, "commands": ["true"]}, "arguments and environment are too long"),
    "slow": ({"timeout": "PT0.3S", "commands": ["sleep 60"]}, "timeout after 300 ms"),
}


def run(folder, tasks, state):
    flow = {"id": "bad", "namespace": "company.test", "tasks": tasks}
    (folder / "flow.yaml").write_text(json.dumps(flow))
    flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", folder / "flow.flowc", "-q"], check=0)
    done = flowtest.run([flowtest.FLOWRUN, "run", folder / "flow.flowc", "--id", "x", "--state-dir", state, "--output", "json"])
    return json.loads(done.stdout), done


def task(name, properties):
    return {"id": name, "type": SHELL, "taskRunner": {"type": "io.kestra.plugin.core.runner.Process"}, "allowFailure": True, **properties}


def test_each_says_in_a_line_what_to_do():
    with flowtest.temporary() as name:
        folder = Path(name)
        both = {"id": "all", "type": "io.kestra.plugin.core.flow.Parallel", "tasks": [task(n, p) for n, (p, _) in ROWS.items()]}
        result, done = run(folder, [both], folder / "state")
        assert "taskRunList" in result, done.stdout
        log = [json.loads(line) for line in (folder / "state/exec/x/log.jsonl").read_text().splitlines()]
        bad = []
        for row, (_, want) in ROWS.items():
            found = next(r for r in result["taskRunList"] if r["taskId"] == row)
            lines = [line for line in log if line.get("taskId") == row]
            state = found["attempts"][-1]["state"]["current"]
            if state != "FAILED" or lines[-1]["level"] != "ERROR" or want not in lines[-1]["message"] or "\n" in lines[-1]["message"]:
                bad.append(f"{row}: {state}, {lines[-1]}")
            if any(line["level"] == "WARN" for line in lines):
                bad.append(f"{row}: {lines}")
            if row == "output_above" and found["outputs"]["vars"] != {"kept": 1}:
                bad.append(f"{row}: {found['outputs']}")
        assert not bad, "\n".join(bad)
        left = [path for path in (folder / "state/exec/x/work").glob("*") if path.name != ".processes"]
        assert not left, left


def test_a_full_disk_fails_the_task_that_filled_it():
    """What it wrote goes with its working directory, so that the run can go on and its end can be written down."""
    if os.geteuid() != 0:
        flowtest.skip("mounts a small file system, which root may")
    with flowtest.temporary() as name:
        folder = Path(name)
        disk = folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True).returncode != 0:
            flowtest.skip("no file system can be mounted here")
        try:
            fill = "echo before; head -c 50000000 /dev/zero > big"
            result, done = run(folder, [task("fill", {"commands": [fill]}),
                                        task("store", {"commands": ["head -c 2000000 /dev/urandom > big"], "outputFiles": ["big"]}),
                                        task("after", {"commands": ["echo after"]})], disk / "state")
            assert "taskRunList" in result, done.stdout
            states = {r["taskId"]: r["attempts"][-1]["state"]["current"] for r in result["taskRunList"]}
            assert states == {"fill": "FAILED", "store": "FAILED", "after": "SUCCESS"}, (states, done.stderr)
            log = flowtest.run([flowtest.FLOWRUN, "logs", "x", "--state-dir", disk / "state"]).stdout
            assert "before" in log and "after: after" in log and log.count("No space left on device") == 2, log
            assert sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()) < 2_000_000
        finally:
            subprocess.run(["umount", disk], check=True)


if __name__ == "__main__":
    flowtest.main()
