"""Odd surroundings: closed streams, readers that leave, a state directory that moves. Nothing is lost in silence."""

import base64
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

QUICK = """id: quick
namespace: test
tasks:
  - id: one
    type: io.kestra.plugin.core.debug.Return
    format: hello
outputs:
  - id: said
    type: STRING
    value: "{{ outputs.one.value }}"
"""

SLOW = """id: slow
namespace: test
tasks:
  - id: wait
    type: io.kestra.plugin.scripts.shell.Commands
    commands: ["for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.1; done"]
  - id: after
    type: io.kestra.plugin.core.log.Log
    message: it went on
"""


SECRETS = """id: secrets
namespace: test
tasks:
  - id: use
    type: io.kestra.plugin.scripts.shell.Commands
    env: {T: "{{ secret('TOKEN') }}"}
    commands: ["env > DIR/use", "echo $T"]
  - id: other
    type: io.kestra.plugin.scripts.shell.Commands
    commands: ["env > DIR/other"]
"""

ESCAPES = """id: escapes
namespace: test
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: ["a\\e[31m"]
    tasks:
      - id: say
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value }}"
  - id: fail
    type: io.kestra.plugin.core.execution.Fail
    errorMessage: "x\\e]0;title\\a"
outputs:
  - id: said
    type: STRING
    value: "shown\\x9b"
"""


def compiled(folder, text):
    for program in (flowtest.FLOWC, flowtest.FLOWRUN):
        if not Path(program).exists():
            flowtest.skip(f"{program} is not built")
    flow = Path(folder) / "flow.yaml"
    flow.write_text(text)
    flowtest.run([flowtest.FLOWC, "compile", flow, "-o", Path(folder) / "flow.flowc"], check=0)
    return Path(folder) / "flow.flowc"


def shell(command, folder):
    return flowtest.run(["bash", "-c", command], env={"FLOWRUN": str(flowtest.FLOWRUN), "DIR": str(folder)})


def start(folder, artifact, **options):
    return subprocess.Popen([flowtest.FLOWRUN, "run", artifact, "--id", "x", "--state-dir", Path(folder) / "state"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def state_of(folder):
    done = shell('"$FLOWRUN" show x --state-dir $DIR/state', folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[2]


def test_closed_streams_are_harmless():
    with flowtest.temporary() as folder:
        compiled(folder, QUICK)
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            done = shell(f'"$FLOWRUN" run $DIR/flow.flowc --state-dir $DIR/state {closed}', folder)
            assert done.returncode == 0, f"{closed}: {done.returncode} {done.stderr}"
        done = shell('"$FLOWRUN" list --state-dir $DIR/state', folder)
        assert done.stdout.count("SUCCESS") == 4, done.stdout


def test_a_result_that_cannot_be_written_is_said():
    if not Path("/dev/full").exists():
        flowtest.skip("there is no /dev/full")
    with flowtest.temporary() as folder:
        compiled(folder, QUICK)
        for command in ("run $DIR/flow.flowc", "list", "inspect $DIR/flow.flowc"):
            done = shell(f'"$FLOWRUN" {command} --state-dir $DIR/state >/dev/full', folder)
            assert done.returncode == 74, f"{command}: {done.returncode} {done.stderr}"
            assert "No space left" in done.stderr, done.stderr


def test_a_reader_that_leaves_does_not_end_the_execution():
    with flowtest.temporary() as folder:
        artifact = compiled(folder, SLOW)
        running = start(folder, artifact)
        running.stderr.readline()
        running.stderr.close()
        assert running.wait(30) == 0
        running.stdout.close()
        assert state_of(folder) == "SUCCESS"


def test_what_nohup_started_outlives_its_terminal():
    with flowtest.temporary() as folder:
        artifact = compiled(folder, SLOW)
        running = start(folder, artifact, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        running.stderr.readline()
        running.send_signal(signal.SIGHUP)
        running.communicate(timeout=30)
        assert running.returncode == 0
        assert state_of(folder) == "SUCCESS"


def test_a_store_that_was_removed_is_no_success():
    with flowtest.temporary() as folder:
        artifact = compiled(folder, SLOW)
        running = start(folder, artifact)
        running.stderr.readline()
        time.sleep(0.2)
        os.remove(Path(folder) / "state" / "store.db")
        _, errors = running.communicate(timeout=30)
        assert running.returncode == 74, f"{running.returncode} {errors}"
        assert "removed or replaced" in errors, errors


def test_a_link_may_lead_to_the_state_directory():
    with flowtest.temporary() as folder:
        compiled(folder, SLOW)
        os.makedirs(Path(folder) / "disk" / "inner", mode=0o700)
        os.symlink(Path(folder) / "disk", Path(folder) / "link")
        for path in ("link/inner", "link/new"):
            done = shell(f'"$FLOWRUN" run $DIR/flow.flowc --state-dir $DIR/{path}', folder)
            assert done.returncode == 0, f"{path}: {done.stderr}"
        os.symlink(Path(folder) / "disk" / "inner", Path(folder) / "state")
        done = shell('"$FLOWRUN" list --state-dir $DIR/state', folder)
        assert done.stdout.count("SUCCESS") == 1, done.stdout + done.stderr
        shutil.rmtree(Path(folder) / "disk")


def test_ids_that_are_none_are_refused():
    with flowtest.temporary() as folder:
        compiled(folder, QUICK)
        for name in ("../up", "'a b'", "a/b", ".hidden", "$'a\\nb'", "$(printf 'a%.0s' {1..500})"):
            done = shell(f'"$FLOWRUN" run $DIR/flow.flowc --state-dir $DIR/state --id {name}', folder)
            assert done.returncode == 2, f"{name}: {done.returncode} {done.stderr[-300:]}"
            assert "id of an execution" in done.stderr, done.stderr[-300:]
        done = shell('"$FLOWRUN" list --state-dir $DIR/state', folder)
        assert done.stdout == "no executions\n", done.stdout


def test_a_pipe_is_written_to_and_not_replaced():
    with flowtest.temporary() as folder:
        compiled(folder, QUICK)
        pipe = Path(folder) / "pipe"
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
        flowtest.run([flowtest.FLOWC, "compile", Path(folder) / "flow.yaml", "-o", pipe], check=0)
        bytes_read, _ = reader.communicate(timeout=20)
        assert bytes_read == (Path(folder) / "flow.flowc").read_bytes()
        assert pipe.is_fifo()


def test_no_text_of_a_task_steers_the_terminal():
    with flowtest.temporary() as folder:
        compiled(folder, ESCAPES)
        done = shell('"$FLOWRUN" run $DIR/flow.flowc --id x --state-dir $DIR/state 2>&1;'
                     '"$FLOWRUN" show x --state-dir $DIR/state; "$FLOWRUN" logs x --state-dir $DIR/state', folder)
        assert "say[a\\x1b[31m]" in done.stdout and "shown\\u009b" in done.stdout, done.stdout
        bad = [c for c in done.stdout if ord(c) < 32 and c not in "\t\n" or 0x7f <= ord(c) < 0xa0]
        assert not bad, f"{bad} in {done.stdout!r}"


def test_another_user_can_look_at_nothing():
    with flowtest.temporary() as folder:
        artifact = compiled(folder, SLOW)
        options = {}
        if os.geteuid() == 0:
            os.chmod(folder, 0o755)
            os.mkdir(Path(folder) / "state", 0o700)
            os.chown(Path(folder) / "state", 65534, 65534)
            os.chown(artifact, 65534, 65534)
            programs = Path(folder) / "bin"
            programs.mkdir()
            shutil.copy(flowtest.FLOWRUN, programs)
            options = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
            running = subprocess.Popen([programs / "flowrun", "run", artifact, "--id", "x", "--state-dir",
                                        Path(folder) / "state"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        else:
            running = start(folder, artifact)
        running.stderr.readline()
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        for process in (running.pid, *children[:1]):
            # What is not dumpable belongs to root in /proc: no debugger of the same user can attach.
            assert os.stat(f"/proc/{process}/mem").st_uid == 0, process
            limits = Path(f"/proc/{process}/limits").read_text() if os.geteuid() == 0 else ""
            core = [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")]
            assert core in ([], [["0", "0"]]), core
        _, errors = running.communicate(timeout=30)
        assert running.returncode == 0, errors
        for where, folders, files in os.walk(Path(folder) / "state"):
            for name in folders + files:
                mode = os.lstat(Path(where) / name).st_mode
                assert mode & 0o077 == 0, f"{where}/{name}: {mode:o}"


def test_an_artifact_that_others_can_write_is_refused():
    with flowtest.temporary() as folder:
        artifact = compiled(folder, QUICK)
        for mode, status in ((0o602, 3), (0o620, 3), (0o644, 0)):
            artifact.chmod(mode)
            done = shell('"$FLOWRUN" run $DIR/flow.flowc --state-dir $DIR/state', folder)
            assert done.returncode == status, f"{mode:o}: {done.returncode} {done.stderr}"
            assert status == 0 or "chmod go-w" in done.stderr, done.stderr


def test_a_state_directory_of_another_user_is_refused():
    if os.geteuid() != 0:
        flowtest.skip("only root can give a folder away")
    with flowtest.temporary() as folder:
        compiled(folder, QUICK)
        state = Path(folder) / "state"
        state.mkdir(mode=0o700)
        os.chown(state, 65534, 65534)
        done = shell('"$FLOWRUN" run $DIR/flow.flowc --state-dir $DIR/state', folder)
        assert done.returncode == 74 and "belongs to another user" in done.stderr, done.stderr
        assert list(state.iterdir()) == []


def test_a_task_finds_no_secret_that_is_not_its_own():
    with flowtest.temporary() as folder:
        compiled(folder, SECRETS.replace("DIR", str(folder)))
        token = "tok-0123456789"
        done = flowtest.run([flowtest.FLOWRUN, "run", Path(folder) / "flow.flowc", "--state-dir", Path(folder) / "state"],
                            env={"SECRET_TOKEN": base64.b64encode(token.encode()).decode()})
        assert done.returncode == 0, done.stderr
        assert token in (Path(folder) / "use").read_text()
        for name in ("use", "other"):
            seen = (Path(folder) / name).read_text()
            assert "SECRET_TOKEN" not in seen, seen
        assert token not in (Path(folder) / "other").read_text()
        kept = b"".join(p.read_bytes() for p in (Path(folder) / "state").rglob("*") if p.is_file())
        assert token.encode() not in kept and token not in done.stdout + done.stderr


flowtest.main()
