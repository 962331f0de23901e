"""flowc fmt: layout only. Comments, quotes and texts stay, the meaning stays, twice is once."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

UGLY = """\n\n# head
id:   ugly
namespace: company.team   \n

# about the inputs
inputs:
- id: one
  type: STRING
  # inside of one
# about two
-   id: two
    type:   INT
    defaults: 3



tasks:
    # about first
    -   id: first
        # about the type
        type: io.kestra.plugin.core.debug.Return
        format: |
              a  \n                indented
              {{ inputs.one }}

        # behind the text
    -   id: second
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
        - id: third
          type: io.kestra.plugin.core.log.Log
          message: ['a',
            "b",   # in a list
            c]
        -
          id: fourth
          type: io.kestra.plugin.core.log.Log
          message: >-
             folded
             text
    # the end of the tasks

# the end

"""
NICE = """# head
id: ugly
namespace: company.team

# about the inputs
inputs:
  - id: one
    type: STRING
    # inside of one
  # about two
  - id: two
    type: INT
    defaults: 3

tasks:
  # about first
  - id: first
    # about the type
    type: io.kestra.plugin.core.debug.Return
    format: |
          a  \n            indented
          {{ inputs.one }}

    # behind the text
  - id: second
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - id: third
        type: io.kestra.plugin.core.log.Log
        message: ['a',
          "b",   # in a list
          c]
      -
        id: fourth
        type: io.kestra.plugin.core.log.Log
        message: >-
           folded
           text
  # the end of the tasks

# the end
"""


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def formatted(text, status=0):
    return flowc("fmt", "-", input=text, check=status).stdout


def digest(folder, name):
    flowc("compile", name, "-o", "out.flowc", "--no-source", cwd=folder, check=0)
    return flowtest.run([flowtest.FLOWRUN, "inspect", "--digest=semantic", "out.flowc"], cwd=folder, check=0).stdout


def test_an_ugly_flow_becomes_a_nice_one():
    assert formatted(UGLY) == NICE, formatted(UGLY)
    assert formatted(NICE) == NICE


def test_the_meaning_stays():
    if not Path(flowtest.FLOWRUN).exists():
        flowtest.skip(f"{flowtest.FLOWRUN} is not built")
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        path.write_text(UGLY)
        before = digest(folder, "flow.yaml")
        flowc("fmt", "flow.yaml", cwd=folder, check=0)
        assert path.read_text() == NICE and digest(folder, "flow.yaml") == before


def test_check_and_diff_write_nothing():
    with flowtest.temporary() as folder:
        (Path(folder) / "ugly.yaml").write_text(UGLY)
        (Path(folder) / "nice.yaml").write_text(NICE)
        (Path(folder) / "other.yaml").write_text("kind:   Deployment\n")
        done = flowc("fmt", "--check", ".", cwd=folder, check=1)
        assert done.stdout == "would reformat: ./ugly.yaml\n" and "1 file would be" in done.stderr
        assert "+id: ugly\n" in flowc("fmt", "--diff", ".", cwd=folder, check=1).stdout
        assert (Path(folder) / "ugly.yaml").read_text() == UGLY
        flowc("fmt", ".", cwd=folder, check=0)
        assert (Path(folder) / "other.yaml").read_text() == "kind:   Deployment\n"
        flowc("fmt", "--check", ".", cwd=folder, check=0)


def test_line_ends_and_the_mark_at_the_start_are_kept():
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + UGLY.replace("\n", "\r\n").encode())
        flowc("fmt", "flow.yaml", cwd=folder, check=0)
        assert path.read_bytes() == b"\xef\xbb\xbf" + NICE.replace("\n", "\r\n").encode()


def test_the_end_of_a_file():
    head = "id: a\ntasks:\n"
    for text, expected in (
        ("tasks: []", "tasks: []\n"),
        ("tasks: []\n\n\n", "tasks: []\n"),
        # A block text knows whether a line end follows.
        (head + "  - id: |\n      a", head + "  - id: |\n      a"),
        (head + "  - id: |\n      a\n\n\n", head + "  - id: |\n      a\n"),
        (head + "  - id: |+\n      a\n\n\n", head + "  - id: |+\n      a\n\n\n"),
        (head + "- id: |2\n      a\n", head + "  - id: |2\n        a\n"),
    ):
        assert formatted(text) == expected, (text, formatted(text))


def test_what_is_broken_is_left_alone():
    with flowtest.temporary() as folder:
        path = Path(folder) / "flow.yaml"
        path.write_text("tasks: [\n  a:   b\n")
        done = flowc("fmt", "flow.yaml", cwd=folder, check=1)
        assert "errors of syntax" in done.stderr and path.read_text() == "tasks: [\n  a:   b\n"


def test_flows_of_others_are_formatted_once_and_mean_the_same():
    folder = flowtest.SHARED / "corpus"
    if not folder.is_dir():
        flowtest.skip(f"{folder} is not here")
    count = odd = 0
    with flowtest.temporary() as work:
        for path in sorted(folder.rglob("*.yaml")):
            text = path.read_bytes()
            if b"\ntasks:" not in text:
                continue
            (Path(work) / f"{count}.yaml").write_bytes(text)
            count += 1
        before = {p: p.read_bytes() for p in Path(work).iterdir()}
        first = flowc("fmt", ".", cwd=work)
        odd = first.stderr.count("too unusual")
        again = flowc("fmt", "--check", ".", cwd=work)
        assert again.stdout == "", again.stdout
        for path, text in before.items():
            stripped = [line.split() for line in text.decode().splitlines() if line.strip()]
            now = [line.split() for line in path.read_text().splitlines() if line.strip()]
            assert stripped == now, path
    print(f"    {count} flows, {odd} left as they are")
    assert odd <= count // 100


flowtest.main()
