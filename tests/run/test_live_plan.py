"""flowrun plan --plan=live of Terraform and OpenTofu: the tool says what an apply would change; nothing is changed for that. And an
apply that is stopped: it gives the lock of its state back.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "components"))
import flowtest
from components import TOFU, need

STUB = """#!/bin/sh
echo "$(basename "$PWD") $TF_LOG $*" >> "$CALLS"
[ "$BAD" = "$1" ] && { echo "Error: no credentials" >&2; exit 1; }
[ "$1" = plan ] && printf '\\033[1mPlan:\\033[0m 3 to add, 1 to change, 0 to destroy.\\n'
exit 0
"""
COMMANDS = ["mkdir -p infra && cd infra", "cd .", "terraform init -migrate-state -backend-config=a=b",
            "TF_LOG=warn terraform apply -auto-approve \\\n  -var='x=1'", "terraform destroy -auto-approve", "terraform state rm x",
            "touch changed-$CALLS_MARK", "terraform plan > out; touch $CALLS.bad", "terraform output"]


def planned(folder, kind, commands, env, **more):
    flow = {"id": "live", "namespace": "company.test",
            "tasks": [{"id": "infra", "type": kind, "taskRunner": {"type": "io.kestra.plugin.core.runner.Process"}, "commands": commands, **more},
                      {"id": "told", "type": "io.kestra.plugin.core.log.Log", "message": "{{ outputs.infra.plan }}"}]}
    (folder / "flow.yaml").write_text(json.dumps(flow))
    flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", folder / "flow.flowc", "-q"], check=0)
    return flowtest.run([flowtest.FLOWRUN, "plan", folder / "flow.flowc", "--plan=live"], env=env, cwd=folder, check=0)


def stub(folder):
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/terraform").write_text(STUB)
    (folder / "bin/terraform").chmod(0o755)
    return {"PATH": f"{folder}/bin:{os.environ['PATH']}", "CALLS": str(folder / "calls")}


def test_an_apply_is_asked_for_and_not_done():
    with flowtest.temporary() as name:
        folder = Path(name)
        done = planned(folder, "io.kestra.plugin.terraform.cli.TerraformCLI", COMMANDS, stub(folder))
        said = done.stdout + done.stderr
        calls = [line.split(" ", 1)[1].strip() for line in (folder / "calls").read_text().splitlines()]
        assert calls == ["init -input=false -backend-config=a=b", "warn plan -input=false -lock=false -var=x=1",
                         "plan -input=false -destroy -lock=false", "output"], calls
        assert "would add 3, change 1, destroy 0" in said, said
        assert "terraform apply -auto-approve" in said, "the steps are shown as they are"
        assert "4 lines of the script were left out" in said, said
        assert not list(folder.glob("calls.bad")) and not list(folder.rglob("changed-*"))


def test_a_tool_that_cannot_say_is_told():
    with flowtest.temporary() as name:
        folder = Path(name)
        kind = "io.kestra.plugin.terraform.cli.TerraformCLI"
        said = planned(folder, kind, COMMANDS, {**stub(folder), "BAD": "plan"})
        assert "the tool cannot say what it would do: Error: no credentials" in said.stdout + said.stderr, said.stderr
        said = planned(folder, kind, ["./deploy.sh"], stub(folder))
        assert "the tool is not asked" in said.stdout + said.stderr, said.stderr


def test_opentofu_itself_is_asked():
    need(TOFU, "OpenTofu")
    with flowtest.temporary() as name:
        folder = Path(name)
        (folder / "bin").mkdir()
        (folder / "bin/tofu").symlink_to(TOFU)
        (folder / "rc").write_text("")
        main = 'resource "terraform_data" "a" {\n  count = 2\n  input = var.x\n}\nvariable "x" { type = string }\n'
        env = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "TF_CLI_CONFIG_FILE": str(folder / "rc"), "HOME": str(folder)}
        done = planned(folder, "io.kestra.plugin.opentofu.cli.OpenTofuCLI",
                       ["tofu init", "tofu apply -auto-approve -var x=1"], env, inputFiles={"main.tf": main})
        said = done.stdout + done.stderr
        assert "would add 2, change 0, destroy 0" in said, said
        assert not list(folder.rglob("*.tfstate"))


def test_a_stopped_apply_of_opentofu_gives_its_lock_back():
    need(TOFU, "OpenTofu")
    with flowtest.temporary() as name:
        folder = Path(name)
        (folder / "bin").mkdir()
        (folder / "bin/tofu").symlink_to(TOFU)
        (folder / "rc").write_text("")
        slow = f'provisioner "local-exec" {{\n command = "touch {folder}/up; exec sleep 60"\n }}'
        main = f'terraform {{\n backend "local" {{\n path = "{folder}/the.tfstate"\n }}\n}}\nresource "terraform_data" "a" {{\n {slow}\n}}\n'
        flow = {"id": "stopped", "namespace": "company.test",
                "tasks": [{"id": "infra", "type": "io.kestra.plugin.opentofu.cli.OpenTofuCLI", "inputFiles": {"main.tf": main},
                           "taskRunner": {"type": "io.kestra.plugin.core.runner.Process"},
                           "commands": ["tofu init", "tofu apply -auto-approve"]}]}
        (folder / "flow.yaml").write_text(json.dumps(flow))
        flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", folder / "flow.flowc", "-q"], check=0)
        env = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "TF_CLI_CONFIG_FILE": str(folder / "rc"), "HOME": str(folder)}
        process = subprocess.Popen([flowtest.FLOWRUN, "run", folder / "flow.flowc", "--id", "x", "--state-dir", folder / "state"], env=env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(600):
            if (folder / "up").exists():
                break
            time.sleep(0.05)
        locks = list(folder.glob(".the.tfstate.lock.info"))
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=90)[0]
        assert (folder / "up").exists() and locks, said[-2000:]
        assert not list(folder.glob(".the.tfstate.lock.info")), said[-2000:]
        assert "still locked" not in said and "KILLED" in said, said[-2000:]


if __name__ == "__main__":
    flowtest.main()
