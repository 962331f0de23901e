"""Published flows: no finding at error level but where the flow can never do what it says, and no more than a second.

The flows are not part of the project; the test is skipped where ../shared is missing. Each row of quality/triage.yaml was looked at: the
expression, property or name cannot work on any server of the target version.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

SHARED = flowtest.SHARED
BLUEPRINTS = SHARED / "corpus" / "blueprints"
FLOWS = SHARED / "conformance" / "flows"

TRIAGE = Path(__file__).resolve().parents[1] / "quality" / "triage.yaml"


def faults():
    """File -> code -> why: errors that are real ones."""
    try:
        import yaml
    except ImportError:
        flowtest.skip("python3-yaml is not there", is_installable=True)
    rows = {}
    for group in yaml.safe_load(TRIAGE.read_text()).values():
        rows.update(group)
    return rows


def check(paths, *options):
    done = flowtest.run([flowtest.FLOWC, "check", "--format", "json", "-j1", *options, *paths])
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)["diagnostics"]


def surprises(found):
    out, known = [], faults()
    for diag in found:
        if diag["severity"] == "error" and diag["code"] not in known.get(Path(diag["file"]).name, {}):
            start = diag["range"]["start"]
            out.append(f"{diag['file']}:{start['line']}:{start['column']} {diag['code']} {diag['message']}")
    return out


def files(folder, part=""):
    if not folder.is_dir():
        flowtest.skip(f"{folder} is not there")
    return sorted(p for p in folder.rglob("*.y*ml") if part in p.parts or not part)


def test_published_flows_have_no_false_error():
    wrong = surprises(check(files(BLUEPRINTS)))
    assert not wrong, "\n".join(wrong)


def test_valid_flows_of_the_conformance_suite_have_no_false_error():
    wrong = surprises(check(files(FLOWS, "valids"), "--unknown-types=warn"))
    assert not wrong, "\n".join(wrong)


def test_invalid_flows_of_the_conformance_suite_have_an_error():
    # What older versions refused and the target takes.
    accepted = {"inputs-validation"}
    quiet = []
    for path in files(FLOWS, "invalids"):
        if path.stem in accepted:
            continue
        if not any(diag["severity"] == "error" for diag in check([path])):
            quiet.append(path.name)
    assert not quiet, quiet


def test_the_corpus_is_checked_in_a_second():
    if flowtest.IS_SANITIZED:
        flowtest.skip("a sanitized build says nothing about time")
    paths = files(BLUEPRINTS)
    best = min(timed(paths) for _ in range(3))
    assert best < 1.0, f"{best:.2f} s for {len(paths)} flows"


def timed(paths):
    start = time.monotonic()
    flowtest.run([flowtest.FLOWC, "check", "--embedded=off", "-q", "-j1", *paths])
    return time.monotonic() - start


flowtest.main()
