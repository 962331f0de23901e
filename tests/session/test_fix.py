"""flowc check --fix and --diff: what is repaired, what is left, and the proof that a repair means the unbroken flow."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

FLOW = """# A flow that uses a little of everything.
id: repairs
namespace: company.team
description: "what it does: everything"

inputs:
  - id: host
    type: STRING
    defaults: example
  - id: count
    type: INT
    defaults: 3

variables:
  greeting: hello

tasks:
  - id: first
    type: io.kestra.plugin.core.debug.Return   # the first
    format: "{{ inputs.host | upper }}"

  - id: second-one
    type: io.kestra.plugin.core.log.Log
    level: WARN
    message: "{{ outputs.first.value }} {{ vars.greeting }} {{ flow.id }}"
    retry:
      type: constant
      interval: PT1S
      maxAttempts: 3
  - id: branch
    type: io.kestra.plugin.core.flow.If
    condition: "{{ inputs.count > 2 }}"
    then:
      - id: inside
        type: io.kestra.plugin.core.debug.Return
        format: "{{ outputs['first'].value ~ now() }}"

triggers:
  - id: nightly
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 3 * * *"
"""

# Classes of faults: the unbroken piece, and what the fault makes of it.
FAULTS = {
    "tab in the indentation": ("    level: WARN", "\t\tlevel: WARN"),
    "colon without a blank": ("    maxAttempts: 3".strip(), "maxAttempts:3"),
    "key without a colon": ("      interval: PT1S", "      interval PT1S"),
    "expression without quotes": ('condition: "{{ inputs.count > 2 }}"', "condition: {{ inputs.count > 2 }}"),
    "text with a colon without quotes": ('"what it does: everything"', "what it does: everything"),
    "typo in a top-level key": ("variables:", "variabels:"),
    "wrong case of a top-level key": ("triggers:", "Triggers:"),
    "typo in a task property": ("    format: \"{{ inputs.host", "    fromat: \"{{ inputs.host"),
    "wrong case of a task property": ("maxAttempts: 3", "maxattempts: 3"),
    "typo in a task type": ("core.debug.Return   #", "core.debug.Retrun   #"),
    "wrong case of a task type": ("core.log.Log", "core.log.log"),
    "wrong package of a task type": ("plugin.core.log.Log", "plugin.core.logs.Log"),
    "old name of a task type": ("io.kestra.plugin.core.log.Log", "io.kestra.core.tasks.log.Log"),
    "typo in a trigger type": ("trigger.Schedule", "trigger.Schedul"),
    "typo in an enum value": ("level: WARN", "level: WRAN"),
    "typo in an input type": ("type: STRING", "type: STRNG"),
    "typo in a filter": ("| upper", "| uper"),
    "typo in a function": ("now()", "nwo()"),
    "typo in an input": ("inputs.host", "inputs.hots"),
    "typo in an input of a condition": ("inputs.count", "inputs.conut"),
    "typo in a task id": ("outputs.first.value", "outputs.frist.value"),
    "typo in a task id in brackets": ("outputs['first']", "outputs['frist']"),
    "typo in an output": ("outputs.first.value", "outputs.first.valeu"),
    "typo in a variable": ("vars.greeting", "vars.greting"),
    "typo in a root": ("{{ inputs.host", "{{ inptus.host"),
    "typo in a member": ("flow.id", "flow.ib"),
    "one brace for two": ("{{ flow.id }}", "{{ flow.id }"),
    "typo in a retry type": ("type: constant", "type: constnat"),
    "typo in a retry property": ("interval: PT1S", "intervall: PT1S"),
    "typo in a trigger property": ("cron:", "corn:"),
    "typo in a nested list": ("    then:", "    them:"),
}


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def digest(folder, name):
    compiled = flowc("compile", name, "-o", name + ".flowc", "--no-source", cwd=folder)
    if compiled.returncode != 0:
        return None
    return flowtest.run([flowtest.FLOWRUN, "inspect", "--digest=semantic", name + ".flowc"], cwd=folder, check=0).stdout


def test_a_repair_means_the_unbroken_flow():
    """At least 80 % of the classes are repaired to the same meaning, none to another one."""
    if not Path(flowtest.FLOWRUN).exists():
        flowtest.skip(f"{flowtest.FLOWRUN} is not built")
    proved, left, wrong = [], [], []
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        path.write_text(FLOW)
        flowc("check", "--max-warnings", "0", "flow.yaml", cwd=folder, check=0)
        expected = digest(folder, "flow.yaml")
        assert expected
        for name, (good, bad) in FAULTS.items():
            assert FLOW.count(good) >= 1, name
            path.write_text(FLOW.replace(good, bad, 1))
            flowc("check", "--fix", "flow.yaml", cwd=folder)
            found = digest(folder, "flow.yaml")
            (left if found is None else proved if found == expected else wrong).append(name)
            # Comments and layout are kept.
            assert "# the first\n" in path.read_text() and path.read_text().startswith("# A flow"), name
    print(f"    {len(proved)} of {len(FAULTS)} proved; left: {', '.join(left) or 'none'}")
    assert wrong == [], wrong
    assert len(FAULTS) >= 24 and len(proved) >= 0.8 * len(FAULTS), left


def test_fixing_twice_changes_nothing_more():
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        for good, bad in FAULTS.values():
            path.write_text(FLOW.replace(good, bad, 1))
            flowc("check", "--fix", "-q", "flow.yaml", cwd=folder)
            once = path.read_bytes()
            flowc("check", "--fix", "-q", "flow.yaml", cwd=folder)
            assert path.read_bytes() == once, bad


def test_several_faults_are_fixed_in_one_run_and_what_is_left_is_reported():
    with flowtest.temporary() as folder:
        text = FLOW
        for name in ("typo in an input", "typo in a task type", "typo in a trigger property", "expression without quotes"):
            text = text.replace(*FAULTS[name], 1)
        path = Path(folder) / "flow.yaml"
        path.write_text(text + "somewhat: 1\n")
        done = flowc("check", "--fix", "--format", "oneline", "flow.yaml", cwd=folder, check=1)
        assert path.read_text() == FLOW + "somewhat: 1\n", path.read_text()
        assert done.stdout.count("\n") == 1 and "somewhat" in done.stdout, done.stdout


def test_a_diff_can_be_applied_and_writes_nothing():
    with flowtest.temporary() as folder:
        for name in ("a.yaml", "b.yaml", "clean.yaml"):
            fault = {"a.yaml": "typo in an input", "b.yaml": "tab in the indentation"}.get(name)
            (Path(folder) / name).write_text(FLOW.replace(*FAULTS[fault], 1) if fault else FLOW)
        before = {p.name: p.read_bytes() for p in Path(folder).iterdir()}
        done = flowc("check", "--diff", ".", cwd=folder, check=1)
        assert {p.name: p.read_bytes() for p in Path(folder).iterdir()} == before
        assert done.stdout.count("\n@@ ") == 2 and "clean.yaml" not in done.stdout
        flowc("check", "--diff", "clean.yaml", cwd=folder, check=0)
        subprocess.run(["git", "apply", "-p0", "-"], input=done.stdout.encode(), cwd=folder, check=True)
        assert all(p.read_text() == FLOW for p in Path(folder).iterdir())


def test_ends_of_lines_the_mark_at_the_start_and_the_mode_are_kept():
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        broken = FLOW.replace(*FAULTS["typo in an input"], 1)
        path.write_bytes(b"\xef\xbb\xbf" + broken.replace("\n", "\r\n").encode())
        path.chmod(0o640)
        flowc("check", "--fix", "flow.yaml", cwd=folder, check=0)
        assert path.read_bytes() == b"\xef\xbb\xbf" + FLOW.replace("\n", "\r\n").encode()
        assert path.stat().st_mode & 0o777 == 0o640
        assert os.listdir(folder) == ["flow.yaml"]


def test_links_stay_links_and_are_not_followed_out_of_the_project():
    broken = FLOW.replace(*FAULTS["typo in an input"], 1)
    with flowtest.temporary() as outside, flowtest.temporary() as folder:
        (Path(outside) / "far.yaml").write_text(broken)
        (Path(folder) / "near").write_text(broken)
        (Path(folder) / "far.yaml").symlink_to(Path(outside) / "far.yaml")
        (Path(folder) / "near.yaml").symlink_to("near")
        done = flowc("check", "--fix", "far.yaml", "near.yaml", cwd=folder, check=2)
        assert "'far.yaml' is a link out of the project" in done.stderr
        assert (Path(outside) / "far.yaml").read_text() == broken
        assert (Path(folder) / "near").read_text() == FLOW and (Path(folder) / "near.yaml").is_symlink()


def test_an_ignored_finding_is_not_fixed():
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        text = FLOW.replace("    level: WARN", "    # flowc: ignore[E0105]\n    level: WRAN")
        path.write_text(text)
        flowc("check", "--fix", "flow.yaml", cwd=folder)
        assert path.read_text() == text


def test_standard_input_becomes_standard_output():
    broken = FLOW.replace(*FAULTS["typo in an input"], 1)
    done = flowc("check", "--fix", "-", input=broken, check=0)
    assert done.stdout == FLOW and "1 fixed" in done.stderr
    assert "+" in flowc("check", "--diff", "-", input=broken, check=1).stdout


def test_fix_and_diff_exclude_each_other():
    flowc("check", "--fix", "--diff", ".", check=2)
    flowc("check", "--diff", "--format", "json", ".", check=2)


flowtest.main()
