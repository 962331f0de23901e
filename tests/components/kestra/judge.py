"""judge.py - the same flow in Kestra and here: runs both, puts what they say into one form, tells the differences.

usage: judge.py [--kestra 1.3.31] [--url URL] [--count N] [--from SEED] [--seed SEED]... [--jobs N] [--keep DIR]

Without --url a server is started (oracle.py). Status 0: no difference without an explanation, 1: differences.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import flowtest
import oracle
import shapes
from generate import generate

ANSWERS = 3
EXPLAINED = Path(__file__).with_name("explained.yaml")


def dump(flow):
    return yaml.safe_dump(flow, sort_keys=False, allow_unicode=True, width=10000)


# ---- one form for both


def scrub(value):
    """Without what differs by nature: ids of executions, times, addresses of files."""
    if isinstance(value, dict):
        if "terminatedIterations" in value and isinstance(value.get("outputs"), list):  # in the order in which they ended
            value = dict(value, outputs=sorted(value["outputs"], key=lambda one: one["item"]["iteration"]))
        return {k: scrub(v) for k, v in sorted(value.items()) if v is not None and k not in ("executionId", "resumed", "taskRunner")}
    if isinstance(value, list):
        return [scrub(v) for v in value]
    if isinstance(value, float) and value == int(value):
        return int(value)
    if isinstance(value, str):
        if value[:1] in "{[":  # the order of keys in a printed map is left open
            try:
                return {"$json": scrub(json.loads(value))}
            except ValueError:
                pass
        value = re.sub(r"kestra:///[^\s\"']*", "kestra:///", value)
        value = re.sub(r'"correlationId":"[0-9A-Za-z]+"', '"correlationId":"*"', value)
    return value


def same(left, right):
    """Equal, where Kestra's JSON writes a duration as seconds and a time with its seconds."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right))
    if isinstance(left, (int, float)) and isinstance(right, str):
        found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?", right)
        return bool(found) and sum(float(p or 0) * u for p, u in zip(found.groups(), (86400, 3600, 60, 1))) == left
    if isinstance(left, str) and isinstance(right, str):
        short = re.sub(r"(\d\d:\d\d:\d\d)(\.\d*?)0*Z", lambda m: m.group(1) + m.group(2).rstrip(".") + "Z", left)
        return right in (left, short) or left == right + ":00"
    return left == right


def run_key(run, by_id):
    values = []
    at = run
    while at is not None:
        if at.get("value") is not None:
            values.insert(0, at["value"])
        at = by_id.get(at.get("parentTaskRunId"))
    return run["taskId"] + "".join(f"[{v}]" for v in values)


def is_inside(run, by_id, tasks):
    while run is not None:
        run = by_id.get(run.get("parentTaskRunId"))
        if run is not None and run["taskId"] in tasks:
            return True
    return False


def form(execution, loops=()):
    """What is compared. `loops`: tasks whose iterations are executions of their own in Kestra 2.0."""
    runs = execution.get("taskRunList") or []
    by_id = {r["id"]: r for r in runs}
    rows = []
    for run in runs:
        if is_inside(run, by_id, loops):
            continue
        row = {
            "task": run_key(run, by_id),
            "state": run["state"]["current"],
            "attempts": [a["state"]["current"] for a in run.get("attempts") or []],
            "outputs": scrub(run.get("outputs") or {}),
        }
        if run.get("iteration") is not None:
            row["iteration"] = run["iteration"]
        rows.append(row)
    labels = execution.get("labels") or {}
    if isinstance(labels, list):
        labels = {entry["key"]: entry["value"] for entry in reversed(labels)}
    return {
        "state": execution["state"]["current"],
        "runs": sorted(rows, key=lambda r: json.dumps(r, sort_keys=True)),
        "outputs": scrub(execution.get("outputs") or {}),
        "inputs": scrub(execution.get("inputs") or {}),
        "labels": {k: v for k, v in sorted(labels.items()) if not k.startswith("system.")},
        "variables": scrub(execution.get("variables") or {}),
    }


def differences(theirs, ours, is_loose=False):
    """Lines (kind, what): what Kestra says and we do not, and the other way round."""
    if "refused" in theirs or "refused" in ours:
        if ("refused" in theirs) == ("refused" in ours):
            return []
        if "refused" in ours and ours.get("stage") == "check" and theirs.get("state") == "FAILED":
            return []  # found before it runs
        return [("refused", f"theirs {theirs.get('refused', theirs.get('state'))!r}, ours {ours.get('refused', ours.get('state'))!r}")]
    found = []
    if theirs["state"] != ours["state"]:
        found.append(("state", f"theirs {theirs['state']}, ours {ours['state']}"))
    if is_loose:
        return found
    for field in ("outputs", "inputs", "labels", "variables"):
        if not same(theirs[field], ours[field]):
            found.append((field, f"theirs {json.dumps(theirs[field])}, ours {json.dumps(ours[field])}"))
    left, right = ({}, {})
    for side, source in ((left, theirs), (right, ours)):
        for row in source["runs"]:
            side.setdefault(row["task"], []).append(row)
    for task in sorted(set(left) | set(right)):
        a, b = left.get(task, []), right.get(task, [])
        if a == b:
            continue
        if len(a) != len(b):
            found.append(("count", f"{task}: theirs {[r['state'] for r in a]}, ours {[r['state'] for r in b]}"))
            continue
        for x, y in zip(a, b):
            for field in ("state", "attempts", "outputs", "iteration"):
                if not same(x.get(field), y.get(field)):
                    found.append((f"run.{field}", f"{task}: theirs {json.dumps(x.get(field))}, ours {json.dumps(y.get(field))}"))
    return found


# ---- the two sides


def theirs(server, flows, inputs, expected_after, timeout=180):
    execution = server.run([dump(f) for f in flows], inputs, expected_after, timeout)
    return execution if "refused" in execution else form(execution)


def ours(folder, flows, inputs, target):
    folder.mkdir(parents=True, exist_ok=True)
    for flow in flows:
        (folder / f"{flow['id']}.yaml").write_text(dump(flow))
    source = folder / f"{flows[-1]['id']}.yaml"
    artifact = folder / "flow.flowc"
    compiled = flowtest.run([flowtest.FLOWC, "compile", source, "-o", artifact, "--flows", folder, "--target", target], timeout=60)
    if compiled.returncode != 0:
        if compiled.returncode != 1:
            return {"refused": f"flowc ended with {compiled.returncode}: {compiled.stderr[-300:]}", "stage": "crash"}
        errors = [line for line in compiled.stderr.splitlines() if line.startswith("error")]
        return {"refused": "; ".join(errors), "stage": "check"}
    options = [x for name, value in inputs.items() for x in ("-i", f"{name}={value}")]
    ran = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--output", "json", "--state-dir", folder / "state", *options], timeout=120)
    try:
        execution = json.loads(ran.stdout)
    except ValueError:
        return {"refused": f"flowrun ended with {ran.returncode}: {ran.stderr[-300:]}", "stage": "crash"}
    if "error" in execution:
        return {"refused": execution["error"].get("message"), "stage": "inputs"}
    return form(execution, loops_of(flows[-1]))


def loops_of(value):
    """Ids of the Loop tasks in a flow."""
    if isinstance(value, list):
        return [i for item in value for i in loops_of(item)]
    if not isinstance(value, dict):
        return []
    own = [value["id"]] if value.get("type") == "io.kestra.plugin.core.flow.Loop" else []
    return own + [i for item in value.values() for i in loops_of(item)]


def explained(found, reasons, target, flow, moment=None):
    """(what no reason accounts for, whether a reason accounts for all of the flow, which is then no longer the same)."""
    left = []
    for kind, what in found:
        named = re.match(r"([\w-]+)[\[:]", what)
        identity = named.group(1) if named and named.group(1) not in ("theirs", "ours") else None
        for reason in reasons:
            if target not in reason.get("targets", [target]) or kind not in reason["kinds"]:
                continue
            if moment not in reason.get("moments", [moment]):
                continue
            if not re.search(reason["what"], what) or not shapes.holds(reason["shape"], flow, identity):
                continue
            reason["count"] = reason.get("count", 0) + 1
            if reason.get("whole"):
                return [], True
            break
        else:
            left.append((kind, what))
    return left, False


def judge_one(seed, server, target, keep, reasons):
    flows, inputs, is_loose = generate(seed, target)
    with tempfile.TemporaryDirectory(prefix="judge-") as temporary:
        folder = Path(keep) / str(seed) if keep else Path(temporary)
        mine = ours(folder, flows, inputs, target)
        after = len(flows[-1].get("afterExecution", []))
        # Kestra's own answers differ from run to run where its queues race: one that agrees is enough.
        for asked in range(1, ANSWERS + 1):
            other = theirs(server, flows, inputs, after)
            found, _ = explained(differences(other, mine, is_loose), reasons, target, flows[-1])
            if not found:
                break
        if keep:
            (folder / "ours.json").write_text(json.dumps(mine, indent=1))
            (folder / "theirs.json").write_text(json.dumps(other, indent=1))
            (folder / "inputs.json").write_text(json.dumps(inputs))
    return found, other, is_loose, asked


def tell_reasons(reasons, out=print):
    for reason in reasons:
        if reason.get("count"):
            out(f"explained {reason['count']} x: {reason['why']}")


def judge(server, target, seeds, jobs=3, keep=None, out=print):
    """Gives (number of flows, [(seed, differences)])."""
    reasons = yaml.safe_load(EXPLAINED.read_text()) or []
    bad, states = [], Counter()
    with ThreadPoolExecutor(jobs) as pool:
        for seed, (found, other, is_loose, asked) in zip(seeds, pool.map(lambda s: judge_one(s, server, target, keep, reasons), seeds)):
            states[other.get("state", "refused")] += 1
            states["loose"] += is_loose
            states["asked again"] += asked > 1
            if found:
                bad.append((seed, found))
                out(f"seed {seed}:")
                for kind, what in found[:8]:
                    out(f"  {kind}: {what[:400]}")
    out(f"{len(seeds)} flows, {len(bad)} differ; {dict(states)}")
    tell_reasons(reasons, out)
    return len(seeds), bad


def command_line(doc, count, judge_seeds):
    """The options of a judge; `judge_seeds(server, target, seeds, options)` gives what differs."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kestra", default="1.3.31")
    parser.add_argument("--url")
    parser.add_argument("--steer")
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--keep")
    options = parser.parse_args()
    target = "2.0" if options.kestra.startswith("2") else "1.3"
    seeds = options.seed or list(range(options.first, options.first + options.count))
    if options.url:
        bad = judge_seeds(oracle.Server(options.url, options.steer), target, seeds, options)
    else:
        with oracle.serve(options.kestra) as server:
            bad = judge_seeds(server, target, seeds, options)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    command_line(__doc__, 50, lambda server, target, seeds, options: judge(server, target, seeds, options.jobs, options.keep)[1])
