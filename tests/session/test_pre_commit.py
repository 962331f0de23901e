"""The hooks of .pre-commit-hooks.yaml, run by the real pre-commit against a repository of flows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

FLOW = """id: small
namespace: company.team
tasks:
  - id: one
    type: io.kestra.plugin.core.debug.Return
    format: hello
"""


def git(folder, *arguments):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments], cwd=folder, check=True,
                   capture_output=True)


def repository(folder):
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True,
                          text=True).stdout.strip()


def pre_commit(root):
    """A repository with flows and the hooks; gives the folder and a function that runs them all."""
    built = flowtest.CACHE / "components/pre-commit/bin/pre-commit"
    program = str(built) if built.exists() else shutil.which("pre-commit")
    if program is None:
        flowtest.skip("pre-commit is not installed (tests/components/build.sh)", is_installable=True)
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    hooks = repository(root / "hooks")
    shutil.copy(flowtest.SOURCE / ".pre-commit-hooks.yaml", hooks)
    revision = commit(hooks)
    project = repository(root / "project")
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {hooks}\n    rev: {revision}\n"
        "    hooks:\n      - id: flowc-check\n      - id: flowc-fix\n      - id: flowc-fmt\n")
    (project / "deployment.yaml").write_text("kind: Deployment\n")
    env = {"PATH": f"{Path(flowtest.FLOWC).parent}{os.pathsep}{os.environ['PATH']}",
           "PRE_COMMIT_HOME": str(root / "cache")}

    def run(hook, check):
        git(project, "add", "-A")
        return flowtest.run([program, "run", "--all-files", hook], cwd=project, env=env, check=check)

    return project, run


def test_good_flows_pass():
    with flowtest.temporary() as root:
        project, run = pre_commit(Path(root))
        (project / "flow.yaml").write_text(FLOW)
        for hook in ("flowc-check", "flowc-fix", "flowc-fmt"):
            assert "Passed" in run(hook, 0).stdout


def test_a_mistake_fails_and_is_shown():
    with flowtest.temporary() as root:
        project, run = pre_commit(Path(root))
        (project / "flow.yaml").write_text(FLOW.replace("Return", "Retrun"))
        assert "did you mean" in run("flowc-check", 1).stdout


def test_a_repair_fails_once_as_it_changes_files():
    with flowtest.temporary() as root:
        project, run = pre_commit(Path(root))
        (project / "flow.yaml").write_text(FLOW.replace("Return", "Retrun").replace("id: one", "id:   one"))
        assert "files were modified" in run("flowc-fix", 1).stdout
        assert "files were modified" in run("flowc-fmt", 1).stdout
        assert (project / "flow.yaml").read_text() == FLOW
        run("flowc-fix", 0)
        run("flowc-fmt", 0)


flowtest.main()
