"""engine.py - what tests of containers share: one engine for a file, flows that run in it, a registry, an engine that misbehaves."""

import base64
import contextlib
import hashlib
import http.client
import http.server
import io
import json
import os
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import components
import escapes
import flowtest
from listener import Listener

SHELL = "io.kestra.plugin.scripts.shell."
IMAGE = "localhost/bb:1"
SECRET = "correct-horse-battery"
OFFLINE = {"type": "io.kestra.plugin.scripts.runner.docker.Docker", "networkMode": "none"}


class Engine:
    """One engine for all tests of this file."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="flow-test-")
        self.path = Path(self.folder.name)
        # Bound by nobody else between two registries: one that listens may share it.
        self.held = socket.socket()
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.held.bind(("127.0.0.1", 0))
        self.registry_port = self.held.getsockname()[1]
        self.tracer = escapes.build_tracer(self.path)
        self.podman = components.podman(self.path, self.registry_port, [self.tracer] if self.tracer else [])
        self.socket = self.podman.__enter__()
        (self.path / "secrets.yaml").write_text(f"PW: {SECRET}\n")
        (self.path / "secrets.yaml").chmod(0o600)

    def close(self):
        self.podman.__exit__(None, None, None)
        self.held.close()
        self.folder.cleanup()

    def call(self, method, path):
        connection = http.client.HTTPConnection("engine")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.socket)
        connection.request(method, "/v1.41" + path)
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body) if body else None

    def containers(self):
        return self.call("GET", "/containers/json?all=true")


ENGINE = []


def engine():
    if not ENGINE:
        ENGINE.append(Engine())
    return ENGINE[0]


def close():
    while ENGINE:
        ENGINE.pop().close()


def compiled(folder, tasks, name="flow"):
    (folder / f"{name}.yaml").write_text(json.dumps({"id": name, "namespace": "company.test", "tasks": tasks}))
    flowtest.run([flowtest.FLOWC, "compile", folder / f"{name}.yaml", "-o", folder / f"{name}.flowc", "-q"], check=0)
    return folder / f"{name}.flowc"


def environment():
    return {"DOCKER_HOST": "unix://" + engine().socket}


def run_flow(folder, artifact, *arguments, env=None):
    done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--state-dir", folder / "state", "--secrets", engine().path / "secrets.yaml",
                         "--output", "json", *arguments], env=env or environment())
    whole = json.loads(done.stdout)
    assert "taskRunList" in whole, done.stdout + done.stderr
    return {run["taskId"]: run for run in whole["taskRunList"]}, done


class Registry:
    """A registry on loopback with the image t/bb:1; knows what was asked of it and what was pushed. `account` (name, password) may be needed."""

    def __init__(self, account=None):
        self.asked = []
        self.pushed = {}
        self.port = engine().registry_port
        self.authorization = "Basic " + base64.b64encode(":".join(account).encode()).decode() if account else None
        self.blobs, self.manifests = {}, {}
        self._make_image()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body=b"", kind="application/json", headers=()):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for name, text in headers:
                    self.send_header(name, text)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def handle_any(self):
                body = self.read_body()
                registry.asked.append((self.path, self.headers.get("Authorization")))
                if registry.authorization and self.headers.get("Authorization") != registry.authorization:
                    return self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
                                       headers=[("WWW-Authenticate", 'Basic realm="test"')])
                return self.answer(*registry.respond(self.command, self.path, body, self.headers))

            def read_body(self):
                if self.headers.get("Transfer-Encoding") == "chunked":
                    whole = b""
                    while size := int(self.rfile.readline(), 16):
                        whole += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return whole
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def _add(self, blob):
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        self.blobs[digest] = blob
        return {"size": len(blob), "digest": digest}

    def _make_image(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(engine().path / "image", arcname=".")
        prefix = "application/vnd.docker."
        layer = {"mediaType": prefix + "image.rootfs.diff.tar", **self._add(buffer.getvalue())}
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["FROM_IMAGE=yes"]},
                             "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode()
        self.manifest_type = prefix + "distribution.manifest.v2+json"
        self.manifests["t/bb"] = json.dumps({"schemaVersion": 2, "mediaType": self.manifest_type, "layers": [layer],
                                             "config": {"mediaType": prefix + "container.image.v1+json", **self._add(config)}}).encode()

    def respond(self, method, path, body, headers):
        path, _, query = path.partition("?")
        parts = path.split("/")
        if path == "/v2/":
            return (200,)
        if method == "PUT" and "/manifests/" in path:
            self.pushed["/".join(parts[2:-2]) + ":" + parts[-1]] = json.loads(body)
            return 201, b"", headers["Content-Type"], [("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())]
        if "/blobs/uploads" in path:
            if method == "POST":
                return 202, b"", "text/plain", [("Location", path.rstrip("/") + "/1")]
            self.upload = body if method == "PATCH" else getattr(self, "upload", b"") + body
            if method == "PATCH":
                return 202, b"", "text/plain", [("Location", path), ("Range", f"0-{len(body) - 1}")]
            digest = query.split("digest=")[1].replace("%3A", ":").split("&")[0]
            self.blobs[digest] = self.upload
            return 201, b"", "text/plain", [("Docker-Content-Digest", digest)]
        if "/manifests/" in path:
            manifest = None if parts[-1] == "gone" else self.manifests.get("/".join(parts[2:-2]))
            return (200, manifest, self.manifest_type) if manifest else (404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        blob = self.blobs.get(parts[-1])
        return (200, blob, "application/octet-stream") if blob else (404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')


class Front:
    """An address by TCP in front of the engine's socket: with TLS where a context is given, and with faults.

    `holds_logs`: a log never ends. `mutes_wait`: a `wait` is never answered. `is_out`: nobody is there.
    """

    def __init__(self, context=None):
        self.holds_logs = self.mutes_wait = self.is_out = False
        self.context = context
        self.requests = []
        self.open = []
        self.listener = Listener(self._serve)
        self.port = self.listener.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()

    def cut(self):
        for each in self.open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    def _serve(self, client):
        with contextlib.suppress(OSError):
            if self.is_out:
                return client.close()
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            server = socket.socket(socket.AF_UNIX)
            server.connect(engine().socket)
            self.open += [client, server]
            state = {"path": ""}
            threading.Thread(target=self._answers, args=(client, server, state), daemon=True).start()
            while piece := client.recv(65536):
                line = piece.split(b"\r\n", 1)[0].decode(errors="replace").split(" ")
                if len(line) == 3 and line[2].startswith("HTTP/"):
                    state["path"] = line[1]
                    self.requests.append(" ".join(line[:2]))
                    if self.mutes_wait and line[1].endswith("/wait"):
                        continue
                server.sendall(piece)
            server.shutdown(socket.SHUT_WR)

    def _answers(self, client, server, state):
        with contextlib.suppress(OSError):
            while piece := server.recv(65536):
                if self.holds_logs and "follow=true" in state["path"] and piece.endswith(b"0\r\n\r\n"):
                    piece = piece.removesuffix(b"0\r\n\r\n")
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def start(folder, artifact, name, env=None):
    return subprocess.Popen([flowtest.FLOWRUN, "run", artifact, "--id", name, "--state-dir", folder / "state"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(env or environment())})


def logged(folder, name="x"):
    return flowtest.run([flowtest.FLOWRUN, "logs", name, "--state-dir", folder / "state"]).stdout
