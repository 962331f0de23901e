"""State directories and artifacts of earlier versions are gone on with: nothing durable is lost, nothing runs twice.

Each *.tar.xz holds what `make` left with the binaries of one version: artifacts, a state directory, and a ledger per
execution in which its commands wrote a line.
"""

import json
import os
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

FIXTURES = sorted(Path(__file__).resolve().parent.glob("*.tar.xz"))

# name: what is typed (with the status it ends with), the state at the end, the ledger, a run and its value or None
RESUME = [("resume {}", 0)]
ROWS = {
    "paused": ([("resume {} -i reason=tested", 0)], "SUCCESS", "before behind", ("told", "tested")),
    "stored": (RESUME, "SUCCESS", "", ("told", "green")),
    "large": (RESUME, "SUCCESS", "", ("told", "77")),
    "parent": ([("resume CHILD", 0), ("resume {}", 0)], "SUCCESS", "before inside behind", ("got", "from the child")),
    "slept": (RESUME, "SUCCESS", "before behind", None),
    "loop": ([("resume {}", 50), ("resolve {} work[c] --as success", 0), ("resume {}", 0)], "SUCCESS", "a b c d", None),
    "retried": (RESUME, "SUCCESS", "try try behind", None),
    "failed": ([("restart {}", 0)], "SUCCESS", "before bad bad behind", None),
    "asked": ([("resume {}", 50), ("resolve {} held --as retry", 0), ("kill {}", 0)], "KILLED", "before begun", None),
    "until": (RESUME, "SUCCESS", "pass+ behind", None),
    "finally": ([("resume {}", 50), ("resolve {} last --as failed", 0), ("resume {}", 1)], "FAILED", "bad sorry begun", None),
    "iterations": (RESUME, "SUCCESS", "behind", None),
    "finished": ([("replay {} --from third --id again", 0)], "SUCCESS", "second", ("third", "one and three")),
}


def flowrun(folder, name, line):
    ledger = folder / "ledgers" / name
    arguments = line.replace("{}", name).split()
    if arguments[0] == "replay":
        arguments = [a for a in arguments if a not in ("--id", "again")]
    return flowtest.run([flowtest.FLOWRUN, *arguments, "--state-dir", folder / "state", "--output", "json"],
                        env={"LEDGER": str(ledger)})


def go_on(folder, name):
    lines, state, ledger, run = ROWS[name]
    (folder / "ledgers" / f"{name}.good").touch()
    shown = None
    for line, status in lines:
        if "CHILD" in line:
            listed = json.loads(flowrun(folder, name, "list --parent {}").stdout)["executions"]
            line = line.replace("CHILD", listed[0]["id"])
        done = flowrun(folder, name, line)
        assert done.returncode == status, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        if '"taskRunList"' in done.stdout:
            shown = json.loads(done.stdout)
    if name != "finished":
        shown = json.loads(flowrun(folder, name, "show {}").stdout)
    assert shown["state"]["current"] == state, shown["state"]
    wrote = " ".join((folder / "ledgers" / name).read_text().split())
    while "pass pass" in wrote:
        wrote = wrote.replace("pass pass", "pass")
    assert wrote == ledger.replace("+", ""), f"the ledger says '{wrote}'"
    if run is not None:
        values = [r["outputs"].get("value") for r in shown["taskRunList"] if r["taskId"] == run[0]]
        assert values == [run[1]], values


def unpacked(fixture, name):
    with tarfile.open(fixture) as tar:
        tar.extractall(name, filter="fully_trusted") if sys.version_info >= (3, 12) else tar.extractall(name)
    return Path(name)


def test_executions_are_gone_on_with():
    assert FIXTURES, "no fixtures"
    for fixture in FIXTURES:
        with flowtest.temporary() as name:
            folder = unpacked(fixture, name)
            for row in ROWS:
                try:
                    go_on(folder, row)
                except AssertionError as error:
                    raise AssertionError(f"{fixture.name}, {row}: {error}")


def test_what_was_is_shown_as_it_was():
    for fixture in FIXTURES:
        with flowtest.temporary() as name:
            folder = unpacked(fixture, name)
            shown = json.loads(flowrun(folder, "finished", "show {}").stdout)
            assert shown["state"]["current"] == "SUCCESS"
            assert shown["outputs"] == {"all": "one and three 3"}, shown["outputs"]
            assert shown["labels"]["team"] == "upgrade"
            assert [r["taskId"] for r in shown["taskRunList"]] == ["first", "second", "third"]
            listed = json.loads(flowrun(folder, "finished", "list --limit 50").stdout)["executions"]
            assert len(listed) == len(ROWS) + 1, len(listed)  # and the child of `parent`
            for row in listed:  # what that version decided, this one decides
                checked = flowrun(folder, row["id"], "replay {} --check")
                assert checked.returncode == 0, f"{fixture.name}, {row['id']}: {checked.stdout}{checked.stderr}"
                assert json.loads(checked.stdout)["differsAt"] is None, checked.stdout


def test_artifacts_run():
    for fixture in FIXTURES:
        with flowtest.temporary() as name:
            folder = unpacked(fixture, name)
            artifacts = sorted((folder / "artifacts").glob("*.flowc"))
            assert len(artifacts) >= len(ROWS)
            for artifact in artifacts:
                done = flowtest.run([flowtest.FLOWRUN, "inspect", artifact, "--output", "json"])
                assert done.returncode == 0, f"{artifact.name}: {done.stderr}"
            done = flowtest.run([flowtest.FLOWRUN, "run", folder / "artifacts/finished.flowc", "-i", "count=9", "--state-dir",
                                 folder / "new", "--output", "json"], env={"LEDGER": os.devnull})
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["outputs"] == {"all": "one and three 9"}


if __name__ == "__main__":
    flowtest.main()
