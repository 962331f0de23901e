"""Cases that no runner can execute (kinds unit and task), by hand: the table says which test holds which case."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "run"))
import flowtest
from test_language import run, same

SHELL = "type: io.kestra.plugin.scripts.shell.Commands\n    taskRunner: {type: core.runner.Process}"

# case -> test (here, or file: test)
PORTED = {
    "attempt-resend-none": "run/kill_test.c: what a kill leaves is asked, its attempt is KILLED",
    "context-default-input": "test_defaults_are_seen_without_inputs",
    "n-assert-failed": "test_all_conditions_of_an_assert_are_looked_at",
    "n-assert-null": "test_a_null_condition_fails_an_assert",
    "original-id": "test_replays_keep_the_first_id",
    "process-fail-keeps-outputs": "test_outputs_survive_a_failure",
    "process-files": "test_files_of_a_process",
    "process-no-output-dir": "test_without_an_output_directory_there_is_no_variable",
    "process-run": "test_files_of_a_process",
    "script-commands": "test_commands_are_one_script",
    "sla-unit-assert-true": "test_agreements_that_hold_do_nothing",
    "sla-unit-duration-ok": "test_agreements_that_hold_do_nothing",
    "subflow-result-outputs-off": "test_a_subflow_without_outputs_has_an_empty_map",
    "templated-self": "cases/structure/templated_spec.yaml",
    "variables-flow": "test_the_flow_and_the_task_are_variables",
    "variables-task": "test_the_flow_and_the_task_are_variables",
    "workdir-cleanup": "test_a_working_directory_is_gone_after_its_task",
    "worker-kill": "test_a_kill_ends_its_execution_only",
}


def test_every_ported_case_has_its_test():
    for case, test in PORTED.items():
        where = test.split(":")[0]
        assert test in globals() or (flowtest.SOURCE / "tests" / where).exists(), f"{case}: {test}"


def test_defaults_are_seen_without_inputs():
    same(run('inputs: [{id: test, type: STRING, defaults: test}]\ntasks: [{id: r, type: core.debug.Return, format: "{{inputs.test}}"}]\n').values("r"), ["test"])


def test_all_conditions_of_an_assert_are_looked_at():
    it = run("""
tasks:
  - id: a
    type: core.execution.Assert
    conditions: ["{{ true }}", "{{ 1 > 2 }}", "{{ flow.id is defined }}", "{{ false }}", "yes"]
""")
    same(it.state, "FAILED")
    message = it.execution["reason"]["message"]
    assert "2 " in message and "assertions failed" in message, message
    same({m["name"]: m["value"] for m in it.of("a")[0]["metrics"]}, {"success": 3, "failed": 2})


def test_a_null_condition_fails_an_assert():
    it = run('tasks: [{id: a, type: core.execution.Assert, conditions: ["{{ null }}"]}]\n')
    same(it.state, "FAILED")
    assert "1 assertion" in it.execution["reason"]["message"]


def flowrun(folder, *options):
    done = flowtest.run([flowtest.FLOWRUN, *options, "--output", "json", "--state-dir", folder / "state"])
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_replays_keep_the_first_id():
    with flowtest.temporary() as made:
        folder = Path(made)
        first = run("tasks: [{id: r, type: core.debug.Return, format: x}]\n", folder=folder).execution
        second = flowrun(folder, "replay", first["id"])
        third = flowrun(folder, "replay", second["id"])
        same([second["originalId"], third["originalId"]], [first["id"], first["id"]])
        assert len({first["id"], second["id"], third["id"]}) == 3


def test_outputs_survive_a_failure():
    it = run(f"""
tasks:
  - id: sh
    {SHELL}
    commands: ["echo '::{{\\"outputs\\":{{\\"logOutput\\":\\"Hello World\\"}}}}::'", "exit 1"]
""")
    same([it.state, it.of("sh")[0]["outputs"]["vars"]], ["FAILED", {"logOutput": "Hello World"}])


def test_files_of_a_process():
    it = run(f"""
tasks:
  - {{id: w, type: core.storage.Write, content: Hello from internal storage}}
  - id: sh
    {SHELL}
    inputFiles: {{hello.txt: Hello World}}
    outputFiles: [output.txt]
    outputDirectory: true
    commands:
      - cat {{{{ outputs.w.uri }}}}; echo
      - cat hello.txt > output.txt
      - printf 'file from output dir' > {{{{ outputDir }}}}/file.txt
      - mkdir -p {{{{ outputDir }}}}/nested
      - printf 'nested file' > {{{{ outputDir }}}}/nested/file.txt
      - echo '::{{"outputs":{{"logOutput":"Hello World"}}}}::'
  - {{id: r, type: core.debug.Return, format: "{{{{ read(outputs.sh.outputFiles['nested/file.txt']) }}}} {{{{ outputs.sh.exitCode }}}}"}}
""")
    same([it.state, it.values("r")], ["SUCCESS", ["nested file 0"]])
    same(sorted(it.of("sh")[0]["outputs"]["outputFiles"]), ["file.txt", "nested/file.txt", "output.txt"])


def test_without_an_output_directory_there_is_no_variable():
    it = run(f"""
tasks:
  - id: sh
    {SHELL}
    commands: ['echo ''::{{"outputs":{{"v":"''${{OUTPUT_DIR-none}}''"}}}}::''']
""")
    same(it.of("sh")[0]["outputs"]["vars"], {"v": "none"})


def test_commands_are_one_script():
    it = run(f"""
tasks:
  - id: sh
    {SHELL}
    beforeCommands: ["cd /", "X=kept"]
    commands: ["cd usr", 'echo ''::{{"outputs":{{"v":"''$PWD-$X''"}}}}::''']
""")
    same(it.of("sh")[0]["outputs"]["vars"], {"v": "/usr-kept"})


def test_agreements_that_hold_do_nothing():
    it = run("""
variables: {condition: "true"}
sla:
  - {id: a, type: EXECUTION_ASSERTION, behavior: FAIL, assert: "{{ vars.condition == 'true' }}", labels: {broken: "yes"}}
  - {id: d, type: MAX_DURATION, behavior: FAIL, duration: PT10S, labels: {late: "yes"}}
tasks: [{id: r, type: core.debug.Return, format: x}]
""")
    same(it.state, "SUCCESS")
    assert not {"broken", "late"} & set(it.execution["labels"])


def test_a_subflow_without_outputs_has_an_empty_map():
    child = "id: child\ntasks: [{id: c, type: core.debug.Return, format: x}]\n"
    it = run("tasks: [{id: s, type: core.flow.Subflow, namespace: test.language, flowId: child}]\n", others=[child])
    outputs = it.of("s")[0]["outputs"]
    same([outputs["state"], outputs.get("outputs", {})], ["SUCCESS", {}])
    same([a["state"]["current"] for a in it.of("s")[0]["attempts"]], ["SUCCESS"])


def test_the_flow_and_the_task_are_variables():
    it = run('tasks: [{id: r, type: core.debug.Return, format: "{{ flow.id }} {{ flow.namespace }} {{ flow.revision }} {{ task.id }} {{ task.type }}"}]\n')
    same(it.values("r"), ["flow test.language 1 r io.kestra.plugin.core.debug.Return"])


def test_a_working_directory_is_gone_after_its_task():
    with flowtest.temporary() as made:
        folder = Path(made)
        it = run(f"""
tasks:
  - id: sh
    {SHELL}
    commands: ['touch left; echo ''::{{"outputs":{{"v":"''$PWD''"}}}}::''']
""", folder=folder)
        assert not os.path.exists(it.of("sh")[0]["outputs"]["vars"]["v"] + "/left")


def test_a_kill_ends_its_execution_only():
    with flowtest.temporary() as made:
        folder = Path(made)
        state = ["--state-dir", str(folder / "state"), "--output", "json"]
        run("inputs: [{id: d, type: STRING, defaults: PT0S}]\ntasks:\n  - id: p\n    type: core.flow.Parallel\n    tasks:\n"
            + "".join(f'      - {{id: s{i}, type: core.flow.Sleep, duration: "{{{{ inputs.d }}}}"}}\n' for i in range(4)), folder=folder)
        long, short = [
            subprocess.Popen([flowtest.FLOWRUN, "run", str(folder / "flow.flowc"), "--id", name, "-i", f"d={d}", *state], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for name, d in (("long", "PT999S"), ("short", "PT2S"))
        ]
        for _ in range(100):
            shown = flowtest.run([flowtest.FLOWRUN, "show", "long", *state])
            if shown.returncode == 0 and sum(r["state"]["current"] == "RUNNING" for r in json.loads(shown.stdout)["taskRunList"]) == 5:
                break
            time.sleep(0.05)
        flowtest.run([flowtest.FLOWRUN, "kill", "long", "--state-dir", folder / "state"])
        killed, other = json.loads(long.communicate(timeout=20)[0]), json.loads(short.communicate(timeout=20)[0])
        same([killed["state"]["current"], other["state"]["current"]], ["KILLED", "SUCCESS"])
        same({r["state"]["current"] for r in killed["taskRunList"]}, {"KILLED"})
        same([len(r["state"]["histories"]) for r in other["taskRunList"] if r["taskId"] == "s0"], [3])


if __name__ == "__main__":
    flowtest.main()
