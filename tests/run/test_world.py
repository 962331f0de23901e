"""What expressions ask of the world while a flow runs: http(), and key-value pairs of parent namespaces."""

import contextlib
import http.server
import json
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

RETURN = "io.kestra.plugin.core.debug.Return"


@contextlib.contextmanager
def echo():
    """A server that answers with what it was asked; /text as text, /missing with 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size).decode()
            told = {"method": self.command, "path": self.path, "body": body, "type": self.headers.get("Content-Type"),
                    "accept": self.headers.get("Accept"), "own": self.headers.get("X-Own")}
            reply = json.dumps(told).encode()
            self.send_response(404 if self.path == "/missing" else 200)
            self.send_header("Content-Type", "text/plain" if self.path == "/text" else "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def run(folder, tasks):
    """The outcome of a flow: its task runs by id, and standard error."""
    source, artifact = Path(folder) / "flow.yaml", Path(folder) / "flow.flowc"
    source.write_text(f"id: flow\nnamespace: company.team\ntasks:\n{tasks}")
    flowtest.run([flowtest.FLOWC, "compile", source, "-o", artifact], check=0)
    done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--ephemeral", "--output", "json", "--state-dir", Path(folder) / "state"])
    return {r["taskId"]: r for r in json.loads(done.stdout)["taskRunList"]}, done.stderr


def returned(text, id="a"):
    return f"  - {{id: {id}, type: {RETURN}, format: {json.dumps(text)}}}\n"


def test_http_gives_the_body_by_its_type():
    with flowtest.temporary() as folder, echo() as url:
        runs, _ = run(folder, returned("{{ http('%s/q', query={'a': 'b c', 'n': 1}, headers={'X-Own': 'y'}) }}" % url)
                      + returned("{{ http(uri='%s/p', method='POST', body={'k': [1]}).body }}" % url, "b")
                      + returned("{{ http('%s/text') | startsWith('{') }}" % url, "c"))
    told = json.loads(runs["a"]["outputs"]["value"])
    assert told == {"method": "GET", "path": "/q?a=b%20c&n=1", "body": "", "accept": "application/json", "own": "y"}, told
    assert runs["b"]["outputs"]["value"] == '{"k":[1]}'
    assert runs["c"]["outputs"]["value"] == "true"


def test_http_fails_by_status_and_without_an_answer():
    with flowtest.temporary() as folder, echo() as url:
        runs, told = run(folder, returned("{{ http('%s/missing') }}" % url))
        assert runs["a"]["state"]["current"] == "FAILED" and "got the status 404" in told, told
        runs, told = run(folder, returned("{{ http('http://127.0.0.1:1/x') }}"))
        assert runs["a"]["state"]["current"] == "FAILED" and "got no answer" in told, told
        runs, told = run(folder, returned("{{ http('http://169.254.169.254/latest') }}"))
        assert runs["a"]["state"]["current"] == "FAILED" and "http('http://169.254.169.254/latest') failed" in told, told


def test_keys_are_looked_for_in_parent_namespaces():
    with flowtest.temporary() as folder:
        runs, _ = run(folder, "  - {id: set, type: io.kestra.plugin.core.kv.Set, namespace: company, key: region, value: eu}\n"
                      + returned("{{ kv('region') }}")
                      + "  - id: only\n    type: %s\n    allowFailure: true\n    format: \"{{ kv('region', namespace='company.team') }}\"\n" % RETURN)
    assert runs["a"]["outputs"]["value"] == "eu"
    assert runs["only"]["state"]["current"] == "WARNING"


flowtest.main()
