"""flows.py - flows made of tasks, compiled and run; servers that record what they are asked."""

import http.server
import json
import os
import socketserver
import ssl
import threading
import urllib.parse
from pathlib import Path

import flowtest
import yaml


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


class World:
    """A state directory and what flows in it have left."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.env = {}

    def environ(self):
        return {**os.environ, **self.env}

    def compile(self, tasks, namespace="company.team", name="flow", **more):
        source = self.folder / f"{name}.yaml"
        source.write_text(yaml.dump({"id": name, "namespace": namespace, "tasks": tasks, **more}, Dumper=Dumper, sort_keys=False))
        artifact = self.folder / f"{name}.flowc"
        flowtest.run([flowtest.FLOWC, "compile", source, "-o", artifact], check=0)
        return artifact

    def run(self, *tasks, namespace="company.team", name="flow", status=0, options=()):
        """Runs a flow of these tasks; gives the outputs of each by its id."""
        artifact = self.compile(list(tasks), namespace, name)
        done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--state-dir", self.state, "--output", "json", *options], env=self.env)
        assert done.returncode == status, f"{done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        self.execution = json.loads(done.stdout)
        return {run["taskId"]: run.get("outputs") or {} for run in self.execution["taskRunList"]}

    def path(self, uri):
        assert uri.startswith("kestra:///"), uri
        return self.state / "files" / uri[len("kestra:///"):]

    def text(self, uri):
        return self.path(uri).read_text()


def world():
    for program in (flowtest.FLOWC, flowtest.FLOWRUN):
        if not Path(program).exists():
            flowtest.skip(f"{program} is not built")
    return flowtest.temporary()


def task(task_id, kind, **properties):
    return {"id": task_id, "type": kind, **properties}


class Recorder:
    """A web server on loopback: it keeps every request, and answers what `answers` says.

    `answers` maps a path to a list of (status, headers, body), of which the last stays, or to a function of the request.
    """

    def __init__(self, answers=None, context=None, port=0):
        self.requests = []
        self.answers = answers or {}
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urllib.parse.urlsplit(self.path)
                request = {"method": self.command, "path": url.path, "query": urllib.parse.parse_qs(url.query),
                           "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body, "url": self.path}
                recorder.requests.append(request)
                given = recorder.answers.get(url.path, [(200, {}, b"ok")])
                if callable(given):
                    status, headers, answer = given(request)
                else:
                    status, headers, answer = given.pop(0) if len(given) > 1 else given[0]
                if not isinstance(answer, bytes):
                    answer = json.dumps(answer).encode()
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_CONNECT = handle_any

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.scheme = "https" if context else "http"
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()

    def json(self, at=-1):
        return json.loads(self.requests[at]["body"])


def self_signed(folder):
    """A server's TLS context with a certificate nobody has signed."""
    key, cert = Path(folder) / "key.pem", Path(folder) / "cert.pem"
    flowtest.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                  "-keyout", key, "-out", cert, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
