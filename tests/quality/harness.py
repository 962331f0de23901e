"""harness.py - seeds faults into flows, runs `flowc check` over them, and says what was found, where, and with which advice."""

import collections
import difflib
import json
import os
import random
import re
import sys
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import faults
import flowtest
import model

HERE = Path(__file__).resolve().parent
BLUEPRINTS = flowtest.SHARED / "corpus" / "blueprints"
VENDOR = flowtest.SHARED / "conformance" / "flows"
EXPECTED = yaml.safe_load((HERE / "classes.yaml").read_text())
TRIAGE = yaml.safe_load((HERE / "triage.yaml").read_text()) if (HERE / "triage.yaml").exists() else {}


# Scripts are given to shellcheck and python3, which take most of the time; `off` leaves them out.
embedded = "auto"


def check_folder(folder, *options):
    """File name -> its findings, offsets in characters of the file."""
    done = flowtest.run([flowtest.FLOWC, "check", "--format", "json", "--no-cache", "-j2", f"--embedded={embedded}", *options, "."], cwd=folder, timeout=600)
    if done.returncode not in (0, 1):
        raise SystemExit(f"flowc check ended with {done.returncode}\n{done.stderr}")
    found = collections.defaultdict(list)
    texts = {}
    for diag in json.loads(done.stdout)["diagnostics"]:
        name = os.path.normpath(diag["file"])
        if name not in texts:
            texts[name] = (Path(folder) / name).read_bytes()
        found[name].append(diag)
    for name, diags in found.items():
        text = texts[name]
        if text.isascii():
            continue
        count = lambda at: len(text[:at].decode("utf-8", "replace"))
        for diag in diags:
            for edge in ("start", "end"):
                diag["range"][edge]["offset"] = count(diag["range"][edge]["offset"])
            for suggestion in diag["suggestions"]:
                for edit in suggestion["edits"]:
                    edit["start"], edit["end"] = count(edit["start"]), count(edit["end"])
    return found


# Flows that others of them call: they lie in each folder that is checked.
around = {}


def check_texts(named, *options):
    """(name, text) pairs, many of a name allowed: each round holds a name once. Gives findings in the order of the pairs."""
    rounds = []
    place = collections.Counter()
    for index, (name, text) in enumerate(named):
        at = place[name]
        place[name] += 1
        while len(rounds) <= at:
            rounds.append([])
        rounds[at].append(index)
    out = [None] * len(named)
    for group in rounds:
        with flowtest.temporary() as folder:
            for name, text in around.items():
                (Path(folder) / name).write_bytes(text.encode())
            for index in group:
                name, text = named[index]
                (Path(folder) / name).write_bytes(text.encode())
            found = check_folder(folder, *options)
            for index in group:
                out[index] = found.get(named[index][0], [])
    return out


def load_flows(with_corpus=True):
    catalog = model.Catalog()
    builtins = collections.defaultdict(list)
    for line in flowtest.run([flowtest.FLOWC, "docs"], check=0).stdout.splitlines():
        kind, name = line.split()[:2]
        builtins[kind].append(name)
    flows = []
    own = sorted((HERE / "flows").glob("*.yaml")) + sorted((HERE.parents[1] / "samples").glob("*/*.yaml"))
    own = [p for p in own if re.search(r"^tasks:", p.read_text(), re.M)]
    for path in own + (sorted(BLUEPRINTS.glob("*.y*ml")) if with_corpus and BLUEPRINTS.is_dir() else []):
        origin = "own" if path in own else "open"
        name = (f"own-{path.parent.name}-" if origin == "own" else "") + path.stem + ".yaml"
        flow = model.Flow(name, path.read_text(), catalog, origin)
        flow.builtins = builtins
        flows.append(flow)
        if path.parent == HERE / "flows":
            around[flow.name] = flow.text
    return flows


def seed(flows, names, each, number):
    """(class, flow, fault) triples: at most `each` of a class in a flow."""
    out = []
    for name in names:
        for flow in flows:
            if EXPECTED.get(name, {}).get("flows", flow.origin) != flow.origin:
                continue
            rng = random.Random(f"{number}/{name}/{flow.name}")
            sites = list(faults.CLASSES[name](flow, rng))
            rng.shuffle(sites)
            out += [(name, flow, fault) for fault in sites[:each]]
    return out


def difference(before, after):
    """The lines that differ, a few of them."""
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))[3:11]


def line_of(text, at):
    return text.count("\n", 0, at)


def touches(text, diag, spans):
    first, last = diag["range"]["start"]["offset"], diag["range"]["end"]["offset"]
    for start, end, is_deleted in spans:
        if first <= end and start <= last:
            return True
        if is_deleted and line_of(text, first) - line_of(text, start) in (0, -1):
            return True
    return False


def applied(text, suggestion):
    for edit in sorted(suggestion["edits"], key=lambda e: -e["start"]):
        text = text[:edit["start"]] + edit["text"] + text[edit["end"]:]
    return text


def means_the_same(a, b):
    if a == b:
        return True
    try:
        return yaml.load(a, model.LOADER) == yaml.load(b, model.LOADER)
    except yaml.YAMLError:
        return False


def key(diag):
    return diag["code"], re.sub(r"line \d+", "line", diag["message"])


class Result:
    def __init__(self, name, flow, fault, text):
        self.name, self.flow, self.fault, self.text = name, flow, fault, text
        self.found = self.located = False
        self.advice = None  # None: no suggestion, else whether the first one is right
        self.extra = []


def judge(name, flow, fault, text, spans, diags, base):
    result = Result(name, flow, fault, text)
    left = collections.Counter(key(d) for d in base)
    new = []
    # Of equal findings the one at the fault is the new one.
    for diag in sorted(diags, key=lambda d: touches(text, d, spans)):
        if left[key(diag)] > 0:
            left[key(diag)] -= 1
        else:
            new.append(diag)
    codes = EXPECTED[name]["codes"]
    hits = [d for d in new if d["code"] in codes]
    hits.sort(key=lambda d: (not touches(text, d, spans), codes.index(d["code"])))
    result.found = bool(hits)
    if hits:
        result.hit = hits[0]
        result.located = touches(text, hits[0], spans)
        # A line put in has no unbroken text that a repair could bring back.
        if hits[0]["suggestions"] and EXPECTED[name].get("advice") != "other":
            wanted = flow.text
            if fault.repaired is not None:
                first, last, _ = fault.edits[0]
                wanted = wanted[:first] + fault.repaired + wanted[last:]
            result.advice = means_the_same(applied(text, hits[0]["suggestions"][0]), wanted)
        new.remove(hits[0])
        # The same mistake at several places that all are of the fault: one finding each.
        if fault.spans is not None:
            new = [d for d in new if not (d["code"] in codes and touches(text, d, spans))]
    result.extra = new
    return result


def measure(flows, names, each, number, base):
    seeded = seed(flows, names, each, number)
    made = [(flow.name, *fault.apply(flow.text)) for _, flow, fault in seeded]
    found = check_texts([(name, text) for name, text, _ in made])
    return [judge(name, flow, fault, text, spans, diags, base[flow.name])
            for (name, flow, fault), (_, text, spans), diags in zip(seeded, made, found)]


def base_of(flows):
    found = check_texts([(flow.name, flow.text) for flow in flows])
    return {flow.name: diags for flow, diags in zip(flows, found)}


def near_misses(flows, each, number, base):
    """Errors where nothing is broken: (near miss, flow, finding)."""
    cases = []
    for name, function in faults.NEAR.items():
        for flow in flows:
            rng = random.Random(f"{number}/{name}/{flow.name}")
            sites = list(function(flow, rng))
            rng.shuffle(sites)
            cases += [(name, flow, fault) for fault in sites[:each]]
    found = check_texts([(flow.name, fault.apply(flow.text)[0]) for _, flow, fault in cases])
    wrong = []
    for (name, flow, fault), diags in zip(cases, found):
        left = collections.Counter(d["code"] for d in base[flow.name] if d["severity"] == "error")
        for diag in diags:
            if diag["severity"] == "error":
                if left[diag["code"]] > 0:
                    left[diag["code"]] -= 1
                else:
                    wrong.append((name, flow, fault, diag))
    return len(cases), wrong


SYNTAX = ("colon-deleted", "closing-quote-deleted", "closing-bracket-deleted", "quotes-taken-from-expression", "tab", "key-left-1")
# Faults that need the rest of the flow as it is stay out of the mix of five.
ALONE = ("dependent-swapped", "both-in-parallel", "producer-behind-run-if", "required-deleted", "property-moved", "dag-cycle", "input-cycle",
         "input-unused", "fi-deleted", "python-bracket-deleted", "subflow-wrong", "unknown-trigger-field", "typo-top-key", "dash-deleted",
         "key-right-1", "key-right-2", "illegal-id", "duplicate-id")


def items_of(flow):
    """The lines of each task, input and trigger at the top of the flow."""
    for made in flow.objects:
        if made.kind in ("task", "input", "trigger") and made.parent is flow.root:
            lines = flow.item(made.node)
            if lines:
                yield lines


def fives(flows, count, number, base):
    """Five faults in five items of one flow, one of them of YAML: (reported of five, extra findings) for each."""
    rng = random.Random(f"five/{number}")
    pools = {}
    cases = []
    candidates = [f for f in flows if len(list(items_of(f))) >= 5]
    names = [n for n in faults.CLASSES if n not in ALONE and n not in SYNTAX]
    for _ in range(count * 4):
        if len(cases) == count:
            break
        flow = rng.choice(candidates)
        if flow.name not in pools:
            pools[flow.name] = [(n, f) for n in list(names) + list(SYNTAX) for f in
                                list(faults.CLASSES[n](flow, rng))[:40] if EXPECTED[n].get("flows", flow.origin) == flow.origin]
        items = list(items_of(flow))
        rng.shuffle(items)
        pool = pools[flow.name]
        chosen = []
        for lines in items:
            is_syntax = len(chosen) == 0
            fits = [(n, f) for n, f in pool if (n in SYNTAX) == is_syntax
                    and all(lines[0] <= e[0] and e[1] <= lines[1] for e in f.edits)]
            if fits:
                chosen.append(rng.choice(fits))
            if len(chosen) == 5:
                break
        if len(chosen) == 5:
            cases.append((flow, chosen))
    made = []
    for flow, chosen in cases:
        whole = faults.Fault(*[e for _, f in chosen for e in f.edits])
        text, _ = whole.apply(flow.text)
        spans = []
        for name, fault in chosen:
            own = []
            for first, last, new in fault.edits:
                at = whole.map(first) if first == last else whole.map(first)
                own.append((at, at + len(new), not new))
            for first, last in fault.also:
                own.append((whole.map(first), whole.map(last), False))
            spans.append(own)
        made.append((text, spans))
    found = check_texts([(flow.name, text) for (flow, _), (text, _) in zip(cases, made)])
    out = []
    for (flow, chosen), (text, spans), diags in zip(cases, made, found):
        left = collections.Counter(key(d) for d in base[flow.name])
        new = []
        for diag in diags:
            if left[key(diag)] > 0:
                left[key(diag)] -= 1
            else:
                new.append(diag)
        missed = []
        for (name, fault), own in zip(chosen, spans):
            hit = next((d for d in new if d["code"] in EXPECTED[name]["codes"] and touches(text, d, own)), None)
            if hit:
                new.remove(hit)
            else:
                missed.append(name)
        out.append((flow, chosen, text, missed, new))
    return out


# Fixes that are proved: a fault is repaired by --fix, and the result means the unbroken flow.

def digest(folder, name):
    out = Path(folder) / (name + ".flowc")
    done = flowtest.run([flowtest.FLOWC, "compile", name, "-o", out, "--no-source", "--no-link", "--external=io.kestra."], cwd=folder)
    if done.returncode != 0:
        return None
    shown = flowtest.run([flowtest.FLOWRUN, "inspect", "--digest=semantic", out], cwd=folder)
    return shown.stdout if shown.returncode == 0 else None


def fix(folder, name):
    flowtest.run([flowtest.FLOWC, "check", "--no-cache", "--embedded=off", "--fix", "-q", name], cwd=folder)


def fixes(flows, each, number):
    """Class -> [proved, left, wrong]."""
    table = collections.defaultdict(lambda: [0, 0, 0])
    wrong = []
    names = [n for n, row in EXPECTED.items() if row["fix"]]
    with flowtest.temporary() as folder:
        # What the unbroken flow's own findings repair is none of the fault: repaired flows are broken.
        clean, good = [], {}
        for flow in flows:
            path = Path(folder) / flow.name
            path.write_text(flow.text)
            fix(folder, flow.name)
            made = model.Flow(flow.name, path.read_text(), flow.catalog, flow.origin)
            made.builtins = flow.builtins
            good[flow.name] = digest(folder, flow.name)
            if good[flow.name]:
                clean.append(made)
        seeded = seed(clean, names, each, number)
        for name, flow, fault in seeded:
            path = Path(folder) / flow.name
            path.write_text(fault.apply(flow.text)[0])
            fix(folder, flow.name)
            made = digest(folder, flow.name)
            column = 1 if made is None else 0 if made == good[flow.name] else 2
            # A fault that compiles as it is was not repaired wrongly: nothing was changed.
            if column == 2 and path.read_text() == fault.apply(flow.text)[0]:
                column = 1
            table[name][column] += 1
            if column == 2:
                wrong.append((name, flow.name, fault.edits))
    return table, wrong


# Flows of others: what is an error there has a reason in triage.yaml; what has to be found stands in vendor.yaml.

VENDOR_FINDINGS = yaml.safe_load((HERE / "vendor.yaml").read_text())


def check_paths(paths):
    out = {}
    done = flowtest.run([flowtest.FLOWC, "check", "--format", "json", "--no-cache", "--embedded=off", "--unknown-types=warn", *paths])
    for diag in json.loads(done.stdout)["diagnostics"]:
        out.setdefault(Path(diag["file"]).name, []).append(diag)
    return out


def place(diag):
    at = diag["range"]["start"]
    return f"{Path(diag['file']).name}:{at['line']}:{at['column']} {diag['code']} {diag['message']}"


def untriaged(group, paths):
    """Errors that the triage does not know, and entries of it that are found no more."""
    known = TRIAGE[group]
    found = check_paths(paths)
    new = [place(d) for name, diags in found.items() for d in diags if d["severity"] == "error" and d["code"] not in known.get(name, {})]
    codes = {name: {d["code"] for d in diags if d["severity"] == "error"} for name, diags in found.items()}
    present = {p.name for p in paths}
    gone = [f"{name} {code}" for name, row in known.items() if name in present for code in row if code not in codes.get(name, set())]
    return new, gone


def published():
    return sorted(BLUEPRINTS.glob("*.y*ml"))


def vendor_flows(part):
    return sorted(p for p in VENDOR.rglob("*.y*ml") if part in p.parts)


def invalids_missed():
    """Invalid flows that are not refused for their reason at its line: (all, missed)."""
    paths = vendor_flows("invalids")
    found = check_paths(paths)
    missed = [p.name for p in paths if p.name not in VENDOR_FINDINGS["invalids"]]
    for name, row in VENDOR_FINDINGS["invalids"].items():
        if name in {p.name for p in paths}:
            seen = {(d["code"], d["range"]["start"]["line"]) for d in found.get(name, [])}
            missed += [f"{name} {code}:{line}" for code, line in row.items() if (code, line) not in seen]
    return len(paths), missed


def wrong_missed():
    """Published flows that can never work and of which that is not said, at each place: (all that are here, missed)."""
    paths = {p.stem: p for p in published() if p.stem in VENDOR_FINDINGS["wrong"]}
    found = check_paths(list(paths.values())) if paths else {}
    missed = []
    for name, path in paths.items():
        seen = {(d["code"], d["range"]["start"]["line"]) for d in found.get(path.name, [])}
        rows = VENDOR_FINDINGS["wrong"][name].items()
        missed += [f"{name} {code}:{line}" for code, lines in rows for line in lines if (code, line) not in seen]
        missed += [f"{name}: no line is named" for code, lines in rows if not lines]
    return len(paths), missed
