"""Results of earlier runs: taken where all they rest on is the same, never else, and never in the way."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

CALLER = """id: {id}
namespace: company.team
tasks:
  - id: call
    type: io.kestra.plugin.core.flow.Subflow
    namespace: company.team
    flowId: {called}
    inputs: {{name: x}}
"""
CALLED = """id: {id}
namespace: company.team
inputs:
  - id: name
    type: {type}
tasks:
  - id: say  # flowc: ignore[unknown-input] a reason
    type: io.kestra.plugin.core.log.Log
    message: "{{{{ inputs.name }}}} {{{{ outputs.sya.value }}}}"
"""
SCRIPT = """id: script
namespace: company.team
tasks:
  - id: run
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner:
      type: io.kestra.plugin.core.runner.Process
    commands:
      - if true
"""


class Project:
    """A folder of flows and a cache of its own."""

    def __init__(self, folder):
        self.folder = Path(folder) / "project"
        self.cache = Path(folder) / "cache"
        self.folder.mkdir()

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def check(self, *arguments, env=None, form="json"):
        if not Path(flowtest.FLOWC).exists():
            flowtest.skip(f"{flowtest.FLOWC} is not built")
        environment = {"XDG_CACHE_HOME": str(self.cache), **(env or {})}
        command = [flowtest.FLOWC, "check", "--format", form, *arguments]
        done = flowtest.run(command, cwd=self.folder, env=environment)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout, done.stderr, done.returncode

    def agrees(self, *arguments):
        """With the cache and without it: the same; gives the findings."""
        plain = self.check("--no-cache", *arguments)
        for form in ("json", "text"):
            fresh = self.check("--no-cache", *arguments, form=form)
            assert self.check(*arguments, form=form) == fresh
            assert self.check(*arguments, form=form) == fresh
        return json.loads(plain[0])["diagnostics"]

    def files(self):
        folder = self.cache / "flowc" / "results"
        return sorted(p for p in folder.iterdir() if p.name != ".lock") if folder.exists() else []

    def is_written_by(self, *arguments):
        """Did a run find anything that it had to look at anew?"""
        before = [(p, p.stat().st_ino) for p in self.files()]
        self.check(*arguments)
        return [(p, p.stat().st_ino) for p in self.files()] != before


def project(folder):
    it = Project(folder)
    it.write("a.yaml", CALLER.format(id="a", called="b"))
    it.write("b.yaml", CALLED.format(id="b", type="STRING"))
    it.write("c.yaml", CALLED.format(id="c", type="STRING"))
    it.write("values.yaml", "kind: Deployment\n")
    return it


def test_a_second_run_says_the_same_and_looks_at_nothing_anew():
    with flowtest.temporary() as folder:
        it = project(folder)
        assert {d["code"] for d in it.agrees()} >= {"E0302", "W0090"}
        assert not it.is_written_by() and not it.is_written_by("-j4") and len(it.files()) == 1
        # Also for one file, and for what is named where it was found in a folder.
        assert it.is_written_by("c.yaml") and not it.is_written_by("c.yaml")


def test_no_cache_neither_reads_nor_writes():
    with flowtest.temporary() as folder:
        it = project(folder)
        it.check("--no-cache")
        assert not it.cache.exists()
        it.check("--fix")
        it.check("--diff", form="text")
        assert not it.cache.exists()


def test_what_changed_is_looked_at_and_so_are_its_callers():
    with flowtest.temporary() as folder:
        it = project(folder)
        codes = lambda: {(d["code"], d["file"]) for d in it.agrees()}
        assert ("E0210", "./a.yaml") not in codes()
        it.write("b.yaml", CALLED.format(id="b", type="INT"))
        assert ("E0210", "./a.yaml") in codes()
        it.write("b.yaml", CALLED.format(id="b", type="STRING"))
        assert ("E0210", "./a.yaml") not in codes()
        (it.folder / "b.yaml").unlink()
        assert ("E0209", "./a.yaml") in codes()
        it.write("d.yaml", CALLED.format(id="c", type="STRING"))
        assert ("E0201", "./d.yaml") in codes()
        it.write("c.yaml", CALLED.format(id="other", type="STRING"))
        assert ("E0201", "./d.yaml") not in codes()


def test_labels_in_other_files_come_back():
    with flowtest.temporary() as folder:
        it = project(folder)
        it.write("b.yaml", CALLED.format(id="b", type="INT"))
        for arguments in ((), ("-j3",), ("a.yaml", "--flows", "."), ("b.yaml", "a.yaml")):
            [found] = [d for d in it.agrees(*arguments) if d["code"] == "E0210"]
            assert [Path(label["file"]).name for label in found["labels"]] == ["b.yaml"]


def test_settings_count():
    with flowtest.temporary() as folder:
        it = project(folder)
        it.agrees()
        for options in (("--target", "2.0"), ("--strict",), ("--unknown-types", "warn"), ("--embedded", "off")):
            assert it.is_written_by(*options), options
            it.agrees(*options)
        (it.folder / ".flowc.yaml").write_text("rules:\n  unknown-task: note\n")
        assert "note" in {d["severity"] for d in it.agrees() if d["code"] == "E0302"}
        (it.folder / ".flowc.yaml").write_text("rules:\n  unknown-task: off\n")
        assert "E0302" not in {d["code"] for d in it.agrees()}
        private = "group: acme\ntypes:\n- type: com.acme.Ping\n  kind: task\n  properties:\n    host: {type: string, required: true}\n"
        (Path(folder) / "acme.yml").write_text(private)
        it.write("p.yaml", "id: p\nnamespace: a.b\ntasks:\n  - id: p\n    type: com.acme.Ping\n    port: 1\n    host: x\n")
        assert "E0101" in {d["code"] for d in it.agrees("--catalog", "../acme.yml")}
        (Path(folder) / "acme.yml").write_text(private + "    port: {type: int}\n")
        assert "E0101" not in {d["code"] for d in it.agrees("--catalog", "../acme.yml")}


def fake_tool(folder, answer):
    """A shellcheck that says `answer` of the first script it is given."""
    path = Path(folder) / "bin" / "shellcheck"
    path.parent.mkdir(exist_ok=True)
    comment = {"line": 3, "endLine": 3, "column": 1, "endColumn": 3, "level": "warning", "code": 2999, "message": answer, "fix": None}
    text = (
        "#!/usr/bin/python3\nimport json, sys\n"
        f"comment = {comment!r}\n"
        "files = [a for a in sys.argv[1:] if not a.startswith('-')]\n"
        "print(json.dumps({'comments': [dict(comment, file=files[0])]}))\nsys.exit(1)\n"
    )
    path.write_text(text)
    path.chmod(0o755)
    return {"PATH": f"{path.parent}:{os.environ['PATH']}"}


def test_another_version_of_a_tool_is_asked_again():
    with flowtest.temporary() as folder:
        it = project(folder)
        it.write("script.yaml", SCRIPT)
        first = it.check("script.yaml", env=fake_tool(folder, "first"))[0]
        assert "first" in first, first
        assert it.check("script.yaml", env={"PATH": fake_path(folder)})[0] == first
        assert "second one" in it.check("script.yaml", env=fake_tool(folder, "second one"))[0]
        assert "second one" not in it.check("script.yaml", "--embedded", "off")[0]


def fake_path(folder):
    return f"{Path(folder) / 'bin'}:{os.environ['PATH']}"


def test_damaged_and_foreign_caches_count_as_not_there():
    with flowtest.temporary() as folder:
        it = project(folder)
        good = it.check()
        [path] = it.files()
        whole = path.read_bytes()
        chance = random.Random(3)
        damaged = [b"", b"x", whole[:20], whole[:-1], b"flowc results 1\n" + b"\xff" * 400, whole + b"\0" * 50]
        for _ in range(60):
            bytes_ = bytearray(whole)
            for _ in range(chance.randrange(1, 4)):
                bytes_[chance.randrange(len(bytes_))] ^= 1 << chance.randrange(8)
            damaged.append(bytes(bytes_))
        for bytes_ in damaged:
            path.write_bytes(bytes_)
            assert it.check() == good
            assert it.check() == good
        path.unlink()
        path.mkdir()
        assert it.check() == good


def test_a_cache_that_cannot_be_kept_is_no_failure():
    with flowtest.temporary() as folder:
        it = project(folder)
        good = it.check("--no-cache")
        it.cache.write_text("a file, no folder")
        assert it.check() == good
        for env in ({"XDG_CACHE_HOME": "relative", "HOME": ""}, {"XDG_CACHE_HOME": "", "HOME": "/proc/nowhere"}):
            assert it.check(env=env) == good
        assert not (it.folder / "relative").exists()


def test_runs_at_the_same_time_share_it():
    with flowtest.temporary() as folder:
        it = Project(folder)
        for n in range(40):
            it.write(f"{n}.yaml", CALLED.format(id=f"f{n}", type="STRING"))
        environment = {**os.environ, "XDG_CACHE_HOME": str(it.cache)}
        expected = {n: it.check("--no-cache", f"{n}.yaml")[0] for n in range(40)}
        for _ in range(3):
            runs = {}
            for n in range(40):
                command = [flowtest.FLOWC, "check", "--format", "json", f"{n}.yaml"]
                runs[n] = subprocess.Popen(command, cwd=it.folder, env=environment, stdout=subprocess.PIPE, text=True)
            for n, process in runs.items():
                assert process.communicate()[0] == expected[n]
        assert len(it.files()) == 1
        assert all(not it.is_written_by(f"{n}.yaml") for n in range(40))


def test_what_nobody_uses_for_long_goes():
    with flowtest.temporary() as folder:
        it = project(folder)
        it.check()
        old = it.files()[0]
        before = time.time() - 40 * 24 * 3600
        os.utime(old, (before, before))
        it.check("--target", "2.0")
        assert old not in it.files() and len(it.files()) == 1


flowtest.main()
