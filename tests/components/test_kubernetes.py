"""Tasks of Kubernetes on a real API server. A small kubelet of ours gives pods their node, states and logs."""

import base64
import contextlib
import http.server
import json
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from components import kubernetes, make_certificate
from flows import World, task
import flowtest

KUBECTL = "io.kestra.plugin.kubernetes.kubectl."
POD = "io.kestra.plugin.kubernetes.core.PodCreate"


class Cluster:
    """An API server and a kubelet. What a pod does is in its annotation `test/script`: JSON with log, code, delay, waiting, shell.

    Containers that bring files, and `shell` of the script, are run for real, with their volumes in a folder of this host.
    """

    def __init__(self, server, folder):
        self.api = server
        self.folder = Path(folder)
        self.deleted, self.seen, self.logs, self.ended = [], {}, {}, set()
        self.is_over = False
        self.kubelet = self.serve()
        self.call("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "here"}})
        self.call("PATCH", "/api/v1/nodes/here/status", {"status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.kubelet.server_address[1]}},
            "conditions": [{"type": "Ready", "status": "True"}]}}, "application/merge-patch+json")
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def call(self, method, path, body=None, kind="application/json"):
        request = urllib.request.Request(self.api.url + path, method=method, data=json.dumps(body).encode() if body else None,
                                         headers={"Authorization": "Bearer test-token", "Content-Type": kind})
        with urllib.request.urlopen(request, timeout=10, context=self.api.context) as response:
            return json.load(response)

    def get(self, path):
        try:
            return self.call("GET", path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def serve(self):
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):  # /containerLogs/NAMESPACE/POD/CONTAINER
                parts = urllib.parse.urlsplit(self.path)
                query = urllib.parse.parse_qs(parts.query)
                _, kind, _, pod, container = parts.path.split("/")
                assert kind == "containerLogs"
                self.send_response(200)
                self.end_headers()
                since = query.get("sinceTime", [""])[0]
                sent = 0
                while True:
                    lines = cluster.logs.get((pod, container), [])
                    while sent < len(lines):
                        time_of, text = lines[sent]
                        sent += 1
                        if time_of >= since:
                            self.wfile.write((f"{time_of} {text}\n" if "timestamps" in query else text + "\n").encode())
                            self.wfile.flush()
                    if cluster.seen.get(pod) == "over" or (pod, container) in cluster.ended or "follow" not in query:
                        return
                    time.sleep(0.05)

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        make_certificate(self.api.folder, "kubelet", "/CN=here", "IP:127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.api.folder / "kubelet.crt", self.api.folder / "kubelet.key")
        server = Server(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def status(self, pod, **status):
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status"
        with contextlib.suppress(urllib.error.HTTPError):
            self.call("PATCH", path, {"status": status}, "application/merge-patch+json")

    def lay_volumes(self, pod, root):
        """What a kubelet mounts below /kestra: the Secret behind links, as it does, and the annotations, kept up to date."""
        name = pod["metadata"]["name"]
        (root / "working-dir").mkdir(parents=True)
        for volume in pod["spec"].get("volumes", []):
            if "secret" in volume:
                secret = None
                while secret is None:
                    time.sleep(0.1)
                    secret = self.get(f"/api/v1/namespaces/default/secrets/{volume['secret']['secretName']}")
                for item in volume["secret"]["items"]:
                    target = root / "input/..one" / item["path"]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(base64.b64decode(secret["data"][item["key"]]))
                (root / "input/..data").symlink_to("..one")
                (root / "input/files").symlink_to("..data/files")
            if "downwardAPI" in volume:
                (root / "pod").mkdir()

                def keep_up():
                    while self.seen.get(name) != "over":
                        now = self.get(f"/api/v1/namespaces/default/pods/{name}") or pod
                        lines = [f"{key}={json.dumps(text)}" for key, text in now["metadata"].get("annotations", {}).items()]
                        (root / "pod/annotations").write_text("\n".join(lines))
                        time.sleep(0.1)

                threading.Thread(target=keep_up, daemon=True).start()

    def run_for_real(self, pod, container, command, root):
        words = [word.replace("/tmp/out", f"{root}/out").replace("/kestra/", f"{root}/") for word in command]
        done = subprocess.run(["busybox", *words], capture_output=True, text=True, cwd=root / "working-dir", timeout=60)
        key = (pod["metadata"]["name"], container)
        self.logs.setdefault(key, []).extend((f"2026-01-01T00:01:00.{i:09d}Z", line) for i, line in enumerate(done.stdout.splitlines()))
        self.ended.add(key)
        assert not done.stderr, done.stderr
        return done.returncode

    def live(self, pod):
        name = pod["metadata"]["name"]
        script = json.loads(pod["metadata"].get("annotations", {}).get("test/script", "{}"))
        containers = [c["name"] for c in pod["spec"]["containers"]]
        sidecar = [c for c in pod["spec"]["containers"] if c["name"] == "out-files"]

        def states(state, of_sidecar=None):
            return [{"name": c, "image": "x", "imageID": "", "ready": False, "restartCount": 0,
                     "state": of_sidecar if of_sidecar and c == "out-files" else state} for c in containers]

        if script.get("waiting"):
            self.status(pod, phase="Pending", containerStatuses=states({"waiting": {"reason": script["waiting"], "message": "no"}}))
            return
        root = self.folder / "pods" / name
        self.lay_volumes(pod, root)
        for init in pod["spec"].get("initContainers", []):
            assert self.run_for_real(pod, init["name"], init["command"], root) == 0
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        self.status(pod, phase="Running", containerStatuses=states(running))
        for i, line in enumerate(script.get("log", [])):
            self.logs.setdefault((name, "main"), []).append((f"2026-01-01T00:00:{i:02d}.000000000Z", line))
            time.sleep(script.get("delay", 0))
        if "shell" in script:
            self.run_for_real(pod, "main", ["sh", "-c", script["shell"]], root)
        code = script.get("code", 0)
        over = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
        if sidecar:
            self.ended.add((name, "main"))
            self.status(pod, phase="Running", containerStatuses=states(over, running))
            assert self.run_for_real(pod, "out-files", sidecar[0]["command"], root) == 0
        self.seen[name] = "over"
        self.status(pod, phase="Failed" if code else "Succeeded",
                    containerStatuses=states(over, {"terminated": {"exitCode": 0, "reason": "Completed"}}))

    def work(self):
        while not self.is_over:
            with contextlib.suppress(OSError, urllib.error.URLError):
                for pod in self.call("GET", "/api/v1/pods")["items"]:
                    name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
                    if pod["metadata"].get("deletionTimestamp"):
                        self.deleted.append(name)
                        self.seen[name] = "over"
                        self.call("DELETE", f"/api/v1/namespaces/{space}/pods/{name}", {"gracePeriodSeconds": 0})
                    elif name not in self.seen:
                        self.seen[name] = "here"
                        if not pod["spec"].get("nodeName"):
                            self.call("POST", f"/api/v1/namespaces/{space}/pods/{name}/binding",
                                      {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                                       "target": {"apiVersion": "v1", "kind": "Node", "name": "here"}})
                        threading.Thread(target=self.live, args=(pod,), daemon=True).start()
            time.sleep(0.1)


@contextlib.contextmanager
def cluster():
    for program in (flowtest.FLOWC, flowtest.FLOWRUN):
        if not Path(program).exists():
            flowtest.skip(f"{program} is not built")
    with flowtest.temporary() as folder, contextlib.ExitStack() as stack:
        (Path(folder) / "cluster").mkdir()
        server = stack.enter_context(kubernetes(Path(folder) / "cluster"))
        made = Cluster(server, folder)
        it = World(folder)
        it.env = {"KUBECONFIG": str(server.kubeconfig)}
        try:
            yield made, it
        finally:
            made.is_over = True
            made.thread.join(10)
            made.kubelet.shutdown()
            made.kubelet.server_close()


DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {tier: front}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1"}]}
"""


def check_patch_restart_and_delete(made, it):
    web = {"resourceType": "Deployment", "apiGroup": "apps", "resourceName": "web"}
    out = it.run(
        task("apply", KUBECTL + "Apply", spec=DEPLOYMENT),
        task("merge", KUBECTL + "Patch", **web, patch="spec: {template: {spec: {containers: [{name: web, image: 'nginx:2'}]}}}"),
        task("json", KUBECTL + "Patch", **web, patchStrategy="JSON_PATCH",
             patch='[{"op": "replace", "path": "/spec/replicas", "value": 3}]'),
        task("drop", KUBECTL + "Patch", **web, patchStrategy="JSON_MERGE", patch='{"metadata": {"labels": {"tier": null}}}'),
        task("restart", KUBECTL + "Restart", resourceType="Deployment", resourcesNames=["web"]))
    now = made.get("/apis/apps/v1/namespaces/default/deployments/web")
    assert out["json"]["metadata"]["name"] == "web" and "status" in out["json"]["status"]
    assert now["spec"]["replicas"] == 3 and "tier" not in now["metadata"].get("labels", {})
    assert [c["image"] for c in now["spec"]["template"]["spec"]["containers"]] == ["nginx:2"]
    assert now["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].startswith("20")
    it.run(task("p", KUBECTL + "Patch", **{**web, "resourceName": "none"}, patch="{}"), status=1)
    assert "deployment 'none' in namespace 'default'" in it.execution["reason"]["message"]
    it.run(task("d", KUBECTL + "Delete", resourceType="Deployment", apiGroup="apps", resourcesNames=["web", "none"]))
    assert made.get("/apis/apps/v1/namespaces/default/deployments/web") is None


def check_a_live_plan_asks_for_a_dry_run(made, it):
    wrong = DEPLOYMENT.replace("app: web}}\n    spec", "app: other}}\n    spec").replace("name: web,", "name: odd,")
    artifact = it.compile([task("apply", KUBECTL + "Apply", spec=DEPLOYMENT + "---\n" + wrong)])
    done = flowtest.run([flowtest.FLOWRUN, "plan", artifact, "--plan=live", "--state-dir", it.state], env=it.env, check=0)
    text = done.stdout + done.stderr
    assert "would create deployment 'web'" in text and "would be refused: deployment 'odd'" in text and "selector" in text, text
    assert "would be refused: deployment 'web'" not in text, text
    for name in ("web", "odd"):
        assert made.get(f"/apis/apps/v1/namespaces/default/deployments/{name}") is None


def pod(name, script=None, **properties):
    annotations = {"annotations": {"test/script": json.dumps(script or {})}}
    spec = {"containers": [{"name": "main", "image": "busybox", "command": ["sh"]}]}
    return task(name, POD, metadata=annotations, **{"spec": spec, **properties})


def check_a_pod_to_its_end(made, it):
    out = it.run(pod("good", {"log": ["hello", '::{"outputs": {"n": 3}}::', "bye"], "delay": 0.2},
                     inputFiles={"in/a.txt": "content of a"}))["good"]
    name = out["metadata"]["name"]
    assert out["vars"] == {"n": 3} and out["status"]["phase"] == "Succeeded"
    assert name.startswith("company-team-flow-good-") and out["metadata"]["labels"]["kestra.io/task-id"] == "good"
    logs = flowtest.run([flowtest.FLOWRUN, "logs", it.execution["id"], "--state-dir", it.state]).stdout
    assert logs.count("hello") == 1 and logs.count("bye") == 1, logs
    wait(lambda: made.get(f"/api/v1/namespaces/default/pods/{name}") is None, "the pod was not deleted")
    wait(lambda: made.get(f"/api/v1/namespaces/default/secrets/{name}") is None, "the files were not deleted")


def check_input_files_are_brought(made, it):
    out = it.run(pod("kept", {"shell": "cat in/a.txt .hidden && echo more >> in/a.txt"}, delete=False,
                     inputFiles={"in/a.txt": "content of a\n", ".hidden": "and this\n"}))
    [found] = pods_named(made, "-kept-")
    container = found["spec"]["containers"][0]
    assert container["workingDir"] == "/kestra/working-dir"
    assert "/kestra/working-dir" in [m["mountPath"] for m in container["volumeMounts"]]
    [init] = found["spec"]["initContainers"]
    assert init["name"] == "init-files" and init["image"] == "busybox"
    logs = flowtest.run([flowtest.FLOWRUN, "logs", it.execution["id"], "--state-dir", it.state]).stdout
    assert "content of a" in logs and "and this" in logs, logs
    assert out


def texts_of(it, files):
    return {path: next(Path(it.state).rglob(uri.rsplit("/", 1)[1])).read_text() for path, uri in files.items()}


def check_output_files_are_fetched(made, it):
    shell = "mkdir out; echo one > out/1.txt; echo two > 'out/2 \u00fc.txt'; seq 1 20000 > big; echo no > no; cat given > taken"
    out = it.run(pod("out", {"shell": shell}, inputFiles={"given": "gift\n"}, outputFiles=["out/*.txt", "big", "taken"],
                     fileSidecar={"image": "mirror/busybox:1", "resources": {"limits": {"memory": "64Mi"}}}))["out"]
    texts = texts_of(it, out["outputFiles"])
    assert texts.pop("big") == "".join(f"{i}\n" for i in range(1, 20001))
    assert texts == {"out/1.txt": "one\n", "out/2 \u00fc.txt": "two\n", "taken": "gift\n"}, texts
    out = it.run(pod("named", {"shell": "echo x > one; echo y > other"}, outputFiles=["one", "absent"]))["named"]
    assert texts_of(it, out["outputFiles"]) == {"one": "x\n"}
    out = it.run(pod("none", {"shell": "true"}, outputFiles=["absent"]))["none"]
    assert out["outputFiles"] == {}
    it.run(pod("failed", {"shell": "echo part > p", "code": 4}, outputFiles=["p"]), status=1)
    [run] = it.execution["taskRunList"]
    assert texts_of(it, run["outputs"]["outputFiles"]) == {"p": "part\n"}, run
    it.run(pod("large", {"shell": "head -c 7000000 /dev/urandom > p"}, outputFiles=["p"]), status=1)
    assert "more than 6 MiB" in it.execution["reason"]["message"], it.execution["reason"]
    taken = {"containers": [{"name": "out-files", "image": "x"}]}
    it.run(task("reserved", POD, spec=taken, outputFiles=["p"]), status=1)
    assert "'out-files'" in it.execution["reason"]["message"]
    assert not [p for p in made.get("/api/v1/pods")["items"] if "-kept-" not in p["metadata"]["name"]]


def check_output_files_after_a_crash(made, it):
    _, process = start(it, pod("again", {"log": ["up"] * 8, "delay": 0.5, "shell": "echo done > f"}, outputFiles=["f"]))
    wait(lambda: pods_named(made, "-again-"), "no pod")
    time.sleep(1)
    process.kill()
    process.communicate()
    done = flowtest.run([flowtest.FLOWRUN, "resume", "going", "--state-dir", it.state, "--output", "json"], env=it.env)
    assert done.returncode == 0, done.stderr
    [run] = json.loads(done.stdout)["taskRunList"]
    assert texts_of(it, run["outputs"]["outputFiles"]) == {"f": "done\n"}


def check_a_kill_after_a_crash_deletes_the_pod(made, it):
    _, process = start(it, pod("orphan", {"log": ["x"] * 50, "delay": 5}))
    wait(lambda: pods_named(made, "-orphan-"), "no pod")
    time.sleep(0.5)
    process.kill()
    process.communicate()
    flowtest.run([flowtest.FLOWRUN, "kill", "going", "--state-dir", it.state], env=it.env, check=0)
    wait(lambda: not pods_named(made, "-orphan-"), "the pod was left")


class Faults:
    """In front of the API server, with its certificate: what `faults` say, then the server's own answer.

    A fault is (method, part of the path, status, body); each is given once, in order.
    """

    def __init__(self, made):
        self.faults, self.asked = [], []
        faults = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                faults.asked.append((self.command, self.path))
                fault = faults.faults[0] if faults.faults else None
                if fault and fault[0] == self.command and fault[1] in self.path:
                    faults.faults.pop(0)
                    return self.send(fault[2], json.dumps(fault[3]).encode())
                request = urllib.request.Request(made.api.url + self.path, method=self.command, data=body or None,
                                                 headers={k: v for k, v in self.headers.items() if k in ("Authorization", "Content-Type")})
                try:
                    with urllib.request.urlopen(request, timeout=20, context=made.api.context) as response:
                        self.send(response.status, response.read())
                except urllib.error.HTTPError as error:
                    self.send(error.code, error.read())

            def send(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.api.folder / "srv.crt", made.api.folder / "srv.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.kubeconfig = made.folder / "faulty"
        self.kubeconfig.write_text(made.api.kubeconfig.read_text().replace(
            made.api.url, f"https://127.0.0.1:{self.server.server_port}"))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


CONFLICT = {"kind": "Status", "reason": "Conflict", "message": "the object has been modified; please apply your changes to the latest version"}
OWNED = {"kind": "Status", "reason": "Conflict", "message": "Apply failed with 1 conflict: conflict with \"other\": .data.a",
         "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".data.a"}]}}


def config_map(name, text):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: {text}}}\n"


def check_a_server_that_is_busy_races_or_forgets(made, it):
    faulty = Faults(made)
    before, it.env = it.env, {"KUBECONFIG": str(faulty.kubeconfig)}
    try:
        busy = {"kind": "Status", "reason": "TooManyRequests", "message": "slow down"}
        faulty.faults = [("PATCH", "/configmaps/raced", 429, busy), ("PATCH", "/configmaps/raced", 409, CONFLICT),
                         ("PATCH", "/configmaps/raced", 409, CONFLICT)]
        it.run(task("raced", KUBECTL + "Apply", spec=config_map("raced", "one")))
        assert made.get("/api/v1/namespaces/default/configmaps/raced")["data"] == {"a": "one"}
        assert len([1 for method, _ in faulty.asked if method == "PATCH"]) == 4 and not faulty.faults
        faulty.asked.clear()
        faulty.faults = [("PATCH", "/configmaps/owned", 409, OWNED)]
        it.run(task("owned", KUBECTL + "Apply", spec=config_map("owned", "two")), status=1)
        assert "Apply failed with 1 conflict" in it.execution["reason"]["message"] and len(faulty.asked) == 1
        gone = {"kind": "Status", "reason": "Expired", "message": "the continue token is too old"}
        page = {"kind": "List", "metadata": {"continue": "old"}, "items": [{"metadata": {"name": "stale"}}]}
        faulty.faults = [("GET", "/configmaps", 200, page), ("GET", "continue=old", 410, gone)]
        out = it.run(task("list", KUBECTL + "Get", resourceType="ConfigMap", fetchType="FETCH"))["list"]
        names = [each["name"] for each in out["metadataItems"]]
        assert "raced" in names and "stale" not in names, names
        # A pod is followed through a server that is away for a moment.
        faulty.faults = [("GET", "/pods/", 503, busy), ("GET", "/pods/", 500, busy), ("GET", "/pods/", 429, busy)]
        assert it.run(pod("shaky", {"log": ["x"], "delay": 1}))["shaky"]["status"]["phase"] == "Succeeded"
    finally:
        it.env = before
        faulty.close()


def check_ways_to_be_known(made, it):
    """Client certificate, plugin and the account of a pod, each against the real server."""
    folder, api = made.folder / "ways", made.api
    folder.mkdir()
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never",
              "args": ["-c", 'echo "{\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",\\"kind\\":\\"ExecCredential\\",'
                             '\\"status\\":{\\"token\\":\\"test-token\\"}}"']}
    certificate = {"client-certificate": str(api.folder / "admin.crt"), "client-key": str(api.folder / "admin.key")}
    before = it.env
    apply = task("known", KUBECTL + "Apply", spec=config_map("known", "fine"))

    def config(user):
        path = folder / "config"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "t", "users": [{"name": "t", "user": user}],
            "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
            "clusters": [{"name": "t", "cluster": {"server": api.url, "certificate-authority": str(api.folder / "ca.crt")}}]}))
        return {"KUBECONFIG": str(path)}

    try:
        for user in ({"exec": plugin}, certificate):
            it.env = config(user)
            it.run(apply)
        it.env = config({"token": "ro-token"})
        it.run(apply, status=1)
        assert "forbidden" in it.execution["reason"]["message"], it.execution["reason"]
        it.env = before
        it.run(task("given", KUBECTL + "Apply", spec=config_map("given", "fine"), connection={
            "masterUrl": api.url, "caCertFile": str(api.folder / "ca.crt"), "clientCertFile": certificate["client-certificate"],
            "clientKeyFile": certificate["client-key"]}))
    finally:
        it.env = before
    # The account's folder has a fixed path: a mount of our own that nobody else sees.
    account = "/run/secrets/kubernetes.io/serviceaccount"
    (folder / "token").write_text("test-token")
    script = (f"mount -t tmpfs none /run && mkdir -p {account} && cp {folder}/token {api.folder}/ca.crt {account}/ && "
              f'echo -n default > {account}/namespace && exec "$@"')
    artifact = it.compile([task("inside", KUBECTL + "Apply", spec=config_map("inside", "fine"))])
    env = {"KUBECONFIG": "", "HOME": str(folder), "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": api.url.rsplit(":", 1)[1]}
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if probe.returncode == 0 and Path("/var/run").resolve() == Path("/run"):
        flowtest.run(["unshare", "-m", "sh", "-c", script, "sh", flowtest.FLOWRUN, "run", artifact, "--state-dir", it.state], env=env, check=0)
        assert made.get("/api/v1/namespaces/default/configmaps/inside")


def check_failures_of_pods(made, it):
    it.run(pod("bad", {"log": ['::{"outputs": {"n": 1}}::'], "code": 3}), status=1)
    assert "container 'main' ended with 3" in it.execution["reason"]["message"]
    assert it.execution["taskRunList"][0]["outputs"]["vars"] == {"n": 1}
    it.run(pod("image", {"waiting": "ErrImagePull"}), status=1)
    assert "ErrImagePull" in it.execution["reason"]["message"]
    it.run(pod("slow", {"log": ["x"], "delay": 60}, waitRunning="PT1S"), status=1)
    assert "at its end after 1" in it.execution["reason"]["message"]
    it.run(task("wrong", POD, spec={"containers": []}), status=1)
    assert "cannot create the pod" in it.execution["reason"]["message"]
    wait(lambda: not [p for p in made.get("/api/v1/pods")["items"] if "-kept-" not in p["metadata"]["name"]], "pods were left")


def start(it, *tasks):
    it.state = Path(tempfile.mkdtemp(dir=it.folder))  # each has its own execution 'going'
    artifact = it.compile(list(tasks))
    return artifact, subprocess.Popen([flowtest.FLOWRUN, "run", artifact, "--state-dir", it.state, "--id", "going"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**it.environ()})


def pods_named(made, part):
    return [p for p in made.get("/api/v1/pods")["items"] if part in p["metadata"]["name"]]


def check_a_pod_outlives_its_runtime(made, it):
    _, process = start(it, pod("long", {"log": [f"line {i}" for i in range(12)] + ['::{"outputs": {"n": 7}}::'], "delay": 0.3}))
    wait(lambda: pods_named(made, "-long-"), "no pod")
    time.sleep(1.2)
    process.kill()
    process.wait()
    process.stderr.close()
    done = flowtest.run([flowtest.FLOWRUN, "resume", "going", "--state-dir", it.state, "--output", "json"], env=it.env)
    assert done.returncode == 0, done.stderr
    [run] = json.loads(done.stdout)["taskRunList"]
    assert run["outputs"]["vars"] == {"n": 7}
    assert len([n for n in made.seen if "-long-" in n]) == 1  # followed, not made again


def check_a_kill_deletes_the_pod(made, it):
    _, process = start(it, pod("endless", {"log": ["x"] * 50, "delay": 5}))
    wait(lambda: pods_named(made, "-endless-"), "no pod")
    time.sleep(0.5)
    flowtest.run([flowtest.FLOWRUN, "kill", "going", "--state-dir", it.state], env=it.env, check=0)
    process.communicate(timeout=30)
    assert process.returncode == 130
    wait(lambda: not pods_named(made, "-endless-"), "the pod was left")


def wait(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def test_tasks_of_kubernetes():
    """One cluster for all: to start it costs more than what is asked of it."""
    with cluster() as (made, it):
        for name, check in list(globals().items()):
            if name.startswith("check_"):
                start_of = time.monotonic()
                check(made, it)
                print(f"  {name[6:]}: {time.monotonic() - start_of:.1f} s", flush=True)


if __name__ == "__main__":
    flowtest.main()
