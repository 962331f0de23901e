"""Bad input for both programs: one clear message, the documented status, nothing crashes, nothing durable is lost."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

FLOW = """id: small
namespace: test
tasks:
  - id: one
    type: io.kestra.plugin.core.debug.Return
    format: hello
"""


def need_programs():
    for program in (flowtest.FLOWC, flowtest.FLOWRUN):
        if not Path(program).exists():
            flowtest.skip(f"{program} is not built")


def refused(arguments, status, *words, env=None, timeout=20):
    """The program ends with `status` and says all of `words` in a few lines on one of its streams."""
    done = flowtest.run(arguments, env=env, timeout=timeout)
    text = done.stdout + done.stderr
    assert done.returncode == status, f"{arguments}: status {done.returncode}, expected {status}\n{text[-2000:]}"
    for word in words:
        assert word in text, f"{arguments}: '{word}' is not in\n{text[-2000:]}"
    assert "Traceback" not in text and "AddressSanitizer" not in text and "Assertion" not in text, text
    return done


def compile_small(folder, text=FLOW, name="small"):
    flow = Path(folder) / f"{name}.yaml"
    flow.write_text(text)
    artifact = Path(folder) / f"{name}.flowc"
    flowtest.run([flowtest.FLOWC, "compile", flow, "-o", artifact], check=0)
    return artifact


def test_sources_that_cannot_be_read():
    need_programs()
    with flowtest.temporary() as folder:
        folder = Path(folder)
        refused([flowtest.FLOWC, "check", folder / "absent.yaml"], 1, "E0001", "absent.yaml")
        os.mkfifo(folder / "pipe.yaml")
        refused([flowtest.FLOWC, "check", folder / "pipe.yaml"], 1, "E0001")
        (folder / "utf.yaml").write_bytes(b"id: a\nnamespace: b\xff\n")
        refused([flowtest.FLOWC, "check", folder / "utf.yaml"], 1, "E0003", "18")
        (folder / "empty.yaml").write_text("")
        refused([flowtest.FLOWC, "check", folder / "empty.yaml"], 1)
        (folder / "deep.yaml").write_text("[" * (5 << 20))
        refused([flowtest.FLOWC, "check", folder / "deep.yaml"], 1, "E0002")
        (folder / "deep2.yaml").write_text("[" * (3 << 20))
        refused([flowtest.FLOWC, "check", folder / "deep2.yaml"], 1, "E0002")
        (folder / "braces.yaml").write_text("a: " + "{a: " * 100000)
        refused([flowtest.FLOWC, "check", folder / "braces.yaml"], 1, "E0002")
        (folder / "other.yaml").write_text("kind: Deployment\n")
        refused([flowtest.FLOWC, "check", folder / "other.yaml"], 1, "E0004")


def test_usage_mistakes_get_status_2_and_a_hint():
    need_programs()
    refused([flowtest.FLOWC, "chek", "x"], 2, "check")
    refused([flowtest.FLOWC, "check", "--formt", "json", "x"], 2, "--format")
    refused([flowtest.FLOWC, "compile"], 2)
    refused([flowtest.FLOWRUN, "rum"], 2, "run")
    refused([flowtest.FLOWRUN, "run"], 2)
    refused([flowtest.FLOWRUN, "run", "--sate-dir", "x", "y"], 2, "--state-dir")


def test_artifacts_that_are_none():
    need_programs()
    with flowtest.temporary() as folder:
        folder = Path(folder)
        state = ["--state-dir", folder / "state"]
        refused([flowtest.FLOWRUN, "run", folder / "absent.flowc", *state], 3, "absent.flowc")
        refused([flowtest.FLOWRUN, "run", folder, *state], 3)
        (folder / "text.flowc").write_text("hello, I am not an artifact")
        refused([flowtest.FLOWRUN, "run", folder / "text.flowc", *state], 3, "not an artifact")
        artifact = compile_small(folder)
        whole = artifact.read_bytes()
        (folder / "link.flowc").symlink_to(artifact)
        refused([flowtest.FLOWRUN, "run", folder / "link.flowc", *state], 3, "link")
        cut = folder / "cut.flowc"
        for size in (0, 7, 8, 15, 40, len(whole) // 2, len(whole) - 1):
            cut.write_bytes(whole[:size])
            refused([flowtest.FLOWRUN, "run", cut, *state], 3)
        artifact.chmod(0o666)
        refused([flowtest.FLOWRUN, "run", artifact, *state], 3, "written by others")


def test_two_hundred_flipped_bits_through_the_program():
    need_programs()
    chance = random.Random(20260101)
    with flowtest.temporary() as folder:
        folder = Path(folder)
        whole = compile_small(folder).read_bytes()
        broken = folder / "broken.flowc"
        for _ in range(200):
            bit = chance.randrange(len(whole) * 8)
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << bit % 8
            broken.write_bytes(changed)
            done = flowtest.run([flowtest.FLOWRUN, "run", broken, "--state-dir", folder / "state"])
            assert done.returncode == 3, f"bit {bit}: status {done.returncode}\n{done.stdout}{done.stderr}"


def test_a_wrong_key_is_refused():
    need_programs()
    with flowtest.temporary() as folder:
        folder = Path(folder)
        for name in ("a", "b"):
            flowtest.run([flowtest.FLOWC, "keygen", "-o", folder / f"{name}.key", "--no-password"], check=0)
        flow = folder / "small.yaml"
        flow.write_text(FLOW)
        artifact = folder / "small.flowc"
        flowtest.run([flowtest.FLOWC, "compile", flow, "-o", artifact, "--sign", folder / "a.key"], check=0)
        trust = folder / "trust"
        verify = [flowtest.FLOWRUN, "verify", artifact, "--trust", trust]
        trust.write_text((folder / "a.key.pub").read_text().splitlines()[-1] + " test\n")
        flowtest.run(verify, check=0)
        trust.write_text((folder / "b.key.pub").read_text().splitlines()[-1] + " *\n")
        refused(verify, 3, "trusted key")
        run = [flowtest.FLOWRUN, "run", artifact, "--trust", trust, "--state-dir", folder / "state"]
        refused(run, 3, "trusted key")
        trust.write_text((folder / "a.key.pub").read_text().splitlines()[-1] + " elsewhere\n")
        refused(verify, 3, "namespace")
        refused([flowtest.FLOWRUN, "verify", artifact], 3)


def test_a_state_directory_without_permission():
    need_programs()
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        flowtest.skip("root may write everywhere and setpriv is not installed")
    with flowtest.temporary() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        artifact = compile_small(folder)
        artifact.chmod(0o644)
        state = folder / "state"
        state.mkdir(mode=0o500)
        command = [flowtest.FLOWRUN, "run", artifact, "--state-dir", state / "below"]
        if os.geteuid() == 0:
            shutil.chown(state, 0, 0)
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
        refused(command, 74, "state")


def test_a_full_disk_loses_nothing_durable():
    need_programs()
    if os.geteuid() != 0:
        flowtest.skip("mounting a small disk needs root")
    many = FLOW + "".join(
        f"  - id: t{i}\n    type: io.kestra.plugin.core.debug.Return\n    format: \"{'x' * 4000}\"\n" for i in range(40)
    )
    with flowtest.temporary() as folder:
        folder = Path(folder)
        disk = folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True)
        if mounted.returncode != 0:
            flowtest.skip("a tmpfs cannot be mounted here")
        try:
            small, large = compile_small(folder), compile_small(folder, many, "large")
            state = ["--state-dir", disk / "state", "--output", "json"]
            flowtest.run([flowtest.FLOWRUN, "run", small, "--id", "kept", *state], check=0)
            (disk / "filler").write_bytes(b"x" * max(0, shutil.disk_usage(disk).free - 60000))
            refused([flowtest.FLOWRUN, "run", large, *state], 74)
            (disk / "filler").unlink()
            shown = flowtest.run([flowtest.FLOWRUN, "show", "kept", *state], check=0)
            assert '"SUCCESS"' in shown.stdout
            flowtest.run([flowtest.FLOWRUN, "run", small, *state], check=0)
        finally:
            subprocess.run(["umount", "-l", disk], check=False)


def test_a_missing_program_names_it():
    need_programs()
    with flowtest.temporary() as folder:
        folder = Path(folder)
        empty = folder / "bin"
        empty.mkdir()
        for tool in ("sh", "env"):
            (empty / tool).symlink_to(shutil.which(tool))
        text = FLOW.replace("core.debug.Return", "terraform.cli.TerraformCLI").replace(
            "format: hello", "commands: [terraform version]"
        )
        artifact = compile_small(folder, text)
        done = refused([flowtest.FLOWRUN, "run", artifact, "--state-dir", folder / "state"], 1, "terraform",
                       env={"PATH": str(empty)})
        assert "not found" in done.stdout + done.stderr
        refused([flowtest.FLOWRUN, "preflight", artifact, "--state-dir", folder / "state"], 1, "terraform",
                env={"PATH": str(empty)})


def test_an_unreachable_cluster_names_it():
    need_programs()
    with flowtest.temporary() as folder:
        folder = Path(folder)
        text = FLOW.replace("core.debug.Return", "kubernetes.kubectl.Apply").replace(
            "format: hello",
            "spec: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata:\n        name: a\n        namespace: default",
        )
        artifact = compile_small(folder, text)
        (folder / "kubeconfig").write_text(
            'apiVersion: v1\nkind: Config\nclusters: [{name: t, cluster: {server: "http://127.0.0.1:9"}}]\n'
            "users: [{name: t, user: {token: x}}]\ncontexts: [{name: t, context: {cluster: t, user: t}}]\ncurrent-context: t\n"
        )
        refused([flowtest.FLOWRUN, "run", artifact, "--state-dir", folder / "state"], 1, "127.0.0.1 port 9",
                env={"KUBECONFIG": str(folder / "kubeconfig")}, timeout=90)


flowtest.main()
