"""Secrets × 24 encodings, printed by children in random chunks on both streams, in markers and outputs, sent and answered by a server,
put into scripts; every line is logged. None of it is in a file of the state directory, in what the programs print, on a command line
of any process, in the environment of a process that was not given it, or in a core dump.

20 secrets, 200 where FLOW_TEST_MODE=long; FLOW_SEED changes them. The encodings are made by Python's libraries, not by ours. What
cannot be masked is listed in runtime/log/forms.h.
"""

import base64
import html
import json
import os
import random
import resource
import shlex
import signal
import string
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

COUNT = 200 if flowtest.MODE == "long" else 20
OF_A_TASK = 10 if flowtest.MODE == "long" else 4
SEED = int(os.environ.get("FLOW_SEED", "24"))
ODD = "\"'\\ /+%&<>$`#;:!*()~=?@,é€😀"
PLAIN = string.ascii_letters + string.digits


def backslashed(text):
    return "".join("\\" + c if c in " \t'\"\\`|&;()<>!{}*[]?^$,#~" else c for c in text)


def wrapped(text, width):
    return "\n".join(text[i:i + width] for i in range(0, len(text), width))


def coded(raw, before):
    """Base64 of the value behind so many foreign bytes: all of it, and what no neighbour decides."""
    whole = base64.b64encode(b"x" * before + raw).decode()
    return whole, whole[before + 1 if before else 0:(before + len(raw)) * 8 // 6]


# name -> what is printed; where it stands between other bytes, also the part that must not be seen
ENCODINGS = {
    "as it is": lambda t: t,
    "trimmed": lambda t: t.strip(),
    "a line of it": lambda t: max(t.strip().split("\n"), key=len).strip(),
    "JSON": lambda t: json.dumps(t, ensure_ascii=False)[1:-1],
    "JSON in ASCII": lambda t: json.dumps(t)[1:-1],
    "JSON with escaped slashes": lambda t: json.dumps(t, ensure_ascii=False)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda t: json.dumps(json.dumps(t, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1],
    "percent": lambda t: urllib.parse.quote(t, safe=""),
    "percent, lower case": lambda t: "".join(c if c in PLAIN + "-._~" else "".join(f"%{b:02x}" for b in c.encode()) for c in t),
    "percent, slashes left": lambda t: urllib.parse.quote(t),
    "percent, as encodeURIComponent": lambda t: urllib.parse.quote(t, safe="!'()*"),
    "form": lambda t: urllib.parse.quote_plus(t),
    "form, lower case": lambda t: "".join(c if c in PLAIN + "-._~" else "+" if c == " " else "".join(f"%{b:02x}" for b in c.encode())
                                          for c in t),
    "shell": lambda t: "'" + t.replace("'", "'\\''") + "'",
    "shell, as Python quotes": shlex.quote,
    "shell, backslashes": backslashed,
    "HTML": html.escape,
    "Base64": lambda t: coded(t.encode(), 0),
    "Base64 behind a byte": lambda t: coded(t.encode(), 1),
    "Base64 behind two": lambda t: coded(t.encode(), 2),
    "Base64 for URLs": lambda t: base64.urlsafe_b64encode(t.encode()).decode(),
    "Base64 in lines": lambda t: wrapped(base64.b64encode(t.encode()).decode(), 76),
    "hexadecimal": lambda t: t.encode().hex(),
    "hexadecimal, upper case": lambda t: t.encode().hex().upper(),
}

EMIT = """
import json, os, random, sys, time
chooser = random.Random(sys.argv[1])
texts = [text for name in sys.argv[2:] for text in json.loads(open(os.environ["FORMS"] + "/" + name).read())]
chooser.shuffle(texts)
for text in texts:
    stream = chooser.choice((1, 2))
    left = chooser.choice(("got ", "[", "key=", "")).encode() + text.encode() + chooser.choice(("]", " end", "")).encode() + b"\\n"
    while left:
        size = chooser.choice((1, 2, 3, 7, 20, 100))
        os.write(stream, left[:size])
        left = left[size:]
        if chooser.random() < 0.002:
            time.sleep(0.001)
secret = os.environ[sys.argv[2]]
print(chr(58) * 2 + json.dumps({"outputs": {"marked": secret, secret: "name"}, "logs": [{"level": "DEBUG", "message": "m " + secret}],
    "metrics": [{"name": "n", "type": "counter", "value": 1, "tags": {"t": secret}}]}) + chr(58) * 2)
with open(os.environ["FLOW_OUTPUT"], "a") as out:
    out.write(json.dumps({"object": [secret, {"deep": secret}]}) + "\\nline<<EOF\\n" + secret + "\\nEOF\\n")
sys.exit(int(os.environ.get("EXIT", "0")))
"""


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked: 200, or 500 with the path /bad."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = json.dumps({"path": self.path, "headers": dict(self.headers), "body": body.decode("utf-8", "replace")}).encode()
        self.send_response(500 if self.path.startswith("/bad") else 200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *arguments):
        pass


def make_secrets():
    chooser = random.Random(SEED)
    secrets = {}
    for i in range(COUNT):
        size = chooser.choice((8, 12, 20, 33, 64, 90, 150))
        text = "".join(chooser.choice(PLAIN if chooser.random() < 0.8 else ODD) for _ in range(size))
        text = "K" + text + chooser.choice(PLAIN)  # no blanks around, but where there are to be some
        if i % 10 == 3:
            text = f"-----BEGIN {text[:9]}\n{text}\n{text[::-1]}\n"
        if i % 10 == 7:
            text = f"  {text} \n"
        secrets[f"S{i}"] = text
    return secrets


def forms_of(text):
    """(texts to print, bytes not to be seen)."""
    printed, hidden = [], set()
    for make in ENCODINGS.values():
        given = make(text)
        whole, core = given if isinstance(given, tuple) else (given, given)
        printed.append(whole)
        # What is printed over several lines is looked for line by line.
        hidden |= {part.encode() for part in core.split("\n") if len(part) >= 8}
        hidden |= {core.encode()} if len(core) >= 8 else set()
    return printed, hidden


def flow(secrets, port):
    names = list(secrets)
    groups = [names[i:i + OF_A_TASK] for i in range(0, len(names), OF_A_TASK)]
    children = []
    for i, group in enumerate(groups):
        env = {name: f"{{{{ secret('{name}') }}}}" for name in group}
        env |= {"CAMPAIGN_TASK": f"emit{i}", "FORMS": "{{ envs.forms }}", "EXIT": "3" if i % 4 == 1 else "0"}
        runner = {"type": "io.kestra.plugin.core.runner.Process"} | ({"keep": True} if i % 4 == 2 else {})
        children.append({"id": f"emit{i}", "type": "io.kestra.plugin.scripts.shell.Commands", "taskRunner": runner, "env": env,
                         "logLevel": "TRACE", "allowFailure": True,
                         "commands": [f"python3 $FORMS/emit.py {SEED + i} " + " ".join(group)]})
    first, second, third = names[:3]
    ask = {"type": "io.kestra.plugin.core.http.Request", "method": "POST", "allowFailure": True, "logLevel": "TRACE",
           "headers": {"Authorization": f"Bearer {{{{ secret('{names[0]}') | urlencode }}}}"},
           "formData": {"a": f"{{{{ secret('{second}') }}}}", "b": f"x{{{{ secret('{third}') | base64encode }}}}"}}
    tasks = [
        {"id": "all", "type": "io.kestra.plugin.core.flow.Parallel", "concurrent": 8, "tasks": children},
        {"id": "script", "type": "io.kestra.plugin.scripts.python.Script", "logLevel": "TRACE", "allowFailure": True,
         "taskRunner": {"type": "io.kestra.plugin.core.runner.Process"},
         "script": f"text = {{{{ secret('{first}') | json }}}}\nprint(text)\nraise ValueError(text)"},
        {"id": "good", **ask, "uri": f"http://127.0.0.1:{port}/good?q={{{{ secret('{second}') | urlencode }}}}"},
        {"id": "bad", **ask, "uri": f"http://127.0.0.1:{port}/bad?q={{{{ secret('{second}') | urlencode }}}}"},
        {"id": "nowhere", **ask, "uri": f"http://127.0.0.1:1/{{{{ secret('{third}') | urlencode }}}}"},
        {"id": "log", "type": "io.kestra.plugin.core.log.Log", "level": "DEBUG", "message": [
            f"{{{{ secret('{name}') {f} }}}} and {{{{ secret('{name}') | length }}}}" for name in names[:10]
            for f in ("", "| base64encode", "| urlencode", "| json", "| upper", "| md5", "| slice(0, 9)", "| replace({'K': 'k'})")]},
        {"id": "result", "type": "io.kestra.plugin.core.debug.Return", "format": f"{{{{ secret('{first}') }}}}"},
        {"id": "given", "type": "io.kestra.plugin.core.log.Log", "message": "{{ outputs }}"},
        {"id": "stop", "type": "io.kestra.plugin.core.execution.Fail", "errorMessage": f"no: {{{{ secret('{third}') }}}}"},
    ]
    return {"id": "campaign", "namespace": "company.test", "tasks": tasks,
            "errors": [{"id": "why", "type": "io.kestra.plugin.core.log.Log", "message": "{{ errorLogs() }}"}]}


class Sampler(threading.Thread):
    """Looks at the command line and the environment of every process of the machine, again and again."""

    def __init__(self, secrets, owner):
        super().__init__(daemon=True)
        self.patterns = [(name, text.strip().encode().split(b"\n")[0]) for name, text in secrets.items()]
        self.owner, self.found, self.looks, self.seen = owner, [], 0, set()
        self.is_over = False

    def look(self, folder):
        try:
            line, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            return
        for name, text in self.patterns:
            if text in line:
                self.found.append(f"{name} on the command line {line[:200]!r}")
            if text in environment:
                self.seen.add(name)
                if b"CAMPAIGN_TASK=" + self.owner[name].encode() + b"\0" not in environment + b"\0":
                    self.found.append(f"{name} in the environment of {line[:200]!r}")

    def run(self):
        own = {str(os.getpid()), str(os.getppid())}
        while not self.is_over:
            for folder in Path("/proc").iterdir():
                if folder.name.isdigit() and folder.name not in own:
                    self.look(folder)
            self.looks += 1


def search(where, data, patterns, found):
    for name, pattern in patterns:
        at = data.find(pattern)
        if at >= 0:
            found.append(f"{name} as {pattern[:60]!r} in {where}: {data[max(0, at - 80):at + 80]!r}")


def check_cores(folder, artifact, environment, keys):
    """Both processes have no core, whatever the shell allows."""
    process = subprocess.Popen([flowtest.FLOWRUN, "run", artifact, "--state-dir", folder / "other", "--secrets", keys], cwd=folder,
                               env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    pids = [process.pid] + [int(p) for p in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    for pid in pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max core file size        0                    0 " in limits, limits
    os.kill(pids[-1], signal.SIGABRT)
    process.wait()
    assert not list(folder.glob("core*")), list(folder.iterdir())


def test_no_secret_is_anywhere():
    assert len(ENCODINGS) == 24
    secrets = make_secrets()
    server = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with flowtest.temporary() as name:
        folder = Path(name)
        forms, keys = folder / "forms", folder / "secrets.yaml"
        forms.mkdir()
        (forms / "emit.py").write_text(EMIT)
        patterns = []
        for secret, text in secrets.items():
            printed, hidden = forms_of(text)
            (forms / secret).write_text(json.dumps(printed))
            patterns += [(secret, pattern) for pattern in hidden]
        keys.write_text(json.dumps(secrets, ensure_ascii=False))
        keys.chmod(0o600)
        whole = flow(secrets, server.server_port)
        (folder / "flow.yaml").write_text(json.dumps(whole))
        artifact = folder / "flow.flowc"
        flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", artifact, "-q"], check=0)
        owner = {name: child["id"] for child in whole["tasks"][0]["tasks"] for name in child["env"] if name in secrets}
        environment = {**os.environ, "ENV_FORMS": str(forms)}
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
        sampler = Sampler(secrets, owner)
        sampler.start()
        state = folder / "state"
        streams = []
        for command in (["run", artifact, "--id", "x", "--secrets", keys, "--record-effects", "--output", "json"], ["logs", "x"],
                        ["logs", "x", "--output", "json"], ["show", "x"], ["show", "x", "--output", "json"], ["list"]):
            done = flowtest.run([flowtest.FLOWRUN, *command, "--state-dir", state], env=environment, timeout=600)
            streams += [(f"{command[0]}, standard output", done.stdout.encode("utf-8", "surrogateescape")),
                        (f"{command[0]}, standard error", done.stderr.encode("utf-8", "surrogateescape"))]
        plan = flowtest.run([flowtest.FLOWRUN, "plan", artifact, "--secrets", keys], env=environment, timeout=600)
        streams.append(("plan", (plan.stdout + plan.stderr).encode()))
        check_cores(folder, artifact, environment, keys)
        sampler.is_over = True
        sampler.join()

        found = list(sampler.found)
        for where, data in streams:
            search(where, data, patterns, found)
        files = 0
        for path in [*state.rglob("*"), *(folder / "other").rglob("*"), artifact]:
            is_of_a_task = path.name == "vars" or path.name.startswith(".output-")  # of the run that was killed
            if path.is_file() and not is_of_a_task:
                files += 1
                search(path.relative_to(folder), path.read_bytes(), patterns, found)
        result = json.loads(streams[0][1])
        assert "taskRunList" in result, result
        runs = {run["taskId"]: run for run in result["taskRunList"]}
        states = {name: run["state"]["current"] for name, run in runs.items()}
        logged = streams[4][1].count(b"******")
    assert {states[f"emit{i}"] for i in range(COUNT // OF_A_TASK)} == {"SUCCESS", "WARNING"}, states
    assert "stop" in states, (states, streams[1][1].decode()[-3000:], found[:10])
    assert states["good"] == "SUCCESS" and states["stop"] == "FAILED", states
    assert runs["emit0"]["outputs"]["vars"]["marked"] == "******", runs["emit0"]
    assert logged >= COUNT * 20, f"only {logged} marks: the children did not print"
    assert files > 5 and sampler.looks > 3 and sampler.seen, (files, sampler.looks, sampler.seen)
    print(f"    {COUNT} secrets, {len(patterns)} texts not seen in {files} files and {len(streams)} streams; {logged} marks, {sampler.looks} looks at"
          f" all processes, {len(sampler.seen)} secrets met where they may be")
    assert not found, f"{len(found)} places\n" + "\n".join(found[:40])


if __name__ == "__main__":
    flowtest.main()
