"""components.py - real servers for tests: S3 (moto), a Kubernetes API server, an HTTPS server that records what it gets.

Each is a context manager, listens on 127.0.0.1 at a free port, and is ended by its pid. What is not installed skips the
test, and is an error in CI.
"""

import contextlib
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import flowtest

FOLDER = flowtest.CACHE / "components"
TOFU = FOLDER / "tofu-1.12.6"
APISERVER = FOLDER / "kube-apiserver-1.33.13"
SOPS = FOLDER / "sops/bin/sops"
MOTO = FOLDER / "moto/bin/moto_server"


def need(path, what):
    if not Path(path).exists():
        flowtest.skip(f"{what} is not built (tests/components/build.sh)", is_installable=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, seconds=60, process=None):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what} ended with {process.returncode}")
        time.sleep(0.1)
    raise AssertionError(f"{what} is not ready after {seconds} s")


def answers(url, context=None, headers=None):
    try:
        request = urllib.request.Request(url, headers=headers or {})
        with urllib.request.urlopen(request, timeout=2, context=context) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError):
        return False


@contextlib.contextmanager
def server(arguments, folder, name, env=None):
    with open(Path(folder) / f"{name}.log", "wb") as log:
        process = subprocess.Popen(
            [str(a) for a in arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
            env={**os.environ, **(env or {})},
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def moto(folder, buckets=()):
    """An S3 endpoint with these buckets; gives its URL."""
    need(MOTO, "moto")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with server([MOTO, "-H", "127.0.0.1", "-p", port], folder, "moto") as process:
        wait_until(lambda: answers(f"{url}/moto-api/"), "moto", process=process)
        for bucket in buckets:
            request = urllib.request.Request(f"{url}/{bucket}", method="PUT")
            urllib.request.urlopen(request, timeout=10).close()
        yield url


def s3_keys(url, bucket):
    with urllib.request.urlopen(f"{url}/{bucket}?list-type=2", timeout=10) as response:
        text = response.read().decode()
    return [part.split("</Key>")[0] for part in text.split("<Key>")[1:]]


def openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


def make_authority(folder, name="ca"):
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", f"{name}.key", "-out",
            f"{name}.crt", "-subj", f"/CN=test {name}")


def make_certificate(folder, name, subject, alternatives=None, authority="ca"):
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
    extension = []
    if alternatives:
        (Path(folder) / f"{name}.ext").write_text(f"subjectAltName={alternatives}\n")
        extension = ["-extfile", f"{name}.ext"]
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key",
            "-CAcreateserial", "-days", "30", *extension, "-out", f"{name}.crt")


class Kubernetes:
    """A running API server: `kubeconfig`, `url`, get() and the client certificate files."""

    def __init__(self, folder, port):
        self.folder = Path(folder)
        self.url = f"https://127.0.0.1:{port}"
        self.kubeconfig = self.folder / "kubeconfig"
        self.context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": "Bearer test-token"})
        with urllib.request.urlopen(request, timeout=10, context=self.context) as response:
            return json.load(response)


@contextlib.contextmanager
def kubernetes(folder):
    """etcd and kube-apiserver without controllers: what a server-side apply needs."""
    need(APISERVER, "kube-apiserver")
    etcd = shutil.which("etcd")
    if etcd is None:
        flowtest.skip("etcd is not installed (Debian package etcd-server)", is_installable=True)
    folder = Path(folder)
    make_authority(folder)
    make_certificate(folder, "srv", "/CN=kube-apiserver", "IP:127.0.0.1,DNS:localhost,DNS:kubernetes")
    make_certificate(folder, "admin", "/O=system:masters/CN=admin")
    openssl(folder, "genrsa", "-out", "sa.key", "2048")
    openssl(folder, "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    (folder / "tokens.csv").write_text('test-token,admin,1,"system:masters"\nro-token,reader,2,"readers"\n')
    store, peer, port = free_port(), free_port(), free_port()
    cluster = Kubernetes(folder, port)
    cluster.kubeconfig.write_text(
        f"""apiVersion: v1
kind: Config
clusters: [{{name: t, cluster: {{server: "{cluster.url}", certificate-authority: {folder}/ca.crt}}}}]
users: [{{name: t, user: {{token: test-token}}}}]
contexts: [{{name: t, context: {{cluster: t, user: t, namespace: default}}}}]
current-context: t
"""
    )
    client, other = f"http://127.0.0.1:{store}", f"http://127.0.0.1:{peer}"
    etcd_arguments = [etcd, "--data-dir", "etcd", "--unsafe-no-fsync", "--listen-client-urls", client,
                      "--advertise-client-urls", client, "--listen-peer-urls", other,
                      "--initial-advertise-peer-urls", other, "--initial-cluster", f"default={other}"]
    api_arguments = [APISERVER, f"--etcd-servers={client}", "--bind-address=127.0.0.1", f"--secure-port={port}",
                     "--advertise-address=127.0.0.1", "--tls-cert-file=srv.crt", "--tls-private-key-file=srv.key",
                     "--client-ca-file=ca.crt", "--token-auth-file=tokens.csv",
                     "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=sa.pub",
                     "--service-account-signing-key-file=sa.key", "--service-cluster-ip-range=10.96.0.0/16",
                     "--authorization-mode=RBAC", "--endpoint-reconciler-type=none",
                     "--disable-admission-plugins=ServiceAccount"]
    token = {"Authorization": "Bearer test-token"}
    with server(etcd_arguments, folder, "etcd"), server(api_arguments, folder, "apiserver") as process:
        wait_until(lambda: answers(f"{cluster.url}/readyz", cluster.context, token), "kube-apiserver", 120, process)
        yield cluster


class Recorder:
    """Requests that a recording server got, in order: method, path, headers, body."""

    def __init__(self):
        self.requests = []
        self.port = 0


@contextlib.contextmanager
def https_recorder(folder, host):
    """An HTTPS server with a certificate for `host` that answers every request with 200 and keeps it.

    It stands for a provider that cannot run here. `ca.crt` of the folder is its authority.
    """
    folder = Path(folder)
    make_authority(folder)
    make_certificate(folder, "provider", f"/CN={host}", f"DNS:{host}")
    recorder = Recorder()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size).decode()
            recorder.requests.append(
                {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
            )
            reply = b'{"success":true,"result":{"id":"372e67954025e0ba6aaa6d586b9e0b59"}}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *arguments):
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "provider.crt", folder / "provider.key")
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    recorder.port = listener.server_port
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


PODMAN = ("--runtime", "/usr/sbin/runc", "--cgroup-manager=cgroupfs", "--storage-driver=vfs")
BUSYBOX_LINKS = ("sh ls cat echo sleep env id pwd mkdir rm ln kill ps nohup setsid true false seq wc sort head tail "
                 "printf test touch chmod tr sed readlink dd yes grep stat trap").split()


@contextlib.contextmanager
def podman(folder, registry_port=None, programs=()):
    """A container engine with the image localhost/bb:1 (busybox and static `programs`), which trusts a registry of ours; gives its socket."""
    for program in ("/usr/bin/podman", "/usr/sbin/runc", "/bin/busybox"):
        if not Path(program).exists():
            flowtest.skip(f"{program} is not installed (podman, runc, crun, catatonit, busybox-static)", is_installable=True)
    if os.geteuid() != 0:
        flowtest.skip("containers in tests need root")
    folder = Path(folder)
    limit = subprocess.run(["sh", "-c", "ulimit -Hn"], capture_output=True, text=True, check=True).stdout.strip()
    (folder / "containers.conf").write_text(f'[containers]\ndefault_ulimits = ["nofile={limit}:{limit}", "nproc=4000:4000"]\n')
    (folder / "registries.conf").write_text(f'[[registry]]\nlocation = "127.0.0.1:{registry_port}"\ninsecure = true\n' if registry_port else "")
    env = {"CONTAINERS_CONF": str(folder / "containers.conf"), "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf")}
    where = ("--root", str(folder / "root"), "--runroot", str(folder / "runroot"), "--tmpdir", str(folder / "tmp"))
    root = folder / "image"
    (root / "bin").mkdir(parents=True)
    (root / "tmp").mkdir(mode=0o1777)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in BUSYBOX_LINKS:
        (root / "bin" / name).symlink_to("busybox")
    for program in programs:
        shutil.copy(program, root / "bin")
    archive = folder / "image.tar"
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    subprocess.run(["podman", *PODMAN, *where, "import", "-q", archive, "localhost/bb:1"], check=True, env={**os.environ, **env},
                   capture_output=True)
    socket_path = folder / "podman.sock"
    with server(["podman", *PODMAN, *where, "system", "service", "-t", "0", f"unix://{socket_path}"], folder, "podman", env) as process:
        wait_until(socket_path.exists, "podman", process=process)
        try:
            yield str(socket_path)
        finally:
            subprocess.run(["podman", *PODMAN, *where, "rm", "-af", "-t", "0"], env={**os.environ, **env}, capture_output=True, check=False)
            subprocess.run(["umount", "-R", str(folder / "root")], capture_output=True, check=False)


TRUSTED = "/etc/ssl/certs/ca-certificates.crt"


def in_namespaces(file):
    """Runs `file --inside` where there is only loopback and mounts are its own; gives the last line it prints, as JSON."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        flowtest.skip("needs root and unshare", is_installable=True)
    if flowtest.run(["unshare", "-n", "-m", "true"]).returncode != 0:
        flowtest.skip("namespaces cannot be made here")
    done = flowtest.run(["unshare", "-n", "-m", "sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable, file, "--inside"], check=0)
    return json.loads(done.stdout.splitlines()[-1])


def stand_for(folder, *names):
    """Within such namespaces: these names lead to loopback; gives the TLS context of a server that is trusted as them."""
    folder = Path(folder)
    make_authority(folder)
    make_certificate(folder, "names", f"/CN={names[0]}", ",".join(f"DNS:{name}" for name in names))
    (folder / "hosts").write_text("127.0.0.1 localhost " + " ".join(names) + "\n")
    (folder / "trusted.pem").write_text(Path(TRUSTED).read_text() + (folder / "ca.crt").read_text())
    for source, target in (("hosts", "/etc/hosts"), ("trusted.pem", TRUSTED)):
        subprocess.run(["mount", "--bind", str(folder / source), target], check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "names.crt", folder / "names.key")
    return context
