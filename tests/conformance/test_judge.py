"""Generated templates have the results that Kestra gives them: those it gave once, and, where it can run, those it gives now."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.path.insert(0, str(HERE.parent / "components"))
import flowtest
import kestra_server

# Templates for each version; the recorded ones take a second, Kestra's start takes ten.
COUNT = {"fast": 0, "full": 1000, "long": 20000}
VERSIONS = {"1.3": "1.3.31", "2.0": "2.0.0"}


def judge(*arguments, timeout=900):
    if not os.access(flowtest.FLOWC, os.X_OK):
        flowtest.skip("flowc is not built")
    done = flowtest.run([sys.executable, HERE / "expressions_judge", *arguments], timeout=timeout, env={"FLOWC": flowtest.FLOWC})
    print(done.stdout[-6000:], end="")
    assert done.returncode == 0, done.stderr[-2000:]


def beside(target):
    count = COUNT[flowtest.MODE]
    if count == 0:
        flowtest.skip("Kestra is asked in full and long runs")
    with flowtest.temporary() as folder, kestra_server.kestra(folder, VERSIONS[target]) as url:
        judge("--kestra", url, "--target", target, "--count", str(count), timeout=3000)


def test_results_are_those_recorded_of_1_3():
    judge("--recorded", HERE / "judge/recorded-1.3.jsonl")


def test_results_are_those_recorded_of_2_0():
    judge("--recorded", HERE / "judge/recorded-2.0.jsonl", "--target", "2.0")


def test_results_are_those_of_kestra_1_3():
    beside("1.3")


def test_results_are_those_of_kestra_2_0():
    beside("2.0")


flowtest.main()
