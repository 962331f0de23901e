"""Seeded faults: a sample in each run, a large one in a long run. `run` prints the whole table.

Over flows of this folder alone the bars hold too; with ../shared there, over published flows as well.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import flowtest

try:
    import harness
except ImportError as missing:
    if missing.name != "yaml":
        raise
    harness = None

IS_LONG = flowtest.MODE == "long"
SEED = 20
# Classes whose finding comes from a program that need not be installed, or that take a second for each script.
EMBEDDED = ("fi-deleted", "python-bracket-deleted")
_loaded = {}


def loaded():
    if harness is None:
        flowtest.skip("python3-yaml is not there", is_installable=True)
    if not _loaded:
        harness.embedded = "auto" if IS_LONG else "off"
        flows = harness.load_flows()
        if not IS_LONG:
            flows = [f for f in flows if f.origin == "own"] + [f for f in flows if f.origin != "own"][::40]
        _loaded["flows"] = flows
        _loaded["base"] = harness.base_of(flows)
        names = [n for n in harness.EXPECTED if n not in EMBEDDED]
        _loaded["results"] = harness.measure(flows, names, 4 if IS_LONG else 1, SEED, _loaded["base"])
    return _loaded


def share(of, all):
    return sum(of) / max(len(all), 1)


def explain(results, limit=12):
    return "\n".join(f"{r.name}: {r.flow.name}: {r.fault.edits}" for r in results[:limit])


def test_each_class_has_a_place():
    results = loaded()["results"]
    seen = {r.name for r in results}
    absent = [n for n in harness.EXPECTED if n not in seen and n not in EMBEDDED]
    assert len(results) > 200 and not absent, absent


def test_faults_are_found_and_located():
    results = loaded()["results"]
    missed = [r for r in results if not r.located]
    assert share([r.found for r in results], results) >= 0.98, explain([r for r in results if not r.found])
    assert share([r.located for r in results], results) >= 0.98, explain(missed)


def test_first_suggestions_are_right():
    advised = [r for r in loaded()["results"] if r.advice is not None]
    assert share([r.advice for r in advised], advised) >= 0.99, explain([r for r in advised if not r.advice])


def test_one_fault_is_one_finding():
    results = loaded()["results"]
    extra = [r for r in results if r.extra]
    assert sum(len(r.extra) for r in extra) <= 0.05 * len(results), explain(extra)


def test_near_misses_are_no_errors():
    count, wrong = harness.near_misses(loaded()["flows"], 2, SEED, loaded()["base"])
    assert count >= 20
    assert not wrong, [(name, flow.name, diag["code"], diag["message"]) for name, flow, _, diag in wrong]


def test_five_faults_in_one_file_are_all_reported():
    cases = harness.fives(loaded()["flows"], 200 if IS_LONG else 20, SEED, loaded()["base"])
    reported = sum(5 - len(c[3]) for c in cases) / len(cases)
    assert reported >= 4.9, (reported, [(c[0].name, c[3]) for c in cases if c[3]])
    assert sum(len(c[4]) for c in cases) <= 0.25 * len(cases)


def test_fixes_mean_the_unbroken_flow():
    if not Path(flowtest.FLOWRUN).exists():
        flowtest.skip(f"{flowtest.FLOWRUN} is not built")
    flows = loaded()["flows"] if IS_LONG else [f for f in loaded()["flows"] if f.origin == "own"]
    table, wrong = harness.fixes(flows, 1, SEED)
    proved, left, other = (sum(row[i] for row in table.values()) for i in range(3))
    assert not wrong, wrong
    assert len(table) >= 24 and proved >= 0.8 * (proved + left + other), dict(table)


def test_errors_in_published_flows_have_a_reason():
    if harness is None or not harness.BLUEPRINTS.is_dir():
        flowtest.skip("../shared is not there")
    for group, paths in (("blueprints", harness.published()), ("valids", harness.vendor_flows("valids"))):
        new, gone = harness.untriaged(group, paths)
        assert not new, "\n".join(new)
        assert not gone, gone


def test_invalid_and_wrong_flows_of_the_vendor_are_found():
    if harness is None or not harness.BLUEPRINTS.is_dir():
        flowtest.skip("../shared is not there")
    for count, missed in (harness.invalids_missed(), harness.wrong_missed()):
        assert count > 0 and not missed, missed


flowtest.main()
