"""flowc graph: a flow as a tree and as pictures; every task once, every way through it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

LOG = "type: io.kestra.plugin.core.log.Log, message: m"
CORE = "io.kestra.plugin.core"
FLOW = f"""id: g
namespace: company.team
inputs:
  - id: x
    type: BOOL
tasks:
  - {{id: first, {LOG}}}
  - id: together
    type: {CORE}.flow.Parallel
    tasks:
      - {{id: p1, {LOG}}}
      - {{id: p2, {LOG}, disabled: true}}
  - id: also
    type: {CORE}.flow.Parallel
    tasks:
      - {{id: q1, {LOG}}}
      - {{id: q2, {LOG}}}
  - id: choose
    type: {CORE}.flow.If
    condition: "{{{{ inputs.x }}}}"
    then:
      - {{id: yes1, {LOG}}}
      - {{id: yes2, {LOG}}}
    errors:
      - {{id: oops, {LOG}}}
  - id: switch
    type: {CORE}.flow.Switch
    value: "{{{{ flow.id }}}}"
    cases:
      'say "a"':
        - {{id: c1, {LOG}}}
    defaults:
      - {{id: c2, {LOG}}}
  - id: dag
    type: {CORE}.flow.Dag
    tasks:
      - task: {{id: d1, {LOG}}}
      - task: {{id: d2, {LOG}}}
        dependsOn: [d1, d1]
      - task: {{id: d3, {LOG}}}
        dependsOn: [d1]
  - id: loop
    type: {CORE}.flow.ForEach
    values: [1, 2]
    tasks:
      - {{id: each, {LOG}}}
errors:
  - {{id: alarm, {LOG}}}
finally:
  - {{id: sweep, {LOG}}}
triggers:
  - id: daily
    type: {CORE}.trigger.Schedule
    cron: "0 9 * * *"
    inputs: {{x: true}}
"""

TREE = """company.team.g
├─ triggers: daily  Schedule
├─ first  Log
├─ together  Parallel
│  ├─ p1  Log
│  └─ p2  Log  (disabled)
├─ also  Parallel
│  ├─ q1  Log
│  └─ q2  Log
├─ choose  If
│  ├─ then: yes1  Log
│  ├─ then: yes2  Log
│  └─ errors
│     └─ oops  Log
├─ switch  Switch
│  ├─ case say "a": c1  Log
│  └─ defaults: c2  Log
├─ dag  Dag
│  ├─ d1  Log
│  ├─ d2  Log
│  └─ d3  Log
├─ loop  ForEach
│  └─ each  Log
├─ errors
│  └─ alarm  Log
└─ finally
   └─ sweep  Log
"""

EDGES = """daily first starts
first p1 then
first p2 then
p1 (joint) then
p2 (joint) then
(joint) q1 then
(joint) q2 then
q1 choose? then
q2 choose? then
choose? yes1 branch then
yes1 yes2 then
choose? switch? then
yes2 switch? then
yes2 oops failure errors
choose? oops failure errors
switch? c1 branch say "a"
switch? c2 branch defaults
c1 d1 then
c2 d1 then
d1 d2 depends
d1 d3 depends
d2 each then
d3 each then
each alarm failure errors
each sweep end finally
"""


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def drawn(form, flow=FLOW, status=0):
    return flowc("graph", "-", "--format", form, input=flow, check=status)


def test_the_tree_shows_every_task_where_it_stands():
    assert drawn("text").stdout == TREE
    assert flowc("graph", "-", input=FLOW, check=0).stdout == TREE


def test_the_edges_are_the_ways_through_the_flow():
    graph = json.loads(drawn("json").stdout)
    marks = {"choice": "?", "joint": "(joint)"}
    names = [n["id"] + marks.get(n["kind"], "") for n in graph["nodes"]]
    rows = {" ".join(filter(None, [names[e["from"]], names[e["to"]], e["kind"], e["label"]])) for e in graph["edges"]}
    assert rows == set(EDGES.splitlines()), rows ^ set(EDGES.splitlines())
    assert len(graph["edges"]) == len(rows)
    for number, node in enumerate(graph["nodes"]):
        assert node["node"] == number and (node["parent"] is None or node["parent"] < number)


def test_pictures_have_all_nodes_and_edges():
    graph = json.loads(drawn("json").stdout)
    for form, arrow in (("dot", " -> "), ("mermaid", "->")):
        text = drawn(form).stdout
        assert text.count(arrow) == len(graph["edges"]), form
        for node in graph["nodes"]:
            assert node["id"] in text
    assert 'say #quot;a#quot;' in drawn("mermaid").stdout and 'say \\"a\\"' in drawn("dot").stdout
    if shutil.which("dot") is not None:
        svg = subprocess.run(["dot", "-Tsvg"], input=drawn("dot").stdout, capture_output=True, text=True)
        assert svg.returncode == 0 and "<svg" in svg.stdout, svg.stderr


def test_a_flow_with_mistakes_is_drawn_as_far_as_it_can_be_read():
    broken = FLOW.replace("inputs.x }}", "inputs.nope }}")
    done = drawn("text", broken)
    assert done.stdout == TREE and "1 error" in done.stderr
    lost = FLOW.replace("  - id: dag\n", "  - id: [dag\n")
    assert "first  Log" in drawn("text", lost).stdout
    assert "E0004" not in drawn("text", "kind: x\n", status=2).stderr
    flowc("graph", "nowhere.yaml", check=2)
    flowc("graph", check=2)


def test_large_flows_are_drawn_in_time():
    tasks = "".join(
        f"  - id: g{g}\n    type: {CORE}.flow.Parallel\n    tasks:\n" + "".join(f"      - {{id: t{g}-{i}, {LOG}}}\n" for i in range(400))
        for g in range(8)
    )
    graph = json.loads(drawn("json", "id: g\nnamespace: a.b\ntasks:\n" + tasks).stdout)
    assert len(graph["edges"]) < 8 * 400 * 2


flowtest.main()
