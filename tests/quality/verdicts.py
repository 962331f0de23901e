"""verdicts.py - the texts that both are asked about, four cells for each class, and what becomes of the differences.

What only Kestra refuses is a mistake of flowc. What only flowc refuses has to be shown by Kestra itself (runs.py). What is left
needs a reason in judged.yaml.
"""

import collections
import contextlib
import os
import random
import sys
import time
from pathlib import Path

import flowtest
import harness
import kestra
import runs

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "components"))
import kestra_server


@contextlib.contextmanager
def asked(target, url=None):
    """The server that is named, or one that is started with the secrets of the flows."""
    if url:
        yield url
        return
    os.environ.update(runs.secrets(text for _, _, text in kestra.sources()))
    with flowtest.temporary() as folder, kestra_server.kestra(folder, kestra.VERSIONS[target]) as own:
        yield own


def collect(judge, options):
    """The flows that faults are seeded into, and every case that is asked about."""
    rows = kestra.subjects(judge)
    fine = [row for row in rows if row.is_fine]
    for row in fine:
        if row.origin == "own":
            judge.save(row.text)  # callees of others
    flows = kestra.read(fine)
    cases = [kestra.Case("unbroken", row.name, row.text) for row in rows]
    cases += kestra.as_they_are(judge)
    cases += kestra.seeded(flows, harness.EXPECTED, options.each, options.seed)
    cases += kestra.near_misses(flows, options.each, options.seed)
    cases += kestra.other_values(flows, options.each, options.seed)
    cases = [case for case in cases if kestra.is_askable(case.text) and (not options.classes or case.group in options.classes)]
    if options.sample and options.sample < len(cases):
        cases = random.Random(options.seed).sample(cases, options.sample)
    return flows, cases


def settle(judge, cases, limit):
    """What only one of them refuses: shown by a run, explained, or neither; at most `limit` runs a class."""
    reasons = kestra.Reasons(judge.target)
    for case in cases:
        if case.cell == "kestra":
            case.reason = reasons.find("accepted", case, message=case.verdict)
    lone = [case for case in cases if case.cell == "flowc"]
    if limit is not None:
        counts = collections.Counter()
        for case in lone:
            counts[case.group] += 1
            case.is_left_out = counts[case.group] > limit
        lone = [case for case in lone if not case.is_left_out]
    runs.show(judge, lone)
    runs.show_rendered(judge, [case for case in lone if not case.shown])
    for case in lone:
        if case.shown:
            continue
        part, task = kestra.place_of(case)
        case.is_reached = part not in ("triggers",) and (not task or task in case.reached)
        first = case.errors[0]
        case.reason = reasons.find("refused", case, code=first["code"], message=first["message"], part=part, reached=str(case.is_reached))


def row_of(cases):
    """Kestra only, flowc only: each with how many of them have a reason; of the latter, what Kestra itself shows, and what is left."""
    only = [case for case in cases if case.cell == "kestra"]
    lone = [case for case in cases if case.cell == "flowc"]
    by_renderer = sum((case.shown or "").startswith(runs.RENDERER) for case in lone)
    return {
        "texts": len(cases),
        "both": sum(case.cell == "both" for case in cases),
        "neither": sum(case.cell == "neither" for case in cases),
        "kestra only": sum(not case.reason for case in only),
        "+reason": sum(bool(case.reason) for case in only),
        "flowc only": len(lone),
        "run": sum(bool(case.shown) for case in lone) - by_renderer,
        "renderer": by_renderer,
        "reason": sum(bool(case.reason) for case in lone),
        "not run": sum(case.is_left_out for case in lone),
        "left": sum(is_left(case) for case in lone),
    }


def is_left(case):
    return case.cell == "flowc" and not case.shown and not case.reason and not case.is_left_out


def table(cases):
    groups = collections.defaultdict(list)
    for case in cases:
        groups[case.group].append(case)
    rows = {name: row_of(group) for name, group in groups.items()} | {"all": row_of(cases)}
    print(f"{'':34}" + "".join(f"{name:>12}" for name in rows["all"]))
    for name, row in rows.items():
        print(f"{name:34}" + "".join(f"{number:12}" for number in row.values()))
    return rows["all"]


def show(cases, limit):
    counts = collections.Counter()
    for case in cases:
        if not (is_left(case) or case.cell == "kestra" and not case.reason):
            continue
        counts[case.group] += 1
        if counts[case.group] > limit:
            continue
        print(f"--- {case.group}: {case.name}: only {case.cell} refuses{'' if case.is_reached else ', the run does not get there'}")
        for line in harness.difference(case.unbroken or "", case.text) if case.unbroken else []:
            print("    " + line[:160])
        if case.verdict:
            print("    kestra: " + case.verdict.strip().replace("\n", " ")[:300])
        for diag in case.errors[:2]:
            print(f"    flowc: {diag['range']['start']['line']} {diag['code']} {diag['message']}")


def measure(url, options):
    """Asks for everything; prints the table and gives its last row by the names of the columns."""
    began = time.monotonic()
    harness.embedded = "off"
    judge = kestra.Kestra(url, options.target)
    flows, cases = collect(judge, options)
    kestra.judge(judge, cases)
    print(f"{len(cases)} texts asked, {time.monotonic() - began:.0f} s", flush=True)
    settle(judge, cases, options.runs)
    total = table(cases)
    show(cases, options.show)
    print(f"{len(cases)} texts of {len(flows)} flows, Kestra {kestra.VERSIONS[options.target]}, {time.monotonic() - began:.0f} s")
    return total


def is_met(total):
    return total["kestra only"] == 0 and total["left"] == 0
