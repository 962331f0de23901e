"""Each language with an interpreter on this host: hello, an output marker, exit 3, a stop; a clone with the real git."""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

# name: interpreter, program that says hello and gives an output, exits with 3, sleeps
SHELL = ("echo hello; echo '::{\"outputs\":{\"n\":42}}::'", "exit 3", "echo up; sleep 100")
LANGUAGES = {
    "shell": ("sh", *SHELL),
    "python": ("python3", "print('hello')\nprint('::{\"outputs\":{\"n\":42}}::')", "import sys; sys.exit(3)",
               "import time; time.sleep(100)"),
    "node": ("node", "console.log('hello'); console.log('::{\"outputs\":{\"n\":42}}::')", "process.exit(3)",
             "setTimeout(() => {}, 100000)"),
    "perl": ("perl", "print \"hello\\n\"; print '::{\"outputs\":{\"n\":42}}::', \"\\n\";", "exit 3;", "sleep 100;"),
    "ruby": ("ruby", "puts 'hello'; puts '::{\"outputs\":{\"n\":42}}::'", "exit 3", "sleep 100"),
    "php": ("php", "<?php echo \"hello\\n\", '::{\"outputs\":{\"n\":42}}::', \"\\n\";", "<?php exit(3);", "<?php sleep(100);"),
    "lua": ("lua", "print('hello') print('::{\"outputs\":{\"n\":42}}::')", "os.exit(3)", "while true do end"),
    "r": ("Rscript", "cat('hello\\n'); cat('::{\"outputs\":{\"n\":42}}::\\n')", "quit(status = 3)", "Sys.sleep(100)"),
    "go": ("go", 'package main\nimport "fmt"\nfunc main() { fmt.Println("hello"); fmt.Println("::{\\"outputs\\":{\\"n\\":42}}::") }',
           None, None),  # `go run` ends with 1 whatever the program says
}
INTERPRETERS = {"deno": "deno", "bun": "bun", "julia": "julia", "groovy": "groovy", "powershell": "pwsh", "jbang": "jbang",
                "dotnet": "dotnet"}


def run_tasks(tasks, folder, *arguments):
    """Compiles and runs a flow of tasks, each allowed to fail; gives the task runs by id, and the whole."""
    flow = {"id": "languages", "namespace": "company.test",
            "tasks": [{"id": "all", "type": "io.kestra.plugin.core.flow.Parallel", "tasks": tasks}]}
    (folder / "flow.yaml").write_text(json.dumps(flow))
    flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", folder / "flow.flowc", "-q"], check=0)
    done = flowtest.run([flowtest.FLOWRUN, "run", folder / "flow.flowc", "--state-dir", folder / "state",
                         "--output", "json", *arguments])
    whole = json.loads(done.stdout)
    return {run["taskId"]: run for run in whole["taskRunList"]}, done


def task(name, kind, body, **more):
    field = {"commands": [body]} if kind == "Commands" else {"script": body}
    return {"id": f"{name}_{kind.lower()}", "type": f"io.kestra.plugin.scripts.{name}.{kind}", "allowFailure": True, **field, **more}


def present():
    return {name: row for name, row in LANGUAGES.items() if shutil.which(row[0])}


def test_hello_and_a_marker():
    languages = present()
    missing = [name for name in LANGUAGES if name not in languages]
    tasks = [task(name, "Script", row[1]) for name, row in languages.items()]
    tasks += [task(name, "Commands", SHELL[0]) for name in languages]
    with flowtest.temporary() as name:
        runs, done = run_tasks(tasks, Path(name))
        for each in tasks:
            run = runs[each["id"]]
            assert run["state"]["current"] == "SUCCESS", (each["id"], done.stderr[-2000:])
            assert run["outputs"]["vars"] == {"n": 42}, (each["id"], run["outputs"])
            assert run["outputs"]["exitCode"] == 0
        assert done.stderr.count(": hello") == len(tasks), done.stderr
    if missing:
        print("         without an interpreter here:", ", ".join(missing))


def test_an_exit_code_is_the_tasks():
    languages = {name: row for name, row in present().items() if row[2]}
    tasks = [task(name, "Script", row[2]) for name, row in languages.items()]
    tasks += [task(name, "Commands", "exit 3") for name in languages]
    with flowtest.temporary() as name:
        runs, done = run_tasks(tasks, Path(name))
        for each in tasks:
            run = runs[each["id"]]
            assert run["outputs"]["exitCode"] == 3, (each["id"], run)
            assert run["state"]["current"] == "WARNING", (each["id"], run["state"])
        assert done.stderr.count("Command failed with exit code 3") >= len(tasks), done.stderr


def descendants(marker):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker.encode() in (entry / "environ").read_bytes():
                    found.append(entry.name)
            except OSError:
                pass
    return found


def test_a_stop_ends_the_interpreter():
    languages = {name: row for name, row in present().items() if row[3]}
    with flowtest.temporary() as name:
        marker = f"FLOW_TEST_MARK={Path(name).name}"
        env = dict([marker.split("=")])
        tasks = [task(each, "Script", row[3], timeout="PT1.5S", env=env) for each, row in languages.items()]
        begin = time.monotonic()
        runs, done = run_tasks(tasks, Path(name))
        assert time.monotonic() - begin < 20
        for each in tasks:
            assert runs[each["id"]]["state"]["current"] == "WARNING", each["id"]
        assert done.stderr.count("timeout after 1500 ms") >= len(tasks), done.stderr
        assert not descendants(marker)


def test_a_program_with_a_secret_in_it_is_on_no_disk():
    script = "print('found' if any('{{ secret(\"PW\") }}' in open(f).read() for f in __import__('os').listdir('.')) else 'clean')"
    with flowtest.temporary() as name:
        flow = [task("python", "Script", script)]
        import base64
        import os
        os.environ["SECRET_PW"] = base64.b64encode(b"hunter2-hunter2").decode()
        try:
            _, done = run_tasks(flow, Path(name))
        finally:
            del os.environ["SECRET_PW"]
        assert ": clean" in done.stderr, done.stderr


def git(folder, *arguments):
    return flowtest.run(["git", "-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "init.defaultBranch=trunk",
                         "-C", folder, *arguments], check=0).stdout.strip()


def test_a_clone_has_the_branch_the_commit_or_the_tag():
    if not shutil.which("git"):
        flowtest.skip("git is not installed", True)
    with flowtest.temporary() as name:
        folder = Path(name)
        origin = folder / "origin"
        origin.mkdir()
        git(origin, "init", "-q")
        (origin / "file").write_text("one\n")
        git(origin, "add", "."), git(origin, "commit", "-qm", "one"), git(origin, "tag", "v1")
        first = git(origin, "rev-parse", "HEAD")
        (origin / "file").write_text("two\n")
        git(origin, "commit", "-qam", "two")
        git(origin, "checkout", "-qb", "other")
        (origin / "file").write_text("three\n")
        git(origin, "commit", "-qam", "three"), git(origin, "checkout", "-q", "trunk")
        rows = {"default": ({}, "two"), "branch": ({"branch": "other"}, "three"), "commit": ({"commit": first}, "one"),
                "short": ({"commit": first[:10]}, "one"), "tag": ({"tag": "v1"}, "one"),
                "single": ({"branch": "other", "cloneAllBranches": False}, "three"),
                "folder": ({"directory": "sub/dir"}, "two"), "full": ({"depth": 0, "noTags": True}, "two")}
        tasks = []
        for row, (properties, _) in rows.items():
            where = properties.get("directory", ".")
            tasks.append({"id": row, "type": "io.kestra.plugin.core.flow.WorkingDirectory", "inputFiles": {"mine.txt": "kept"}, "tasks": [
                {"id": f"{row}_clone", "type": "io.kestra.plugin.git.Clone", "url": f"file://{origin}", **properties},
                {"id": f"{row}_read", "type": "io.kestra.plugin.scripts.shell.Commands",
                 "commands": [f"echo {row}=$(cat {where}/file) $(cat mine.txt)"]}]})
        _, done = run_tasks(tasks, folder)
        for row, (_, text) in rows.items():
            assert f"{row}={text} kept" in done.stderr, (row, done.stderr)
        missing = [{"id": "missing", "type": "io.kestra.plugin.git.Clone", "url": f"file://{folder}/nothing"}]
        _, done = run_tasks(missing, folder)
        assert "git could not clone the repository" in done.stderr, done.stderr


def test_redis_answers_are_variables():
    if not shutil.which("redis-server") or not shutil.which("redis-cli"):
        flowtest.skip("redis is not installed (redis-server, redis-tools)", True)
    with flowtest.temporary() as name:
        folder = Path(name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(["redis-server", "--port", str(port), "--save", "", "--requirepass", "hunter2-hunter2"], cwd=folder,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                if not socket.socket().connect_ex(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            common = {"type": "io.kestra.plugin.redis.cli.RedisCLI", "host": "127.0.0.1", "port": port, "password": "hunter2-hunter2",
                      "allowFailure": True}
            runs, done = run_tasks([{"id": "good", "commands": ["SET k 'a \"b\"'", "GET k", "RPUSH l 1 2", "LRANGE l 0 -1"], **common},
                                    {"id": "bad", "commands": ["INCR k k k", "PING"], **common}], folder)
            good = runs["good"]["outputs"]["vars"]
            assert good == {"command_1": "OK", "command_2": 'a "b"', "command_3": "2", "command_4": "1\n2"}, (good, done.stderr)
            assert runs["bad"]["outputs"]["exitCode"] == 1 and "command_2" not in runs["bad"]["outputs"]["vars"], runs["bad"]
        finally:
            server.terminate()
            server.wait()


def test_ansible_puts_out_what_each_host_answered():
    if not shutil.which("ansible-playbook"):
        flowtest.skip("ansible is not installed (ansible-core)", True)
    book = """
- name: Play
  hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.command: echo hello
    - name: Tell
      kestra: {outputs: {n: 42}}
"""
    common = {"type": "io.kestra.plugin.ansible.cli.AnsibleCLI", "allowFailure": True,
              "inputFiles": {"inventory.ini": "localhost ansible_connection=local\n", "book.yml": book}}
    play = "ansible-playbook -i inventory.ini book.yml"
    with flowtest.temporary() as name:
        runs, done = run_tasks([{"id": "good", "commands": [play], "outputsMode": "EXPLICIT", "outputLogFile": True, **common},
                                {"id": "bad", "commands": ["exit 3", "echo never"], **common}], Path(name))
        good = runs["good"]["outputs"]
        assert good["exitCode"] == 0, done.stderr
        assert good["vars"]["outputs"] == [{"n": 42}], good
        tasks = good["playbooks"][0]["plays"][0]["tasks"]
        assert [(t["name"], t["hosts"][0]["status"]) for t in tasks] == [("Say", "ok"), ("Tell", "ok")]
        assert tasks[0]["hosts"][0]["result"]["stdout"] == "hello" and list(good["outputFiles"]) == ["log"]
        assert runs["bad"]["outputs"]["exitCode"] == 3 and ": never" not in done.stderr


if __name__ == "__main__":
    flowtest.main()
