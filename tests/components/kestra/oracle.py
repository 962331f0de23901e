"""oracle.py - Kestra's own engine as a server on 127.0.0.1, from its published modules (shared/tools/kestra_oracle.py).

Set up by ../kestra_server.py; skipped where that has nothing to set it up with.
"""

import base64
import contextlib
import hashlib
import importlib.util
import json
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
import flowtest
from components import answers, free_port, server, wait_until
from kestra_server import TOOL, at_hand

HANGS_AFTER = 8  # seconds without any change, and a flow that began later has ended


def tool():
    if not TOOL.exists():
        flowtest.skip("../shared is not here")
    spec = importlib.util.spec_from_file_location("kestra_oracle", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled(folder, version, home):
    """The classes of Steer.java for this version."""
    source = Path(__file__).with_name("Steer.java")
    classes = folder / f"steer-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    if classes.is_dir():
        return classes
    is_new, keep, lines = version.startswith("2"), [True], []
    for line in source.read_text().splitlines():
        if line.startswith("//#if"):
            keep.append(is_new)
        elif line.startswith("//#else"):
            keep[-1] = not keep[-1]
        elif line.startswith("//#endif"):
            keep.pop()
        elif all(keep):
            lines.append(line)
    with tempfile.TemporaryDirectory(prefix="steer-") as work:
        (Path(work) / "Steer.java").write_text("\n".join(lines) + "\n")
        made = Path(work) / "classes"
        path = f"{folder}/classes:{folder}/lib/*"
        flowtest.run([f"{home}/bin/javac", "-proc:none", "-nowarn", "-Xlint:none", "-d", made, "-cp", path, f"{work}/Steer.java"], timeout=120, check=0)
        shutil.copytree(made, classes, dirs_exist_ok=True)
    return classes


class Server:
    """A running oracle."""

    def __init__(self, url, steer=None, process=None):
        self.steer_url, self.process = steer, process
        self.api = tool().Server(type("Options", (), {"url": url, "tenant": "main", "user": None}))

    def run(self, texts, inputs, after=0, timeout=180):
        """Creates the flows, runs the last one; gives its execution, or {'refused', 'stage'}."""
        for text in texts:
            code, made = self.api.create(text)
            if code != 200:
                return {"refused": made.get("message"), "stage": "create"}
        code, started = self.api.start(made["namespace"], made["id"], inputs)
        if code != 200:
            return {"refused": started.get("message"), "stage": "inputs"}
        return self.ended(started["id"], after, timeout)

    def start(self, texts, inputs):
        """Creates the flows, starts the last one; gives its id."""
        for text in texts:
            code, made = self.api.create(text)
            assert code == 200, made.get("message")
        code, started = self.api.start(made["namespace"], made["id"], inputs)
        assert code == 200, started.get("message")
        return started["id"]

    def get(self, identity):
        return self.api.req("GET", f"/executions/{identity}")[1]

    def kill(self, identity):
        self.api.req("DELETE", f"/executions/{identity}/kill")

    def steer(self, what, identity, task=None, inputs=None):
        """resume, pause, restart, replay; gives the id of the execution that goes on, or the text of the refusal."""
        body = json.dumps({"task": task, "inputs": inputs}).encode()
        request = urllib.request.Request(f"{self.steer_url}/{what}/{identity}", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["id"], None
        except urllib.error.HTTPError as error:
            return None, json.load(error)["message"]

    def does_work(self):
        """Whether another flow that begins now gets to its end: a server that is only slow makes nothing hang."""
        identity = self.start(["id: probe\nnamespace: judge.probe\ntasks: [{id: r, type: io.kestra.plugin.core.debug.Return, format: x}]\n"], {})
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if (self.get(identity) or {}).get("state", {}).get("current") == "SUCCESS":
                return True
            time.sleep(0.1)
        return False

    def ended(self, identity, after=0, timeout=180):
        """The execution once nothing of it runs any more: it is terminal before its afterExecution tasks are."""
        ended = self.api_states()
        end, last, quiet, changed = time.monotonic() + timeout, None, None, time.monotonic()
        while time.monotonic() < end:
            code, now = self.api.req("GET", f"/executions/{identity}")
            if code == 200:
                runs = now.get("taskRunList") or []
                is_over = now["state"]["current"] in ended and all(r["state"]["current"] in ended for r in runs)
                has_after = sum(r["taskId"].startswith("after") for r in runs) >= after
                if now != last:
                    changed = time.monotonic()
                if time.monotonic() - changed > HANGS_AFTER and self.does_work():
                    if now == self.get(identity):
                        break
                    changed = time.monotonic()
                if not is_over or now != last:
                    quiet = time.monotonic()
                elif time.monotonic() - quiet > (0.15 if has_after else 1.5):
                    return now
                last = now
            time.sleep(0.05)
        if last is None:
            return {"refused": "no execution", "stage": "run"}
        last["state"]["current"] = "HANGS in " + last["state"]["current"]
        return last

    @staticmethod
    def api_states():
        return ("SUCCESS", "FAILED", "KILLED", "WARNING", "CANCELLED", "SKIPPED", "RETRIED")


@contextlib.contextmanager
def serve(version, data=None, grace=None):
    """A server of that version. `data`: a folder that is kept; `grace`: what it waits for a server that is gone (default 5m)."""
    home, folder = at_hand(version)
    classes = compiled(folder, version, home)
    port, steer, grpc = free_port(), free_port(), free_port()
    with contextlib.ExitStack() as stack:
        data = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kestra-")))
        for name in ("tmp", "storage"):
            (data / name).mkdir(exist_ok=True)
        # as `kestra_oracle.py serve` starts it, with Steer around it
        secrets = {"SECRET_" + name: base64.b64encode(value.encode()).decode() for name, value in tool().ENV["secrets"].items()}
        env = {"JAVA_HOME": home, "ORACLE_DATA": str(data), "ORACLE_PORT": str(port), "ORACLE_GRPC_PORT": str(grpc), "STEER_PORT": str(steer), **secrets}
        if grace:
            env["ORACLE_GRACE"] = grace
        path = f"{folder}/conf:{folder}/classes:{classes}:{folder}/lib/*"
        flags = ["-Xmx2g", "-Duser.timezone=UTC", "-Duser.language=en", "-Duser.country=US"]
        process = stack.enter_context(server([f"{home}/bin/java", *flags, "-cp", path, "oracle.Steer"], data, "kestra", env))
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url + "/health"), f"Kestra {version}", 300, process)
        yield Server(url, f"http://127.0.0.1:{steer}", process)
