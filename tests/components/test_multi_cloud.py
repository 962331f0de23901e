"""The main job, against real things: OpenTofu with an S3 backend, a Kubernetes API server, an HTTPS server for the provider.

The namespace test runs the same once more where there is no network but loopback, under strace: nothing else is contacted.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import flowtest
from components import TOFU, https_recorder, kubernetes, moto, need, s3_keys

SAMPLE = flowtest.SOURCE / "samples/multi_cloud"
ZONE = "zone-5f1c77b2e0a94d"
TOKEN = "cf-token-9aQx71LmZz03"
HOST = "api.cloudflare.com"


class World:
    """Everything the flow talks to, and the environment that leads there."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.env = {}
        self.artifact = self.folder / "multi_cloud.flowc"
        self.secrets = self.folder / "secrets.yaml"
        self.state = self.folder / "state"


@contextlib.contextmanager
def world():
    for program in (flowtest.FLOWC, flowtest.FLOWRUN):
        if not Path(program).exists():
            flowtest.skip(f"{program} is not built")
    need(TOFU, "OpenTofu")
    if shutil.which("curl") is None:
        flowtest.skip("curl is not installed", is_installable=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(flowtest.temporary()))
        it = World(folder)
        for name in ("bin", "s3", "kubernetes", "provider", "home"):
            (folder / name).mkdir()
        (folder / "bin/terraform").symlink_to(TOFU)
        it.s3 = stack.enter_context(moto(folder / "s3", ["tf-state-aws", "tf-state-gcp"]))
        it.cluster = stack.enter_context(kubernetes(folder / "kubernetes"))
        it.provider = stack.enter_context(https_recorder(folder / "provider", HOST))
        (folder / "home/.curlrc").write_text(
            f'connect-to = "{HOST}:443:127.0.0.1:{it.provider.port}"\ncacert = "{folder}/provider/ca.crt"\nsilent\n'
        )
        it.secrets.write_text(f"CF_ZONE_ID: {ZONE}\nCF_TOKEN: {TOKEN}\n")
        it.secrets.chmod(0o600)
        it.env = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "CURL_HOME": str(folder / "home"),
            "KUBECONFIG": str(it.cluster.kubeconfig),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL_S3": it.s3,
            "TF_CLI_ARGS_init": " ".join(
                f"-backend-config={option}=true"
                for option in ("skip_credentials_validation", "skip_requesting_account_id", "skip_metadata_api_check",
                               "skip_region_validation", "use_path_style")
            ),
            "TF_CLI_CONFIG_FILE": str(folder / "home/.terraformrc"),
            "AWS_CA_BUNDLE": "",
        }
        (folder / "home/.terraformrc").write_text("")
        flowtest.run([flowtest.FLOWC, "compile", SAMPLE / "flow.yaml", "-o", it.artifact], check=0)
        yield it


def run_arguments(it):
    return [flowtest.FLOWRUN, "run", it.artifact, "-i", "service_name=shop", "--secrets", it.secrets, "--state-dir",
            it.state, "--output", "json"]


class Sampler(threading.Thread):
    """Looks at every process's argv all the time and keeps those that hold a secret."""

    def __init__(self):
        super().__init__(daemon=True)
        self.found = set()
        self.is_running = True

    def run(self):
        while self.is_running:
            for entry in os.listdir("/proc"):
                if not entry.isdigit():
                    continue
                with contextlib.suppress(OSError):
                    argv = Path(f"/proc/{entry}/cmdline").read_bytes()
                    if ZONE.encode() in argv or TOKEN.encode() in argv:
                        self.found.add(argv.split(b"\0")[0].decode())
            time.sleep(0.002)

    def stop(self):
        self.is_running = False
        self.join()


def assert_no_secret(it, *texts):
    forms = []
    for secret in (ZONE, TOKEN):
        forms += [secret.encode(), base64.b64encode(secret.encode()).rstrip(b"="), secret.encode().hex().encode()]
    for text in texts:
        for form in forms:
            assert form not in text.encode("utf-8", "surrogateescape"), f"a secret in:\n{text[-2000:]}"
    for path in it.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for form in forms:
                assert form not in content, f"a secret in {path}"


def assert_provider_got_its_record(it):
    assert len(it.provider.requests) == 1, it.provider.requests
    request = it.provider.requests[0]
    assert request["method"] == "POST"
    assert request["path"] == f"/client/v4/zones/{ZONE}/dns_records"
    assert request["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert json.loads(request["body"]) == {"type": "CNAME", "name": "shop", "content": "ingress.example.com"}


def assert_everything_is_there(it):
    for bucket in ("tf-state-aws", "tf-state-gcp"):
        assert s3_keys(it.s3, bucket) == ["platform/service.tfstate"], bucket
    deployment = it.cluster.get("/apis/apps/v1/namespaces/default/deployments/shop")
    managers = [(f["manager"], f["operation"]) for f in deployment["metadata"]["managedFields"]]
    assert ("flowrun", "Apply") in managers, managers
    assert it.cluster.get("/api/v1/namespaces/default/services/shop")["spec"]["ports"][0]["targetPort"] == 8080
    assert_provider_got_its_record(it)


def test_the_flow_runs_against_real_components():
    with world() as it:
        sampler = Sampler()
        sampler.start()
        done = flowtest.run(run_arguments(it), env=it.env, timeout=300)
        sampler.stop()
        assert done.returncode == 0, done.stdout + done.stderr
        execution = json.loads(done.stdout)
        assert execution["state"]["current"] == "SUCCESS"
        runs = execution["taskRunList"]
        assert [r["taskId"] for r in runs] == ["provision_aws", "provision_gcp", "deploy_to_eks", "register_dns"]
        assert {r["state"]["current"] for r in runs} == {"SUCCESS"}
        ends = [r["state"]["endDate"] for r in runs]
        assert ends == sorted(ends)
        assert_everything_is_there(it)
        assert_no_secret(it, done.stdout, done.stderr)
        # The script starts curl with the token on its command line; nothing that flowrun starts has one.
        assert sampler.found <= {"curl"}, sampler.found


def test_the_plan_tells_what_the_run_then_records():
    with world() as it:
        plan = flowtest.run(
            [flowtest.FLOWRUN, "plan", it.artifact, "-i", "service_name=shop", "--secrets", it.secrets, "--output", "json"],
            env=it.env, check=0,
        )
        assert not it.provider.requests
        steps = json.loads(plan.stdout)["steps"]
        assert [s["taskId"] for s in steps if s["effect"] == "exec"] == ["provision_aws", "provision_gcp", "register_dns"]
        done = flowtest.run(run_arguments(it) + ["--record-effects"], env=it.env, timeout=300, check=0)
        recorded = json.loads(done.stdout)["effects"]
        keys = ("taskId", "effect", "argv", "method", "url", "files")
        wanted = [{k: s[k] for k in keys if k in s} for s in steps]
        found = [{k: s[k] for k in keys if k in s} for s in recorded]
        assert wanted == found, f"plan\n{json.dumps(wanted, indent=1)}\nrun\n{json.dumps(found, indent=1)}"
        assert_no_secret(it, plan.stdout, plan.stderr, done.stdout)


def test_nothing_else_is_contacted():
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("strace") is None:
        flowtest.skip("needs root, unshare and strace", is_installable=True)
    if os.environ.get("FLOW_IN_NAMESPACE") != "1":
        probe = flowtest.run(["unshare", "-n", "true"])
        if probe.returncode != 0:
            flowtest.skip("network namespaces cannot be made here")
        inside = flowtest.run(
            ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable, __file__,
             "test_nothing_else_is_contacted"],
            env={"FLOW_IN_NAMESPACE": "1"}, timeout=500,
        )
        if inside.returncode == 77:
            flowtest.skip(inside.stdout.strip())
        assert inside.returncode == 0, inside.stdout + inside.stderr
        return
    with world() as it:
        trace = it.folder / "connects"
        arguments = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", trace, *run_arguments(it)]
        # A leak checker cannot work under a tracer.
        done = flowtest.run(arguments, env={**it.env, "ASAN_OPTIONS": "detect_leaks=0"}, timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
        assert_everything_is_there(it)
        strangers = {
            address for address in re.findall(r'inet_(?:addr|pton)\((?:AF_INET6?, )?"([^"]+)"', trace.read_text())
            if address not in ("127.0.0.1", "::1")
        }
        assert not strangers, strangers


flowtest.main()
