"""Kestra itself judges: random flows run in its engine and here, and end the same (kestra/judge.py), also when they are killed,
paused, resumed, restarted and replayed (kestra/scenarios.py).

A handful in an ordinary run, in the time it takes to start a JVM; with FLOW_TEST_MODE=long 500 and 200 flows, 40 scenarios for
each version, and the table of times.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent / "kestra"))
import flowtest
import judge
import oracle
import scenarios
import times

IS_LONG = flowtest.MODE == "long"


def compare(version, count, acted):
    for program in (flowtest.FLOWC, flowtest.FLOWRUN):
        if not Path(program).exists():
            flowtest.skip(f"{program} is not built")
    if flowtest.MODE == "fast":
        flowtest.skip("starting Kestra takes longer than a fast run allows")
    target = "2.0" if version.startswith("2") else "1.3"
    with oracle.serve(version) as server:
        done, differ = judge.judge(server, target, list(range(1, count + 1)))
        bad = scenarios.judge_all(server, target, list(range(1, acted + 1)))
    assert done == count and not differ, f"{len(differ)} of {done} flows differ: seeds {[seed for seed, _ in differ]}"
    assert not bad, f"{len(bad)} of {acted} scenarios differ: seeds {[seed for seed, _ in bad]}"


def test_flows_of_1_3_end_as_in_kestra():
    compare("1.3.31", 500 if IS_LONG else 8, 40 if IS_LONG else 6)


def test_flows_of_2_0_end_as_in_kestra():
    if not IS_LONG:
        flowtest.skip("only with FLOW_TEST_MODE=long")
    compare("2.0.0", 200, 40)


def test_nothing_takes_longer_than_in_kestra():
    if not IS_LONG:
        flowtest.skip("only with FLOW_TEST_MODE=long")
    for what, theirs, ours in times.table("2.0.0"):
        assert ours < theirs, f"{what}: {theirs:.3f} s in Kestra, {ours:.3f} s here"


if __name__ == "__main__":
    flowtest.main()
