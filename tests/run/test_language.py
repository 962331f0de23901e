"""What flows mean at run time, seen from outside: each flow is run, and its execution is looked at."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

CORE = "io.kestra.plugin.core."


class Runs:
    """An execution as JSON: outputs by task, in the order of the task runs."""

    def __init__(self, execution):
        self.execution = execution
        self.state = execution["state"]["current"]
        self.runs = execution["taskRunList"]

    def of(self, task):
        return [r for r in self.runs if r["taskId"] == task]

    def values(self, task):
        return [r["outputs"].get("value") for r in self.of(task)]

    def states(self, task):
        return [r["state"]["current"] for r in self.of(task)]

    def log(self):
        return [r["taskId"] for r in self.runs]


def run(text, *options, folder=None, others=()):
    """Compiles and runs a flow; `run` of a flow that is refused is a failure."""
    for program in (flowtest.FLOWC, flowtest.FLOWRUN):
        if not Path(program).exists():
            flowtest.skip(f"{program} is not built")
    if folder is None:
        with flowtest.temporary() as made:
            return run(text, *options, folder=Path(made), others=others)
    for number, other in enumerate(others):
        (folder / f"other{number}.yaml").write_text("namespace: test.language\n" + other.replace("core.", CORE))
    source = folder / "flow.yaml"
    source.write_text("id: flow\nnamespace: test.language\n" + text.replace("core.", CORE))
    artifact = folder / "flow.flowc"
    flowtest.run([flowtest.FLOWC, "compile", source, "-o", artifact, "--flows", folder], check=0)
    done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--output", "json", "--state-dir", folder / "state", *options])
    assert done.stdout, done.stderr
    return Runs(json.loads(done.stdout))


def same(got, want):
    assert got == want, f"\n got {got}\nwant {want}"


def test_a_working_directory_gives_its_files_before_finally():
    it = run("""
tasks:
  - id: wd
    type: core.flow.WorkingDirectory
    inputFiles: {in.txt: "from {{ flow.id }}"}
    outputFiles: ["*.out", "deep/**"]
    tasks:
      - id: sh
        type: io.kestra.plugin.scripts.shell.Commands
        taskRunner: {type: core.runner.Process}
        commands: ["cat in.txt > a.out", "mkdir -p deep/er", "echo x > deep/er/y", "echo z > not.this"]
    finally:
      - {id: fin, type: core.debug.Return, format: "{{ read(outputs.wd.outputFiles['a.out']) }}"}
  - {id: after, type: core.debug.Return, format: "{{ outputs.wd.outputFiles | keys | join(' ') }}"}
""")
    same(it.state, "SUCCESS")
    same(it.values("fin"), ["from flow"])
    same(it.values("after"), ["a.out deep/er/y"])


def test_listeners_run_before_what_comes_after():
    it = run("""
tasks: [{id: r, type: core.debug.Return, format: x}]
listeners:
  - tasks:
      - {id: one, type: core.debug.Return, format: "{{ execution.state }}"}
      - {id: bad, type: core.execution.Fail}
  - tasks: [{id: two, type: core.debug.Return, format: "{{ outputs.r.value }}"}]
afterExecution: [{id: last, type: core.debug.Return, format: y}]
""")
    same([it.state, it.log()], ["SUCCESS", ["r", "one", "bad", "two", "last"]])
    same(it.values("one") + it.values("two"), ["SUCCESS", "x"])


def test_no_task_begins_before_an_assertion_was_looked_at():
    it = run("""
inputs: [{id: n, type: INT, defaults: 3}]
sla: [{id: small, type: EXECUTION_ASSERTION, assert: "{{ inputs.n < 2 }}", behavior: FAIL}]
tasks: [{id: never, type: core.debug.Return, format: x}]
""")
    same([it.state, it.log()], ["FAILED", []])
    assert "'small' violated: assertion is false: {{ inputs.n < 2 }}" in it.execution["reason"]["message"], it.execution["reason"]


def test_the_tasks_of_a_working_directory_have_its_parents():
    it = run("""
tasks:
  - id: each
    type: core.flow.ForEach
    values: [a, b]
    tasks:
      - id: wd
        type: core.flow.WorkingDirectory
        tasks:
          - {id: one, type: core.debug.Return, format: "{{ parents | length }} {{ parent is defined }}"}
          - {id: two, type: core.debug.Return, format: "{{ currentEachOutput(outputs.one).value }}"}
""")
    same(it.values("one"), ["0 false"] * 2)
    same(it.values("two"), ["0 false"] * 2)


def test_a_replay_has_what_was_set_and_how_it_was_tried():
    text = """
tasks:
  - {id: set, type: core.execution.SetVariables, variables: {name: set}}
  - {id: flaky, type: core.execution.Fail, condition: "{{ taskrun.attemptsCount < 1 }}", retry: {type: constant, interval: PT0.01S, maxAttempts: 2}}
  - {id: read, type: core.debug.Return, format: "{{ vars.name }}"}
variables: {name: none}
"""
    with flowtest.temporary() as made:
        first = run(text, folder=Path(made))
        state = ["--output", "json", "--state-dir", Path(made) / "state"]
        done = flowtest.run([flowtest.FLOWRUN, "replay", first.execution["id"], "--from", "read", *state], check=0)
        it = Runs(json.loads(done.stdout))
        same(it.values("read"), ["set"])
        same([a["state"]["current"] for a in it.of("flaky")[0]["attempts"]], ["FAILED", "SUCCESS"])


def test_the_log_tells_of_tasks_that_the_engine_does_itself():
    it = run("""
tasks:
  - {id: nap, type: core.flow.Sleep, duration: PT0.05S}
  - id: until
    type: core.flow.LoopUntil
    condition: "{{ false }}"
    checkFrequency: {interval: PT0.01S, maxIterations: 1}
    tasks:
      - {id: pass, type: core.debug.Return, format: x}
  - {id: logs, type: core.log.Fetch, level: INFO}
  - id: soft
    type: core.flow.AllowFailure
    errors:
      - {id: seen, type: core.debug.Return, format: "{{ errorLogs() | jq('.[].taskId') | join(' ') }}"}
    tasks:
      - id: broken
        type: core.flow.If
        condition: "{{ labels.nowhere }}"
        then:
          - {id: never, type: core.debug.Return, format: x}
""")
    same(it.state, "WARNING")
    same(it.of("logs")[0]["outputs"]["size"], 2)  # how long it waits; that the maximum is reached
    same(it.values("seen"), ["broken"])


def test_a_condition_to_run_that_fails_is_no_allowed_failure():
    it = run("""
tasks:
  - {id: broken, type: core.debug.Return, format: x, runIf: "{{ labels.nowhere }}", allowFailure: true}
  - {id: never, type: core.debug.Return, format: x}
""")
    same([it.state, it.states("broken"), it.of("broken")[0]["attempts"], it.of("never")], ["FAILED", ["FAILED"], [], []])


def test_a_working_directory_without_files_has_an_empty_map():
    it = run("""
tasks:
  - id: wd
    type: core.flow.WorkingDirectory
    outputFiles: ["*.out"]
    tasks: [{id: a, type: core.debug.Return, format: x}]
""")
    same(it.of("wd")[0]["outputs"], {"outputFiles": {}})


def test_tasks_of_a_working_directory_have_its_value():
    it = run("""
tasks:
  - id: each
    type: core.flow.ForEach
    values: [red, blue]
    tasks:
      - id: wd
        type: core.flow.WorkingDirectory
        tasks: [{id: a, type: core.debug.Return, format: "{{ taskrun.value }}"}]
""")
    same(it.values("a"), ["red", "blue"])


def test_templates_see_inputs_as_they_come_back_from_json():
    it = run("""
inputs:
  - {id: n, type: INT, defaults: 1}
  - {id: in.d, type: DURATION, defaults: PT1H30M}
  - {id: t, type: TIME, defaults: "07:08"}
  - {id: i, type: DATETIME, defaults: "2024-05-06T07:08:09.5Z"}
  - {id: a, type: ARRAY, itemType: DURATION, defaults: [PT1S]}
  - {id: off, type: STRING, defaults: "its default", dependsOn: {inputs: [n], condition: "{{ inputs.n > 5 }}"}}
tasks:
  - {id: r, type: core.debug.Return, format: "{{ inputs.in.d }} {{ inputs.t }} {{ inputs.i }} {{ inputs.a }} {{ inputs.off }}"}
  - {id: s, type: core.flow.Sleep, duration: "{{ inputs.a[0] / 100 }}"}
""")
    same(it.values("r"), ["5400.0 07:08:00 2024-05-06T07:08:09.500000Z [1.0] its default"])
    same(it.execution["inputs"]["in"]["d"], "PT1H30M")
    assert "off" not in it.execution["inputs"]


def test_flowables_have_outputs_and_one_attempt():
    it = run("""
tasks:
  - id: seq
    type: core.flow.Sequential
    tasks: [{id: a, type: core.debug.Return, format: "{{ outputs.seq is defined }}"}]
  - {id: skipped, type: core.debug.Return, format: x, runIf: "{{ flow.id == 'other' }}"}
  - {id: b, type: core.debug.Return, format: "{{ outputs.seq is defined }} {{ outputs.skipped is defined }}"}
""")
    same(it.values("a") + it.values("b"), ["true", "true false"])
    same([[a["state"]["current"] for a in r["attempts"]] for r in it.runs], [["SUCCESS"], ["SUCCESS"], ["SKIPPED"], ["SUCCESS"]])


def test_passes_have_numbers_and_a_maximum_counts_one_more():
    it = run("""
tasks:
  - id: until
    type: core.flow.LoopUntil
    condition: "{{ outputs.a.value == 'never' }}"
    checkFrequency: {interval: PT0.01S, maxIterations: 3}
    tasks: [{id: a, type: core.debug.Return, format: "{{ taskrun.iteration }} {{ outputs.until.iterationCount }}"}]
""")
    same(it.state, "SUCCESS")
    same(it.values("a"), ["2 3"])
    same([it.of("until")[0]["iteration"], it.of("until")[0]["outputs"]["iterationCount"]], [2, 4])


def test_passes_inside_of_passes_have_numbers_of_their_own():
    it = run("""
tasks:
  - id: until
    type: core.flow.LoopUntil
    condition: "{{ true }}"
    tasks:
      - id: inner
        type: core.flow.LoopUntil
        condition: "{{ outputs.inner.iterationCount > 2 }}"
        checkFrequency: {interval: PT0.01S}
        tasks: [{id: a, type: core.debug.Return, format: "{{ taskrun.iteration }}"}]
""")
    same([it.values("a"), it.of("inner")[0]["iteration"], it.of("until")[0]["iteration"]], [["2"], 2, None])


def test_a_loop_over_a_map_has_keys_and_parents():
    it = run("""
tasks:
  - id: outer
    type: core.flow.Loop
    values: [p, q]
    tasks:
      - id: inner
        type: core.flow.Loop
        values: {k: 1, l: {m: 2}}
        tasks: [{id: a, type: core.debug.Return, format: "{{ item.key }}={{ item.value }} of {{ item.parent.value }}"}]
""")
    same(it.values("a"), ["k=1 of p", 'l={"m":2} of p', "k=1 of q", 'l={"m":2} of q'])


def test_a_loop_gives_typed_outputs_of_failed_iterations_too():
    it = run("""
tasks:
  - id: loop
    type: core.flow.Loop
    values: [a, b, a]
    concurrencyLimit: 0
    transmitFailed: false
    outputs:
      - {id: n, type: INT, value: "{{ outputs.r.value | length }}"}
      - {id: s, type: STRING, value: "{{ outputs.r.value }}"}
    tasks:
      - {id: r, type: core.debug.Return, format: "{{ item.value }}{{ item.index }}"}
      - {id: f, type: core.execution.Fail, condition: "{{ item.value == 'b' }}"}
      - {id: w, type: core.execution.Fail, allowFailure: true}
  - {id: all, type: core.debug.Return, format: "{{ loopOutputs(outputs.loop.outputs, 's') }} {{ outputs.loop.outputs[1].outputs.n + 1 }}"}
""")
    same([it.state, it.states("loop"), it.values("all")], ["SUCCESS", ["SUCCESS"], ['["a0","b1","a2"] 3']])
    same(it.of("loop")[0]["outputs"]["terminatedIterations"], {"WARNING": 2, "FAILED": 1})
    same(it.of("loop")[0]["outputs"]["outputs"][1], {"item": {"value": "b", "iteration": 1}, "outputs": {"n": 2, "s": "b1"}})


def test_an_iteration_fails_where_its_outputs_do():
    it = run("""
tasks:
  - id: loop
    type: core.flow.Loop
    values: [x]
    outputs: [{id: n, type: INT, value: "{{ outputs.r.value }}"}]
    tasks: [{id: r, type: core.debug.Return, format: "{{ item.value }}"}]
""")
    same([it.state, it.states("loop"), it.states("r")], ["FAILED", ["FAILED"], ["SUCCESS"]])


def test_a_loop_without_values_has_nothing_to_do():
    it = run("""
tasks:
  - id: loop
    type: core.flow.Loop
    values: []
    tasks: [{id: a, type: core.debug.Return, format: x}]
    finally: [{id: f, type: core.debug.Return, format: x}]
""")
    same([it.state, it.log()], ["SUCCESS", ["loop"]])


def test_a_templated_task_is_the_task_in_its_text():
    it = run("""
tasks:
  - id: tt
    type: core.templating.TemplatedTask
    runIf: "{{ flow.id == 'flow' }}"
    spec: |
      id: inner
      type: core.output.OutputValues
      values: {a: 1, b: [x, 2.5, true]}
  - {id: r, type: core.debug.Return, format: "{{ outputs.tt.values.b[0] }}"}
""")
    same([it.log(), it.values("r"), it.of("tt")[0]["outputs"]], [["tt", "r"], ["x"], {"values": {"a": 1, "b": ["x", 2.5, True]}}])


def test_a_pause_says_how_it_was_over():
    it = run("""
tasks:
  - {id: warns, type: core.flow.Pause, pauseDuration: PT0.05S, behavior: WARN}
  - {id: goes, type: core.flow.Pause, pauseDuration: PT0.05S}
  - {id: fails, type: core.flow.Pause, timeout: PT0.05S}
""")
    same([it.of(t)[0]["outputs"]["resumed"]["to"] for t in ("warns", "goes", "fails")], ["WARNING", "SUCCESS", "FAILED"])


def test_a_switch_without_a_case_says_its_value():
    it = run("""
tasks:
  - {id: sw, type: core.flow.Switch, value: "{{ flow.id }}", cases: {other: [{id: a, type: core.debug.Return, format: x}]}}
""")
    same([it.state, it.of("sw")[0]["outputs"]], ["FAILED", {"value": "flow", "defaults": True}])


def test_without_a_branch_there_is_nothing_to_do():
    it = run("""
tasks:
  - id: none
    type: core.flow.If
    condition: "{{ flow.id == 'other' }}"
    then: [{id: a, type: core.debug.Return, format: x}]
    finally: [{id: f, type: core.debug.Return, format: x}]
  - id: empty
    type: core.flow.If
    condition: "{{ flow.id == 'other' }}"
    then: [{id: b, type: core.debug.Return, format: x}]
    else: [{id: c, type: core.debug.Return, format: x, disabled: true}]
    finally: [{id: g, type: core.debug.Return, format: x}]
  - id: sw
    type: core.flow.Switch
    value: "{{ flow.id }}"
    cases: {other: [{id: d, type: core.debug.Return, format: x}]}
    defaults: [{id: e, type: core.debug.Return, format: x, disabled: true}]
""")
    same([it.state, it.log()], ["SUCCESS", ["none", "empty", "g", "sw"]])


def test_an_allowed_failure_is_retried_by_its_own_retry_only():
    it = run("""
retry: {type: constant, interval: PT0.01S, maxAttempts: 2}
tasks:
  - {id: inherits, type: core.execution.Fail, allowFailure: true}
  - id: af
    type: core.flow.AllowFailure
    tasks: [{id: fails, type: core.execution.Fail}]
  - {id: own, type: core.execution.Fail, allowFailure: true, retry: {type: constant, interval: PT0.01S, maxAttempts: 3}}
""")
    same({t: len(it.of(t)[0]["attempts"]) for t in ("inherits", "fails", "own")}, {"inherits": 1, "fails": 2, "own": 3})


def test_a_result_is_used_again_while_it_is_kept():
    flow = """
inputs: [{id: n, type: INT, defaults: 1}]
tasks:
  - id: sh
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: core.runner.Process}
    taskCache: {enabled: true, ttl: PT1H}
    commands: ["echo x{{ inputs.n }} >> FILE/count", "echo made > made.txt"]
    outputFiles: [made.txt]
  - {id: r, type: core.debug.Return, format: "{{ read(outputs.sh.outputFiles['made.txt']) }}"}
"""
    with flowtest.temporary() as made:
        folder = Path(made)
        flow = flow.replace("FILE", made)
        for options in ([], [], ["-i", "n=2"], []):
            it = run(flow, *options, folder=folder)
            same([it.state, it.values("r")], ["SUCCESS", ["made\n"]])
        same((folder / "count").read_text(), "x1\nx2\n")
        run(flow.replace("PT1H", "PT0.001S").replace("id: sh", "id: other").replace("outputs.sh", "outputs.other"), folder=folder)
        run(flow.replace("PT1H", "PT0.001S").replace("id: sh", "id: other").replace("outputs.sh", "outputs.other"), folder=folder)
        same((folder / "count").read_text(), "x1\nx2\nx1\nx1\n")


def test_a_subflow_that_is_not_waited_for_was_created():
    child = "id: child\ntasks: [{id: c, type: core.debug.Return, format: x}]\n"
    it = run("tasks: [{id: s, type: core.flow.Subflow, namespace: test.language, flowId: child, wait: false}]\n", others=[child])
    same(it.of("s")[0]["outputs"]["state"], "CREATED")


if __name__ == "__main__":
    flowtest.main()
