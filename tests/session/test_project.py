"""Flows of a project know each other, whichever of them is checked and by how many threads."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

CALLER = """id: {id}
namespace: company.team
tasks:
  - id: call
    type: io.kestra.plugin.core.flow.Subflow
    namespace: company.team
    flowId: {called}
    inputs: {inputs}
"""
CALLED = """id: {id}
namespace: company.team
inputs:
  - id: {input}
    type: {type}
tasks:
  - id: say
    type: io.kestra.plugin.core.log.Log
    message: "{{{{ inputs.{input} }}}}"
"""


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def write(folder, files):
    for name, text in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(folder, *arguments):
    """(code, severity, file, message) of what `flowc check` finds."""
    done = flowc("check", "--format", "json", *arguments, cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    diagnostics = json.loads(done.stdout)["diagnostics"]
    return [(d["code"], d["severity"], d["file"], d["message"]) for d in diagnostics]


def caller(id, called, inputs="{}"):
    return CALLER.format(id=id, called=called, inputs=inputs)


def called(id, input="name", type="STRING"):
    return CALLED.format(id=id, input=input, type=type)


def test_one_file_named_is_checked_against_the_project():
    with flowtest.temporary() as folder:
        files = {
            ".flowc.yaml": "target: 1.3\n",
            "flows/caller.yaml": caller("caller", "called", "{nmae: x}"),
            "flows/deep/called.yaml": called("called"),
        }
        write(folder, files)
        [(code, severity, path, message)] = found(folder, "flows/caller.yaml")
        assert (code, severity, path) == ("E0210", "error", "flows/caller.yaml") and "'nmae'" in message
        # Also from standard input, and where the project is found from within.
        done = flowc("check", "-", "--stdin-filename", "flows/caller.yaml", cwd=folder, input=files["flows/caller.yaml"])
        assert "E0210" in done.stdout and "E0201" not in done.stdout, done.stdout
        assert found(Path(folder) / "flows" / "deep", "../caller.yaml")[0][0] == "E0210"


def test_a_change_of_the_called_flow_is_seen_at_its_callers():
    with flowtest.temporary() as folder:
        write(folder, {"a.yaml": caller("a", "b", "{name: x}"), "b.yaml": called("b")})
        assert found(folder) == []
        write(folder, {"b.yaml": called("b", "name", "INT")})
        assert [row[:3] for row in found(folder)] == [("E0210", "error", "./a.yaml")]
        write(folder, {"b.yaml": called("b", "title")})
        assert {row[0] for row in found(folder)} == {"E0210"}
        (Path(folder) / "b.yaml").unlink()
        assert [row[:2] for row in found(folder)] == [("E0209", "warning")]


def test_what_may_lie_outside_is_a_level():
    with flowtest.temporary() as folder:
        write(folder, {"a.yaml": caller("a", "elsewhere")})
        assert [row[:2] for row in found(folder, "a.yaml")] == [("E0209", "note")]
        for level in ("error", "warning", "note"):
            write(folder, {".flowc.yaml": f"rules:\n  unknown-subflow: {level}\n"})
            assert [row[:2] for row in found(folder, "a.yaml")] == [("E0209", level)]
        write(folder, {".flowc.yaml": "rules:\n  unknown-subflow: off\n"})
        assert found(folder, "a.yaml") == []


def test_flows_are_found_where_the_command_and_the_project_say():
    with flowtest.temporary() as folder:
        write(folder, {"p/a.yaml": caller("a", "b", "{name: x}"), "shared/b.yaml": called("b")})
        assert [row[0] for row in found(folder, "p")] == ["E0209"]
        assert found(folder, "p", "--flows", "shared") == []
        write(folder, {"p/.flowc.yaml": "flows: ../shared\n"})
        assert found(folder, "p") == [] and found(Path(folder) / "p", "a.yaml") == []
        done = flowc("check", "p", "--flows", "nowhere", cwd=folder, check=2)
        assert "'nowhere'" in done.stderr and done.stdout == ""


def test_one_name_for_two_flows_is_reported_once():
    with flowtest.temporary() as folder:
        write(folder, {".flowc.yaml": "", "a.yaml": called("x"), "b.yaml": called("x"), "c.yaml": called("y")})
        rows = found(folder)
        assert [row[:3] for row in rows] == [("E0201", "error", "./b.yaml")]
        assert [row[2] for row in found(folder, "a.yaml")] == ["a.yaml"]
        # A file has many paths, and is one file.
        os.symlink("c.yaml", Path(folder) / "d.yaml")
        assert found(folder, "c.yaml", "./c.yaml", "d.yaml") == []


def test_names_are_read_however_they_are_written():
    with flowtest.temporary() as folder:
        names = {
            "plain.yaml": "id: plain # the name\nnamespace:   company.team\n",
            "quoted.yaml": "\"id\": 'quoted'\nnamespace: \"company\\x2eteam\"\n",
            "block.yaml": "id: >-\n  block\nnamespace:\n  company.team\n",
            "crlf.yaml": "\ufeffid: crlf\r\nnamespace: company.team\r\n",
            "late.yaml": "",
        }
        tasks = "tasks:\n  - id: say\n    type: io.kestra.plugin.core.log.Log\n    message: hello\n"
        for name, head in names.items():
            tail = "namespace: company.team\nid: late\n" if name == "late.yaml" else ""
            write(folder, {f"flows/{name}": head + tasks + tail})
        flow = "{id: flow, namespace: company.team, tasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: b}]}\n"
        write(folder, {"flows/flow.yaml": flow})
        for id in ("plain", "quoted", "block", "crlf", "late", "flow"):
            write(folder, {"caller.yaml": caller("caller", id)})
            assert found(folder, "caller.yaml", "--flows", "flows") == [], id


def circle(folder, count):
    for n in range(count):
        write(folder, {f"{n}.yaml": caller(f"f{n}", f"f{(n + 1) % count}")})


def test_a_circle_is_reported_once_wherever_it_is_entered():
    with flowtest.temporary() as folder:
        circle(folder, 5)
        assert [row[:3] for row in found(folder)] == [("E0208", "error", "./0.yaml")]
        assert [row[:3] for row in found(folder, "3.yaml", "--flows", ".")] == [("E0208", "error", "3.yaml")]
        # It may end, or is meant to go on for ever.
        for line in ("    runIf: \"{{ execution.id is defined }}\"\n", "    wait: false\n", "    disabled: true\n"):
            write(folder, {"2.yaml": caller("f2", "f3") + line})
            expected = [] if "disabled" in line else [("E0208", "warning", "./0.yaml")]
            assert [row[:3] for row in found(folder) if row[0] == "E0208"] == expected, line


def test_any_number_of_threads_says_the_same():
    with flowtest.temporary() as folder:
        circle(folder, 20)
        for n in range(40):
            write(folder, {f"sub/{n}.yaml": caller(f"g{n}", f"t{10 + n % 3}", "{name: x, size: y}")})
            write(folder, {f"sub/t{n}.yaml": called(f"t{n % 30}", "size", "INT")})
        for form in ("text", "json"):
            one = flowc("check", "--format", form, "-j1", cwd=folder, check=1)
            assert one.stdout.count("E0210") >= 40 and one.stdout.count("E0201") == 10
            for jobs in ("-j2", "-j5", "-j0"):
                many = flowc("check", "--format", form, jobs, cwd=folder, check=1)
                assert (many.stdout, many.stderr) == (one.stdout, one.stderr), (form, jobs)


def test_broken_neighbours_are_no_ground_for_findings():
    with flowtest.temporary() as folder:
        broken = called("b") + "  - id: [\n"
        write(folder, {"a.yaml": caller("a", "b", "{other: x}"), "b.yaml": broken})
        assert {row[2] for row in found(folder)} == {"./b.yaml"}


def test_a_thousand_flows_in_a_file_take_little_memory():
    flows = [caller(f"f{n}", f"f{(n + 1) % 1000}", "{name: x}") for n in range(1000)]
    with flowtest.temporary() as folder:
        write(folder, {"all.yaml": "---\n".join(flows)})
        before = [] if flowtest.IS_SANITIZED else ["prlimit", "--as=150000000"]
        command = [*before, flowtest.FLOWC, "check", "--no-cache", "--embedded=off", "--format", "oneline", "all.yaml"]
        done = flowtest.run(command, cwd=folder, check=0)
        # Each gives an input that the next does not know; a circle of a thousand is too long to be looked for.
        assert done.stdout.count("E0210") == 1000 and "E0208" not in done.stdout


flowtest.main()
