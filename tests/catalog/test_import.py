"""flowc catalog: types that are known; a catalog made of a plugin's JSON schema is used as if it were written by hand."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest


def text(**more):
    return {"type": "string", "$dynamic": True, **more}


def plugin(name, required=(), names=None, **properties):
    common = {"id": {"type": "string"}, "runIf": {"type": "string"}, "type": {"enum": [name, *(names or [])]}}
    return {"type": "object", "title": f"What {name} does.", "properties": {**common, **properties}, "required": ["id", "type", *required]}


def reference(name, **more):
    return {"allOf": [{"$ref": f"#/definitions/{name}"}, {"$dynamic": False, **more}]}


# The form that a server gives for whole flows.
FLOWS = {
    "$ref": "#/definitions/Flow",
    "definitions": {
        "Flow": {"type": "object", "properties": {"id": {"type": "string"}, "tasks": {"type": "array", "items": {}}}},
        "com.acme.disk.Clean": plugin(
            "com.acme.disk.Clean",
            required=["path"],
            names=["com.acme.old.Clean"],
            path=text(pattern="^/.*"),
            depth={"anyOf": [{"type": "integer", "minimum": 1, "$dynamic": True}, text()]},
            wait={"anyOf": [{"type": "string", "format": "duration"}, {"type": "string"}]},
            mode={"type": "string", "enum": ["FAST", "SAFE"], "$dynamic": True},
            password=text(**{"$secret": True}),
            recursive={"type": "boolean", "default": False, "$deprecated": "true"},
            paths={"type": "array", "items": text()},
            headers={"type": "object", "additionalProperties": {"type": "string"}},
            limits=reference("com.acme.disk.Limits"),
            auth={"anyOf": [reference("com.acme.Basic-2"), reference("com.acme.Token-2")]},
            message={"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
            taskRunner={"anyOf": [reference("com.acme.runner.Ssh")]},
        ),
        "com.acme.flow.Twice": plugin(
            "com.acme.flow.Twice",
            required=["tasks"],
            tasks={"type": "array", "items": {"anyOf": [reference("com.acme.disk.Clean"), reference("com.acme.flow.Twice")]}},
        ),
        "com.acme.disk.Full": {
            "type": "object",
            "properties": {"id": {}, "type": {"const": "com.acme.disk.Full"}, "stopAfter": {}, "percent": {"type": "integer", "maximum": 100}},
            "required": ["id", "type", "percent"],
        },
        "com.acme.runner.Ssh": {"type": "object", "properties": {"type": {"const": "com.acme.runner.Ssh"}, "host": text()}, "required": ["type"]},
        "com.acme.disk.Limits": {"type": "object", "properties": {"bytes": {"type": "integer"}, "next": reference("com.acme.disk.Limits")}},
        "com.acme.Basic-1": {"type": "object", "properties": {"user": text()}},
        "com.acme.Basic-2": {"allOf": [{"$ref": "#/definitions/com.acme.Basic-1"}, {"type": "object", "properties": {"type": {"const": "BASIC"}}}]},
        "com.acme.Token-2": {"type": "object", "properties": {"type": {"const": "TOKEN"}, "token": text()}},
        "io.kestra.plugin.core.log.Log": plugin("io.kestra.plugin.core.log.Log", message=text()),
    },
}

GOOD = """id: a
namespace: company.team
tasks:
  - id: twice
    type: com.acme.flow.Twice
    tasks:
      - id: clean
        type: com.acme.disk.Clean
        path: /var/tmp
        depth: 3
        wait: PT1M
        mode: SAFE
        password: "{{ secret('DISK') }}"
        paths: [a, "{{ flow.id }}"]
        headers: {a: b}
        limits: {bytes: 3}
        auth: {type: TOKEN, token: "{{ secret('TOKEN') }}"}
        message: [one, two]
        runIf: "{{ outputs.clean is not defined }}"
        taskRunner:
          type: com.acme.runner.Ssh
          host: example.com
triggers:
  - id: full
    type: com.acme.disk.Full
    percent: 90
"""

# Each line of GOOD that is changed, and what is found then.
CHANGES = [
    ("path: /var/tmp", "pth: /var/tmp", {"E0101"}),
    ("depth: 3", "depth: deep", {"E0104"}),
    ("wait: PT1M", "wait: 1m", {"E0501"}),
    ("mode: SAFE", "mode: SAEF", {"E0105"}),
    ("paths: [a, ", "paths: {a: ", None),
    ("headers: {a: b}", "headers: [a]", {"E0104"}),
    ("{bytes: 3}", "{byte: 3}", {"E0101"}),
    ("type: TOKEN", "type: TOKN", {"E0105"}),
    ("type: com.acme.disk.Clean", "type: com.acme.old.Clean", {"W0108"}),
    ("percent: 90", "percent: 900", {"E0508"}),
    ("type: com.acme.runner.Ssh", "type: com.acme.disk.Clean", {"E0112"}),
]


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def codes(folder, flow, *arguments):
    (Path(folder) / "flow.yaml").write_text(flow)
    done = flowc("check", "--format", "json", "flow.yaml", *arguments, cwd=folder)
    return {d["code"] for d in json.loads(done.stdout)["diagnostics"]}


def imported(folder, schema, *arguments):
    (Path(folder) / "schema.json").write_text(json.dumps(schema))
    return flowc("catalog", "import", "schema.json", "-o", "acme.yaml", *arguments, cwd=folder, check=0)


def test_an_imported_catalog_finds_what_is_wrong_and_nothing_else():
    with flowtest.temporary() as folder:
        done = imported(folder, FLOWS)
        assert "4 types written to acme.yaml" in done.stderr and "1 left out" in done.stderr, done.stderr
        assert codes(folder, GOOD) >= {"E0103"}
        assert codes(folder, GOOD, "--catalog", "acme.yaml") <= {"W0121"}
        for old, new, expected in CHANGES:
            assert GOOD.count(old) == 1, old
            if expected is not None:
                got = codes(folder, GOOD.replace(old, new), "--catalog", "acme.yaml")
                assert expected <= got, (new, got)
        # The project file names it, and the schema for editors knows it.
        (Path(folder) / ".flowc.yaml").write_text("catalogs: acme.yaml\n")
        assert codes(folder, GOOD) <= {"W0121"}
        assert "com.acme.disk.Clean" in flowc("schema", cwd=folder, check=0).stdout
        docs = flowc("docs", "com.acme.disk.Clean", cwd=folder, check=0).stdout
        assert "FAST|SAFE" in docs and "secret" in docs, docs


def test_the_description_of_one_plugin_brings_its_outputs():
    described = {
        "markdown": "# Clean",
        "schema": {
            "properties": {"properties": {"path": text(), "limits": {"$ref": "#/$defs/Limits"}}, "required": ["path"], "title": "Clean a disk."},
            "outputs": {"properties": {"freed": {"type": "integer"}}},
            "definitions": {"Limits": {"type": "object", "properties": {"bytes": {"type": "integer"}}}},
        },
    }
    flow = "id: a\nnamespace: b.c\ntasks:\n  - id: t\n    type: com.acme.Clean\n    path: /\n  - id: u\n    type: io.kestra.plugin.core.log.Log\n"
    flow += '    message: "{{ outputs.t.freed }}"\n'
    with flowtest.temporary() as folder:
        imported(folder, described, "--type", "com.acme.Clean")
        assert codes(folder, flow, "--catalog", "acme.yaml") <= {"W0121"}
        assert "E0303" in codes(folder, flow.replace("t.freed", "t.fred"), "--catalog", "acme.yaml")
        done = flowc("catalog", "import", "schema.json", cwd=folder, check=2)
        assert "--type" in done.stderr and done.stdout == ""


def test_a_schema_by_hand_is_enough():
    schema = {"properties": {"type": {"const": "com.acme.tools.Ping"}, "host": {"type": "string"}}, "required": ["host"]}
    with flowtest.temporary() as folder:
        out = flowc("catalog", "import", "-", cwd=folder, input=json.dumps(schema), check=0).stdout
        assert "group: acme" in out and "kind: task" in out and "required: true" in out
        out = flowc("catalog", "import", "-", "--kind", "condition", "--group", "mine", cwd=folder, input=json.dumps(schema), check=0).stdout
        assert "kind: condition" in out and "group: mine" in out and "outputs" not in out


def test_what_is_no_schema_is_refused():
    with flowtest.temporary() as folder:
        for wrong in ("", "{", "[]", "{}", '{"definitions": 3}', "null", '{"schema": {"properties": 1}}'):
            (Path(folder) / "x.json").write_text(wrong)
            done = flowc("catalog", "import", "x.json", cwd=folder, check=2)
            assert "x.json" in done.stderr and done.stdout == "", wrong
        flowc("catalog", "import", "none.json", cwd=folder, check=2)
        assert "import" in flowc("catalog", "improt", cwd=folder, check=2).stderr
        flowc("catalog", cwd=folder, check=2)


def test_circles_of_references_end():
    a = {"allOf": [{"$ref": "#/definitions/b"}], "properties": {"x": {"$ref": "#/definitions/a"}}}
    schema = {"definitions": {"a": a, "b": {"allOf": [{"$ref": "#/definitions/a"}]}}, "properties": {"type": {"const": "com.acme.A"}, "x": {"$ref": "#/definitions/a"}}}
    deep = {"type": "string"}
    for _ in range(50):
        deep = {"type": "array", "items": deep}
    with flowtest.temporary() as folder:
        imported(folder, schema)
        imported(folder, {"properties": {"type": {"const": "com.acme.A"}, "x": deep}})
        flow = "id: a\nnamespace: b.c\ntasks:\n  - id: t\n    type: com.acme.A\n    x: []\n"
        assert codes(folder, flow, "--catalog", "acme.yaml") <= {"W0121"}


def test_types_are_listed():
    with flowtest.temporary() as folder:
        everything = flowc("catalog", "list", cwd=folder, check=0).stdout.splitlines()
        assert len(everything) > 1000
        names = [line.split()[2] for line in everything]
        assert names == sorted(names) and len(set(names)) == len(names)
        conditions = flowc("catalog", "list", "--kind", "condition", cwd=folder, check=0).stdout.splitlines()
        assert 5 < len(conditions) < 100 and all(line.startswith("condition ") for line in conditions)
        [log] = flowc("catalog", "list", "core.HTTP", "Download", cwd=folder, check=0).stdout.splitlines()
        assert log.split() == ["task", "runs", "io.kestra.plugin.core.http.Download"]
        imported(folder, FLOWS)
        private = json.loads(flowc("catalog", "list", "--catalog", "acme.yaml", "--prefix", "com.acme", "--format", "json", cwd=folder, check=0).stdout)
        assert {t["type"]: t["kind"] for t in private["types"]} == {
            "com.acme.disk.Clean": "task",
            "com.acme.disk.Full": "trigger",
            "com.acme.flow.Twice": "task",
            "com.acme.runner.Ssh": "runner",
        }
        assert all(t["origin"] == "private" for t in private["types"])


flowtest.main()
