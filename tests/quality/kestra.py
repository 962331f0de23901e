"""kestra.py - Kestra's own validator and engine beside `flowc check`: who refuses which flow.

`Kestra` speaks to a server that runs already (../components/oracle.py starts one). Subjects are flows whose types that server
knows: what stands in them besides is taken out first, since its parser stops at the first type it does not know.
"""

import collections
import json
import random
import re
import urllib.error
import urllib.request
from pathlib import Path

import yaml

import faults
import flowtest
import harness
import model

BATCH = 100
# The front of the server takes a line of dashes for the end of a flow.
SEPARATOR = re.compile(r"^---\s*$", re.M)
VERSIONS = {"1.3": "1.3.31", "2.0": "2.0.0"}


class Kestra:
    """A server and the version that it is."""

    def __init__(self, url, target):
        self.url, self.target = url, target
        self.types = set(self.request("GET", "/oracle/plugins")[1])

    def request(self, method, path, body=None, kind="application/x-yaml", timeout=120):
        request = urllib.request.Request(self.url + path, data=body, method=method, headers={"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def validate(self, texts):
        """What the validator has against each flow; None: nothing."""
        out = []
        for first in range(0, len(texts), BATCH):
            out += self._validate(texts[first:first + BATCH])
        return out

    def _validate(self, texts):
        status, answer = self.request("POST", "/api/v1/main/flows/validate", "\n---\n".join(texts).encode(), timeout=600)
        if status == 200 and len(answer) == len(texts):
            return [row.get("constraints") for row in answer]
        if len(texts) == 1:
            return [f"{answer.get('class')}: {answer.get('message')}" if isinstance(answer, dict) else None]
        # One of them is more than the validator can take: it answers for none.
        half = len(texts) // 2
        return self._validate(texts[:half]) + self._validate(texts[half:])

    def save(self, text):
        """What saving the flow says against it; None where it is saved."""
        status, answer = self.request("POST", "/api/v1/main/flows", text.encode())
        return None if status == 200 else str(answer.get("message"))


def is_askable(text):
    return not SEPARATOR.search(text)


# Subjects.

def type_of(node):
    if not isinstance(node, yaml.MappingNode):
        return ""
    return next((v.value for k, v in node.value if k.value == "type" and isinstance(v, yaml.ScalarNode)), "")


# What a task of tasks cannot be without.
NEEDED = ("tasks", "then", "task")


class Hollow(Exception):
    """Nothing is left of the flow."""


def first_gone(text, is_gone):
    """The lines of the first item or property that is to go, with what would be empty without it; None where there is none."""
    flow = object.__new__(model.Flow)  # only its reading of lines is needed
    flow.text = text

    def goes(node):
        if isinstance(node, yaml.SequenceNode):
            return len(node.value) > 0 and all(goes(item) for item in node.value)
        if not isinstance(node, yaml.MappingNode):
            return False
        return is_gone(flow, node) or any(k.value in NEEDED and goes(v) for k, v in node.value)

    def walk(node):
        if isinstance(node, yaml.SequenceNode):
            return first(lambda item: flow.item(item), node.value)
        if isinstance(node, yaml.MappingNode):
            return first(lambda value: flow.entry(keys[id(value)]), [v for _, v in node.value])
        return None

    def first(lines, nodes):
        for node in nodes:
            if goes(node):
                return lines(node)
            found = walk(node)
            if found:
                return found
        return None

    root = yaml.compose(text, model.LOADER)
    model.plain_style(root)
    keys = {}

    def collect(node):
        for item in node.value if not isinstance(node, yaml.ScalarNode) else []:
            if isinstance(item, tuple):
                keys[id(item[1])] = model.Prop(item[0], item[1], {}, None)
            collect(item[1] if isinstance(item, tuple) else item)

    collect(root)
    if goes(root):
        raise Hollow
    return walk(root)


def pruned(text, is_gone):
    """The flow without what is to go; None where nothing would be left."""
    while True:
        try:
            lines = first_gone(text, is_gone)
        except (yaml.YAMLError, AttributeError, Hollow):
            return None
        if lines is None:
            return text
        text = text[:lines[0]] + text[lines[1]:]


def reduced(text, types):
    """The flow without what is of types that the server does not know."""
    return pruned(text, lambda flow, node: "." in type_of(node) and type_of(node) not in types)


def without(text, diags):
    """The flow without the tasks, triggers, outputs in which these findings lie."""
    places = {diag["range"]["start"]["offset"] for diag in diags}
    marked = []  # by their text: offsets move while items go
    flow = object.__new__(model.Flow)
    flow.text = text

    def walk(node):
        inside = False
        for item in node.value if not isinstance(node, yaml.ScalarNode) else []:
            child = item[1] if isinstance(item, tuple) else item
            inside = walk(child) or inside
        lines = flow.item(node) if isinstance(node, yaml.MappingNode) else None
        if lines and not inside and any(lines[0] <= at < lines[1] for at in places):
            marked.append(text[model.start(node):lines[1]])
            return True
        return inside

    root = yaml.compose(text, model.LOADER)
    model.plain_style(root)
    walk(root)
    return pruned(text, lambda flow, node: flow.text[model.start(node):(flow.item(node) or (0, 0))[1]] in marked)


# What flowc says.

def errors_of(named, target):
    """For each (name, text): the findings at error level."""
    found = harness.check_texts(named, "--target", target)
    return [[d for d in diags if d["severity"] == "error"] for diags in found]


def migrated(named, target):
    """The flows as `flowc check --fix` leaves them for a version."""
    with flowtest.temporary() as folder:
        for name, text in named:
            (Path(folder) / name).write_bytes(text.encode())
        flowtest.run([flowtest.FLOWC, "check", "--no-cache", "--embedded=off", "--fix", "-q", "--target", target, "."], cwd=folder)
        return [(name, (Path(folder) / name).read_bytes().decode()) for name, _ in named]


def sources():
    """(origin, name, text) of the flows that faults are seeded into."""
    for flow in harness.load_flows():
        yield flow.origin, flow.name, flow.text
    for path in sorted((harness.HERE / "core").glob("*.yaml")):
        yield "own", f"core-{path.name}", path.read_text()
    for path in harness.vendor_flows("valids"):
        yield "open", f"conformance-{path.stem}.yaml", path.read_text()


class Subject:
    """A flow that faults are seeded into, and what both say of it as it is."""

    def __init__(self, origin, name, text):
        self.origin, self.name, self.text = origin, name, text
        self.file = name
        self.errors, self.verdict = [], None

    @property
    def is_fine(self):
        return not self.errors and not self.verdict


def subjects(kestra):
    """Flows of types that the server knows, in the words of its version."""
    rows = [Subject(origin, name, reduced(text, kestra.types)) for origin, name, text in sources() if is_askable(text)]
    rows = [row for row in rows if row.text is not None]
    for row, (_, text) in zip(rows, migrated([(row.name, row.text) for row in rows], kestra.target)):
        row.text = reduced(text, kestra.types)
    for _ in range(5):
        # What is gone may be missed by others.
        rows = [row for row in rows if row.text is not None]
        judge(kestra, rows)
        if not any(row.errors for row in rows):
            break
        for row in rows:
            if row.errors:
                row.text = without(row.text, row.errors)
    return rows


def judge(kestra, rows):
    """Fills in what both say about the texts."""
    for row, errors in zip(rows, errors_of([(row.file, row.text) for row in rows], kestra.target)):
        row.errors = errors
    for row, verdict in zip(rows, kestra.validate([row.text for row in rows])):
        row.verdict = verdict


# Cases: a text each, of a class, with the flow that it was made of.

class Case(Subject):
    def __init__(self, group, name, text, unbroken=None):
        super().__init__("", name, text)
        self.group, self.unbroken = group, unbroken
        self.shown = self.reason = None
        self.is_reached, self.is_left_out = True, False
        self.reached = set()

    @property
    def cell(self):
        if self.errors and self.verdict:
            return "both"
        return "kestra" if self.verdict else "flowc" if self.errors else "neither"


def read(rows):
    catalog, builtins, out = model.Catalog(), harness.load_flows(False)[0].builtins, []
    for row in rows:
        try:
            flow = model.Flow(row.name, row.text, catalog, row.origin)
        except (AttributeError, TypeError, yaml.YAMLError):
            continue  # more than the reader of the seeds understands
        flow.builtins = builtins
        out.append(flow)
    return out


def seeded(flows, names, each, number):
    """Faults of the classes."""
    for name, flow, fault in harness.seed(flows, names, each, number):
        yield Case(name, flow.name, fault.apply(flow.text)[0], flow.text)


def near_misses(flows, each, number):
    for name, function in faults.NEAR.items():
        for flow in flows:
            rng = random.Random(f"{number}/{name}/{flow.name}")
            sites = list(function(flow, rng))
            rng.shuffle(sites)
            for fault in sites[:each]:
                yield Case("near: " + name, flow.name, fault.apply(flow.text)[0], flow.text)


# What may stand behind a key instead of its value.
VALUES = {
    "nothing": "", "null": "null", "a word": "text", "an empty text": '""', "a list": "[text]", "a map": "{a: b}", "a number": "7",
    "a negative number": "-1", "a boolean": "true", "a fraction": "1.5", "a template": '"{{ flow.id }}"', "an empty list": "[]",
    "an empty map": "{}", "a list of null": "[null]", "a list of maps": "[{a: b}]", "a list of lists": "[[a]]", "a duration": "PT5M",
    "a large number": "99999999999", "a date": "2026-01-01",
}


def other_values(flows, each, number):
    """Each value of each property of each type, replaced."""
    seen = collections.Counter()
    flows = list(flows)
    random.Random(number).shuffle(flows)
    flows.sort(key=lambda flow: "type: FILE" in flow.text)  # those that can be started come first
    for flow in flows:
        for prop in flow.props:
            lines = flow.entry(prop)
            at = model.end(prop.key)
            if not lines or prop.owner.node.flow_style or flow.text[at:at + 1] != ":":
                continue
            for name, value in VALUES.items():
                key = prop.owner.kind, prop.owner.type, prop.name, name
                seen[key] += 1
                if seen[key] <= each:
                    tail = "\n" if flow.text[lines[1] - 1] == "\n" else ""
                    fault = faults.Fault((at + 1, lines[1], (" " + value if value else "") + tail))
                    yield Case("value: " + name, flow.name, fault.apply(flow.text)[0], flow.text)


def as_they_are(kestra):
    """Flows of others and the cases of the checker, where all types of them are known."""
    groups = {"published": harness.published(), "conformance": sorted(harness.VENDOR.rglob("*.y*ml")),
              "cases": sorted((harness.HERE.parent / "cases").rglob("*.yaml"))}
    for group, paths in groups.items():
        for path in paths:
            text = path.read_text(errors="replace")
            if "\ufffd" in text:
                continue
            if is_askable(text) and "tasks:" in text and all(t in kestra.types for t in re.findall(r"type: *[\"']?(io\.kestra[\w.]+)", text)):
                case = Case("as it is: " + group, f"{path.parent.name}/{path.name}", text)
                case.file = "alone.yaml"  # what the flows around it say is no matter
                yield case


# Differences with a reason.

class Reasons:
    def __init__(self, target):
        self.target = target
        self.rows = yaml.safe_load((harness.HERE / "judged.yaml").read_text())
        self.used = collections.Counter()

    def find(self, kind, case, **seen):
        """The reason for a difference, or None."""
        for index, row in enumerate(self.rows[kind]):
            if row.get("target", self.target) != self.target or not re.fullmatch(row.get("class", ".*"), case.group):
                continue
            if all(re.search(row[name], value or "") for name, value in seen.items() if name in row):
                self.used[kind, index] += 1
                return row["reason"]
        return None


def place_of(case):
    """(part of the flow, id of the task) in which the first error lies."""
    at = case.errors[0]["range"]["start"]["offset"]
    try:
        root = yaml.compose(case.text, model.LOADER)
    except yaml.YAMLError:
        return "", ""
    part, task = "", ""
    node = root
    while node is not None:
        inner = None
        for item in node.value if not isinstance(node, yaml.ScalarNode) else []:
            first, child = item if isinstance(item, tuple) else (item, item)
            if model.start(first) <= at < max(model.end(child), model.end(first) + 1):
                inner = child
                if node is root:
                    part = first.value
        node = inner
        if isinstance(node, yaml.MappingNode):
            name = next((v.value for k, v in node.value if k.value == "id" and isinstance(v, yaml.ScalarNode)), "")
            task = name or task
    return part, task
