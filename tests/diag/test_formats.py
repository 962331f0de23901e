"""The reports of flowc check for services: SARIF, GitHub, GitLab, JUnit.

Each is judged by what others wrote (fetch_schemas.sh): SARIF by its schema and, in a long run, by its validator with GitHub's rules; JUnit by
the schema of a test runner; commands of GitHub by the library that actions write them with; GitLab's report, in a long run, by what a
converter makes of our SARIF. The structure of the last two is judged here besides, as the services document it.
"""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import unquote

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

SCHEMAS = flowtest.CACHE / "schemas"
sys.path.insert(0, str(SCHEMAS / "python"))

# Specials of each format in names and messages: quotes, angle brackets, percent, comma, colon, braces, a link.
FLOW = """id: reports
namespace: company.team
inputs:
  - id: "a<b>&'%,:]"
    type: STRING
  - id: host
    type: STRING
tasks:
  - id: one
    type: io.kestra.plugin.core.debug.Return
    format: "{{ inputs.hots }} [x](y) %0A ü"
  - id: two
    type: io.kestra.plugin.core.debug.Return
    format: "{{ inputs.hots }}"
  - id: two
    type: io.kestra.plugin.core.debug.Return
    fromat: "hello"
"""
NAME = "dir, a:b/über%<&>.yaml"


def report(form, text=FLOW, name=NAME, status=1):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    with flowtest.temporary() as folder:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        done = flowtest.run([flowtest.FLOWC, "check", "--format", form, "./" + name], cwd=folder, check=status)
        return done.stdout


def findings(text=FLOW, status=1):
    return json.loads(report("json", text, status=status))["diagnostics"]


def clean():
    return FLOW[: FLOW.index("inputs:")] + "tasks:\n  - id: one\n    type: io.kestra.plugin.core.debug.Return\n    format: x\n"


def test_sarif_has_every_finding_at_its_place():
    run = json.loads(report("sarif"))["runs"][0]
    expected = findings()
    assert len(run["results"]) == len(expected) > 3
    for result, finding in zip(run["results"], expected):
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"] == finding["code"] and rule["name"] == finding["rule"]
        place = result["locations"][0]["physicalLocation"]
        assert unquote(place["artifactLocation"]["uri"]) == NAME, place
        region, start, end = place["region"], finding["range"]["start"], finding["range"]["end"]
        assert (region["startLine"], region["startColumn"]) == (start["line"], start["column"])
        assert (region["endLine"], region["endColumn"]) == (end["line"], end["column"])
        with_edits = [s for s in finding["suggestions"] if s["edits"]]
        assert len(result.get("fixes", [])) == len(with_edits)
    prints = [json.dumps(r["partialFingerprints"]) for r in run["results"]]
    assert len(set(prints)) == len(prints)


def test_sarif_satisfies_the_schema_of_the_standard():
    try:
        import jsonschema
    except ImportError:
        flowtest.skip("jsonschema is not installed; tests/diag/fetch_schemas.sh fetches it")
    path = SCHEMAS / "sarif-2.1.0.json"
    if not path.exists():
        flowtest.skip("the schema is not there; tests/diag/fetch_schemas.sh fetches it")
    schema = json.loads(path.read_text(encoding="utf-8-sig"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    for text, status in ((FLOW, 1), (clean(), 0), ("tasks: [\n", 1), ("", 1)):
        errors = [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(json.loads(report("sarif", text, status=status)))]
        assert errors == [], errors
    # The schema is no rubber stamp.
    broken = json.loads(report("sarif"))
    broken["runs"][0]["results"][0]["level"] = "fatal"
    assert list(validator.iter_errors(broken))


def need_tool(path):
    if flowtest.MODE != "long":
        flowtest.skip("it takes seconds: FLOW_TEST_MODE=long")
    if not path.exists():
        flowtest.skip(f"{path} is not there; 'tests/diag/fetch_schemas.sh tools' fetches it (a long run does)")
    return path


def test_sarif_satisfies_the_validator_with_the_rules_of_github():
    tool = need_tool(SCHEMAS / "multitool" / "Sarif.Multitool")

    def judge(text):
        with flowtest.temporary() as folder:
            log, out = Path(folder) / "log.sarif", Path(folder) / "out.sarif"
            log.write_text(text)
            flowtest.run([tool, "validate", log, "-o", out, "--log", "ForceOverwrite", "--rule-kind", "Sarif;Gh", "--level", "Error;Warning;Note",
                          "--kind", "Fail;Open;Review"], check=0, timeout=120)
            results = [r for run in json.loads(out.read_text(encoding="utf-8-sig"))["runs"] for r in run.get("results", [])]
        assert results, "the validator, which always has a note, says nothing"
        return [(r["ruleId"], r["message"]) for r in results if r.get("level") == "error"]

    text = report("sarif")
    assert judge(text) == []
    assert judge(text.replace('"fullDescription"', '"ohneDescription"'))


def test_gitlab_report_is_what_a_converter_makes_of_sarif():
    folder = need_tool(SCHEMAS / "sarif-tools")
    with flowtest.temporary() as work:
        log, out = Path(work) / "log.sarif", Path(work) / "out.json"
        log.write_text(report("sarif"))
        env = dict(os.environ, PYTHONPATH=str(folder))
        subprocess.run([sys.executable, "-m", "sarif", "codeclimate", log, "-o", out], env=env, check=True, capture_output=True, timeout=120)
        theirs = json.loads(out.read_text())
    ours = json.loads(report("gitlab"))
    place = lambda e: (unquote(e["location"]["path"]), e["location"]["lines"]["begin"], e["check_name"])
    assert sorted(map(place, theirs)) == sorted(map(place, ours))
    # Beyond those two, the converter's keys are of the format ours descends from.
    assert all(set(e) - {"type", "categories"} <= set(o) for e, o in zip(theirs, ours))


def test_junit_is_xml_with_a_case_per_finding():
    root = ElementTree.fromstring(report("junit").encode())
    expected = findings()
    (suite,) = root.findall("testsuite")
    assert suite.get("name") == NAME
    cases = suite.findall("testcase")
    assert len(cases) == len(expected) == int(root.get("tests"))
    failed = [c for c in cases if c.find("failure") is not None]
    assert len(failed) == int(root.get("failures")) == sum(f["severity"] != "note" for f in expected)
    assert [c.find("failure").get("message") for c in failed] == [f["message"] for f in expected if f["severity"] != "note"]


def test_junit_of_a_clean_flow_has_one_passing_case():
    root = ElementTree.fromstring(report("junit", clean(), status=0))
    assert [c.get("name") for c in root.iter("testcase")] == ["no findings in 1 file"] and root.get("failures") == "0"


def test_junit_satisfies_the_schema_of_a_test_runner():
    try:
        import xmlschema
    except ImportError:
        flowtest.skip("xmlschema is not installed; tests/diag/fetch_schemas.sh fetches it")
    path = SCHEMAS / "junit-10.xsd"
    if not path.exists():
        flowtest.skip("the schema is not there; tests/diag/fetch_schemas.sh fetches it")
    schema = xmlschema.XMLSchema(str(path))
    for text, status in ((FLOW, 1), (clean(), 0), ("tasks: [\n", 1)):
        schema.validate(report("junit", text, status=status))
    assert not schema.is_valid(report("junit").replace("classname", "clasname"))


def unescape(text):
    for code, char in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_github_commands_are_one_line_each_and_keep_specials():
    lines = report("github").splitlines()
    expected = findings()
    assert len(lines) == len(expected)
    for line, finding in zip(lines, expected):
        match = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert match, line
        properties = dict(p.split("=", 1) for p in match[2].split(","))
        assert unescape(properties["file"]) == NAME
        assert int(properties["line"]) == finding["range"]["start"]["line"]
        assert properties["title"] == f"{finding['code']} {finding['rule']}"
        assert unescape(match[3]).startswith(finding["message"])
    assert report("github", clean(), status=0) == ""


ISSUE_COMMANDS = """
const core = require('@actions/core');
const write = { error: core.error, warning: core.warning, notice: core.notice };
for (const [kind, text, where] of JSON.parse(require('fs').readFileSync(0, 'utf8'))) write[kind](text, where);
"""


def test_github_commands_are_those_of_the_library_of_actions():
    if not (SCHEMAS / "node_modules" / "@actions" / "core").exists():
        flowtest.skip("@actions/core is not there; tests/diag/fetch_schemas.sh fetches it")
    lines = report("github").splitlines()
    asked = []
    for line in lines:
        match = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
        where = {k: unescape(v) for k, v in (p.split("=", 1) for p in match[2].split(","))}
        asked.append((match[1], unescape(match[3]), {"title": where["title"], "file": where["file"], "startLine": int(where["line"]),
                                                     "endLine": int(where["endLine"]),
                                                     "startColumn": int(where["col"]),
                                                     "endColumn": int(where["endColumn"])}))
    done = subprocess.run(["node", "-e", ISSUE_COMMANDS], input=json.dumps(asked), cwd=SCHEMAS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # The order of properties is free.
    parts = lambda line: (line.split(" ", 1)[0], sorted(re.match(r"::\w+ ([^:]*)::", line)[1].split(",")), line.split("::", 2)[2])
    assert [parts(l) for l in done.stdout.splitlines()] == [parts(l) for l in lines]


def test_gitlab_entries_have_what_the_service_asks_for():
    entries = json.loads(report("gitlab"))
    expected = findings()
    assert len(entries) == len(expected)
    for entry, finding in zip(entries, expected):
        assert entry["location"]["path"] == NAME
        assert entry["location"]["lines"]["begin"] == finding["range"]["start"]["line"]
        assert entry["check_name"] == finding["code"] and entry["description"].startswith(finding["message"])
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
    assert json.loads(report("gitlab", clean(), status=0)) == []


def test_gitlab_fingerprints_are_unique_and_survive_moved_lines():
    before = [e["fingerprint"] for e in json.loads(report("gitlab"))]
    assert len(set(before)) == len(before)
    after = [e["fingerprint"] for e in json.loads(report("gitlab", "# a comment\n\n" + FLOW))]
    assert before == after


flowtest.main()
