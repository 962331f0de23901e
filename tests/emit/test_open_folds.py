"""What folds at compile time is what the runtime computes: the expressions of the open flows, and our own, both ways."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

CHUNK = 40
OWN = ["{{ 1 + 2 }} x", "{{ 'a' ~ 1.50 ~ true }}", "{{ [3, 1, 2] | sort | join(',') }}", "{{ {'k': [1, {'x': null}]} | toJson }}",
       "{{ '2024-11-03T05:30:45Z' | date('EEE, d MMM yyyy HH:mm', timeZone='Europe/Paris') }}", "{{ 7 / 2 }} {{ 7.0 / 2 }}",
       "{% for i in 1..3 %}{{ loop.index }}{{ i }}{% endfor %}", "{{ 'äöü' | upper | slice(1) }}", "{{ null ?? 'x' }}"]


def texts(folder):
    """Scalars of the flows that hold a template, and each of its expressions by itself."""
    import yaml

    found = dict.fromkeys(OWN)

    def walk(node):
        if isinstance(node, dict):
            node = list(node.keys()) + list(node.values())
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, str) and ("{{" in node or "{%" in node):
            found[node] = None
            for piece in re.findall(r"\{\{.*?\}\}", node, re.S):
                found[piece] = None

    for path in sorted(folder.rglob("*.yaml")) if folder.is_dir() else []:
        try:
            walk(yaml.safe_load(path.read_text()))
        except (yaml.YAMLError, UnicodeDecodeError):
            pass
    return list(found)


def that_evaluate(candidates):
    lines = "".join(json.dumps({"id": str(i), "expr": text}) + "\n" for i, text in enumerate(candidates))
    done = flowtest.run([flowtest.FLOWC, "eval", "--batch", "-"], check=0, input=lines)
    return [candidates[int(a["id"])] for a in map(json.loads, done.stdout.splitlines()) if "value" in a]


def flow_of(chunk):
    tasks = [{"id": f"t{i}", "type": "io.kestra.plugin.core.debug.Return", "format": text} for i, text in enumerate(chunk)]
    return json.dumps({"id": "folds", "namespace": "test.folds", "tasks": tasks})


def compile_chunk(folder, chunk):
    """{text: constant} of those that fold; what does not compile by itself is left out."""
    source = folder / "flow.yaml"
    source.write_text(flow_of(chunk))
    done = flowtest.run([flowtest.FLOWC, "compile", source, "--emit=plan", "-q"])
    if done.returncode != 0:
        half = len(chunk) // 2
        return {**compile_chunk(folder, chunk[:half]), **compile_chunk(folder, chunk[half:])} if half else {}
    constants = {}
    for node in json.loads(done.stdout)["nodes"]:
        constant = node.get("properties", {}).get("constant", {})
        if node["kind"] == "TASK" and "format" in constant:
            constants[chunk[int(node["id"][1:])]] = constant["format"]
    return constants


def run_chunk(folder, chunk):
    source, artifact, context = folder / "flow.yaml", folder / "flow.flowc", folder / "context.json"
    source.write_text(flow_of(chunk))
    context.write_text("{}")
    flowtest.run([flowtest.FLOWC, "compile", source, "-o", artifact, "-q", "--context-roots", "nothing"], check=0)
    plan = flowtest.run([flowtest.FLOWC, "compile", source, "--emit=plan", "-q", "--context-roots", "nothing"], check=0)
    leaves = [n for n in json.loads(plan.stdout)["nodes"] if "leaf" in n.get("properties", {})]
    assert len(leaves) == len(chunk), "with names for a context nothing is folded"
    done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--context", context, "--ephemeral", "--output", "json"])
    runs = json.loads(done.stdout)["taskRunList"]
    return {chunk[int(r["taskId"][1:])]: (r["outputs"] or {}).get("value") for r in runs}


def compare(folder, candidates):
    kept, folded, wrong = that_evaluate(candidates), 0, []
    for at in range(0, len(kept), CHUNK):
        constants = compile_chunk(folder, kept[at:at + CHUNK])
        if not constants:
            continue
        ran = run_chunk(folder, list(constants))
        folded += len(constants)
        wrong += [f"{text!r}: folded {value!r}, run {ran.get(text)!r}" for text, value in constants.items() if ran.get(text) != value]
    return folded, wrong


def test_what_folds_is_what_runs():
    blueprints = flowtest.SHARED / "corpus/blueprints"
    with flowtest.temporary() as name:
        folded, wrong = compare(Path(name), texts(blueprints))
    print(f"{folded} texts that fold{'' if blueprints.is_dir() else ' (our own: no open flows here)'}")
    assert folded >= len(OWN), f"{folded} folded"
    assert not wrong, "\n".join(wrong[:20])


flowtest.main()
