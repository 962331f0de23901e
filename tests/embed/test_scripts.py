"""Scripts inside of flows: what shellcheck and python3 find stands at its exact place in the file.

Without the tools there is nothing to compare with; what flowc does then is tested with tools of our own.
"""

import json
import os
import shutil
import stat
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

HEAD = "id: demo\nnamespace: company.team\ninputs:\n  - id: name\n    type: STRING\n    validator: ^[a-z]+$\ntasks:\n"
SHELL = HEAD + "  - id: run\n    type: io.kestra.plugin.scripts.shell.Commands\n"
SCRIPT = HEAD + "  - id: run\n    type: io.kestra.plugin.scripts.shell.Script\n"
PYTHON = HEAD + "  - id: run\n    type: io.kestra.plugin.scripts.python.Script\n"
USE = "  - id: use\n    type: io.kestra.plugin.core.log.Log\n    message: '{{ inputs.name }}'\n"


def need(tool):
    if shutil.which(tool) is None:
        flowtest.skip(f"{tool} is not installed", is_installable=True)


def found(yaml, *options, env=None):
    """Findings about scripts: (code, severity, marked text), and all of it."""
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        path.write_text(yaml)
        done = flowtest.run([flowtest.FLOWC, "check", "--format=json", "--embedded=require", *options, path], env=env)
        assert done.returncode in (0, 1), done.stderr
        bytes_ = yaml.encode()
        out = []
        for d in json.loads(done.stdout)["diagnostics"]:
            if d["code"] in ("E0610", "E0611", "W0612"):
                start, end = d["range"]["start"]["offset"], d["range"]["end"]["offset"]
                out.append((d["code"], d["severity"], bytes_[start:end].decode(), d))
        return out


def brief(yaml, *options):
    return [f[:3] for f in found(yaml, *options)]


# Each script, and what is marked in the file.
BROKEN = {
    "block scalar": (SHELL + "    commands:\n      - |\n        if true; then\n          echo é\n", "if"),
    "over two items": (SHELL + "    commands:\n      - for i in 1 2; do\n      - echo \"$i\"\n", "do"),
    "folded": (SCRIPT + "    script: >\n      echo start;\n      if true; then echo 1;\n\n      echo 2\n", "if"),
    "double quotes": (SCRIPT + '    script: "cd /tmp\\necho \\"\\u00e9\\"\\n( echo 1\\n"\n', "("),
    "single quotes": (SCRIPT + "    script: 'echo ''é'' && ( echo 1'\n", "("),
    "after a template": (SHELL + "    commands:\n      - |\n        echo \"{{ inputs.name ~ '🐟' }}\"\n        while true; do\n", "while"),
    "open quote": (SHELL + "    commands:\n      - |\n        echo one\n        echo \"two\n", '"'),
    "before": (SHELL + "    beforeCommands:\n      - ( cd /tmp\n    commands:\n      - echo 1\n", "("),
    "bash": (SHELL + "    interpreter: [/bin/bash, -c]\n    commands:\n      - a=(1 2\n", "("),
}

CLEAN = {
    "templates are words": SHELL
    + "    commands:\n      - |\n        for i in {{ range(1, 3) | join(' ') }}; do\n          echo \"$i {{ inputs.name |\n"
    "          upper }}\" $(( {{ inputs.name | length }} + 1 ))\n        done\n      - if [ \"{{ inputs.name }}\" = a ]; then echo 1; fi\n",
    "branches of a template": SCRIPT
    + "    script: |\n      {% if inputs.name == 'a' %}\n      if true; then\n      {% else %}\n      if false; then\n      {% endif %}\n"
    "      echo 1\n      fi\n",
    "the shell of a shebang": SCRIPT + "    script: |\n      #!/usr/bin/env bash\n      a=(1 2)\n      echo \"${a[@]}\"\n",
    "bash by interpreter": SHELL + "    interpreter: [/bin/bash, -c]\n    commands:\n      - if [[ $HOME == a* ]]; then echo 1; fi\n",
    "another language": SHELL + "    interpreter: [pwsh, -Command]\n    commands:\n      - if ($true) { echo 1 }\n",
    "powershell": HEAD + "  - id: run\n    type: io.kestra.plugin.scripts.powershell.Script\n    script: if ($true) { echo 1 }\n",
    "node": HEAD + "  - id: run\n    type: io.kestra.plugin.scripts.node.Script\n    script: if (true) { f() }\n",
    "variables of the environment": SHELL + "    env:\n      target: a\n    commands:\n      - echo \"$target\"\n",
    "raw text": SHELL + "    commands:\n      - docker ps --format '{% raw %}{{ .Names }}{% endraw %}'\n",
    "cd fails by itself": SHELL + "    commands:\n      - cd sub\n      - ls\n",
    "an image's own shell": SHELL + "    containerImage: alpine:3.20\n    commands:\n      - if [[ -f x ]]; then echo 1; fi\n",
    "python templates": PYTHON
    + "    script: |\n      x = {{ inputs.name }}\n      y = 3{{ inputs.name | length }}\n      print(f'{{ inputs.name }} {x}')\n",
    "python branches": PYTHON
    + "    script: |\n      {% if inputs.name == 'a' %}\n      def f():\n      {% else %}\n      def g():\n      {% endif %}\n          return 1\n",
}


def test_a_broken_shell_script_is_one_error_at_its_place():
    need("shellcheck")
    for name, (yaml, marked) in BROKEN.items():
        got = brief(yaml + USE)
        assert got == [("E0610", "error", marked)], (name, got)


def test_what_templates_may_print_is_no_finding():
    need("shellcheck")
    need("python3")
    for name, yaml in CLEAN.items():
        got = [f for f in brief(yaml + USE) if f[1] != "note"]
        assert got == [], (name, got)


def test_the_missing_end_is_shown_too():
    need("shellcheck")
    labels = found(SHELL + "    commands:\n      - |\n        if true; then\n          echo 1\n")[0][3]["labels"]
    assert "'fi'" in labels[0]["message"] and labels[0]["range"]["start"]["line"] == 13, labels


def test_advice_stands_at_its_place_and_has_an_edit():
    need("shellcheck")
    yaml = SHELL + "    commands:\n      - 'echo ''é'' $HOME'\n      - \"echo \\\"é\\\" $PWD\"\n"
    got = found(yaml)
    assert [f[:3] for f in got] == [("W0612", "note", "$HOME"), ("W0612", "note", "$PWD")], got
    for finding, repaired in zip(got, ("'echo ''é'' \"$HOME\"'", '"echo \\"é\\" \\"$PWD\\""')):
        fix = finding[3]["suggestions"][0]
        assert fix["applicability"] == "maybe"
        text = yaml.encode()
        for edit in sorted(fix["edits"], key=lambda e: -e["start"]):
            text = text[: edit["start"]] + edit["text"].encode() + text[edit["end"] :]
        assert repaired.encode() in text, (text, repaired)


def test_a_warning_may_be_ignored_here_and_in_the_script():
    need("shellcheck")
    bad = "      - if [[ -f x ]]; then echo 1; fi\n"
    assert brief(SHELL + "    commands:\n" + bad) == [("W0612", "warning", "[[ -f x ]]")]
    assert brief(SHELL + "    commands:\n      # flowc: ignore[shell-warning] bash there\n" + bad) == []
    inside = SHELL + "    commands:\n      - |\n        # shellcheck disable=SC3010\n        if [[ -f x ]]; then echo 1; fi\n"
    assert brief(inside) == []


def test_an_ignore_without_use_is_said_where_the_tool_looked():
    need("shellcheck")
    yaml = SHELL + "    commands:\n      # flowc: ignore[shell-warning] none\n      - echo 1\n" + USE
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        path.write_text(yaml)
        look = flowtest.run([flowtest.FLOWC, "check", "--format=oneline", path]).stdout
        off = flowtest.run([flowtest.FLOWC, "check", "--format=oneline", "--embedded=off", path]).stdout
    assert "W0090" in look and "W0090" not in off, (look, off)


def test_broken_python_is_one_error_at_its_place():
    need("python3")
    script = "    script: |\n      é = [1, 2\n      print({{ inputs.name }})\n"
    assert brief(PYTHON + script) == [("E0611", "error", "[")]
    quoted = '    script: "x = \\"\\u00e9\\"\\nif x\\n  pass"\n'
    assert [f[:2] for f in brief(PYTHON + quoted + USE)] == [("E0611", "error")]
    sample = "    script: |\n      {% for i in [1] %}\n      x = (\n      {% endfor %}\n"
    assert [f[:2] for f in brief(PYTHON + sample + USE)] == [("E0611", "warning")]


def test_a_line_of_the_script_is_shown_as_one_of_the_file():
    need("python3")
    got = found(PYTHON + "    script: |\n      if True:\n      print(1)\n" + USE)
    message, label = got[0][3]["message"], got[0][3]["labels"][0]
    assert " line " not in message and label["range"]["start"]["line"] == 11, got
    assert " line " not in found(PYTHON + '    script: |\n      print(")\n' + USE)[0][3]["message"]


def test_a_text_in_an_f_string_is_no_mistake_and_hides_none():
    need("python3")
    script = "    script: |\n      d = {'a': 1}\n      print(f\"{d[\"a\"]}\")\n      print(d%s\n"
    assert brief(PYTHON + script % ")" + USE) == []
    assert [f[::2][:2] for f in brief(PYTHON + script % "" + USE)] == [("E0611", "(")]


def tool(folder, name, text):
    path = Path(folder) / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_absent_tools_are_no_matter_unless_required():
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        path.write_text(BROKEN["block scalar"][0] + USE)
        env = {"PATH": folder}
        auto = flowtest.run([flowtest.FLOWC, "check", path], env=env)
        assert auto.returncode == 0 and auto.stdout == "", auto.stdout
        required = flowtest.run([flowtest.FLOWC, "check", "--embedded=require", path], env=env)
        assert required.returncode == 3 and "'shellcheck' is not installed" in required.stderr, required
        path.write_text(HEAD + USE)
        flowtest.run([flowtest.FLOWC, "check", "--embedded=require", path], env=env, check=0)


def test_a_tool_that_fails_is_said_and_hides_nothing():
    for script in ("#!/bin/sh\nexit 4\n", "#!/bin/sh\necho no json\n", "#!/bin/sh\nkill -9 $$\n"):
        with flowtest.temporary() as folder:
            tool(folder, "shellcheck", script)
            path = Path(folder) / "flow.yaml"
            path.write_text(SHELL + "    commands:\n      - echo {{ inputs.nam }}\n" + USE)
            done = flowtest.run([flowtest.FLOWC, "check", path], env={"PATH": folder})
            assert done.returncode == 1 and "E0301" in done.stdout, done
            assert "scripts were not checked" in done.stderr, done.stderr
            done = flowtest.run([flowtest.FLOWC, "check", "--embedded=require", path], env={"PATH": folder})
            assert done.returncode == 3, done


def test_many_scripts_need_few_processes_and_threads_change_nothing():
    need("shellcheck")
    need("python3")
    with flowtest.temporary() as folder:
        count = Path(folder) / "count"
        for name in ("shellcheck", "python3"):
            tool(folder, name, f"#!/bin/sh\necho {name} >> {count}\nexec {shutil.which(name)} \"$@\"\n")
        flows = Path(folder) / "flows"
        flows.mkdir()
        bad = list(BROKEN.values())
        for i in range(150):
            yaml = bad[i % len(bad)][0].replace("id: demo", f"id: demo{i}")
            (flows / f"{i:03}.yaml").write_text(yaml + "  - id: p\n" + PYTHON.split("  - id: run\n")[1] + "    script: x = (\n" + USE)
        env = {"PATH": f"{folder}:{os.environ['PATH']}"}
        one = flowtest.run([flowtest.FLOWC, "check", "--format=json", "-j1", flows], env=env, check=1)
        words = count.read_text().split()
        assert words.count("shellcheck") <= 2 and words.count("python3") <= 1, words
        four = flowtest.run([flowtest.FLOWC, "check", "--format=json", "-j4", flows], env=env, check=1)
        assert one.stdout == four.stdout
        codes = [d["code"] for d in json.loads(one.stdout)["diagnostics"]]
        assert codes.count("E0610") == 150 and codes.count("E0611") == 150, (codes.count("E0610"), codes.count("E0611"))


def test_fixing_looks_at_the_text_as_it_is_in_the_end():
    need("shellcheck")
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        path.write_text(SHELL.replace("shell.Commands", "shell.commands") + "    commands:\n      - |\n        if true; then\n" + USE)
        done = flowtest.run([flowtest.FLOWC, "check", "--fix", "--format=oneline", path], check=1)
        assert done.stdout.count("E0610") == 1 and ":12:18:" in done.stdout, done.stdout


flowtest.main()
