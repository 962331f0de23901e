"""Where secrets are while a flow runs: in locked memory and nowhere else.

40 secrets are rendered into logs, put into the environment of a process, into the headers and the body of a request. Then
every writable mapping of the runtime's processes but those that are locked and left out of core dumps is read, and the
whole state directory, for each of them in all encodings that are masked.
"""

import base64
import json
import os
import random
import re
import shlex
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

COUNT = 40
FLOW = """id: holder
namespace: test.secrets
tasks:
  - id: render
    type: io.kestra.plugin.core.log.Log
    message:
{messages}
  - id: spawn
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {{type: io.kestra.plugin.core.runner.Process}}
    env:
{environment}
    commands:
      - test "$(printenv S0 | wc -c)" -gt 20 && echo "$S1"
  - id: request
    type: io.kestra.plugin.core.http.Request
    uri: http://127.0.0.1:{port}/
    method: POST
    headers:
{headers}
    body: |
{body}
  - id: hold
    type: io.kestra.plugin.core.flow.Sleep
    duration: PT60S
"""


class Recorder(BaseHTTPRequestHandler):
    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        Recorder.seen.append((dict(self.headers), body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments):
        pass


def make_secrets():
    chooser = random.Random(20)
    letters = string.ascii_letters + string.digits
    texts = ["".join(chooser.choice(letters) for _ in range(24)) for _ in range(COUNT)]
    # Some are changed by the encodings: quotes, blanks, a backslash, letters beyond ASCII.
    for i, odd in enumerate(["\"", "'", " ", "\\", "é", "%", "+", "/"]):
        texts[i] = texts[i][:12] + odd + texts[i][12:]
    return texts


def encodings(text):
    raw = text.encode()
    found = {raw, json.dumps(text)[1:-1].encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode(), raw.hex().encode(),
             raw.hex().upper().encode(), shlex.quote(text).strip("'").encode(), urllib.parse.quote(text, safe="").encode(),
             urllib.parse.quote_plus(text).encode(), urllib.parse.quote(text, safe="").lower().encode()}
    for shift in range(3):
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            coded = alphabet(b"x" * shift + raw + b"x" * (-(shift + len(raw)) % 3))
            found.add(coded[4 if shift else 0:][:len(raw) * 4 // 3 - 6])  # what no neighbour changes
    return {e for e in found if len(e) >= 12}


def descendants(pid):
    """The runtime's own processes: flowrun's children that are flowrun."""
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if os.readlink(f"/proc/{child}/exe") == os.readlink(f"/proc/{pid}/exe"):
            found += descendants(int(child))
    return found


def writable_memory(pid):
    """(mapping, bytes) of what the process could write to and what a core dump would show."""
    mapping, is_read = None, False
    regions = []
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
        if head:
            mapping = (int(head[1], 16), int(head[2], 16), head[4])
            is_read = "w" in head[3] and "r" in head[3]
        elif line.startswith("VmFlags:") and is_read:
            regions.append((mapping, "dd" in line.split()))
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for (start, end, name), is_left_out in regions:
            if is_left_out:
                continue
            try:
                memory.seek(start)
                yield f"{start:x} {name}", memory.read(end - start)
            except OSError:
                pass


def search(where, data, patterns, found):
    for number, pattern in patterns:
        at = data.find(pattern)
        if at >= 0:
            found.append(f"secret {number} as {pattern[:40]!r} in {where} at {at:#x}: {data[max(0, at - 60):at + 60]!r}")


def indented(lines, blanks):
    return "\n".join(" " * blanks + line for line in lines)


def write_flow(folder, port):
    ask = ["{{ secret('S%d') }}" % i for i in range(COUNT)]
    plain = range(8, COUNT)
    (folder / "flow.yaml").write_text(FLOW.format(
        port=port,
        messages=indented([f'- "text {a} and {a[:-3]}| base64encode }}}}{a[:-3]} | urlencode }}}}"' for a in ask], 6),
        environment=indented([f'S{i}: "{a}"' for i, a in enumerate(ask)], 6),
        headers=indented([f'X-S{i}: "Bearer {ask[i]}"' for i in plain], 6),
        body=indented([f"{a} {a[:-3]} | upper }}}}" for a in ask], 6)))


def test_secrets_are_in_locked_memory_only():
    if flowtest.IS_SANITIZED:
        flowtest.skip("the sanitizer keeps freed memory")
    if os.geteuid() != 0:
        flowtest.skip("memory of other processes is read by root only")
    secrets = make_secrets()
    server = HTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with flowtest.temporary() as name:
        folder = Path(name)
        write_flow(folder, server.server_port)
        keys = folder / "secrets.yaml"
        keys.write_text("".join(f"S{i}: {json.dumps(text)}\n" for i, text in enumerate(secrets)))
        keys.chmod(0o600)
        flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", folder / "flow.flowc"], check=0)
        state = folder / "state"
        process = subprocess.Popen([flowtest.FLOWRUN, "run", folder / "flow.flowc", "--state-dir", state, "--secrets", keys,
                                    "--id", "held"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            await_hold(state)
            patterns = [(i, e) for i, text in enumerate(secrets) for e in encodings(text)]
            found, read = [], 0
            pids = descendants(process.pid)
            for pid in pids:
                for where, data in writable_memory(pid):
                    read += len(data)
                    search(f"process {pid}, {where}", data, patterns, found)
            for path in state.rglob("*"):
                if path.is_file():
                    search(path.relative_to(state), path.read_bytes(), patterns, found)
            flowtest.run([flowtest.FLOWRUN, "kill", "held", "--state-dir", state])
        finally:
            process.kill()
            output = process.communicate()[0]
        search("the output", output, patterns, found)
        assert len(Recorder.seen) == 1, "the request came"
        headers, body = Recorder.seen[0]
        assert headers["X-S9"] == f"Bearer {secrets[9]}" and secrets[39] in body, "with the secrets in it"
        assert read > 1 << 20, f"only {read} bytes of memory were read"
        assert not found, f"{len(found)} places, {len(pids)} processes\n" + "\n".join(found[:60])


def await_hold(state):
    for _ in range(600):
        done = flowtest.run([flowtest.FLOWRUN, "show", "held", "--state-dir", state, "--output", "json"])
        if done.returncode == 0:
            runs = json.loads(done.stdout)["taskRunList"]
            failed = [r for r in runs if r["state"]["current"] == "FAILED"]
            assert not failed, failed
            if any(r["taskId"] == "hold" for r in runs):
                return
        time.sleep(0.1)
    raise AssertionError("the flow did not come to its end")


flowtest.main()
