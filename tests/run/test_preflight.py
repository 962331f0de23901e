"""What a flow needs is listed before it runs, and a secret that is missing ends a run before its first task."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from flows import Recorder, World, task, world
import flowtest

REQUEST = "io.kestra.plugin.core.http.Request"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
LOG = "io.kestra.plugin.core.log.Log"


def preflight(it, artifact, *options, env=None):
    done = flowtest.run([flowtest.FLOWRUN, "preflight", artifact, "--state-dir", it.state, "--output", "json", *options],
                        env={"KUBECONFIG": "/nothing", "HOME": str(it.folder), **(env or {})})
    found = json.loads(done.stdout)
    assert found["version"] == 1 and done.returncode == (0 if all(c["ok"] for c in found["checks"]) else 1), done.stderr
    return {(c["kind"], c["name"]): c for c in found["checks"]}


def secrets(it, text):
    path = it.folder / "secrets.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return ["--secrets", path]


def test_everything_a_flow_needs_is_looked_at():
    with world() as folder, Recorder() as server:
        it = World(folder)
        artifact = it.compile([
            task("a", REQUEST, uri=server.url + "/x", headers={"X": "{{ secret('THERE') }}", "Y": "{{ secret('MISSING') }}"}),
            task("b", REQUEST, uri="https://127.0.0.1:9/x", headers={"Z": "{{ secret('OTHER', namespace='company.x') }}"}),
            task("c", SHELL, commands=["nosuchtool --x", "ls"]),
            task("d", SHELL, containerImage="alpine:3", commands=["ls"]),
            task("e", "io.kestra.plugin.kubernetes.kubectl.Get", resourceType="Pod"),
            task("f", "io.kestra.plugin.cloudflare.zones.List", apiToken="x", baseUrl=server.url)])
        options = secrets(it, "THERE: value\nnamespaces: {company.x: {OTHER: value}}\n")
        checks = preflight(it, artifact, *options)
        port = server.url.split(":")[-1]
        good = {("secret", "THERE"), ("secret", "OTHER"), ("command", "ls"), ("host", f"127.0.0.1:{port}")}
        bad = {("secret", "MISSING"), ("command", "nosuchtool"), ("host", "127.0.0.1:9"), ("kubeconfig", "kubernetes")}
        assert good <= {k for k, c in checks.items() if c["ok"]}, checks
        assert bad <= {k for k, c in checks.items() if not c["ok"]}, checks
        assert ("image", "alpine:3") in checks
        assert not any("value" == c["message"] for c in checks.values())
        offline = preflight(it, artifact, "--offline", *options)
        assert not [k for k in offline if k[0] == "host"]


def test_hosts_that_a_type_goes_to_by_itself_are_looked_at():
    with world() as folder:
        it = World(folder)
        artifact = it.compile([task("s", "io.kestra.plugin.slack.app.chats.Post", token="x", channel="c", messageText="m")])
        checks = preflight(it, artifact, env={"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"})
        assert ("host", "slack.com") in checks, checks


def test_a_missing_secret_ends_a_run_before_its_first_task():
    with world() as folder:
        it = World(folder)
        artifact = it.compile([task("first", LOG, message="first"), task("second", LOG, message="{{ secret('ONE') }}{{ secret('TWO') }}")])
        command = [flowtest.FLOWRUN, "run", artifact, "--state-dir", it.state, "--output", "json"]
        done = flowtest.run(command, check=2)
        error = json.loads(done.stdout)["error"]
        assert error["kind"] == "secret" and "'ONE', 'TWO'" in error["message"] and "first" not in done.stderr
        done = flowtest.run([*command, *secrets(it, "ONE: value\nTWO: of two\n")], check=0)
        listed = flowtest.run([flowtest.FLOWRUN, "list", "--state-dir", it.state, "--output", "json"], check=0)
        assert len(json.loads(listed.stdout)["executions"]) == 1
        flowtest.run([flowtest.FLOWRUN, "plan", artifact, "--state-dir", it.state], check=0)


def test_a_secret_of_a_trigger_alone_is_not_needed_by_a_run():
    with world() as folder:
        it = World(folder)
        artifact = it.compile([task("hello", LOG, message="{{ secret('READ') }}")], triggers=[
            {"id": "hook", "type": "io.kestra.plugin.core.trigger.Webhook", "key": "{{ secret('KEY') }}{{ secret('READ') }}"}])
        command = [flowtest.FLOWRUN, "run", artifact, "--state-dir", it.state, "--output", "json"]
        assert "'READ'" in json.loads(flowtest.run(command, check=2).stdout)["error"]["message"]
        options = secrets(it, "READ: value\n")
        flowtest.run([*command, *options], check=0)
        check = preflight(it, artifact, *options)["secret", "KEY"]
        assert check["ok"] and "only a trigger" in check["message"], check


if __name__ == "__main__":
    flowtest.main()
