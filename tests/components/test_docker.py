"""Tasks in real containers (Podman's Docker API): the same as on the host, files, pulls, resources, a stop, a crash."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import engine as engines
import flowtest
from engine import IMAGE, OFFLINE, SECRET, SHELL, Registry, compiled, engine, environment, logged, run_flow, start, wait_for

# Flows that must put out the same on the host and in a container: name, properties.
SAME = [
    ("hello", {"commands": ["echo hello"]}),
    ("stderr", {"commands": ["echo bad >&2", "echo good"]}),
    ("exit_code", {"commands": ["exit 3"]}),
    ("stops_at_failure", {"commands": ["false", "echo never"]}),
    ("goes_on", {"commands": ["false", "echo on"], "failFast": False}),
    ("one_shell", {"beforeCommands": ["X=7", "mkdir d", "cd d"], "commands": ["echo $X", "ls -a | wc -l"]}),
    ("marker", {"commands": ['echo \'::{"outputs":{"n":42,"t":"x","l":[1,{"a":null}]}}::\'']}),
    ("output_file", {"commands": ['ls -A', 'echo "a=x" >> $FLOW_OUTPUT', 'printf "b<<E\\n1\\n2\\nE\\n{\\"n\\":7}\\n" >> $FLOW_OUTPUT', "exit 3"],
                     "outputFiles": ["**"]}),
    ("markers_merge", {"commands": ['echo \'::{"outputs":{"a":1,"b":1}}::\'', 'echo \'::{"outputs":{"b":2}}::\' >&2']}),
    ("marker_in_failure", {"commands": ['echo \'::{"outputs":{"a":1}}::\'', "exit 4"]}),
    ("metric", {"commands": ['echo \'::{"metrics":[{"name":"m","type":"counter","value":2,"tags":{"k":"v"}}]}::\'']}),
    ("broken_marker", {"commands": ["echo '::{broken}::'"]}),
    ("env", {"commands": ['echo "$A|$B"'], "env": {"A": "a b", "B": "{{ 1 + 1 }}"}}),
    ("input_files", {"commands": ["cat a.txt sub/b.txt"], "inputFiles": {"a.txt": "A\n", "sub/b.txt": "B\n"}}),
    ("output_files", {"commands": ["mkdir out", "echo one > out/1.txt", "echo two > out/2.txt", "echo no > no.log"],
                      "outputFiles": ["out/*.txt"]}),
    ("output_after_failure", {"commands": ["echo part > part.txt", "exit 5"], "outputFiles": ["*.txt"]}),
    ("storage_uri", {"commands": ["cat {{ outputs.source.uri }}"]}),
    ("working_dir", {"commands": ['test "$WORKING_DIR" = "$(pwd)" && echo same']}),
    ("secret_env", {"commands": ["echo got $PW"], "env": {"PW": "{{ secret('PW') }}"}}),
    ("secret_script", {"commands": ["echo is {{ secret('PW') }}"]}),
    ("killed_by_signal", {"commands": ["kill -9 $$"]}),
    ("many_lines", {"commands": ["seq 1 3000"]}),
    ("no_newline", {"commands": ["printf 'end of it'"]}),
    ("utf8", {"commands": ["printf 'gr\\303\\274n \\377 \\342\\202\\254\\n'"]}),
    ("link", {"commands": ["echo x > real.txt", "ln -s real.txt link.txt", "cat link.txt"], "outputFiles": ["real.txt"]}),
    ("names", {"inputFiles": {"d/gr\u00fcn \u20ac": "1", "d/a b": "2"}, "outputFiles": ["**"],
               "commands": ["cat d/*", "echo 3 > 'd/a\\b'", "echo 4 > d/\u6f22", "mkdir -p $(printf '%0120d' 7)", "cd 0*", "echo 5 > $(printf '%0120d' 8)"]}),
    ("hard_link", {"commands": ["echo once > a", "ln a b", "cat b"], "outputFiles": ["*"]}),
    ("modes", {"commands": ["printf '#!/bin/sh\\necho ran\\n' > run.sh", "chmod 700 run.sh", "./run.sh", "mkdir -m 500 shut", "ls -d shut"],
               "outputFiles": ["run.sh"]}),
    ("input_script", {"inputFiles": {"go.sh": "echo $1 $#\n"}, "commands": ["sh go.sh 'a b' c"]}),
    ("no_commands_after", {"commands": ["echo a && false || echo b", "exit 0", "echo never"]}),
    ("big_line", {"commands": ["head -c 200000 /dev/zero | sed 's/./x/g' | wc -c"]}),
    ("interpreter", {"interpreter": ["/bin/sh", "-ec"], "commands": ["false", "echo never"]}),
    ("empty_files", {"inputFiles": {"none": ""}, "commands": ["test -f none", "touch empty", "wc -c empty"], "outputFiles": ["empty"]}),
]


def seen(folder, runs, done, name):
    """What a user sees of a task: state, outputs with the texts of files, its lines by stream."""
    run = runs[name]
    outputs = dict(run["outputs"] or {})
    outputs.pop("taskRunner", None)
    files = {}
    for path, uri in (outputs.pop("outputFiles", None) or {}).items():
        files[path] = next(folder.rglob(uri.rsplit("/", 1)[1])).read_text()
    lines = [line.split("Z ", 1)[1] for line in done.stderr.splitlines() if f" {name}: " in line]
    # The two streams are two pipes on the host: their order among each other is anyone's guess.
    return run["state"]["current"], outputs, files, sorted(lines), [(m["name"], m["value"], m.get("tags")) for m in run["metrics"]]


def test_the_same_on_the_host_and_in_a_container():
    with flowtest.temporary() as name:
        folder = Path(name)
        tasks = [{"id": "source", "type": "io.kestra.plugin.core.storage.Write", "content": "stored text\n"},
                 {"id": "all", "type": "io.kestra.plugin.core.flow.Parallel", "concurrent": 4, "tasks": [
                     {"id": row, "type": SHELL + "Commands", "containerImage": IMAGE, "allowFailure": True, "taskRunner": OFFLINE, **properties}
                     for row, properties in SAME]}]
        artifact = compiled(folder, tasks)
        on_host, host_done = run_flow(folder, artifact, "--task-runner", "process")
        in_box, box_done = run_flow(folder, artifact)
        differ = []
        for row, _ in SAME:
            host_seen, box_seen = seen(folder, on_host, host_done, row), seen(folder, in_box, box_done, row)
            if host_seen != box_seen:
                differ.append(f"{row}\n  host {host_seen}\n  box  {box_seen}")
            assert "containerId" in (in_box[row]["outputs"] or {}).get("taskRunner", {}), (row, box_done.stderr[-2000:])
        assert not differ, "\n".join(differ)
        assert SECRET not in box_done.stderr + box_done.stdout
        assert not engine().containers()


def test_a_directory_of_several_tasks_is_the_same_for_all():
    with flowtest.temporary() as name:
        folder = Path(name)
        box = {"type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": OFFLINE}
        artifact = compiled(folder, [{"id": "w", "type": "io.kestra.plugin.core.flow.WorkingDirectory", "tasks": [
            {"id": "one", **box, "commands": ["echo first > f", "mkdir -p a/b", "echo deep > a/b/c", "ln -s ../f a/link"]},
            {"id": "two", "type": SHELL + "Commands", "commands": ["cat f a/b/c a/link", "echo second >> f"]},
            {"id": "three", **box, "commands": ["cat f a/b/c a/link"]}]}])
        _, done = run_flow(folder, artifact)
        assert done.returncode == 0, done.stderr
        lines = [line.split(": ", 1)[1] for line in done.stderr.splitlines() if " two: " in line or " three: " in line]
        assert lines == ["first", "deep", "first", "first", "second", "deep", "first", "second"], done.stderr


def test_what_leads_out_of_the_directory_stays_in_the_container():
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": OFFLINE, "outputFiles": ["**"],
                                      "commands": ["ln -s /etc/passwd stolen", "ln -s ../../../.. up", "echo fine > f", "ln -s f good"]}])
        runs, done = run_flow(folder, artifact)
        assert "2 entries of the archive were left out" in done.stderr, done.stderr
        assert list(runs["a"]["outputs"]["outputFiles"]) == ["f"], runs["a"]["outputs"]


def test_a_mounted_directory_needs_no_copy():
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": IMAGE, "inputFiles": {"i": "in\n"},
                                      "taskRunner": {**OFFLINE, "fileHandlingStrategy": "MOUNT"}, "outputFiles": ["o"],
                                      "commands": ["cat i > o", "cat o"]}])
        runs, done = run_flow(folder, artifact)
        assert "a: in" in done.stderr and list(runs["a"]["outputs"]["outputFiles"]) == ["o"], done.stderr


def test_resources_labels_and_user_reach_the_engine():
    with flowtest.temporary() as name:
        folder = Path(name)
        runner = {**OFFLINE, "user": "1000:1000", "cpu": {"cpus": 0.5}, "memory": {"memory": "128MB"}, "shmSize": "16MB",
                  "extraHosts": ["db:10.0.0.1"], "delete": False, "networkMode": "none"}
        artifact = compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": runner,
                                      "env": {"PW": "{{ secret('PW') }}"}, "commands": ["id -u", "echo mine > f", "cat f"]}])
        runs, done = run_flow(folder, artifact)
        assert done.returncode == 0 and "a: 1000" in done.stderr and "a: mine" in done.stderr, done.stderr
        made = engine().call("GET", f"/containers/{runs['a']['outputs']['taskRunner']['containerId']}/json")
        engine().call("DELETE", f"/containers/{made['Id']}?force=true")
        labels = made["Config"]["Labels"]
        assert labels["kestra.io/namespace"] == "company.test" and labels["kestra.io/flow-id"] == "flow"
        assert labels["kestra.io/task-id"] == "a" and labels["kestra.io/taskrun-attempt"] == "1"
        assert made["HostConfig"]["Memory"] == 128 * 1024 * 1024 and made["HostConfig"]["NanoCpus"] == 500000000
        assert made["HostConfig"]["ShmSize"] == 16 * 1024 * 1024
        assert SECRET not in json.dumps(made["Config"]["Cmd"]) and f"PW={SECRET}" in made["Config"]["Env"]


def test_pull_policies_against_a_registry():
    with Registry() as registry, flowtest.temporary() as name:
        folder = Path(name)
        image = f"127.0.0.1:{registry.port}/t/bb:1"

        def once(policy, tag=image):
            artifact = compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": tag,
                                          "taskRunner": {**OFFLINE, "pullPolicy": policy}, "commands": ["echo from $FROM_IMAGE"]}])
            registry.asked.clear()
            _, done = run_flow(folder, artifact)
            return done, [path for path, _ in registry.asked if "/manifests/" in path]

        done, _ = once("NEVER")
        assert "is not here, and 'pullPolicy' is NEVER" in done.stderr, done.stderr
        done, manifests = once("IF_NOT_PRESENT")
        assert "a: from yes" in done.stderr and manifests, done.stderr
        done, manifests = once("IF_NOT_PRESENT")
        assert "a: from yes" in done.stderr and not manifests, manifests
        done, manifests = once("ALWAYS")
        assert "a: from yes" in done.stderr and manifests
        done, _ = once("IF_NOT_PRESENT", image.removesuffix(":1") + ":gone")
        assert done.returncode == 1 and "cannot be pulled" in done.stderr, done.stderr


def test_an_image_is_built_and_run_and_removed():
    cli = "io.kestra.plugin.docker.cli."
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, [
            {"id": "build", "type": cli + "Build", "dockerfile": "FROM localhost/bb:1\nCOPY word /word\nENTRYPOINT [\"/bin/cat\"]\n",
             "inputFiles": {"word": "inside\n"}, "tags": ["localhost/built:1"], "pull": False},
            {"id": "run", "type": cli + "Run", "containerImage": "localhost/built:1", "commands": ["/word"], "networkMode": "none"},
            {"id": "tag", "type": cli + "Tag", "sourceImage": "localhost/built:1", "targetImage": "localhost/other:2"},
            {"id": "list", "type": cli + "ImageLs", "imageNameFilter": "localhost/other"},
            {"id": "rm", "type": cli + "Rm", "imageIds": ["localhost/other:2", "localhost/built:1"], "force": True}])
        runs, done = run_flow(folder, artifact)
        assert done.returncode == 0, done.stderr
        assert "run: inside" in done.stderr and runs["build"]["outputs"]["imageId"], done.stderr
        assert runs["list"]["outputs"]["count"] == 1
        broken = compiled(folder, [{"id": "build", "type": cli + "Build", "dockerfile": "FROM localhost/bb:1\nCOPY none /none\n",
                                    "tags": ["localhost/broken:1"], "pull": False}])
        _, done = run_flow(folder, broken)
        assert done.returncode == 1 and "the build failed" in done.stderr, done.stderr


def test_a_missing_engine_says_what_to_do():
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": IMAGE, "commands": ["true"]}])
        done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--state-dir", folder / "state"], env={"DOCKER_HOST": "unix:///nowhere.sock"})
        assert done.returncode == 1 and "'/nowhere.sock'" in done.stderr and "--task-runner process" in done.stderr, done.stderr
        done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--state-dir", folder / "state"], env={"DOCKER_HOST": "tcp://127.0.0.1:1"})
        assert "'tcp://127.0.0.1:1' does not answer" in done.stderr and "--task-runner process" in done.stderr, done.stderr
        done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--state-dir", folder / "state"], env={"DOCKER_HOST": "ssh://a@b"})
        assert "forward the socket" in done.stderr, done.stderr


def test_a_stop_ends_the_container():
    with flowtest.temporary() as name:
        folder = Path(name)
        runner = {**OFFLINE, "killGracePeriod": "PT1S"}
        stubborn = ["trap '' TERM; sleep 100 & sleep 100 & while true; do sleep 1; done"]
        tasks = [{"id": kind, "type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": how, "commands": stubborn, **more}
                 for kind, how, more in (("late", OFFLINE, {"timeout": "PT2S", "allowFailure": True}), ("graceful", runner, {}))]
        artifact = compiled(folder, [{"id": "both", "type": "io.kestra.plugin.core.flow.Parallel", "tasks": tasks}])
        process = start(folder, artifact, "x")
        wait_for(lambda: [c for c in engine().containers() if c["State"] == "running"])
        # The one with a timeout ends by itself, the other is killed.
        wait_for(lambda: [c["Labels"]["kestra.io/task-id"] for c in engine().containers() if c["State"] == "running"] == ["graceful"])
        flowtest.run([flowtest.FLOWRUN, "kill", "x", "--state-dir", folder / "state"], check=0)
        begin = time.monotonic()
        process.wait(20)
        assert time.monotonic() - begin < 10
        assert not engine().containers()


def test_after_a_crash_the_same_container_is_gone_on_with():
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": OFFLINE, "outputFiles": ["o"],
                                      "commands": ["echo started", "echo one >> o", 'echo \'::{"outputs":{"n":1}}::\'', "sleep 3", "echo over"]}])
        process = start(folder, artifact, "x")
        wait_for(lambda: "started" in logged(folder))
        before = engine().containers()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        done = flowtest.run([flowtest.FLOWRUN, "resume", "x", "--state-dir", folder / "state", "--output", "json"], env=environment())
        run = json.loads(done.stdout)["taskRunList"][0]
        assert run["state"]["current"] == "SUCCESS", done.stderr
        assert run["outputs"]["vars"] == {"n": 1} and list(run["outputs"]["outputFiles"]) == ["o"]
        assert run["outputs"]["taskRunner"]["containerId"] == before[0]["Id"]
        log = logged(folder)
        assert log.count("started") == 1 and log.count("over") == 1, log
        assert not engine().containers()


def test_after_a_crash_each_run_of_a_task_logs_each_line_once():
    with flowtest.temporary() as name:
        folder = Path(name)
        commands = ["echo from {{ taskrun.value }}", 'echo \'::{"logs":[{"level":"WARN","message":"said {{ taskrun.value }}"}]}::\'',
                    "echo bad {{ taskrun.value }} >&2", "sleep 3", "echo over {{ taskrun.value }}"]
        artifact = compiled(folder, [{"id": "each", "type": "io.kestra.plugin.core.flow.ForEach", "values": ["x1", "y2"], "concurrencyLimit": 2,
                                      "tasks": [{"id": "a", "type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": OFFLINE,
                                                 "commands": commands}]}])
        process = start(folder, artifact, "x")
        wait_for(lambda: logged(folder).count("bad ") == 2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        flowtest.run([flowtest.FLOWRUN, "resume", "x", "--state-dir", folder / "state"], env=environment(), check=0)
        log = logged(folder)
        for value in ("x1", "y2"):
            for text in ("from", "said", "bad", "over"):
                assert log.count(f"{text} {value}") == 1, log


def test_a_runner_that_does_not_resume_begins_again():
    with flowtest.temporary() as name:
        folder = Path(name)
        artifact = compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": {**OFFLINE, "resume": False},
                                      "commands": ["echo begun", "sleep 2"]}])
        process = start(folder, artifact, "x")
        wait_for(lambda: "begun" in logged(folder))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        flowtest.run([flowtest.FLOWRUN, "resume", "x", "--state-dir", folder / "state"], env=environment(), check=0)
        assert logged(folder).count("begun") == 2 and not engine().containers()


def test_a_full_disk_keeps_what_was_printed():
    with flowtest.temporary() as name:
        folder = Path(name)
        (folder / "state").mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder / "state"], capture_output=True)
        if mounted.returncode != 0:
            flowtest.skip("no file system can be mounted here")
        try:
            artifact = compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": OFFLINE,
                                          "commands": ['echo \'::{"outputs":{"n":1}}::\'', "head -c 9000000 /dev/zero > big"]}])
            runs, done = run_flow(folder, artifact)
            assert runs["a"]["state"]["current"] == "FAILED" and runs["a"]["outputs"]["vars"] == {"n": 1}, runs
            said = [line for line in done.stderr.splitlines() if "ERROR a:" in line]
            assert len(said) == 1 and "cannot be brought back" in said[0] and "No space left" in said[0], done.stderr
            assert not engine().containers()
        finally:
            subprocess.run(["umount", folder / "state"], check=True)


if __name__ == "__main__":
    try:
        flowtest.main()
    finally:
        engines.close()
