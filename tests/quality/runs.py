"""runs.py - what a run in Kestra shows of a fault that its validator does not find.

The flow is saved and started, broken and as it was, with values for its inputs, an HTTP server that answers everything, and
without its triggers. A fault is shown where saving or starting is refused, or where something failed, or said an error, that
did not do so in the unbroken flow.
"""

import base64
import collections
import concurrent.futures
import contextlib
import http.server
import json
import os
import re
import threading
import time

import yaml

import model

ENDED = ("SUCCESS", "FAILED", "KILLED", "WARNING", "CANCELLED", "SKIPPED", "RETRIED")
PATIENCE = 8  # seconds for a run at least; some wait for a person, and none needs longer
SLOWNESS = 12  # a run may take so many times what a flow of one task takes here
WORKERS = 4
NO_END = "the execution does not end"
RENDERER = "renderer: "

VALUES = {"STRING": "text", "INT": "3", "FLOAT": "1.5", "BOOL": "true", "BOOLEAN": "true", "DATE": "2026-01-01", "TIME": "10:00:00",
          "DATETIME": "2026-01-01T10:00:00Z", "DURATION": "PT1S", "JSON": '{"a": 1}', "YAML": "a: 1", "URI": "https://example.com",
          "EMAIL": "a@example.com", "SECRET": "text"}


class Answers(http.server.BaseHTTPRequestHandler):
    """Says the same JSON to all."""

    def answer(self):
        body = b'{"status": "ok", "items": [{"id": 1, "name": "a"}]}'
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def answering():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def secrets(texts):
    """The environment in which these flows find their secrets."""
    names = set(re.findall(r"secret\(\s*['\"](\w+)['\"]", "\n".join(texts)))
    return {f"SECRET_{name.upper()}": base64.b64encode(b"not a secret").decode() for name in names}


def give_values(kestra, texts):
    """Key-value entries that the flows read."""
    entries = collections.defaultdict(dict)
    for text in texts:
        namespace = re.search(r"^namespace: *['\"]?([\w.-]+)", text, re.M)
        for name in re.findall(r"kv\(\s*['\"]([\w.-]+)['\"]", text):
            if namespace:
                entries[namespace.group(1)][name] = "text"
    kestra.request("POST", "/oracle/setup", json.dumps({"kv": entries}).encode(), "application/json")


def runnable(text, url, failing=()):
    """The flow with its requests turned to the local server, without its triggers, and going on behind tasks that fail anyway."""
    with contextlib.suppress(yaml.YAMLError, AttributeError):
        flow = object.__new__(model.Flow)
        flow.text = text
        root = yaml.compose(text, model.LOADER)
        model.plain_style(root)
        for key, value in root.value:
            lines = flow.entry(model.Prop(key, value, {}, None)) if key.value == "triggers" else None
            if lines:
                text = text[:lines[0]] + text[lines[1]:]
    for task in failing:
        text = re.sub(rf"^( *)(- +)id: *['\"]?{re.escape(task)}['\"]? *\n(?![^-]*?\n?\1  allowFailure:)",
                      lambda m: m.group(0) + m.group(1) + " " * len(m.group(2)) + "allowFailure: true\n", text, count=1, flags=re.M)
    return re.sub(r"https?://[\w.-]+(:\d+)?", url, text)


def values_behind(flow, expression):
    """The default of the input that an expression names."""
    found = re.fullmatch(r"\{\{ *inputs\.(\w+) *\}\}", str(expression))
    rows = [row for row in flow["inputs"] if isinstance(row, dict) and found and row.get("id") == found.group(1)]
    return rows[0].get("defaults") if rows else None


def inputs_of(text):
    """A value for each input that has none."""
    try:
        read = yaml.load(text, model.LOADER)
    except yaml.YAMLError:
        return {}
    out = {}
    for row in read.get("inputs") or [] if isinstance(read, dict) else []:
        if not isinstance(row, dict) or "defaults" in row or row.get("required") is False:
            continue
        kind = row.get("type")
        if kind in ("SELECT", "MULTISELECT") and row.get("expression"):
            row = {**row, "values": values_behind(read, row["expression"])}
        if kind == "STRING" and "http" in str(row.get("validator")):
            kind = "URI"
        if kind in ("SELECT", "ENUM", "MULTISELECT") and isinstance(row.get("values"), list) and row["values"]:
            value = str(row["values"][0])
            out[str(row.get("id"))] = value if kind != "MULTISELECT" else json.dumps([value])
        elif kind == "ARRAY":
            out[str(row.get("id"))] = '["1"]' if row.get("itemType") != "STRING" else '["a"]'
        elif kind in VALUES:
            out[str(row.get("id"))] = VALUES[kind]
    return out


class Run:
    """What came of a flow: `refused` (a text), or states and errors, each with the task it is of."""

    def __init__(self, refused=None):
        self.refused = refused
        self.state, self.reached, self.signs, self.failed = None, set(), set(), set()
        self.is_void = False  # nobody answered: it shows nothing

    def shows_more_than(self, other):
        """What is wrong here and was not there, or None."""
        if self.is_void or other.is_void:
            return None
        if self.refused or other.refused:
            return self.refused if self.refused != other.refused else None
        new = sorted(self.signs - other.signs)
        return f"{new[0][0] or 'flow'}: {new[0][1]}" if new else None


def plain(message):
    """A message without what differs from run to run."""
    message = re.sub(r"\b[0-9a-zA-Z]{20,}\b|\d{4}-\d\d-\d\dT[\d:.]+Z?|\b\d+(\.\d+)?\b", "N", str(message))
    return message.strip().split("\n")[0][:240]


def run(kestra, text, patience):
    refused = kestra.save(text)
    if refused:
        return Run("saving: " + plain(refused))
    read = yaml.load(text, model.LOADER)
    given = inputs_of(text)
    edge = "----judge"
    body = "".join(f'--{edge}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in given.items()) + f"--{edge}--\r\n"
    status, started = kestra.request("POST", f"/api/v1/main/executions/{read['namespace']}/{read['id']}",
                                     body.encode() if given else b"", "multipart/form-data; boundary=" + edge)
    if status != 200:
        return Run("starting: " + plain(started.get("message")))
    made = Run()
    last, end = {}, time.monotonic() + patience
    while time.monotonic() < end:
        status, now = kestra.request("GET", f"/api/v1/main/executions/{started['id']}")
        if status == 200:
            last = now
            runs = now.get("taskRunList") or []
            if now["state"]["current"] in ENDED and all(r["state"]["current"] in ENDED for r in runs):
                break
        time.sleep(0.05)
    else:
        kestra.request("DELETE", f"/api/v1/main/executions/{started['id']}/kill")
    made.state = (last.get("state") or {}).get("current")
    if made.state == "FAILED":
        made.signs.add(("", "the execution is FAILED"))
    if made.state not in ENDED:
        made.signs.add(("", NO_END))
    for one in last.get("taskRunList") or []:
        made.reached.add(one["taskId"])
        if one["state"]["current"] == "FAILED":
            made.signs.add((one["taskId"], "the task is FAILED"))
            made.failed.add(one["taskId"])
    time.sleep(0.1)
    _, logs = kestra.request("GET", f"/api/v1/main/logs/{started['id']}")
    for entry in logs if isinstance(logs, list) else []:
        if entry.get("level") in ("ERROR", "WARN"):
            made.signs.add((entry.get("taskId") or "", plain(entry.get("message"))))
    return made


def attempt(kestra, text, times=1):
    try:
        return run(kestra, text, times * kestra.patience)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        made = Run()
        made.is_void = True
        return made


CONTROL = "id: control\nnamespace: company.core\ntasks:\n  - id: say\n    type: io.kestra.plugin.core.log.Log\n    message: well\n"


def need_engine(kestra):
    """A server that runs nothing any more would seem to show every fault."""
    kestra.patience = 120
    for _ in range(2):  # the first one warms it up
        began = time.monotonic()
        made = attempt(kestra, CONTROL)
        assert made.state == "SUCCESS", f"Kestra runs nothing: {made.refused or made.state}"
    kestra.patience = max(PATIENCE, SLOWNESS * (time.monotonic() - began))


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(function, items))


class Unbroken:
    """How a flow runs without its fault: as far as it gets, tasks that fail here anyway allowed to."""

    def __init__(self, kestra, text, url):
        self.failing, seen = set(), set()
        for _ in range(2):
            # What is said once, and not again, is no sign of a fault either.
            self.run = attempt(kestra, runnable(text, url, self.failing))
            seen |= self.run.signs
            self.failing |= self.run.failed
        self.run.signs = seen


def show(kestra, cases):
    """Fills in what runs show of the faults."""
    need_engine(kestra)
    texts = sorted({case.unbroken for case in cases if case.unbroken})
    give_values(kestra, texts)
    with answering() as url:
        known = dict(zip(texts, in_parallel(lambda text: Unbroken(kestra, text, url), texts)))

        def look(case):
            before = known.get(case.unbroken)
            failing = before.failing if before else ()
            other = before.run if before else Run()
            text = runnable(case.text, url, failing)
            made = attempt(kestra, text)
            case.shown = made.shows_more_than(other)
            if case.shown and NO_END in case.shown:
                case.shown = attempt(kestra, text, 3).shows_more_than(other)
            case.reached = other.reached if before else made.reached

        in_parallel(look, cases)
    need_engine(kestra)


# Templates of tasks that no run gets to: the renderer alone, with a value for each name that stands in the unbroken one.

def scalars(text):
    out = {}

    def walk(node, path):
        if isinstance(node, yaml.ScalarNode):
            out[path] = node
        for index, item in enumerate(node.value if not isinstance(node, yaml.ScalarNode) else []):
            if isinstance(item, tuple):
                walk(item[1], path + (item[0].value if isinstance(item[0], yaml.ScalarNode) else index,))
            else:
                walk(item, path + (index,))

    walk(yaml.compose(text, model.LOADER), ())
    return out


LEAVES = ["1", ["1"], 1, {"a": "1"}, '{"a": "1", "status": "ok"}', "2026-01-01T10:00:00Z", True]


def context_of(template, leaf):
    """A value for each name of a template, the same for all."""
    out = {}
    template = re.sub(r"\[[A-Za-z][\w.]*\]", "['1']", template)  # a name within brackets has the value 1
    for match in re.finditer(r"(?<![\w.'\"|])([A-Za-z_]\w*)((?:\.\w+|\[['\"][\w.-]+['\"]\])+)(?!\w*\()", template):
        parts = [match.group(1)] + re.findall(r"\w[\w-]*", match.group(2))
        at = out
        for part in parts[:-1]:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                break
        else:
            at.setdefault(parts[-1], "1" if parts[0] in ("taskrun", "parent", "parents") else leaf)
    return out


def show_rendered(kestra, cases):
    """Fills in what the renderer says of templates that break; what it cannot render unbroken shows nothing."""
    asked = []
    for case in cases:
        with contextlib.suppress(yaml.YAMLError):
            broken, whole = scalars(case.text), scalars(case.unbroken or "")
            for path, node in broken.items():
                if path in whole and node.value != whole[path].value and "{{" in whole[path].value:
                    asked.append((case, whole[path].value, node.value))
                    break
    batch = []
    for index, (_, whole, broken) in enumerate(asked):
        for leaf in LEAVES:
            names = context_of(whole, leaf)
            batch += [{"id": str(index), "expr": text, "mode": "string", "vars": names} for text in (whole, broken)]
    if not batch:
        return
    _, answers = kestra.request("POST", "/oracle/render", json.dumps(batch).encode(), "application/json", timeout=600)
    for index in range(0, len(answers), 2):
        before, after = answers[index:index + 2]
        case = asked[int(before["id"])][0]
        if "error" in after and "error" not in before and not case.shown:
            case.shown = RENDERER + plain((after["error"] or [""])[-1])
