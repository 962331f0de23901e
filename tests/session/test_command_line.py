"""flowc as scripts use it: statuses, streams, paths, formats, compile, eval, keygen."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

FLOW = """id: small
namespace: company.team
tasks:
  - id: one
    type: io.kestra.plugin.core.debug.Return
    format: hello
"""
BROKEN = FLOW.replace("format: hello", 'format: "{{ inputs.nope }}"')


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def write(folder, **files):
    for name, text in files.items():
        path = Path(folder) / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".yaml").write_text(text)


def test_a_clean_flow_gives_status_0_and_an_empty_standard_output():
    with flowtest.temporary() as folder:
        write(folder, small=FLOW)
        done = flowc("check", "small.yaml", cwd=folder, check=0)
        assert done.stdout == "" and "no findings in 1 file" in done.stderr, done


def test_quiet_says_nothing():
    with flowtest.temporary() as folder:
        write(folder, small=BROKEN)
        done = flowc("check", "-q", "small.yaml", cwd=folder, check=1)
        assert done.stdout + done.stderr == ""


def test_json_is_the_only_thing_on_standard_output():
    with flowtest.temporary() as folder:
        write(folder, small=BROKEN)
        done = flowc("check", "--format", "json", "small.yaml", cwd=folder, check=1)
        document = json.loads(done.stdout)
        assert document["version"] == 1 and document["errors"] == 1 and document["files"] == 1
        (finding,) = [d for d in document["diagnostics"] if d["severity"] == "error"]
        assert finding["code"] == "E0301" and finding["file"] == "small.yaml"
        start, end = finding["range"]["start"], finding["range"]["end"]
        assert BROKEN.encode()[start["offset"] : end["offset"]] == b"nope"
        assert set(finding) == {"code", "rule", "severity", "targets", "message", "file", "range", "labels", "notes",
                                "suggestions"}


def test_folders_are_walked_in_order_and_by_their_rules():
    with flowtest.temporary() as folder:
        write(folder, b=BROKEN, a=BROKEN, sub__c=BROKEN, ignored__d=BROKEN, _x=BROKEN, other="kind: Deployment\n",
              excluded=BROKEN)
        (Path(folder) / ".hidden").mkdir()
        (Path(folder) / ".hidden/e.yaml").write_text(BROKEN)
        (Path(folder) / "linked").symlink_to(Path(folder) / "sub")
        (Path(folder) / ".gitignore").write_text("ignored/\n")
        done = flowc("check", "--format", "json", "--exclude", "excluded.yaml", ".", cwd=folder, check=1)
        document = json.loads(done.stdout)
        files = [d["file"] for d in document["diagnostics"] if d["severity"] == "error"]
        assert files == ["./_x.yaml", "./a.yaml", "./b.yaml", "./sub/c.yaml"], files
        assert document["skipped"] == 1


def test_standard_input_is_named():
    done = flowc("check", "-", "--format", "oneline", input=BROKEN, check=1)
    assert done.stdout.startswith("-:6:24: error[E0301]"), done.stdout
    done = flowc("check", "-", "--stdin-filename", "x/y.yaml", "--format", "oneline", input=BROKEN, check=1)
    assert done.stdout.startswith("x/y.yaml:6:24: "), done.stdout


def test_unreadable_paths_are_findings():
    with flowtest.temporary() as folder:
        write(folder, small=FLOW)
        done = flowc("check", "absent.yaml", "small.yaml", cwd=folder, check=1)
        assert "E0001" in done.stdout and "absent.yaml" in done.stdout
        done = flowc("check", "--format", "json", "absent.yaml", cwd=folder, check=1)
        assert json.loads(done.stdout)["diagnostics"][0]["code"] == "E0001"


def test_warnings_count_when_a_limit_is_set():
    with flowtest.temporary() as folder:
        write(folder, small=FLOW + "inputs:\n  - id: unused\n    type: STRING\n")
        flowc("check", "small.yaml", cwd=folder, check=0)
        flowc("check", "--max-warnings", "0", "small.yaml", cwd=folder, check=1)


def test_strict_makes_safety_findings_errors():
    with flowtest.temporary() as folder:
        text = FLOW.replace("debug.Return", "log.Log").replace("format: hello", "message: \"{{ secret('A') }}\"")
        write(folder, small=text)
        flowc("check", "small.yaml", cwd=folder, check=0)
        flowc("check", "--strict", "small.yaml", cwd=folder, check=1)


def test_findings_are_ignored_by_comments_and_counted():
    with flowtest.temporary() as folder:
        text = BROKEN.replace('nope }}"', 'nope }}"  # flowc: ignore[unknown-input] on purpose')
        write(folder, small=text)
        done = flowc("check", "--format", "json", "small.yaml", cwd=folder, check=0)
        assert json.loads(done.stdout)["ignored"] == 1


def test_the_project_file_is_found_upwards_and_checked():
    with flowtest.temporary() as folder:
        write(folder, deep__er__small=BROKEN)
        (Path(folder) / ".flowc.yaml").write_text("rules:\n  unknown-input: warning\n")
        flowc("check", "small.yaml", cwd=Path(folder) / "deep/er", check=0)
        done = flowc("check", cwd=Path(folder) / "deep", check=0)
        assert "in 1 file" in done.stderr
        (Path(folder) / ".flowc.yaml").write_text("rulse: {}\n")
        done = flowc("check", "small.yaml", cwd=Path(folder) / "deep/er", check=1)
        assert "unknown key 'rulse'" in done.stdout and "did you mean 'rules'?" in done.stdout


def test_colours_only_where_asked_for():
    with flowtest.temporary() as folder:
        write(folder, small=BROKEN)
        assert "\033[" not in flowc("check", "small.yaml", cwd=folder).stdout
        assert "\033[" in flowc("check", "--color=always", "small.yaml", cwd=folder).stdout


def test_misspelt_words_get_a_suggestion_and_status_2():
    for arguments, word in (
        (["chek"], "'check'"),
        (["check", "--formt", "json"], "'--format'"),
        (["check", "--format", "jsn"], "text|oneline|json"),
        (["check", "--fix", "--diff"], "choose one"),
        (["lsp"], "not available"),
        (["check", "--target", "1.2"], "0.20, 1.3 and 2.0"),
        (["check", "--max-warnings", "x"], "number"),
        (["check", "--format"], "needs a value"),
        (["compile"], "no flow"),
        (["compile", "a", "b"], "one flow"),
        (["explain", "E9999"], "unknown code"),
        (["eval"], "one template"),
    ):
        done = flowc(*arguments, check=2)
        assert word in done.stderr and done.stdout == "", (arguments, done.stderr)


def test_every_command_has_help():
    done = flowc("--help", check=0)
    names = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert "check" in names and "compile" in names
    for name in names:
        assert f"usage: flowc {name}" in flowc(name, "--help", check=0).stdout
        assert f"usage: flowc {name}" in flowc("help", name, check=0).stdout


def test_compile_writes_the_flow_named_after_its_id():
    with flowtest.temporary() as folder:
        write(folder, file=FLOW)
        done = flowc("compile", "file.yaml", cwd=folder, check=0)
        path = Path(folder) / "small.flowc"
        assert path.read_bytes().startswith(b"FLOWC\r\n\x1a") and done.stdout == ""
        assert f"{path.stat().st_size} bytes" in done.stderr and "digest" in done.stderr
        again = subprocess.run([flowtest.FLOWC, "compile", "-o", "-", "file.yaml"], cwd=folder, capture_output=True)
        assert again.stdout == path.read_bytes()
        assert oct(stat.S_IMODE(path.stat().st_mode)) == "0o644"


def test_a_flow_with_errors_is_not_compiled():
    with flowtest.temporary() as folder:
        write(folder, file=BROKEN)
        done = flowc("compile", "file.yaml", cwd=folder, check=1)
        assert "E0301" in done.stderr and not (Path(folder) / "small.flowc").exists()
        done = flowc("run", "file.yaml", cwd=folder, check=65)
        assert "E0301" in done.stderr
        flowc("compile", "absent.yaml", cwd=folder, check=1)


def test_plan_and_lua_can_be_looked_at():
    with flowtest.temporary() as folder:
        write(folder, file=FLOW.replace("hello", '"{{ flow.id }}"'))
        plan = json.loads(flowc("compile", "--emit=plan", "file.yaml", cwd=folder, check=0).stdout)
        assert plan["flow"]["id"] == "small"
        assert "rt.get" in flowc("compile", "--emit", "lua", "file.yaml", cwd=folder, check=0).stdout


def test_deps_are_a_rule_of_make():
    with flowtest.temporary() as folder:
        write(folder, file=FLOW)
        (Path(folder) / ".flowc.yaml").write_text("target: '1.3'\n")
        flowc("compile", "file.yaml", "-o", "out file", "--deps", "deps", cwd=folder, check=0)
        text = (Path(folder) / "deps").read_text()
        assert text.startswith("out\\ file: ") and "file.yaml" in text and ".flowc.yaml" in text


SHELL = """id: files
namespace: company.team
tasks:
  - id: one
    type: io.kestra.plugin.scripts.shell.Commands
    namespaceFiles:
      enabled: true
      include: ["sql/*.sql"]
      exclude: ["sql/not.sql"]
    commands:
      - cat sql/q.sql
      - echo "{{ read('notes.txt') }}"
"""


def test_namespace_files_that_are_used_are_embedded():
    with flowtest.temporary() as folder:
        write(folder, file=SHELL)
        files = Path(folder) / "files"
        (files / "sql").mkdir(parents=True)
        for name in ("sql/q.sql", "sql/not.sql", "notes.txt", "other.txt"):
            (files / name).write_text(f"content of {name}")
        (Path(folder) / ".flowc.yaml").write_text("namespaceFiles: files/\n")
        flowc("compile", "file.yaml", "-q", cwd=folder, check=0)
        artifact = (Path(folder) / "files.flowc").read_bytes()
        assert b"content of sql/q.sql" in artifact and b"content of notes.txt" in artifact
        assert b"content of sql/not.sql" not in artifact and b"content of other.txt" not in artifact


SUBFLOW = """id: parent
namespace: company.team
tasks:
  - id: call
    type: io.kestra.plugin.core.flow.Subflow
    namespace: "{{ flow.namespace }}"
    flowId: child
"""


def test_called_flows_are_linked():
    with flowtest.temporary() as folder:
        write(folder, parent=SUBFLOW, flows__child=FLOW.replace("small", "child"))
        alone = flowc("compile", "parent.yaml", "-q", "-o", "alone", cwd=folder, check=0)
        flowc("compile", "parent.yaml", "-q", "-o", "linked", "--flows", "flows", cwd=folder, check=0)
        flowc("compile", "parent.yaml", "-q", "-o", "not", "--flows", "flows", "--no-link", cwd=folder, check=0)
        sizes = [(Path(folder) / name).stat().st_size for name in ("alone", "linked", "not")]
        assert sizes[1] > sizes[0] == sizes[2], (sizes, alone.stderr)
        write(folder, flows__child=FLOW.replace("small", "child").replace("hello", '"{{ inputs.nope }}"'))
        done = flowc("compile", "parent.yaml", "-o", "x", "--flows", "flows", cwd=folder, check=1)
        assert "child.yaml" in done.stderr


def test_flows_that_call_each_other_in_a_circle_compile_where_it_may_end():
    with flowtest.temporary() as folder:
        child = SUBFLOW.replace("child", "PARENT").replace("parent", "child").replace("PARENT", "parent")
        write(folder, parent=SUBFLOW, child=child)
        (Path(folder) / ".flowc.yaml").write_text("target: '1.3'\n")
        assert "E0208" in flowc("compile", "parent.yaml", cwd=folder, check=1).stderr
        write(folder, parent=SUBFLOW.replace("  - id:", "  - runIf: \"{{ now() | timestamp > 1900000000 }}\"\n    id:"))
        flowc("compile", "parent.yaml", "-q", cwd=folder, check=0)


def test_keys_are_private_and_sign():
    with flowtest.temporary() as folder:
        write(folder, file=FLOW)
        done = flowc("keygen", "-o", "k", "--no-password", cwd=folder, check=0)
        key = Path(folder) / "k"
        assert oct(stat.S_IMODE(key.stat().st_mode)) == "0o600"
        assert (Path(folder) / "k.pub").read_text() == done.stdout
        before = key.read_bytes()
        assert "already" in flowc("keygen", "-o", "k", "--no-password", cwd=folder, check=2).stderr
        assert key.read_bytes() == before
        flowc("compile", "file.yaml", "--sign", "k", cwd=folder, check=0)
        assert ", signed" in flowc("compile", "file.yaml", "--sign", "k", cwd=folder, check=0).stderr
        key.chmod(0o644)
        assert "chmod 600" in flowc("compile", "file.yaml", "--sign", "k", cwd=folder, check=3).stderr


def with_password(arguments, password, folder):
    reader, writer = os.pipe()
    os.write(writer, password)
    os.close(writer)
    command = [flowtest.FLOWC, *arguments, "--password", f"fd:{reader}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, pass_fds=[reader])
    os.close(reader)
    return done


def test_a_key_with_a_password_needs_it():
    if flowtest.IS_SANITIZED:
        flowtest.skip("deriving a key is slow with sanitizers")
    with flowtest.temporary() as folder:
        write(folder, file=FLOW)
        done = with_password(["keygen", "-o", "k"], b"correct horse\n", folder)
        assert done.returncode == 0, done.stderr
        sign = ["compile", "file.yaml", "--sign", "k"]
        done = with_password(sign, b"correct horse\n", folder)
        assert done.returncode == 0 and ", signed" in done.stderr, done.stderr
        done = with_password(sign, b"wrong\n", folder)
        assert done.returncode == 3 and "password" in done.stderr, done.stderr


def test_eval_prints_the_text_or_the_error():
    assert flowc("eval", "{{ 1 + 2 }}", check=0).stdout == "3\n"
    assert flowc("eval", "-", input="{{ 'a' ~ 'b' }}\n", check=0).stdout == "ab\n"
    done = flowc("eval", "{{ nope }}", check=1)
    assert done.stdout == "" and "nope" in done.stderr
    done = flowc("eval", "{{ 1 | uper }}", "--format", "json", check=1)
    assert json.loads(done.stdout)["error"]["kind"] == "unknown-filter"


def test_eval_answers_a_batch_line_by_line():
    lines = [
        {"id": 1, "expr": "{{ a + 1 }}", "mode": "typed", "vars": {"a": 1}},
        {"id": "x", "expr": "{{ nope }}"},
        {"id": 3, "expr": {"k": ["{{ 1 + 1 }}", 2]}, "mode": "object"},
        {"id": 4, "expr": " false ", "mode": "condition"},
        {"id": 5, "expr": "07", "mode": "convert", "type": "integer"},
        {"id": 6, "expr": "{{ secret('A') }}", "env": {"secrets": {"A": "hidden"}}},
        {"id": 7, "expr": "{{ kv('k') }}", "env": {"kv": {"n": {"k": 5}}, "flow": {"namespace": "n.m"}}},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + "no json\n"
    done = flowc("eval", "--batch", "-", input=text, check=0)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a.get("id") for a in answers] == [1, "x", 3, 4, 5, 6, 7, None]
    assert answers[0]["value"] == 2 and answers[0]["findings"] == []
    assert answers[1]["error"]["kind"] == "undefined" and answers[1]["error"]["name"] == "nope"
    assert answers[2]["value"] == {"k": ["2", 2]}
    assert answers[3]["text"] == "false"
    assert answers[4]["value"] == 7
    assert answers[5]["text"] == "******" and "hidden" not in done.stdout
    assert answers[6]["text"] == "5"
    assert answers[7]["error"]["kind"] == "input"


def test_a_new_flow_checks_and_compiles():
    with flowtest.temporary() as folder:
        flowc("new", "hello.yaml", cwd=folder, check=0)
        done = flowc("check", "hello.yaml", cwd=folder, check=0)
        assert "no findings" in done.stderr, done.stdout
        flowc("compile", "hello.yaml", "-q", cwd=folder, check=0)
        flowc("new", "hello.yaml", cwd=folder, check=2)


# Codes that have no example: no flow shows them, or it could not be printed.
WITHOUT_EXAMPLE = "E0001 E0002 E0003 W0005 E0122".split()
# What an example needs to be seen, and what else it draws.
OPTIONS = {"S0609": ["--strict"], "E0111": ["--target=2.0"]}
BESIDE = {"E0123": {"W0114"}, "W0113": {"W0109"}, "E0209": {"W0022"}, "E0210": {"W0022"}}
COMPILED = {"W0113", "W0121"}
# Codes that another program finds.
TOOLS = {"E0610": "shellcheck", "E0611": "python3", "W0612": "shellcheck"}


def example(text, title):
    part = text.split(title)[1].split("\nRight:")[0]
    lines = [line for line in part.split("\n") if line.startswith("    ") or line == ""]
    return "".join(line[4:] + "\n" for line in lines).strip("\n") + "\n"


def codes_of(code, yaml, folder):
    (Path(folder) / "x.yaml").write_text(yaml)
    command = ["compile", "-o", "x"] if code in COMPILED else ["check"]
    done = flowc(*command, "--format", "oneline", *OPTIONS.get(code, []), "x.yaml", cwd=folder)
    return set(re.findall(r"\[([EWSP]\d{4})\]", done.stdout + done.stderr))


def test_every_code_of_the_registry_is_explained_by_its_examples():
    rows = flowc("explain", check=0).stdout.splitlines()
    assert len(rows) > 100
    with flowtest.temporary() as folder:
        for row in rows:
            code = row.split()[0]
            text = flowc("explain", code, check=0).stdout
            assert text.count("\n\n") >= 2, f"{code} is not explained"
            assert ("Wrong:" in text) != (code in WITHOUT_EXAMPLE), f"{code}: an example is missing, or is there now"
            if "Wrong:" not in text or not shutil.which(TOOLS.get(code, "sh")):
                continue
            for title, wanted in (("Wrong:", {code}), ("Right:", set())):
                yaml = example(text, title)
                found = codes_of(code, yaml, folder) - BESIDE.get(code, set())
                assert found == wanted, (code, title, found, yaml)


def test_docs_know_types_and_builtins():
    assert "properties:" in flowc("docs", "io.kestra.plugin.core.log.Log", check=0).stdout
    assert "filter" in flowc("docs", "upper", check=0).stdout
    flowc("docs", "no.such.Type", check=2)


flowtest.main()
