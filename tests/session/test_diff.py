"""flowc diff: what changed between two versions of a flow; layout does not count, callers are warned."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

LOG = "io.kestra.plugin.core.log.Log"
OLD = f"""id: deploy
namespace: company.team
labels: {{team: a, tier: one}}
inputs:
  - id: region
    type: STRING
  - id: size
    type: INT
    defaults: 3
tasks:
  - id: build
    type: io.kestra.plugin.scripts.shell.Commands
    env: {{MODE: fast, LEVEL: "1"}}
    commands:
      - make
      - make test
      - |
        set -e
        ls
        pwd
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: one
        type: {LOG}
        message: one
      - id: two
        type: {LOG}
        message: two
  - id: done
    type: {LOG}
    message: done
outputs:
  - id: url
    type: STRING
    value: "{{{{ inputs.region }}}}"
triggers:
  - id: daily
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 9 * * *"
"""


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def differences(new, old=OLD):
    """The lines of text; what JSON says has to agree."""
    with flowtest.temporary() as folder:
        (Path(folder) / "old.yaml").write_text(old)
        (Path(folder) / "new.yaml").write_text(new)
        done = flowc("diff", "old.yaml", "new.yaml", cwd=folder)
        assert done.returncode == (1 if done.stdout else 0), done
        document = json.loads(flowc("diff", "old.yaml", "new.yaml", "--format", "json", cwd=folder).stdout)
        lines = done.stdout.splitlines()
        assert len(document["changes"]) == len(lines)
        marks = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}
        for change, line in zip(document["changes"], lines):
            assert line.startswith(f"{marks[change['kind']]} {change['path']}"), (change, line)
            assert ("  ! " in line) == (change["callers"] != "")
        quiet = flowc("diff", "-q", "old.yaml", "new.yaml", cwd=folder)
        assert (quiet.stdout, quiet.stderr, quiet.returncode) == ("", "", done.returncode)
        return lines


def changed(*pairs):
    text = OLD
    for before, after in pairs:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return differences(text)


def test_layout_comments_and_the_order_of_keys_do_not_count():
    assert differences(OLD) == []
    assert changed(("id: deploy\nnamespace: company.team\n", "# a comment\nnamespace: 'company.team'\nid: \"deploy\"\n")) == []
    assert changed(("labels: {team: a, tier: one}", "labels:\n  tier: one\n  team: a")) == []
    assert changed(("      - make\n", '      - "make"   # builds\n'), ("    defaults: 3\n", "    defaults: 3\n    description:\n")) == []
    swapped = OLD.replace("      - id: one\n", "      - id: X\n").replace("      - id: two\n", "      - id: one\n").replace("id: X\n", "id: two\n")
    swapped = swapped.replace("message: one", "message: X").replace("message: two", "message: one").replace("message: X", "message: two")
    assert differences(swapped) == []


def test_values_that_changed_are_told_by_their_path():
    assert changed(("MODE: fast", "MODE: slow")) == ['~ tasks.build.env.MODE: "fast" -> "slow"']
    assert changed(('LEVEL: "1"', "LEVEL: 1")) == ['~ tasks.build.env.LEVEL: "1" -> 1']
    assert changed(("message: two", "message: [two]")) == ['~ tasks.both.tasks.two.message: "two" -> ["two"]']
    assert changed(("- make test\n", "- make test-all\n")) == ['~ tasks.build.commands[1]: "make test" -> "make test-all"']
    assert changed(("- make test\n", "- make test\n      - make install\n")) == ['+ tasks.build.commands[2]: "make install"']
    assert changed(("      - make\n", "")) == ['- tasks.build.commands[0]: "make"']
    assert changed(("        ls\n", "        ls -l\n")) == ['~ tasks.build.commands[2], line 2: "ls" -> "ls -l"']
    assert changed(("MODE: fast", "'a.b': 1, MODE: fast")) == ["+ tasks.build.env['a.b']: 1"]


def test_tasks_are_known_by_their_ids():
    new = f"  - id: check\n    type: {LOG}\n    message: check\n"
    assert changed(("  - id: both\n", new + "  - id: both\n")) == ["+ tasks.check"]
    assert changed(("id: done\n", "id: finished\n")) == ["- tasks.done", "+ tasks.finished"]
    tail = f"  - id: done\n    type: {LOG}\n    message: done\n"
    assert changed((tail, ""), ("  - id: build\n", tail + "  - id: build\n")) == ["> tasks.done"]
    inner = f"      - id: done\n        type: {LOG}\n        message: DONE\n"
    assert changed((tail, ""), ("        message: two\n", "        message: two\n" + inner)) == [
        "> tasks.both.tasks.done, until now tasks.done",
        '~ tasks.both.tasks.done.message: "done" -> "DONE"',
    ]


def test_callers_are_told_what_they_have_to_know():
    new = "  - id: zone\n    type: STRING\n"
    assert changed(("  - id: size\n", new + "  - id: size\n")) == ["+ inputs.zone  ! callers have to give it"]
    assert changed(("  - id: size\n", new + "    required: false\n  - id: size\n")) == ["+ inputs.zone"]
    assert changed(("    defaults: 3\n", "")) == ["- inputs.size.defaults: 3  ! callers have to give it"]
    assert changed(("    type: INT\n", "    type: FLOAT\n")) == ['~ inputs.size.type: "INT" -> "FLOAT"  ! what callers give may be refused']
    assert changed(("    defaults: 3\n", "    defaults: 3\n    max: 5\n")) == ["+ inputs.size.max: 5  ! what callers give may be refused"]
    assert changed(("    defaults: 3\n", "    defaults: 4\n")) == ["~ inputs.size.defaults: 3 -> 4"]
    assert changed(("  - id: size\n    type: INT\n    defaults: 3\n", "")) == ["- inputs.size  ! a value that callers give is ignored"]
    assert changed(("id: url\n", "id: uri\n")) == ["- outputs.url  ! callers that read it fail", "+ outputs.uri"]
    [line] = changed(("id: deploy\n", "id: deployment\n"))
    assert line.startswith('~ id: "deploy" -> "deployment"  ! another flow')
    assert changed(("id: deploy\n", "id: deploy\ndisabled: true\n")) == ["+ disabled: true  ! a call of it fails"]
    assert changed(("0 9 * * *", "0 8 * * *")) == ['~ triggers.daily.cron: "0 9 * * *" -> "0 8 * * *"']


def test_what_cannot_be_compared_is_refused():
    with flowtest.temporary() as folder:
        (Path(folder) / "good.yaml").write_text(OLD)
        for name, text in (("broken", OLD + "  - [\n"), ("other", "kind: x\n"), ("two", OLD + "---\n" + OLD), ("empty", "")):
            (Path(folder) / f"{name}.yaml").write_text(text)
            for pair in ((f"{name}.yaml", "good.yaml"), ("good.yaml", f"{name}.yaml")):
                done = flowc("diff", *pair, cwd=folder, check=2)
                assert f"{name}.yaml" in done.stderr and done.stdout == ""
        flowc("diff", "good.yaml", "gone.yaml", cwd=folder, check=2)
        flowc("diff", "good.yaml", cwd=folder, check=2)
        flowc("diff", "-", "-", cwd=folder, check=2)
        assert flowc("diff", "-", "good.yaml", cwd=folder, input=OLD, check=0).stdout == ""
        assert flowc("diff", "good.yaml", "-", cwd=folder, input=OLD.replace("make test", "make"), check=1).stdout != ""


flowtest.main()
