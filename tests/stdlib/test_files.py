"""Files, rows and keys: storage.*, namespace files, kv.*, as a flow uses them, run for real."""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest
from flows import World, task, world

CORE = "io.kestra.plugin.core."
STORAGE = CORE + "storage."


def write(name, content, extension=None):
    more = {"extension": extension} if extension else {}
    return task(name, STORAGE + "Write", content=content, **more)


def test_concat_puts_its_separator_behind_each_file():
    with world() as folder:
        it = World(folder)
        out = it.run(write("a", "one"), write("b", "two"),
                     task("list", STORAGE + "Concat", files=["{{ outputs.a.uri }}", "{{ outputs.b.uri }}"],
                          separator="\n", extension=".yml"),
                     task("text", STORAGE + "Concat", files='["{{ outputs.a.uri }}", "{{ outputs.b.uri }}"]'))
        assert it.text(out["list"]["uri"]) == "one\ntwo\n"
        assert out["list"]["uri"].endswith(".yml")
        assert it.text(out["text"]["uri"]) == "onetwo"
        assert out["text"]["uri"].endswith(".tmp")


def test_split_never_cuts_a_row():
    rows = "".join(f"{i:020d}\n" for i in range(1229))
    with world() as folder:
        it = World(folder)
        source = it.folder / "rows.txt"
        source.write_text(rows.rstrip("\n"))
        (it.folder / "flowrun.yaml").write_text(f"allowedPaths: [{it.folder}]\n")
        where = f"file://{source}"
        out = it.run(task("bytes", STORAGE + "Split", **{"from": where}, bytes="1KB"),
                     task("rows", STORAGE + "Split", **{"from": where}, rows=500),
                     task("parts", STORAGE + "Split", **{"from": where}, partitions=8),
                     task("pattern", STORAGE + "Split", **{"from": where}, regexPattern="(\\d)$"),
                     options=["--config", it.folder / "flowrun.yaml"])
        assert len(out["bytes"]["uris"]) == 26
        assert "".join(it.text(uri) for uri in out["bytes"]["uris"]) == rows
        assert [it.text(uri).count("\n") for uri in out["rows"]["uris"]] == [500, 500, 229]
        assert [it.text(uri).count("\n") for uri in out["parts"]["uris"]] == [154] * 5 + [153] * 3
        assert it.text(out["parts"]["uris"][1]).startswith(f"{1:020d}\n{9:020d}\n")
        assert len(out["pattern"]["uris"]) == 10
        assert all(uri.endswith(".txt") for uri in out["bytes"]["uris"])


def test_split_says_what_it_needs():
    with world() as folder:
        it = World(folder)
        it.run(write("a", "one"), task("s", STORAGE + "Split", **{"from": "{{ outputs.a.uri }}"}), status=1)
        assert "'bytes', 'partitions', 'rows'" in it.execution["reason"]["message"]


def test_reverse_size_and_delete():
    with world() as folder:
        it = World(folder)
        uri = "{{ outputs.a.uri }}"
        out = it.run(write("a", "1\n2\n\n3", ".txt"), task("size", STORAGE + "Size", uri=uri),
                     task("back", STORAGE + "Reverse", **{"from": uri}),
                     task("commas", STORAGE + "Reverse", **{"from": uri}, separator="\n\n"),
                     task("first", STORAGE + "Delete", uri=uri), task("second", STORAGE + "Delete", uri=uri))
        assert out["size"]["size"] == 6
        assert it.text(out["back"]["uri"]) == "3\n\n2\n1\n"
        assert it.text(out["commas"]["uri"]) == "3\n\n1\n2\n\n"
        assert out["back"]["uri"].endswith(".txt")
        assert (out["first"]["deleted"], out["second"]["deleted"]) == (True, False)
        it.run(task("d", STORAGE + "Delete", uri="kestra:///company/team/nothing.txt", errorOnMissing=True), status=1)
        assert "nothing.txt" in it.execution["reason"]["message"]


def test_reverse_of_long_rows_and_of_nothing():
    lines = [str(i) * 3000 for i in range(100)]
    with world() as folder:
        it = World(folder)
        (it.folder / "long.txt").write_text("\n".join(lines) + "\n")
        (it.folder / "none.txt").write_text("")
        (it.folder / "flowrun.yaml").write_text(f"allowedPaths: [{it.folder}]\n")
        out = it.run(task("long", STORAGE + "Reverse", **{"from": f"file://{it.folder}/long.txt"}),
                     task("none", STORAGE + "Reverse", **{"from": f"file://{it.folder}/none.txt"}),
                     options=["--config", it.folder / "flowrun.yaml"])
        assert it.text(out["long"]["uri"]) == "\n".join(reversed(lines)) + "\n"
        assert it.text(out["none"]["uri"]) == ""


ITEMS = "".join(json.dumps({"key": f"k{i}", "value": v}) + "\n" for i, v in enumerate([1, 2, 3, 4], 1))
MIXED = ITEMS.replace('"value": 2', '"value": "dummy"')


def filtered(it, content, **properties):
    out = it.run(write("a", content, ".jsonl"),
                 task("f", STORAGE + "FilterItems", **{"from": "{{ outputs.a.uri }}"},
                      filterCondition=" {{ value % 2 == 0 }} ", **properties))["f"]
    return [json.loads(line)["key"] for line in it.text(out["uri"]).splitlines()], \
        out["processedItemsTotal"], out["droppedItemsTotal"]


def test_filter_items_renders_its_condition_for_each_item():
    with world() as folder:
        it = World(folder)
        assert filtered(it, ITEMS) == (["k2", "k4"], 4, 2)
        assert filtered(it, ITEMS, filterType="EXCLUDE") == (["k1", "k3"], 4, 2)
        assert filtered(it, MIXED, errorOrNullBehavior="EXCLUDE") == (["k4"], 4, 3)
        assert filtered(it, MIXED, errorOrNullBehavior="INCLUDE") == (["k2", "k4"], 4, 2)
        it.run(write("a", MIXED), task("f", STORAGE + "FilterItems", **{"from": "{{ outputs.a.uri }}"},
                                       filterCondition="{{ value % 2 == 0 }}"), status=1)
        assert "item 2" in it.execution["reason"]["message"], it.execution["reason"]


def test_the_condition_of_an_item_sees_the_flow_too():
    with world() as folder:
        it = World(folder)
        out = it.run(write("a", ITEMS), task("low", CORE + "debug.Return", format="2"),
                     task("f", STORAGE + "FilterItems", **{"from": "{{ outputs.a.uri }}"},
                          filterCondition="{{ value > (outputs.low.value | number) and flow.id == 'flow' }}"))
        assert out["f"]["droppedItemsTotal"] == 2


def test_deduplicate_keeps_the_last_of_each_key():
    rows = [{"id": "a", "n": 1}, {"id": "b", "n": 2}, {"id": "a", "n": 3}]
    with world() as folder:
        it = World(folder)
        out = it.run(write("a", "".join(json.dumps(row) + "\n" for row in rows)),
                     task("d", STORAGE + "DeduplicateItems", **{"from": "{{ outputs.a.uri }}"}, expr="{{ id }}"))["d"]
        assert [json.loads(line)["n"] for line in it.text(out["uri"]).splitlines()] == [2, 3]
        assert (out["numKeys"], out["processedItemsTotal"], out["droppedItemsTotal"]) == (2, 3, 1)


def test_purges_delete_what_they_say():
    with world() as folder:
        it = World(folder)
        out = it.run(write("a", "x"), task("p", STORAGE + "PurgeCurrentExecutionFiles"))
        assert out["p"]["uris"] == [out["a"]["uri"]] and not it.path(out["a"]["uri"]).exists()
        kept = it.run(write("a", "x"))["a"]["uri"]
        purge = {"namespace": "company.team", "endDate": "{{ now() | dateAdd(1, 'DAYS') }}"}
        dry = it.run(task("p", STORAGE + "PurgeStorage", **purge))["p"]
        assert (dry["purgedCount"], dry["deletedFilesCount"]) == (1, 1) and it.path(kept).exists()
        it.run(task("p", STORAGE + "PurgeStorage", dryRun=False, startDate="2020-01-01T00:00:00Z", **purge))
        assert not it.path(kept).exists()


def test_a_plan_touches_nothing():
    with world() as folder:
        it = World(folder)
        artifact = it.compile([write("a", "x"), task("s", STORAGE + "Split", **{"from": "{{ outputs.a.uri }}"}, rows=1),
                               task("r", STORAGE + "Reverse", **{"from": "{{ outputs.a.uri }}"}),
                               task("d", STORAGE + "Delete", uri="{{ outputs.a.uri }}"),
                               task("k", CORE + "kv.PurgeKV")])
        flowtest.run([flowtest.FLOWRUN, "plan", artifact, "--state-dir", it.state], check=0)
        assert not list(it.state.glob("files/**/*.txt"))


# --- namespace files ----------------------------------------------------------------------------


def test_namespace_files_are_uploaded_read_and_deleted():
    with world() as folder:
        it = World(folder)
        space = "company.team"
        out = it.run(write("a", "first"), write("b", "second"),
                     task("up", CORE + "namespace.UploadFiles", namespace=space,
                          filesMap={"/path/file.txt": "{{ outputs.a.uri }}", "/path/other.txt": "{{ outputs.b.uri }}"},
                          destination="/folder"),
                     task("skip", CORE + "namespace.UploadFiles", namespace=space, conflict="SKIP", destination="/folder",
                          filesMap={"/path/file.txt": "{{ outputs.b.uri }}"}),
                     task("down", CORE + "namespace.DownloadFiles", namespace=space, files=["**file*"]),
                     task("read", CORE + "debug.Return", format="{{ read('folder/path/other.txt') }}"))
        assert it.text(out["up"]["files"]["/folder/path/file.txt"]) == "first"
        assert out["skip"]["files"] == {}
        assert list(out["down"]["files"]) == ["folder/path/file.txt"]
        assert it.text(out["down"]["files"]["folder/path/file.txt"]) == "first"
        assert out["read"]["value"] == "second"
        it.run(write("a", "x"), task("up", CORE + "namespace.UploadFiles", namespace=space, conflict="ERROR",
                                     filesMap={"folder/path/file.txt": "{{ outputs.a.uri }}"}), status=1)
        it.run(task("gone", CORE + "namespace.DeleteFiles", namespace=space, files=["**file*"]))
        left = it.run(task("down", CORE + "namespace.DownloadFiles", namespace=space, files=["**"]))["down"]["files"]
        assert list(left) == ["folder/path/other.txt"]


def test_uploads_reach_working_directories_also_of_other_namespaces():
    shell = "io.kestra.plugin.scripts.shell.Commands"
    with world() as folder:
        it = World(folder)
        it.run(write("a", "shared"), task("up", CORE + "namespace.UploadFiles", namespace="company.shared",
                                          filesMap={"a.txt": "{{ outputs.a.uri }}"}))
        out = it.run(task("sh", shell, taskRunner={"type": CORE + "runner.Process"},
                          namespaceFiles={"enabled": True, "namespaces": ["company.shared"]},
                          commands=["echo '::{\"outputs\":{\"x\":\"'$(cat a.txt)'\"}}::'"]))
        assert out["sh"]["vars"]["x"] == "shared"


SHELL = "io.kestra.plugin.scripts.shell.Commands"


def test_a_working_directory_keeps_what_its_cache_says():
    with world() as folder:
        it = World(folder)

        def run(*commands, status=0, name="flow", **cache):
            shell = task("sh", SHELL, taskRunner={"type": CORE + "runner.Process"}, commands=list(commands))
            more = {"cache": {"patterns": ["deps/**"], **cache}}
            return it.run(task("wd", CORE + "flow.WorkingDirectory", tasks=[shell], **more), name=name, status=status)

        say = "echo '::{\"outputs\":{\"x\":\"'$(cat deps/a 2>/dev/null)'\"}}::'"
        assert run(say, "mkdir -p deps/bin; echo one > deps/a; echo run > deps/bin/tool; chmod +x deps/bin/tool; echo no > other")["sh"]["vars"] == {"x": ""}
        assert run(say, "test -x deps/bin/tool && ! test -e other")["sh"]["vars"] == {"x": "one"}
        kept = it.state / "files/company/team/flow/_cache/wd"
        before = kept.stat().st_mtime_ns
        run("true")
        assert kept.stat().st_mtime_ns == before  # nothing has changed
        run("echo two > deps/a; rm -r deps/bin; exit 3", status=1)
        assert run(say, "! test -e deps/bin")["sh"]["vars"] == {"x": "two"}
        assert run(say, name="another")["sh"]["vars"] == {"x": ""}
        assert run(say, ttl="PT0S")["sh"]["vars"] == {"x": ""}


# --- keys ---------------------------------------------------------------------------------------


def test_keys_are_listed_merged_and_purged():
    with world() as folder:
        it = World(folder)
        kv = CORE + "kv."
        out = it.run(task("a", kv + "Set", key="test-key", value="1"), task("b", kv + "Set", key="test-second", value="2"),
                     task("c", kv + "Set", key="other", value='{"x":{"y":1}}'),
                     task("keys", kv + "GetKeys", prefix="test"),
                     task("merge", kv + "Put", key="other", value={"x": {"z": 2}}),
                     task("path", kv + "Put", key="other", value=[{"key": "x.w", "value": 3}]),
                     task("get", kv + "Get", key="other"), task("none", kv + "Get", key="nothing"))
        assert sorted(out["keys"]["keys"]) == ["test-key", "test-second"]
        assert out["get"]["value"] == {"x": {"y": 1, "z": 2, "w": 3}}
        assert out["none"].get("value") is None
        it.run(task("g", kv + "Get", key="nothing", errorOnMissing=True), status=1)
        assert "nothing" in it.execution["reason"]["message"]
        it.run(task("s", kv + "Set", key="test-key", value="9", overwrite=False), status=1)
        assert "overwrite" in it.execution["reason"]["message"]
        it.run(task("s", kv + "Set", key="a/b", value="9"), status=1)
        assert "a/b" in it.execution["reason"]["message"]
        purged = it.run(task("p", kv + "PurgeKV", keyPattern="test*", behavior={"type": "key", "expiredOnly": False}))
        assert purged["p"]["size"] == 2
        assert it.run(task("k", kv + "GetKeys"))["k"]["keys"] == ["other"]


def test_a_key_is_looked_for_in_the_namespaces_above():
    with world() as folder:
        it = World(folder)
        kv, give = CORE + "kv.", CORE + "debug.Return"
        it.run(task("a", kv + "Set", key="of-parent", value="1"), task("b", kv + "Set", key="both", value="1"),
               task("c", kv + "Set", key="both", value="2", namespace="company.team"), namespace="company")
        out = it.run(task("a", give, format="{{ kv('of-parent') }}"), task("b", give, format="{{ kv('both') }}"),
                     task("c", give, format="{{ kv('both', namespace='company') }}"),
                     task("d", give, format="{{ kv('of-parent', namespace='company.other', errorOnMissing=false) ?? 'none' }}"))
        assert [out[name]["value"] for name in "abcd"] == ["1", "2", "1", "none"]
        it.run(task("a", give, format="{{ kv('nowhere') }}"), status=1)
        assert "'nowhere' in namespace 'company.team'" in it.execution["reason"]["message"]


def test_a_key_ends_with_its_time_to_live():
    with world() as folder:
        it = World(folder)
        kv = CORE + "kv."
        out = it.run(task("a", kv + "Set", key="short", value="1", ttl="PT0.2S"),
                     task("b", kv + "Set", key="long", value="1", ttl="PT5M"),
                     task("wait", CORE + "flow.Sleep", duration="PT0.4S"),
                     task("gone", kv + "Get", key="short"), task("there", kv + "Get", key="long"),
                     task("purge", kv + "PurgeKV"), task("keys", kv + "GetKeys"))
        assert out["gone"].get("value") is None and out["there"]["value"] == 1
        assert out["purge"]["size"] == 1 and out["keys"]["keys"] == ["long"]


# --- size ---------------------------------------------------------------------------------------


def test_a_large_file_passes_three_tasks_in_constant_memory():
    size = 1 << 30 if flowtest.MODE == "long" else 48 << 20
    with world() as folder:
        it = World(folder)
        big = it.folder / "big.txt"
        line = (b"x" * 126) + b"\n"
        with open(big, "wb") as out:
            for _ in range(size // (len(line) * 8192) + 1):
                out.write(line * 8192)
        (it.folder / "flowrun.yaml").write_text(f"allowedPaths: [{it.folder}]\n")
        artifact = it.compile([
            task("one", STORAGE + "Concat", files=[f"file://{big}"]),
            task("two", STORAGE + "Split", **{"from": "{{ outputs.one.uri }}"}, partitions=3),
            task("three", STORAGE + "Concat", files="{{ outputs.two.uris }}")])
        command = [flowtest.FLOWRUN, "run", artifact, "--state-dir", it.state, "--output", "json",
                   "--config", it.folder / "flowrun.yaml"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        stdout = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        outputs = {run["taskId"]: run["outputs"] for run in json.loads(stdout)["taskRunList"]}
        assert it.path(outputs["three"]["uri"]).stat().st_size == big.stat().st_size
        print(f"{big.stat().st_size >> 20} MiB through three tasks: {usage.ru_maxrss >> 10} MiB resident, "
              f"{usage.ru_utime + usage.ru_stime:.1f} s of CPU")
        assert flowtest.IS_SANITIZED or usage.ru_maxrss < 32 << 10, usage.ru_maxrss


if __name__ == "__main__":
    flowtest.main()
