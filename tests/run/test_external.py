"""External types: the sample's handlers, every end a handler can have, a handler behind an address, `flowrun task`."""

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

SAMPLE = flowtest.SOURCE / "samples/external_type"
SECRET = "correct-horse-battery"


class Server:
    """Answers by a function of (method, path, headers, body); keeps what it was asked."""

    def __init__(self, answer):
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                status, text = answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = serve

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def compiled(folder, tasks, *options):
    flow = {"id": "external", "namespace": "company.test", "tasks": tasks}
    (folder / "flow.yaml").write_text(json.dumps(flow))
    flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", folder / "flow.flowc", "-q", "--unknown-types", "warn",
                  "--external", "com.acme.", *options], check=0)
    return folder / "flow.flowc"


def host_file(folder, handlers):
    (folder / "flowrun.yaml").write_text(json.dumps({"handlers": handlers}))
    return folder / "flowrun.yaml"


def run_flow(folder, artifact, config, *arguments, env=None):
    done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--config", config, "--state-dir", folder / "state", "--output", "json",
                         *arguments], env=env)
    return json.loads(done.stdout), done


def handler(folder, text, name="handler.py"):
    (folder / name).write_text("import json, os, sys, time\nrequest = json.load(sys.stdin)\n"
                               "def say(**message): print(json.dumps(message), flush=True)\n" + text)
    return [sys.executable, f"./{name}"]


def kestra(polls):
    """A server that knows one flow; an execution has ended after so many polls."""
    state = {"executions": {}, "polls": 0}

    def answer(method, path, headers, body):
        if headers.get("Authorization") != "Basic " + base64.b64encode(f"flowrun:{SECRET}".encode()).decode():
            return 401, "{}"
        if method == "POST" and path.startswith("/api/v1/main/executions/company.sales/thank_customer?labels=flowrun-key%3A"):
            name = f"e{len(state['executions'])}"
            state["executions"][name] = path.rsplit("%3A", 1)[1]
            return 200, json.dumps({"id": name, "state": {"current": "CREATED"}})
        if method == "GET" and path.startswith("/api/v1/main/executions/search?"):
            key = path.rsplit("=", 1)[1]
            return 200, json.dumps({"results": [{"id": name} for name, known in state["executions"].items() if known == key]})
        if method == "GET" and path.rsplit("/", 1)[1] in state["executions"]:
            state["polls"] += 1
            current = "SUCCESS" if state["polls"] >= polls else "RUNNING"
            return 200, json.dumps({"id": "e0", "state": {"current": current}, "outputs": {"thanked": True}})
        return 404, "{}"

    return answer, state


def sample(folder):
    database = folder / "orders.db"
    with sqlite3.connect(database) as connection:
        connection.executescript("CREATE TABLE orders(customer TEXT, total INTEGER);"
                                 "INSERT INTO orders VALUES ('ann', 120), ('bob', 20), ('eve', 300);")
    (folder / "secrets.yaml").write_text(f"KESTRA_PASSWORD: {SECRET}\n")
    (folder / "secrets.yaml").chmod(0o600)
    flowtest.run([flowtest.FLOWC, "compile", SAMPLE / "flow.yaml", "-o", folder / "sample.flowc"], check=0)
    return folder / "sample.flowc", ["--secrets", folder / "secrets.yaml"], ["-i", f"database={database}"]


def test_the_sample_queries_and_starts_flows():
    answer, state = kestra(2)
    with flowtest.temporary() as name, Server(answer) as server:
        folder = Path(name)
        artifact, secrets, inputs = sample(folder)
        flowtest.run([flowtest.FLOWRUN, "preflight", artifact, "--config", SAMPLE / "flowrun.yaml", *secrets, "--offline"], check=0)
        whole, done = run_flow(folder, artifact, SAMPLE / "flowrun.yaml", *secrets, *inputs,
                               env={"KESTRA_URL": server.url, "KESTRA_POLL": "0.05"})
        assert whole["state"]["current"] == "SUCCESS", done.stderr
        assert whole["outputs"] == {"count": 2}, whole["outputs"]
        runs = {run["taskId"]: run for run in whole["taskRunList"]}
        assert runs["large"]["outputs"] == {"size": 2, "rows": [{"customer": "eve", "total": 300}, {"customer": "ann", "total": 120}]}
        assert runs["start"]["outputs"]["outputs"] == {"thanked": True}
        posts = [body for method, _, _, body in server.requests if method == "POST"]
        assert len(posts) == 2 and 'name="customer"' in posts[0] and "eve" in posts[0] and "ann" in posts[1]
        assert SECRET not in done.stderr + done.stdout


def test_a_bridge_goes_on_with_the_execution_it_started():
    answer, state = kestra(10**6)
    with flowtest.temporary() as name, Server(answer) as server:
        folder = Path(name)
        artifact, secrets, inputs = sample(folder)
        env = dict(os.environ, KESTRA_URL=server.url, KESTRA_POLL="0.05")
        process = subprocess.Popen([flowtest.FLOWRUN, "run", artifact, "--config", SAMPLE / "flowrun.yaml", "--id", "x",
                                    "--state-dir", folder / "state", *secrets, *inputs, "-i", "minimum=200"], env=env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(400):
            if state["polls"] > 2:
                break
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        state["polls"] = 10**6
        done = flowtest.run([flowtest.FLOWRUN, "resume", "x", "--config", SAMPLE / "flowrun.yaml", "--state-dir", folder / "state",
                             "--output", "json", *secrets], env=env)
        assert json.loads(done.stdout).get("state", {}).get("current") == "SUCCESS", done.stdout + done.stderr
        assert len(state["executions"]) == 1


def test_preflight_and_run_name_a_missing_handler():
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, [{"id": "a", "type": "com.acme.Deploy"}])
        none = host_file(folder, {"com.other.": ["true"]})
        done = flowtest.run([flowtest.FLOWRUN, "preflight", artifact, "--config", none, "--output", "json"])
        check = [c for c in json.loads(done.stdout)["checks"] if c["kind"] == "handler"]
        assert done.returncode != 0 and [(c["name"], c["ok"]) for c in check] == [("com.acme.Deploy", False)]
        _, done = run_flow(folder, artifact, none)
        assert "'com.acme.Deploy' is run by an external handler, and none is configured" in done.stderr
        absent = host_file(folder, {"com.acme.": ["./nothing-here"]})
        done = flowtest.run([flowtest.FLOWRUN, "preflight", artifact, "--config", absent])
        assert done.returncode != 0 and "nothing-here" in done.stdout + done.stderr


def test_every_end_of_a_handler():
    text = """
kind = request["props"]["kind"]
if kind == "ok":
    print("plain line")
    say(log={"level": "WARN", "message": "careful " + request["props"]["password"]})
    say(metric={"name": "rows", "type": "counter", "value": 3})
    say(outputs={"a": 1}); say(outputs={"b": [request["type"], request["props"]["n"]]})
if kind == "permanent": say(outputs={"part": 1}); say(error={"message": "no such thing"})
sys.exit({"ok": 0, "warning": 10, "retry": 20, "permanent": 30, "skipped": 40, "odd": 7}[kind])
"""
    with flowtest.temporary() as name:
        folder = Path(name)
        kinds = ["ok", "warning", "permanent", "skipped", "odd", "retry"]
        tasks = [{"id": kind, "type": "com.acme.Do", "kind": kind, "n": 5, "password": "{{ secret('PW') }}", "allowFailure": True}
                 for kind in kinds]
        tasks[-1]["retry"] = {"type": "constant", "interval": "PT0.01S", "maxAttempts": 2}
        config = host_file(folder, {"com.acme.": handler(folder, text), "com.": ["false"]})
        (folder / "secrets.yaml").write_text(f"PW: {SECRET}\n")
        (folder / "secrets.yaml").chmod(0o600)
        whole, done = run_flow(folder, compiled(folder, tasks), config, "--secrets", folder / "secrets.yaml")
        runs = {run["taskId"]: run for run in whole["taskRunList"]}
        states = {kind: runs[kind]["state"]["current"] for kind in kinds}
        assert states == {"ok": "SUCCESS", "warning": "WARNING", "permanent": "WARNING", "skipped": "SKIPPED", "odd": "WARNING",
                          "retry": "WARNING"}, (states, done.stderr)
        assert runs["ok"]["outputs"] == {"a": 1, "b": ["com.acme.Do", 5]}
        assert runs["ok"]["metrics"][0]["name"] == "rows"
        assert runs["permanent"]["outputs"] == {"part": 1}
        assert len(runs["retry"]["attempts"]) == 2
        assert "plain line" in done.stderr and "careful ******" in done.stderr and SECRET not in done.stderr
        assert "no such thing" in done.stderr and "the handler ended with exit code 7" in done.stderr


def test_a_handler_behind_an_address():
    def answer(_method, _path, _headers, body):
        props = json.loads(body)["props"]
        if props["kind"] == "busy":
            return 503, "{}"
        return 200, '{"log": {"message": "from afar"}}\n{"outputs": {"seen": "%s"}}\n{"exit": 10}\n' % props["kind"]

    with flowtest.temporary() as name, Server(answer) as server:
        folder = Path(name)
        tasks = [{"id": kind, "type": "com.acme.Do", "kind": kind, "allowFailure": True} for kind in ("fine", "busy")]
        whole, done = run_flow(folder, compiled(folder, tasks), host_file(folder, {"com.acme.": {"url": server.url + "/task"}}))
        runs = {run["taskId"]: run for run in whole["taskRunList"]}
        assert runs["fine"]["outputs"] == {"seen": "fine"} and runs["fine"]["state"]["current"] == "WARNING", done.stderr
        assert "from afar" in done.stderr and "the handler answered with status 503" in done.stderr


def test_a_task_alone_speaks_the_contract():
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, [
            {"id": "sh", "type": "io.kestra.plugin.scripts.shell.Commands", "commands": ["true"]},
            {"id": "say", "type": "io.kestra.plugin.core.log.Log", "message": "x"}])

        def one(task, request):
            done = flowtest.run([flowtest.FLOWRUN, "task", artifact, task, "--state-dir", folder / "state"], input=json.dumps(request),
                                env={"SECRET_PW": base64.b64encode(SECRET.encode()).decode()})
            return done, [json.loads(line) for line in done.stdout.splitlines()]

        done, lines = one("sh", {"props": {"commands": ["echo hello $PW", "echo '::{\"outputs\":{\"n\":1}}::'"],
                                           "env": {"PW": {"$secret": "PW"}}}})
        assert done.returncode == 0, done.stderr
        assert {"log": {"level": "INFO", "message": "hello ******"}} in lines
        assert lines[-1]["outputs"]["vars"] == {"n": 1}
        done, lines = one("sh", {"props": {"commands": ["exit 4"]}})
        assert done.returncode == 30 and lines[-1]["error"]["message"] == "Command failed with exit code 4"
        done, lines = one("nothing", {"props": {}})
        assert done.returncode == 2 and "no task 'nothing'" in done.stderr
        # … and is the handler of another flowrun.
        config = host_file(folder, {"com.acme.": [flowtest.FLOWRUN, "task", str(artifact), "say", "--state-dir", str(folder / "inner")]})
        (folder / "outer").mkdir()
        outer = compiled(folder / "outer", [{"id": "a", "type": "com.acme.Say", "message": "through two"}])
        whole, done = run_flow(folder, outer, config)
        assert whole["state"]["current"] == "SUCCESS" and "through two" in done.stderr, done.stderr


def test_a_bad_host_file_is_told():
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, [{"id": "a", "type": "com.acme.Do"}])
        for bad in ([], {"com.acme.": "a command"}, {"com.acme.": {"command": ["x"], "url": "http://h"}}):
            done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--config", host_file(folder, bad)])
            assert done.returncode != 0 and "handler" in done.stderr and "flowrun.yaml" in done.stderr, done.stderr


if __name__ == "__main__":
    flowtest.main()
