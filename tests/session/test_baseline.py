"""flowc check --baseline and --write-baseline: what is known does not count, what is new does."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

BROKEN = """id: known
namespace: company.team
tasks:
  - id: one
    type: io.kestra.plugin.core.debug.Return
    format: "{{ inputs.nope }}"
"""


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def counts(folder, *arguments, check):
    document = json.loads(flowc("check", "--format", "json", *arguments, cwd=folder, check=check).stdout)
    return document["errors"], document["baselined"]


def prepared(folder, text=BROKEN):
    (Path(folder) / "sub").mkdir(exist_ok=True)
    (Path(folder) / "sub/flow.yaml").write_text(text)


def test_what_was_written_is_known():
    with flowtest.temporary() as folder:
        prepared(folder)
        errors, _ = counts(folder, ".", check=1)
        assert counts(folder, ".", "--write-baseline", "known.json", check=0) == (0, errors)
        assert counts(folder, ".", "--baseline", "known.json", check=0) == (0, errors)
        document = json.loads((Path(folder) / "known.json").read_text())
        assert document["version"] == 1 and document["findings"][0]["file"] == "sub/flow.yaml"
        assert "in the baseline" in flowc("check", "--baseline", "known.json", cwd=folder, check=0).stderr


def test_lines_may_move_and_be_indented():
    with flowtest.temporary() as folder:
        prepared(folder)
        flowc("check", ".", "--write-baseline", "known.json", cwd=folder, check=0)
        prepared(folder, "# a comment\n\n" + BROKEN)
        assert counts(folder, ".", "--baseline", "known.json", check=0)[0] == 0


def test_one_more_of_the_same_is_new():
    with flowtest.temporary() as folder:
        prepared(folder)
        flowc("check", ".", "--write-baseline", "known.json", cwd=folder, check=0)
        prepared(folder, BROKEN + BROKEN[BROKEN.index("  - id") :].replace("one", "two"))
        assert counts(folder, ".", "--baseline", "known.json", check=1) == (1, 1)


def test_the_current_folder_and_the_spelling_of_paths_do_not_matter():
    with flowtest.temporary() as folder:
        prepared(folder)
        flowc("check", ".", "--write-baseline", "known.json", cwd=folder, check=0)
        sub = Path(folder) / "sub"
        assert counts(sub, "flow.yaml", "--baseline", "../known.json", check=0)[0] == 0
        assert counts(sub, str(sub / "flow.yaml"), "--baseline", "../known.json", check=0)[0] == 0
        assert counts(folder, "./sub/../sub/flow.yaml", "--baseline", str(Path(folder) / "known.json"), check=0)[0] == 0


def test_the_same_findings_give_the_same_bytes():
    with flowtest.temporary() as folder:
        prepared(folder)
        (Path(folder) / "other.yaml").write_text(BROKEN.replace("known", "other"))
        flowc("check", ".", "--write-baseline", "a.json", cwd=folder, check=0)
        flowc("check", "sub", "other.yaml", "-j4", "--write-baseline", "b.json", cwd=folder, check=0)
        assert (Path(folder) / "a.json").read_bytes() == (Path(folder) / "b.json").read_bytes()


def test_what_is_no_baseline_is_refused():
    with flowtest.temporary() as folder:
        prepared(folder)
        for text in ("", "[]", "{", '{"version":2,"findings":[]}', '{"version":1,"findings":[1]}', "\x00\xff"):
            (Path(folder) / "known.json").write_text(text, encoding="latin-1")
            done = flowc("check", ".", "--baseline", "known.json", cwd=folder, check=2)
            assert "known.json" in done.stderr, done.stderr
        flowc("check", ".", "--baseline", "missing.json", cwd=folder, check=2)
        flowc("check", ".", "--baseline", "a", "--write-baseline", "b", cwd=folder, check=2)


def test_a_file_that_cannot_be_read_is_never_known():
    with flowtest.temporary() as folder:
        flowc("check", "missing.yaml", "--write-baseline", "known.json", cwd=folder, check=1)
        flowc("check", "missing.yaml", "--baseline", "known.json", cwd=folder, check=1)


flowtest.main()
