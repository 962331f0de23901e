"""Kestra's own validator and engine as the judge of the checker: a sample of seeded faults, near misses and odd values (`judge` prints the table).

What its validator refuses is refused here; in a long run, what only flowc refuses is shown by a run, or has a reason in judged.yaml.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import flowtest

try:
    import verdicts
except ImportError as missing:
    if missing.name != "yaml":
        raise
    verdicts = None

IS_LONG = flowtest.MODE == "long"
# Texts, and runs for a class: a run takes Kestra from a quarter of a second on, and some never end.
SAMPLE, RUNS = (None, 4) if IS_LONG else (1500, 0)


def judge(target):
    if verdicts is None:
        flowtest.skip("python3-yaml is not there", is_installable=True)
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    if flowtest.MODE == "fast":
        flowtest.skip("starting Kestra takes longer than a fast run allows")
    options = argparse.Namespace(target=target, each=1, seed=20, sample=SAMPLE, classes=None, runs=RUNS, show=5)
    with verdicts.asked(target) as url:
        total = verdicts.measure(url, options)
    assert total["texts"] >= (SAMPLE or 5000) and total["both"] > total["texts"] / 4
    assert verdicts.is_met(total), total


def test_verdicts_of_1_3_agree():
    judge("1.3")


def test_verdicts_of_2_0_agree():
    if not IS_LONG:
        flowtest.skip("only with FLOW_TEST_MODE=long")
    judge("2.0")


flowtest.main()
