"""flowrun as scripts and people use it: options, streams, statuses, JSON, signals, other processes."""

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

SHELL = "io.kestra.plugin.scripts.shell.Commands"
PROCESS = "taskRunner: {type: io.kestra.plugin.core.runner.Process}"
RETURN = "io.kestra.plugin.core.debug.Return"
PAUSE = "io.kestra.plugin.core.flow.Pause"
# A time by which the sleeps of this run are told from those of others on the machine.
LONG = f"654.{os.getpid()}"


class World:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.state = self.folder / "state"

    def compile(self, tasks, head="", name="flow"):
        source = self.folder / f"{name}.yaml"
        source.write_text(f"id: {name}\nnamespace: test.cli\n{head}tasks:\n{tasks}")
        artifact = self.folder / f"{name}.flowc"
        done = flowtest.run([flowtest.FLOWC, "compile", source, "-o", artifact, "--flows", self.folder])
        assert done.returncode == 0, done.stdout + done.stderr
        return artifact

    def flowrun(self, *arguments, check=None, env=None, as_json=True):
        command = [flowtest.FLOWRUN, *arguments, "--state-dir", self.state]
        if as_json:
            command += ["--output", "json"]
        done = flowtest.run(command, env=env)
        if check is not None:
            assert done.returncode == check, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments):
        return subprocess.Popen([flowtest.FLOWRUN, *map(str, arguments), "--state-dir", self.state],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def await_state(self, execution, *states):
        for _ in range(200):
            done = flowtest.run([flowtest.FLOWRUN, "show", execution, "--state-dir", self.state, "--output", "json"])
            if done.returncode == 0 and json.loads(done.stdout)["state"]["current"] in states:
                return json.loads(done.stdout)
            time.sleep(0.05)
        raise AssertionError(f"{execution} never was {states}")


def world():
    for program in (flowtest.FLOWC, flowtest.FLOWRUN):
        if not Path(program).exists():
            flowtest.skip(f"{program} is not built")
    return flowtest.temporary()


def shell(name, *commands):
    lines = "".join(f"      - {json.dumps(command)}\n" for command in commands)
    return f"  - id: {name}\n    type: {SHELL}\n    {PROCESS}\n    commands:\n{lines}"


def give(name, text):
    return f"  - id: {name}\n    type: {RETURN}\n    format: {json.dumps(text)}\n"


def test_a_snapshot_keeps_what_was_measured():
    with world() as folder:
        it = World(folder)
        body = f"      - id: value\n        type: {RETURN}\n        format: \"{{{{ taskrun.value }}}}\"\n"
        artifact = it.compile(give("first", "measured") + "  - id: each\n    type: io.kestra.plugin.core.flow.ForEach\n"
                              f"    values: \"{{{{ range(1, 4000) }}}}\"\n    tasks:\n{body}"
                              f"  - id: ask\n    type: {PAUSE}\n" + give("last", "{{ outputs.value['17'].value }}"))
        paused = json.loads(it.flowrun("run", artifact, "--id", "one", check=50).stdout)
        ended = json.loads(it.flowrun("resume", "one", check=0).stdout)
        metrics = {run["id"]: run["metrics"] for run in paused["taskRunList"]}
        assert sum(1 for run in metrics if metrics[run]) > 4000
        again = {run["id"]: run["metrics"] for run in ended["taskRunList"] if run["taskId"] not in ("ask", "last")}
        assert all(metrics[run] == again[run] for run in again) and len(again) == 4002
        assert [run["outputs"]["value"] for run in ended["taskRunList"] if run["taskId"] == "last"] == ["17"]
        shown = json.loads(it.flowrun("show", "one", check=0).stdout)
        assert shown["taskRunList"] == ended["taskRunList"]


def test_a_damaged_page_is_told():
    with world() as folder:
        it = World(folder)
        body = f"      - id: value\n        type: {RETURN}\n        format: x\n"
        artifact = it.compile("  - id: each\n    type: io.kestra.plugin.core.flow.ForEach\n"
                              f"    values: \"{{{{ range(1, 4000) }}}}\"\n    tasks:\n{body}")
        flowtest.run([flowtest.FLOWRUN, "run", artifact, "--id", "x", "--state-dir", it.state], check=0)
        show = [flowtest.FLOWRUN, "show", "x", "--state-dir", it.state]
        flowtest.run(show, check=0)
        with sqlite3.connect(it.state / "store.db") as store:
            assert store.execute("UPDATE page SET bytes = x'00' WHERE number = (SELECT min(number) FROM page)").rowcount > 0
        done = flowtest.run(show)
        assert done.returncode == 74 and "of its snapshot is damaged" in done.stderr, (done.returncode, done.stderr)


def test_lines_of_a_loop_say_which_iteration():
    with world() as folder:
        it = World(folder)
        loop = ("  - id: outer\n    type: io.kestra.plugin.core.flow.ForEach\n    values: [a, b]\n    tasks:\n"
                "      - id: inner\n        type: io.kestra.plugin.core.flow.ForEach\n        values: [1, 2]\n"
                "        tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hello}]\n")
        it.flowrun("run", it.compile(loop), "--id", "loops", check=0)
        lines = it.flowrun("logs", "loops", check=0, as_json=False).stdout.splitlines()
        assert [line.split()[2] for line in lines] == [f"say[{o}][{i}]:" for o in "ab" for i in (1, 2)], lines
        one = it.flowrun("logs", "loops", "--task", "say[b][1]", check=0, as_json=False).stdout.splitlines()
        assert len(one) == 1 and "say[b][1]: hello" in one[0], one


def test_a_working_directory_is_always_new_and_empty():
    look = 'echo "::{\\"outputs\\":{\\"seen\\":\\"$(stat -c %a:%F .) $(ls -A | wc -l)\\"}}::"'
    spoil = ["touch left", "chmod 755 .", 'd=$PWD; cd ..; mv "$d" "$d.moved"; ln -s /tmp "$d"', ":"]
    with world() as folder:
        it = World(folder)
        tasks = "".join(shell(f"spoil{i}", command) + shell(f"look{i}", look) for i, command in enumerate(spoil))
        result = json.loads(it.flowrun("run", it.compile(tasks), "--id", "dirs", check=0).stdout)
        seen = [run["outputs"]["vars"]["seen"] for run in result["taskRunList"] if run["taskId"].startswith("look")]
        assert seen == ["700:directory 0"] * 4, seen
        left = [name for name in (Path(it.state) / "exec" / "dirs" / "work").iterdir() if not name.name.endswith(".moved")]
        assert not left, left


def test_an_empty_id_is_refused():
    with world() as folder:
        it = World(folder)
        done = it.flowrun("run", it.compile(give("one", "1")), "--id", "", check=2)
        assert json.loads(done.stdout)["error"]["kind"] == "usage", done.stdout


def test_a_result_stands_alone_on_standard_output():
    with world() as folder:
        it = World(folder)
        flow = it.compile(give("one", "{{ inputs.name }}"), "inputs: [{id: name, type: STRING}]\nlabels: {team: ops}\n")
        done = it.flowrun("run", flow, "-i", "name=shop", "-l", "stage=test", "--id", "first", check=0)
        result = json.loads(done.stdout)
        assert result["id"] == "first" and result["namespace"] == "test.cli" and result["flowId"] == "flow"
        assert result["inputs"] == {"name": "shop"}
        assert result["labels"] == {"team": "ops", "stage": "test", "system.correlationId": "first"}
        assert result["state"]["current"] == "SUCCESS" and result["state"]["duration"].startswith("PT")
        assert [h["state"] for h in result["state"]["histories"]] == ["CREATED", "RUNNING", "SUCCESS"]
        run = result["taskRunList"][0]
        assert run["taskId"] == "one" and run["outputs"] == {"value": "shop"} and run["unknown"] is False
        assert len(run["attempts"]) == 1 and run["attempts"][0]["state"]["current"] == "SUCCESS"
        assert "\x1b" not in done.stderr
        assert json.loads(it.flowrun("show", "first", check=0).stdout) == result
        assert json.loads(it.flowrun("wait", "fir", check=0).stdout) == result
        again = it.flowrun("run", flow, "-i", "name=x", "--id", "first", check=2)
        assert json.loads(again.stdout)["error"]["kind"] == "usage"


def test_bad_inputs_name_input_rule_bound_and_value():
    with world() as folder:
        it = World(folder)
        head = "inputs:\n  - {id: count, type: INT, min: 1, max: 3}\n  - {id: tags, type: ARRAY, itemType: STRING, required: false}\n"
        flow = it.compile(give("one", "{{ inputs.count }}"), head)
        error = json.loads(it.flowrun("run", flow, "-i", "count=7", check=2).stdout)["error"]
        assert (error["kind"], error["input"], error["rule"], error["bound"], error["received"]) == (
            "input", "count", "max", "3", "7"), error
        error = json.loads(it.flowrun("run", flow, check=2).stdout)["error"]
        assert (error["input"], error["rule"]) == ("count", "required"), error
        text = it.flowrun("run", flow, "-i", "count=x", check=2, as_json=False)
        assert text.stdout == "" and "count" in text.stderr and "'x'" in text.stderr
        result = json.loads(it.flowrun("run", flow, "-i", "count=2", "-i", 'tags=["a","b"]', check=0).stdout)
        assert result["inputs"] == {"count": 2, "tags": ["a", "b"]}
        values = it.folder / "values.yaml"
        values.write_text("count: 3\ntags: [x]\n")
        result = json.loads(it.flowrun("run", flow, "--inputs", values, "-i", "tags=null", check=0).stdout)
        assert result["inputs"] == {"count": 3, "tags": None}
        typo = it.flowrun("run", flow, "-i", "count=1", "-i", "tagz=x", check=0)
        assert "did you mean 'tags'" in typo.stderr


def test_a_pause_waits_and_resumes_with_values():
    with world() as folder:
        it = World(folder)
        pause = f"  - id: ask\n    type: {PAUSE}\n    onResume:\n      - {{id: ok, type: BOOL}}\n"
        flow = it.compile(pause + give("after", "{{ outputs.ask.onResume.ok }}"))
        done = it.flowrun("run", flow, "--id", "p1", check=50)
        assert json.loads(done.stdout)["state"]["current"] == "PAUSED"
        text = it.flowrun("show", "p1", check=0, as_json=False).stdout
        assert "flowrun resume p1" in text
        error = json.loads(it.flowrun("resume", "p1", check=2).stdout)["error"]
        assert error["input"] == "ok"
        result = json.loads(it.flowrun("resume", "p1", "-i", "ok=true", check=0).stdout)
        assert result["state"]["current"] == "SUCCESS"
        assert result["taskRunList"][-1]["outputs"] == {"value": "true"}
        over = it.flowrun("resume", "p1", check=2)
        assert "SUCCESS" in json.loads(over.stdout)["error"]["message"]


def test_an_interrupt_kills_and_leaves_nothing_running():
    with world() as folder:
        it = World(folder)
        flow = it.compile(shell("wait", f"sleep {LONG}"))
        process = it.start("run", flow, "--id", "k1", "--output", "json")
        it.await_state("k1", "RUNNING")
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 130
        assert json.loads(out)["state"]["current"] == "KILLED"
        assert subprocess.run(["pgrep", "-f", f"sleep {LONG}"], capture_output=True).stdout == b""


def test_a_kill_of_the_engine_leaves_no_child_and_a_question():
    with world() as folder:
        it = World(folder)
        flow = it.compile(shell("wait", f"echo x >> {it.folder}/count; sleep 0.3; sleep $(test -e {it.folder}/go && echo 0 || echo {LONG})"))
        process = it.start("run", flow, "--id", "c1")
        it.await_state("c1", "RUNNING")
        for _ in range(100):
            if (it.folder / "count").exists():
                break
            time.sleep(0.05)
        process.kill()
        process.communicate()
        for _ in range(100):
            if subprocess.run(["pgrep", "-f", f"sleep {LONG}"], capture_output=True).stdout == b"":
                break
            time.sleep(0.05)
        done = it.flowrun("resume", "c1", check=50)
        result = json.loads(done.stdout)
        assert result["taskRunList"][0]["unknown"] is True
        assert subprocess.run(["pgrep", "-f", f"sleep {LONG}"], capture_output=True).stdout == b""
        assert (it.folder / "count").read_text() == "x\n"
        (it.folder / "go").write_text("")
        it.flowrun("resolve", "c1", "wait", "--as", "retry", check=0)
        result = json.loads(it.flowrun("resume", "c1", check=0).stdout)
        assert result["state"]["current"] == "SUCCESS"
        assert (it.folder / "count").read_text() == "x\nx\n"


def test_another_process_kills_and_waits():
    with world() as folder:
        it = World(folder)
        flow = it.compile(shell("wait", "echo started", "sleep 60"))
        started = it.flowrun("run", flow, "--detach", check=0)
        execution = json.loads(started.stdout)["id"]
        it.await_state(execution, "RUNNING")
        listed = json.loads(it.flowrun("list", "--state", "RUNNING", "--flow", "test.cli.flow", check=0).stdout)
        assert [e["id"] for e in listed["executions"]] == [execution] and "taskRunList" not in listed["executions"][0]
        follower = it.start("logs", execution, "-f", "--output", "json")
        busy = it.flowrun("resume", execution, check=75)
        assert json.loads(busy.stdout)["error"]["kind"] == "busy"
        time.sleep(0.3)
        it.flowrun("kill", execution, check=0)
        assert json.loads(it.flowrun("wait", execution, check=130).stdout)["state"]["current"] == "KILLED"
        out, _ = follower.communicate(timeout=20)
        lines = [json.loads(line) for line in out.splitlines()]
        assert any(line["message"] == "started" and line["taskId"] == "wait" and line["attempt"] == 1 for line in lines)


def test_an_id_that_is_taken_disturbs_nobody():
    with world() as folder:
        it = World(folder)
        flow = it.compile(shell("wait", "sleep 1.5", "echo through"))
        process = it.start("run", flow, "--id", "i1", "--output", "json")
        it.await_state("i1", "RUNNING")
        time.sleep(0.3)
        assert json.loads(it.flowrun("run", flow, "--id", "i1", check=75).stdout)["error"]["kind"] == "busy"
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0, out
        it.flowrun("run", flow, "--id", "i1", check=2)
        for bad in ("../x", "a/b", ".hidden", "a b"):
            assert json.loads(it.flowrun("run", flow, "--id", bad, check=2).stdout)["error"]["kind"] == "usage"
        assert not (it.folder / "x").exists()


def test_a_termination_leaves_it_to_be_resumed():
    with world() as folder:
        it = World(folder)
        sleep = "  - id: nap\n    type: io.kestra.plugin.core.flow.Sleep\n    duration: PT2S\n"
        flow = it.compile(sleep + give("after", "done"))
        process = it.start("run", flow, "--id", "t1")
        it.await_state("t1", "RUNNING")
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 75
        result = json.loads(it.flowrun("resume", "t1", check=0).stdout)
        assert result["state"]["current"] == "SUCCESS"
        assert [r["taskId"] for r in result["taskRunList"]] == ["nap", "after"]


def test_no_wait_leaves_where_only_time_passes():
    with world() as folder:
        it = World(folder)
        sleep = "  - id: nap\n    type: io.kestra.plugin.core.flow.Sleep\n    duration: PT1S\n"
        flow = it.compile(sleep)
        start = time.monotonic()
        it.flowrun("run", flow, "--id", "n1", "--no-wait", check=50)
        assert time.monotonic() - start < 0.9
        it.flowrun("resume", "n1", check=0)


def test_restart_and_replay():
    with world() as folder:
        it = World(folder)
        flow = it.compile(give("one", "1") + shell("two", f"test -e {it.folder}/go") + give("three", "3"))
        failed = json.loads(it.flowrun("run", flow, "--id", "r1", check=1).stdout)
        assert failed["reason"]["taskId"] == "two" and len(failed["taskRunList"]) == 2
        (it.folder / "go").write_text("")
        again = json.loads(it.flowrun("restart", "r1", check=0).stdout)
        assert again["id"] == "r1" and again["state"]["current"] == "SUCCESS"
        assert [r["taskId"] for r in again["taskRunList"]] == ["one", "two", "three"]
        replayed = json.loads(it.flowrun("replay", "r1", "--from", "two", check=0).stdout)
        assert replayed["id"] != "r1" and replayed["state"]["current"] == "SUCCESS"
        assert replayed["labels"]["system.replay"] == "true"
        it.flowrun("replay", "r1", "--check", check=0)


def test_rows_of_task_runs_are_those_that_are_there():
    with world() as folder:
        it = World(folder)
        until = ("  - id: until\n    type: io.kestra.plugin.core.flow.LoopUntil\n    condition: \"{{ outputs.until.iterationCount > 2 }}\"\n"
                 "    checkFrequency: {interval: PT0.05S}\n    tasks:\n      - id: each\n"
                 "        type: io.kestra.plugin.core.flow.ForEach\n        values: [a, b]\n        tasks:\n"
                 f"          - {{id: value, type: {RETURN}, format: x}}\n          - {{id: nap, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.01S}}\n")
        ended = json.loads(it.flowrun("run", it.compile(until), "--id", "u1", check=0).stdout)
        with sqlite3.connect(it.state / "store.db") as store:
            rows = sorted(store.execute("SELECT id, state FROM taskrun WHERE execution = 'u1'").fetchall())
        assert rows == sorted((r["id"], r["state"]["current"]) for r in ended["taskRunList"]) and len(rows) == 6, rows


def test_a_history_is_checked_decision_by_decision():
    with world() as folder:
        it = World(folder)
        one = it.compile(give("one", "1") + shell("two", "exit 1") + give("three", "3"))
        it.flowrun("run", one, "--id", "r1", check=1)
        checked = json.loads(it.flowrun("replay", "r1", "--check", check=0).stdout)
        assert checked["differsAt"] is None and checked["decisions"] > 4 and checked["events"] > checked["decisions"], checked
        assert it.flowrun("replay", "r1", "--check", "--from", "none", check=2).stdout
        # As if another flowrun had decided: the history of one revision under the plan of another.
        other = it.compile(give("one", "1") + shell("two", "exit 1") + "    allowFailure: true\n" + give("three", "3"))
        it.flowrun("run", other, "--id", "r2", check=0)
        with sqlite3.connect(it.state / "store.db") as store:
            store.execute("UPDATE execution SET artifact = (SELECT artifact FROM execution WHERE id = 'r2') WHERE id = 'r1'")
        checked = json.loads(it.flowrun("replay", "r1", "--check", check=1).stdout)
        assert checked["recorded"].startswith("TASKSTATE") and '"FAILED"' in checked["recorded"], checked
        assert checked["decided"].startswith("TASKSTATE") and '"WARNING"' in checked["decided"], checked
        assert "this flowrun decides: TASKSTATE" in it.flowrun("replay", "r1", "--check", as_json=False).stderr


def test_labels_and_states_can_be_set():
    with world() as folder:
        it = World(folder)
        flow = it.compile(shell("bad", "exit 1") + give("after", "x"))
        it.flowrun("run", flow, "--id", "l1", check=1)
        it.flowrun("label", "l1", "ticket=42", check=0)
        assert json.loads(it.flowrun("show", "l1", check=0).stdout)["labels"]["ticket"] == "42"
        it.flowrun("mark", "l1", "bad", "SUCCESS", check=0)
        result = json.loads(it.flowrun("resume", "l1", check=0).stdout)
        assert result["state"]["current"] == "SUCCESS" and result["taskRunList"][-1]["taskId"] == "after"
        it.flowrun("label", "l1", "system.x=1", check=2)


def test_a_subflow_is_a_child_in_the_same_store():
    with world() as folder:
        it = World(folder)
        child_head = "inputs: [{id: n, type: INT}]\noutputs: [{id: double, type: INT, value: '{{ inputs.n * 2 }}'}]\n"
        child = it.compile(give("one", "x"), child_head, "child")
        it.flowrun("install", child, check=0)
        call = ("  - id: call\n    type: io.kestra.plugin.core.flow.Subflow\n    namespace: test.cli\n    flowId: child\n"
                "    inputs: {n: 21}\n")
        flow = it.compile(call + give("after", "{{ outputs.call.outputs.double }}"))
        result = json.loads(it.flowrun("run", flow, "--id", "s1", check=0).stdout)
        assert result["taskRunList"][-1]["outputs"] == {"value": "42"}, result
        assert len(result["children"]) == 1
        one = json.loads(it.flowrun("show", result["children"][0], check=0).stdout)
        assert one["parentId"] == "s1" and one["trigger"]["executionId"] == "s1"
        listed = json.loads(it.flowrun("list", "--parent", "s1", check=0).stdout)["executions"]
        assert [e["id"] for e in listed] == result["children"]


def test_a_working_directory_is_shared_and_goes_with_its_run():
    with world() as folder:
        it = World(folder)
        inner = (shell("one", "cat a.txt > b.txt") + shell("two", "test \"$(cat b.txt)\" = 'from flow'")).replace(
            "\n", "\n    ").rstrip(" ")
        tasks = ("  - id: dir\n    type: io.kestra.plugin.core.flow.WorkingDirectory\n    inputFiles:\n"
                 "      a.txt: 'from {{ flow.id }}'\n    tasks:\n    " + inner)
        flow = it.compile(tasks)
        it.flowrun("run", flow, "--id", "w1", check=0)
        assert [p for p in (it.state / "exec/w1/work").iterdir() if p.is_dir()] == []


def test_a_plan_shows_what_hangs_on_outputs_nobody_knows():
    with world() as folder:
        it = World(folder)
        switch = ("  - id: choose\n    type: io.kestra.plugin.core.flow.Switch\n    value: '{{ outputs.ask.vars.region }}'\n    cases:\n"
                  "      eu:\n" + shell("eu", "deploy {{ outputs.ask.vars.size }}").replace("  - id", "        - id").replace("\n    ", "\n          ")
                  + "      us:\n" + shell("us", "deploy us").replace("  - id", "        - id").replace("\n    ", "\n          "))
        flow = it.compile(shell("ask", "./ask") + switch.rstrip(" "))
        steps = json.loads(it.flowrun("plan", flow, check=0).stdout)["steps"]
        assert [(s["taskId"], s["branch"]) for s in steps] == [("ask", None), ("eu", "choose = eu"), ("us", "choose = us")]
        assert steps[1]["assumed"] == ["<ask.vars.size>"] and "deploy <ask.vars.size>" in steps[1]["argv"][-1]
        assume = it.folder / "assume.json"
        assume.write_text('{"ask": {"vars": {"region": "us"}}}')
        steps = json.loads(it.flowrun("plan", flow, "--assume", assume, check=0).stdout)["steps"]
        assert [(s["taskId"], s["branch"]) for s in steps] == [("ask", None), ("us", None)]
        assert not it.state.exists()


def test_nothing_is_kept_of_an_ephemeral_run():
    with world() as folder:
        it = World(folder)
        flow = it.compile(give("one", "x"))
        result = json.loads(it.flowrun("run", flow, "--ephemeral", check=0).stdout)
        assert result["state"]["current"] == "SUCCESS"
        assert not it.state.exists()


def test_a_secrets_file_must_be_private():
    with world() as folder:
        it = World(folder)
        flow = it.compile(shell("use", "echo {{ secret('TOKEN') }}"))
        secrets = it.folder / "secrets.yaml"
        secrets.write_text("TOKEN: abcdef-123456\n")
        secrets.chmod(0o644)
        error = json.loads(it.flowrun("run", flow, "--secrets", secrets, check=2).stdout)["error"]
        assert error["kind"] == "secret" and "secrets.yaml" in error["message"]
        secrets.chmod(0o600)
        done = it.flowrun("run", flow, "--secrets", secrets, "--id", "x1", check=0)
        logs = it.flowrun("logs", "x1", check=0)
        for text in (done.stdout, done.stderr, logs.stdout):
            assert "abcdef-123456" not in text
        assert any(json.loads(line)["message"] == "******" for line in logs.stdout.splitlines())


def test_old_executions_are_pruned():
    with world() as folder:
        it = World(folder)
        flow = it.compile(give("one", "x"))
        for name in ("a1", "a2", "a3"):
            it.flowrun("run", flow, "--id", name, check=0)
        dry = json.loads(it.flowrun("prune", "--older-than", "0s", "--keep", "1", "--dry-run", check=0).stdout)
        assert sorted(dry["removed"]) == ["a1", "a2"]
        it.flowrun("prune", "--older-than", "0s", "--keep", "1", check=0)
        left = json.loads(it.flowrun("list", check=0).stdout)["executions"]
        assert [e["id"] for e in left] == ["a3"]
        assert not (it.state / "exec/a1").exists()


def test_a_limit_of_the_flow_queues():
    with world() as folder:
        it = World(folder)
        flow = it.compile(shell("wait", "sleep 0.7"), "concurrency: {limit: 1}\n")
        first = it.start("run", flow, "--id", "q1", "--output", "json")
        it.await_state("q1", "RUNNING")
        second = it.start("run", flow, "--id", "q2", "--output", "json")
        it.await_state("q2", "QUEUED")
        for process in (first, second):
            process.communicate(timeout=30)
            assert process.returncode == 0
        one, two = (json.loads(it.flowrun("show", e, check=0).stdout) for e in ("q1", "q2"))
        running = [h["date"] for h in two["state"]["histories"] if h["state"] == "RUNNING"]
        assert running and running[0] >= one["state"]["endDate"]


def test_the_state_directory_of_others_is_told():
    with world() as folder:
        it = World(folder)
        it.state.mkdir(mode=0o755)
        it.state.chmod(0o755)
        (it.state / "letter").write_text("hello")
        flow = it.compile(give("one", "x"))
        error = json.loads(it.flowrun("run", flow, check=74).stdout)["error"]
        assert error["kind"] == "store" and "--state-dir" in error["message"]


flowtest.main()
