"""Commands whose runtime is killed: with `keep` the same child is gone on with, without it its outcome is unknown. There is one
writer always, never two.

The child appends a line with its process number and a counter to a ledger, several times a second. The runtime is killed with
SIGKILL (the process a user sees, the engine, or both) at points from before the child is there until behind its end, and is
resumed; in the end the ledger has each line once, of one process, and so has the log. 10 s children and many points where
FLOW_TEST_MODE=long.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

IS_LONG = flowtest.MODE == "long"
LINES, PAUSE = (100, 0.1) if IS_LONG else (10, 0.04)  # how many lines the child writes, and its pause behind each
SECRET = "geheim-0815-wort"
RUNNER = "{{type: io.kestra.plugin.core.runner.Process{keep}}}"
FLOW = """id: kept
namespace: company.test
tasks:
  - id: write
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {runner}
    failFast: false
    {more}
    outputFiles: ["*.txt"]
    commands:
      - 'for i in $(seq 1 {lines}); do echo "$$ $i" >> "$LEDGER"; echo "line $i $PW"; sleep {pause}; done'
      - 'echo "::{{\\"outputs\\":{{\\"marker\\":1}}}}::"; echo "file=$PW" >> "$FLOW_OUTPUT"; echo text > out.txt; {end}'
  - id: read
    type: io.kestra.plugin.core.log.Log
    message: "{{{{ outputs.write.vars.marker }}}} {{{{ read(outputs.write.outputFiles['out.txt']) }}}}"
"""


class World:
    """One execution, its ledger and its state directory."""

    def __init__(self, folder, keep=True, end="true", more="", lines=LINES):
        self.folder, self.lines = Path(folder), lines
        self.state, self.ledger = self.folder / "state", self.folder / "ledger"
        self.ledger.touch()
        (self.folder / "secrets.yaml").write_text(f"PW: {SECRET}\n")
        (self.folder / "secrets.yaml").chmod(0o600)
        more = "env: {PW: \"{{ secret('PW') }}\"}\n    " + more
        text = FLOW.format(runner=RUNNER.format(keep=", keep: true" if keep else ""), lines=lines, pause=PAUSE, end=end, more=more)
        (self.folder / "flow.yaml").write_text(text)
        flowtest.run([flowtest.FLOWC, "compile", self.folder / "flow.yaml", "-o", self.folder / "flow.flowc", "-q"], check=0)

    def start(self, *arguments):
        return subprocess.Popen([flowtest.FLOWRUN, *map(str, arguments), "--state-dir", self.state, "--secrets",
                                 self.folder / "secrets.yaml", "--output", "json"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                env={**os.environ, "LEDGER": str(self.ledger)})

    def begin(self):
        return self.start("run", self.folder / "flow.flowc", "--id", "x")

    def flowrun(self, *arguments):
        extra = ["--secrets", self.folder / "secrets.yaml"] if arguments[0] == "resume" else []
        return flowtest.run([flowtest.FLOWRUN, *arguments, "x", "--state-dir", self.state, "--output", "json", *extra],
                            env={"LEDGER": str(self.ledger)})

    def resume(self):
        for _ in range(200):
            done = self.flowrun("resume")
            if done.returncode != 75:  # the one that was killed is not quite gone
                return done
            time.sleep(0.05)
        raise AssertionError("it stays busy")

    def written(self):
        return [tuple(line.split()) for line in self.ledger.read_text().splitlines()]

    def writers(self):
        return {pid for pid, _ in self.written()}

    def keepers(self):
        """Keepers whose claim is there, from their folders."""
        claims = (path.read_text().split() for path in self.state.glob("exec/x/work/.kept-*/claim"))
        return [int(claim[0]) for claim in claims if claim[0].isdigit()]

    def await_lines(self, count):
        for _ in range(1200):
            if len(self.ledger.read_text().splitlines()) >= count:
                return
            time.sleep(0.01)
        raise AssertionError(f"the ledger has {self.written()}")

    def await_end(self):
        """Until the keeper has written down how the child ended, and is gone."""
        for _ in range(500):
            if list(self.state.glob("exec/x/work/.kept-*/end")) and not any(map(is_alive, self.keepers())):
                return
            time.sleep(0.01)
        raise AssertionError("the keeper does not end")

    def check_whole(self, result):
        """The result of a run, or of the resume that ended it: everything once."""
        assert result["state"]["current"] == "SUCCESS", result
        numbers = [int(number) for _, number in self.written()]
        assert numbers == list(range(1, self.lines + 1)) and len(self.writers()) == 1, self.written()
        outputs = next(run for run in result["taskRunList"] if run["taskId"] == "write")["outputs"]
        assert outputs["exitCode"] == 0 and outputs["vars"] == {"marker": 1, "file": "******"}, outputs
        log = [json.loads(line)["message"] for line in self.flowrun("logs").stdout.splitlines()]
        assert [line for line in log if line.startswith("line ")] == [f"line {i} ******" for i in range(1, self.lines + 1)], log
        assert log[-1] == "1 text\n", log
        assert not list(self.state.glob("exec/x/work/*")), "folders are left"
        self.check_secret()

    def check_secret(self):
        for path in self.state.rglob("*"):
            if path.is_file() and path.name not in ("vars", "out.txt"):  # what a task writes itself
                assert SECRET.encode() not in path.read_bytes(), path

    def check_no_keeper(self):
        for pid in self.keepers():
            assert not is_alive(pid), f"keeper {pid} is still there"

    def check_nobody_writes(self):
        before = len(self.written())
        time.sleep(4 * PAUSE)
        assert len(self.written()) == before, "somebody still writes"


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def engine_of(process):
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0])


def kill(process, whom):
    pids = {"seen": [process.pid], "engine": [engine_of(process)], "both": [process.pid, engine_of(process)]}[whom]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    process.communicate()


def gone_on_with(whom, lines, times=1):
    with flowtest.temporary() as name:
        world = World(name, lines=LINES * (2 * times - 1))
        process = world.begin()
        for n in range(times):
            world.await_lines(lines + 2 * n)
            world.check_secret()
            kill(process, whom)
            writing = len(world.written())
            world.await_lines(writing + 1)  # it goes on alone
            if n + 1 < times:
                process = world.start("resume", "x")
                time.sleep(0.1)
        done = world.resume()
        assert done.returncode == 0, done.stdout + done.stderr
        world.check_whole(json.loads(done.stdout))


def test_a_kept_child_is_gone_on_with_whoever_is_killed():
    for whom in ("seen", "engine", "both"):
        gone_on_with(whom, 3)


def test_a_kept_child_is_gone_on_with_after_several_kills():
    gone_on_with("engine", 2, times=3)


def test_a_result_that_nobody_was_there_for_is_taken():
    with flowtest.temporary() as name:
        world = World(name)
        process = world.begin()
        world.await_lines(4)
        kill(process, "both")
        world.await_lines(world.lines)
        world.await_end()
        world.check_no_keeper()
        done = world.resume()
        assert done.returncode == 0, done.stdout + done.stderr
        world.check_whole(json.loads(done.stdout))


def test_without_a_kill_a_kept_child_is_as_any_other():
    with flowtest.temporary() as name:
        world = World(name, lines=3)
        out = world.begin().communicate()[0]
        world.check_whole(json.loads(out))


def point(world, process, draw):
    """Somewhere between the start of the runtime and the second line: before the folder, the claim, the child, and behind them."""
    kind = draw.choice(["time", "folder", "claim", "process", "line"])
    deadline = time.monotonic() + 10
    while kind != "time" and process.poll() is None and time.monotonic() < deadline:
        if kind == "folder" and list(world.state.glob("exec/x/work/.kept-*")):
            break
        if kind in ("claim", "process") and list(world.state.glob(f"exec/x/work/.kept-*/{kind}")):
            break
        if kind == "line" and world.written():
            break
    time.sleep(draw.random() * (0.05 if kind == "time" else 0.003))
    return kind


def test_at_the_beginning_there_is_one_writer_or_none():
    draw = random.Random(int(os.environ.get("FLOW_SEED", "3")))
    seen, asked = {}, 0
    for _ in range(60 if IS_LONG else 8):
        with flowtest.temporary() as name:
            world = World(name, lines=3)
            process = world.begin()
            kind = point(world, process, draw)
            try:
                kill(process, draw.choice(["seen", "engine", "both"]))
            except (OSError, IndexError):  # the engine is not there yet
                kill(process, "seen") if process.poll() is None else process.communicate()
            if world.flowrun("show").returncode == 2:
                continue  # killed before there was an execution
            had_begun = bool(world.written())
            done = world.resume()
            if done.returncode == 2 and not had_begun and "no execution" in done.stdout:
                continue  # killed while the store was made
            if done.returncode == 50 and not had_begun and not world.written():
                # The outer process had looked at the keeper before the keeper said what it is: it is
                # ended between its claim and its command, and only asking is safe.
                asked += 1
                continue
            assert done.returncode == 0, (kind, done.stdout, done.stderr)
            world.check_whole(json.loads(done.stdout))
            seen[kind, had_begun] = seen.get((kind, had_begun), 0) + 1
    assert asked <= 1, asked
    print("    " + ", ".join(f"{kind}{' (begun)' if begun else ''} {count}" for (kind, begun), count in sorted(seen.items())))


def test_a_kill_of_the_execution_ends_a_kept_child():
    """Also where no runtime is there any more."""
    for has_runtime in (True, False):
        with flowtest.temporary() as name:
            world = World(name)
            process = world.begin()
            world.await_lines(2)
            if not has_runtime:
                kill(process, "both")
            done = world.flowrun("kill")
            assert done.returncode in (0, 130), (done.returncode, done.stdout, done.stderr)
            process.wait()
            world.check_nobody_writes()
            assert json.loads(world.flowrun("show").stdout)["state"]["current"] == "KILLED"
            world.check_no_keeper()


def test_nothing_is_read_on_before_its_secrets_are_known():
    with flowtest.temporary() as name:
        world = World(name)
        process = world.begin()
        world.await_lines(2)
        kill(process, "both")
        secrets = world.folder / "secrets.yaml"
        secrets.write_text("OTHER: some-other-value\n")
        done = world.resume()
        assert done.returncode not in (0, 1, 50) and "masked" in done.stdout + done.stderr, (done.returncode, done.stdout, done.stderr)
        assert "PW" in done.stdout + done.stderr
        secrets.write_text(f"PW: {SECRET}\n")
        world.check_whole(json.loads(world.resume().stdout))


def test_a_timeout_ends_a_kept_child():
    with flowtest.temporary() as name:
        world = World(name, more="timeout: PT0.25S")
        process = world.begin()
        assert json.loads(process.communicate()[0])["state"]["current"] == "FAILED"
        world.check_nobody_writes()
        assert '"WARN"' not in world.flowrun("logs").stdout


def test_a_keeper_that_is_killed_makes_the_outcome_unknown():
    """With and without a runtime; the child goes with it, and nobody begins a second one."""
    for has_runtime in (True, False):
        with flowtest.temporary() as name:
            world = World(name)
            process = world.begin()
            world.await_lines(3)
            keeper = world.keepers()[0]
            if not has_runtime:
                kill(process, "both")
            os.kill(keeper, signal.SIGKILL)
            if has_runtime:
                out = process.communicate()[0]
                code = process.returncode
            else:
                done = world.resume()
                code, out = done.returncode, done.stdout
            assert code == 50, out
            run = next(run for run in json.loads(out)["taskRunList"] if run["taskId"] == "write")
            assert run["unknown"] and run["state"]["current"] == "PAUSED", run
            world.check_nobody_writes()
            assert len(world.writers()) == 1


def test_without_keep_the_outcome_is_unknown_and_the_writer_gone():
    for whom in ("seen", "engine", "both"):
        with flowtest.temporary() as name:
            world = World(name, keep=False)
            process = world.begin()
            world.await_lines(3)
            kill(process, whom)
            done = world.resume()
            assert done.returncode == 50, done.stdout + done.stderr
            world.check_nobody_writes()
            numbers = [int(number) for _, number in world.written()]
            assert numbers == list(range(1, len(numbers) + 1)) and len(world.writers()) == 1, world.written()
            assert not list(world.state.glob("exec/x/work/.output-*")), "a file of outputs is left"


def test_failures_of_kept_commands_are_told_as_any_other():
    with flowtest.temporary() as name:
        world = World(name, end="exit 3", lines=1)
        result = json.loads(world.begin().communicate()[0])
        assert result["state"]["current"] == "FAILED"
        assert result["taskRunList"][0]["outputs"]["exitCode"] == 3
    with flowtest.temporary() as name:
        world = World(name, more="interpreter: [no-such-shell, -c]", lines=1)
        result = world.begin().communicate()[0]
        assert json.loads(result)["state"]["current"] == "FAILED"
        assert "program 'no-such-shell' not found on PATH" in world.flowrun("logs").stdout, world.flowrun("logs").stdout


def test_what_a_kept_child_leaves_behind_is_ended_with_it():
    mark = f"1{random.randrange(10**6):06d}.{random.randrange(10**9):09d}"
    with flowtest.temporary() as name:
        world = World(name, end=f"setsid sleep {mark} & (sleep {mark} &)", lines=2)
        result = json.loads(world.begin().communicate()[0])
        assert result["state"]["current"] == "SUCCESS", result
        assert not flowtest.run(["pgrep", "-f", f"sleep {mark}"]).stdout


if __name__ == "__main__":
    flowtest.main()
