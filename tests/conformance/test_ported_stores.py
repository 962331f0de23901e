"""Cases about files, keys, states and requests that no runner can execute (kinds unit and task), by hand: the table says which test holds which case."""

import json
import sqlite3
import sys
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest
from flows import Recorder, World, self_signed, task, world

CORE = "io.kestra.plugin.core."
STORAGE, KV, STATE, FILES = CORE + "storage.", CORE + "kv.", CORE + "state.", CORE + "namespace."
REQUEST, DOWNLOAD, RETURN = CORE + "http.Request", CORE + "http.Download", CORE + "debug.Return"
NEEDS = {"storage", "kv", "state_store", "http_client", "namespace_files", "process"}
KINDS = {"unit", "task"}  # all others are the runner's, or a server's

# case -> test here, or file: test
PORTED = {
    "context-large-file": "test_a_file_of_more_than_a_gibibyte_has_its_size",
    "download": "test_a_download_is_what_the_server_has",
    "download-500": "test_a_download_that_gives_nothing_or_an_error_fails",
    "download-empty": "test_a_download_that_gives_nothing_or_an_error_fails",
    "http-allow-failed": "test_a_request_gives_body_and_code",
    "http-get": "test_a_request_gives_body_and_code",
    "http-head": "test_a_head_request_gives_its_headers",
    "http-multipart-name": "test_a_part_has_the_name_it_is_given",
    "http-self-signed": "test_a_certificate_of_its_own_is_taken_where_all_are",
    "kv-get-missing": "test_a_key_that_is_missing_is_null_or_an_error",
    "kv-keys-prefix": "test_keys_are_listed_by_their_beginning",
    "kv-set": "test_a_value_keeps_its_type_and_has_no_end",
    "kv-set-namespace": "test_a_value_goes_where_its_namespace_says",
    "kv-set-no-overwrite": "test_a_key_that_is_there_is_kept_where_told",
    "kv-set-parent-namespace": "test_a_value_goes_where_its_namespace_says",
    "kv-set-ttl": "test_a_key_ends",
    "kv-set-type-datetime": "test_a_text_becomes_what_its_kind_says",
    "kv-set-type-number": "test_a_text_becomes_what_its_kind_says",
    "kvstore-expired": "test_a_key_ends",
    "kvstore-illegal-key": "test_keys_are_spelled_like_names",
    "kvstore-missing": "test_a_key_that_is_missing_is_null_or_an_error",
    "kvstore-null": "test_a_null_is_a_value",
    "kvstore-unknown-namespace": "test_a_namespace_without_anything_is_named",
    "nsfiles-conflict": "test_a_namespace_file_that_is_there",
    "nsfiles-delete": "test_namespace_files_are_listed_and_deleted_by_pattern",
    "nsfiles-list": "test_namespace_files_are_listed_and_deleted_by_pattern",
    "nsfiles-upload-skip": "test_a_namespace_file_that_is_there",
    "process-files": "conformance/test_ported.py: test_files_of_a_process",
    "purge-service": "test_what_is_over_is_purged_once",
    "state-delete-missing": "test_a_state_that_is_missing_is_an_error_where_told",
    "state-namespace": "test_a_state_is_its_flow_s_or_its_namespace_s",
    "statestore-names": "test_states_are_apart_by_place_name_and_value",
    "storage-concat": "test_files_become_one",
    "storage-delete": "test_a_file_is_deleted_once",
    "storage-filter-error-exclude": "test_items_are_kept_by_a_condition",
    "storage-filter-error-fail": "test_items_are_kept_by_a_condition",
    "storage-filter-exclude": "test_items_are_kept_by_a_condition",
    "storage-filter-include": "test_items_are_kept_by_a_condition",
    "storage-local-files": "test_files_of_a_working_directory",
    "storage-local-files-recursive": "test_files_of_a_working_directory",
    "storage-size": "test_a_file_has_a_size",
    "storage-split-bytes": "test_a_part_never_splits_a_line",
}


def test_every_case_of_these_needs_has_its_test():
    for case, test in PORTED.items():
        assert test in globals() or (flowtest.SOURCE / "tests" / test.split(":")[0]).exists(), f"{case}: {test}"
    found = [path for path in (flowtest.SOURCE / "../shared", flowtest.SOURCE / "../../shared") if (path / "conformance/cases.yaml").exists()]
    if not found:
        flowtest.skip("../shared is not here")
    cases = yaml.load((found[0] / "conformance/cases.yaml").read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["cases"]
    wanted = {case["id"] for case in cases if case["kind"] in KINDS and NEEDS & set(case.get("needs") or [])}
    assert wanted <= set(PORTED), sorted(wanted - set(PORTED))


def write(name, content, extension=None):
    return task(name, STORAGE + "Write", content=content, **({"extension": extension} if extension else {}))


def message(it):
    return it.execution["reason"]["message"]


def rows(it, sql):
    """What the store holds, looked at from outside."""
    database = next(it.state.glob("*.db"))
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchall()


# --- files --------------------------------------------------------------------------------------


def test_a_file_of_more_than_a_gibibyte_has_its_size():
    with world() as folder:
        it = World(folder)
        size = 1073741825 if flowtest.MODE == "long" else (1 << 26) + 1
        with open(it.folder / "sparse", "wb") as file:
            file.truncate(size)
        (it.folder / "flowrun.yaml").write_text(f"allowedPaths: [{it.folder}]\n")
        out = it.run(task("c", STORAGE + "Concat", files=[f"file://{it.folder}/sparse"]), task("s", STORAGE + "Size", uri="{{ outputs.c.uri }}"),
                     options=["--config", it.folder / "flowrun.yaml"])
        assert out["s"]["size"] == it.path(out["c"]["uri"]).stat().st_size == size


def test_files_become_one():
    with world() as folder:
        it = World(folder)
        uri = "{{ outputs.a.uri }}"
        more = {"separator": "\n", "extension": ".yml"}
        out = it.run(write("a", "file"), task("list", STORAGE + "Concat", files=[uri, uri], **more),
                     task("text", STORAGE + "Concat", files=f'["{uri}", "{uri}"]', **more))
        for name in ("list", "text"):
            assert it.text(out[name]["uri"]) == "file\nfile\n" and out[name]["uri"].endswith(".yml")


def test_a_file_is_deleted_once():
    with world() as folder:
        it = World(folder)
        delete = STORAGE + "Delete"
        out = it.run(write("a", "x"), task("first", delete, uri="{{ outputs.a.uri }}"), task("second", delete, uri="{{ outputs.a.uri }}"))
        assert [out["first"]["deleted"], out["second"]["deleted"]] == [True, False]
        it.run(task("d", delete, uri=out["a"]["uri"], errorOnMissing=True), status=1)
        assert "there is no file" in message(it)


ITEMS = [{"key": f"k{i}", "value": i} for i in range(1, 5)]
MIXED = [dict(item, value="dummy") if item["key"] == "k2" else item for item in ITEMS]


def test_items_are_kept_by_a_condition():
    with world() as folder:
        it = World(folder)

        def run(items, status=0, **more):
            return it.run(write("a", "".join(json.dumps(item) + "\n" for item in items), ".jsonl"),
                          task("f", STORAGE + "FilterItems", **{"from": "{{ outputs.a.uri }}"}, filterCondition=" {{ value % 2 == 0 }} ", **more),
                          status=status)["f"]

        for items, more, keys in ((ITEMS, {"filterType": "INCLUDE"}, ["k2", "k4"]), (ITEMS, {"filterType": "EXCLUDE"}, ["k1", "k3"]),
                                  (MIXED, {"filterType": "INCLUDE", "errorOrNullBehavior": "EXCLUDE"}, ["k4"])):
            out = run(items, **more)
            kept = [json.loads(line) for line in it.text(out["uri"]).splitlines()]
            assert kept == [item for item in items if item["key"] in keys]
            assert [out["processedItemsTotal"], out["droppedItemsTotal"]] == [4, 4 - len(keys)]
        run(MIXED, status=1, filterType="INCLUDE", errorOrNullBehavior="FAIL")
        assert "item 2" in message(it)


def test_files_of_a_working_directory():
    look = task("look", "io.kestra.plugin.scripts.shell.Commands", taskRunner={"type": CORE + "runner.Process"},
                commands=["echo '::{\"outputs\":{\"names\":\"'$(ls | tr '\\n' ' ')'\",\"text\":\"'$(cat execution.txt)$(cat application-test.yml)'\"}}::'"])
    with world() as folder:
        it = World(folder)
        local = STORAGE + "LocalFiles"
        out = it.run(write("a", "stored", ".yml"), task("toto", RETURN, format="tata"),
                     task("wd", CORE + "flow.WorkingDirectory", tasks=[
                         task("flat", local, outputs=["hello-input.txt"], inputs={
                             "hello-input.txt": "Hello Input", "execution.txt": "{{ outputs.toto.value }}", "application-test.yml": "{{ outputs.a.uri }}"}),
                         look]),
                     task("deep", local, outputs=["test/**"], inputs={
                         "test/hello-input.txt": "Hello Input", "test/sub/dir/2/execution.txt": "{{ outputs.toto.value }}",
                         "test/sub/dir/3/application-test.yml": "{{ outputs.a.uri }}"}))
        assert len(out["flat"]["uris"]) == 1 and it.text(out["flat"]["uris"]["hello-input.txt"]) == "Hello Input"
        assert out["look"]["vars"]["text"] == "tatastored"
        assert {"execution.txt", "application-test.yml"} <= set(out["look"]["vars"]["names"].split())
        deep = out["deep"]["uris"]
        assert set(deep) == {"test/hello-input.txt", "test/sub/dir/2/execution.txt", "test/sub/dir/3/application-test.yml"}
        assert it.text(deep["test/sub/dir/3/application-test.yml"]) == "stored"


def test_a_file_has_a_size():
    with world() as folder:
        it = World(folder)
        assert it.run(write("a", "x" * 42), task("s", STORAGE + "Size", uri="{{ outputs.a.uri }}"))["s"]["size"] == 42


def test_a_part_never_splits_a_line():
    source = "\n".join(f"{i:20d}" for i in range(12288))
    with world() as folder:
        it = World(folder)
        (it.folder / "lines.txt").write_text(source)
        (it.folder / "flowrun.yaml").write_text(f"allowedPaths: [{it.folder}]\n")
        uris = it.run(task("s", STORAGE + "Split", **{"from": f"file://{it.folder}/lines.txt"}, bytes="1KB"),
                      options=["--config", it.folder / "flowrun.yaml"])["s"]["uris"]
        assert len(uris) == 251
        assert "".join(it.text(uri) for uri in uris) == source + "\n"


def test_what_is_over_is_purged_once():
    with world() as folder:
        it = World(folder)
        it.run(write("a", "x"), *[task(f"l{i}", CORE + "log.Log", message=f"line {i}") for i in range(10)], name="old")
        old = it.execution["id"]
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
        purge = task("p", CORE + "execution.PurgeExecutions", flowId="old", namespace="company.team", endDate=until)
        first, second = it.run(purge)["p"], it.run(purge)["p"]
        assert [first["executionsCount"], first["logsCount"], second["executionsCount"]] == [1, 10, 0]
        assert first["storagesCount"] > 0
        assert not [path for path in it.state.rglob("*") if old in str(path) and path.is_file()]
        assert flowtest.run([flowtest.FLOWRUN, "show", old, "--state-dir", it.state]).returncode != 0


# --- keys ---------------------------------------------------------------------------------------


def test_a_null_is_a_value():
    with world() as folder:
        it = World(folder)
        out = it.run(task("set", KV + "Set", key="k", value="null", kvType="JSON"), task("keys", KV + "GetKeys"),
                     task("get", KV + "Get", key="k", errorOnMissing=True))
        assert out["keys"]["keys"] == ["k"] and out["get"].get("value") is None


def test_a_key_that_is_missing_is_null_or_an_error():
    with world() as folder:
        it = World(folder)
        assert it.run(task("get", KV + "Get", key="my-key"))["get"].get("value") is None
        it.run(task("get", KV + "Get", key="my-key", errorOnMissing=True), status=1)
        assert "my-key" in message(it) and "errorOnMissing" in message(it)


def test_a_key_ends():
    with world() as folder:
        it = World(folder)
        before = time.time()
        it.run(task("five", KV + "Set", key="five", value="1", ttl="PT5M"), task("short", KV + "Set", key="short", value="1", ttl="PT0.001S"))
        ends = dict(rows(it, "SELECT key, expires FROM kv"))
        assert before + 240 < ends["five"] / 1000 < before + 360
        it.run(task("get", KV + "Get", key="short", errorOnMissing=True), status=1)
        assert "short" in message(it)
        it.run(task("r", RETURN, format="{{ kv('short') }}"), status=1)


def test_keys_are_spelled_like_names():
    with world() as folder:
        it = World(folder)
        for kind, more in (("Set", {"value": "x"}), ("Get", {}), ("Delete", {})):
            it.run(task("t", KV + kind, key="{{ 'a/b' }}", **more), status=1)
            assert "a/b" in message(it), kind
        it.run(task("s", KV + "Set", key="AN_UPPER.CASE-key", value="x"), task("g", KV + "Get", key="AN_UPPER.CASE-key", errorOnMissing=True),
               task("d", KV + "Delete", key="AN_UPPER.CASE-key", errorOnMissing=True))


def test_a_namespace_without_anything_is_named():
    with world() as folder:
        it = World(folder)
        unknown = "io.kestra.unittest.unknown"
        it.run(task("g", KV + "Get", key="k", namespace=unknown, errorOnMissing=True), status=1)
        assert unknown in message(it) and "does not exist" in message(it)
        it.run(task("s", KV + "Set", key="other", value="x", namespace=unknown), task("g", KV + "Get", key="k", namespace=unknown))
        it.run(task("g", KV + "Get", key="k", namespace=unknown, errorOnMissing=True), status=1)
        assert unknown in message(it) and "does not exist" not in message(it)


def test_keys_are_listed_by_their_beginning():
    with world() as folder:
        it = World(folder)
        out = it.run(*[task(f"s{i}", KV + "Set", key=key, value="x") for i, key in enumerate(("test-key", "test-second-key", "another-key"))],
                     task("prefix", RETURN, format="test"), task("keys", KV + "GetKeys", prefix="{{ outputs.prefix.value }}"))
        assert sorted(out["keys"]["keys"]) == ["test-key", "test-second-key"]


def test_a_value_keeps_its_type_and_has_no_end():
    with world() as folder:
        it = World(folder)
        out = it.run(task("v", CORE + "output.OutputValues", values={"map": {"date": {"now": 1}, "int": 1, "string": "string"}}),
                     task("set", KV + "Set", key="{{ 'k' }}", value="{{ outputs.v.values.map }}"), task("get", KV + "Get", key="k"))
        assert out["get"]["value"] == {"date": {"now": 1}, "int": 1, "string": "string"}
        assert rows(it, "SELECT namespace, key, expires FROM kv") in ([("company.team", "k", None)], [("company.team", "k", 0)])


def test_a_value_goes_where_its_namespace_says():
    with world() as folder:
        it = World(folder)
        it.run(task("own", KV + "Set", key="a", value="test-value", namespace="io.kestra.test"),
               task("up", KV + "Set", key="b", value="test-value", namespace="io.kestra"), namespace="io.kestra.test")
        assert sorted(rows(it, "SELECT namespace, key, value FROM kv")) == [
            ("io.kestra", "b", '"test-value"'), ("io.kestra.test", "a", '"test-value"')]


def test_a_key_that_is_there_is_kept_where_told():
    with world() as folder:
        it = World(folder)
        it.run(task("s", KV + "Set", key="test-key", value="first"))
        it.run(task("s", KV + "Set", key="test-key", value="second", overwrite=False), status=1)
        assert "cannot set value" in message(it) and "test-key" in message(it) and "overwrite" in message(it)
        assert it.run(task("g", KV + "Get", key="test-key"))["g"]["value"] == "first"


def test_a_text_becomes_what_its_kind_says():
    with world() as folder:
        it = World(folder)
        out = it.run(task("n", KV + "Set", key="n", value="123.45", kvType="NUMBER"), task("gn", KV + "Get", key="n"),
                     task("d", KV + "Set", key="d", value="2023-05-02T01:02:03Z", kvType="DATETIME"), task("gd", KV + "Get", key="d"),
                     task("year", RETURN, format="{{ kv('d') | date('yyyy') }}"))
        assert out["gn"]["value"] == 123.45 and out["gd"]["value"] == "2023-05-02T01:02:03Z" and out["year"]["value"] == "2023"
        it.run(task("n", KV + "Set", key="n", value="no number", kvType="NUMBER"), status=1)


# --- states -------------------------------------------------------------------------------------


def test_a_state_that_is_missing_is_an_error_where_told():
    with world() as folder:
        it = World(folder)
        for kind in ("Delete", "Get"):
            it.run(task("t", STATE + kind, errorOnMissing=True), status=1)
            assert "there is no state" in message(it)


def test_a_state_is_its_flow_s_or_its_namespace_s():
    with world() as folder:
        it = World(folder)
        data = {"john": "doe"}
        one = it.run(task("s", STATE + "Set", namespace=True, data=data), name="one")
        two = it.run(task("shared", STATE + "Get", namespace=True), task("own", STATE + "Get"), name="two")
        assert [one["s"]["count"], two["shared"]["count"], two["own"]["count"]] == [1, 1, 0]
        assert two["shared"]["data"] == data and not two["own"]["data"]


def test_states_are_apart_by_place_name_and_value():
    places = [{"namespace": True}, {}]
    names = [{"name": "named"}, {}]
    plain = [(f"p{i}{j}", {**place, **name}) for i, place in enumerate(places) for j, name in enumerate(names)]
    with world() as folder:
        it = World(folder)

        def tasks(kind, **more):
            # Outside of a loop a task has no value; inside it has one, and its state is another.
            return [task(f"{kind}_{name}", STATE + kind, **at, **({"data": {"at": name}} if kind == "Set" else {})) for name, at in plain] + [
                task(f"{kind}_each", CORE + "flow.ForEach", values=["v"], tasks=[
                    task(f"{kind}_{name}v", STATE + kind, **at, **({"data": {"at": name + "v"}} if kind == "Set" else {})) for name, at in plain])]

        it.run(*tasks("Set"))
        out = it.run(*tasks("Get"))
        found = {name: run["data"]["at"] for name, run in out.items() if "data" in run}
        assert found == {f"Get_{name}{value}": name + value for name, _ in plain for value in ("", "v")} and len(set(found.values())) == 8


# --- namespace files ----------------------------------------------------------------------------


def test_namespace_files_are_listed_and_deleted_by_pattern():
    with world() as folder:
        it = World(folder)
        space = "company.team"

        def listed():
            return set(it.run(task("l", FILES + "DownloadFiles", namespace=space, files=["**"]))["l"]["files"])

        assert listed() == set()
        put = [f"/sub/dir/file{i}.txt" for i in (1, 2, 3)]
        it.run(write("a", "x"), task("u", FILES + "UploadFiles", namespace=space, filesMap={path: "{{ outputs.a.uri }}" for path in put}))
        assert listed() == {path[1:] for path in put}
        it.run(write("a", "x"), task("u", FILES + "UploadFiles", namespace=space,
                                     filesMap={"/a/b/test1.txt": "{{ outputs.a.uri }}", "/a/b/test2.txt": "{{ outputs.a.uri }}"}),
               task("d", FILES + "DeleteFiles", namespace=space, files=["**test1*"]))
        assert {path for path in listed() if path.startswith("a/")} == {"a/b/test2.txt"}


def test_a_namespace_file_that_is_there():
    with world() as folder:
        it = World(folder)
        space = "company.team"
        for mode, left in (("OVERWRITE", "2"), ("SKIP", "1"), ("ERROR", "1")):
            put = {"namespace": space, "destination": f"/{mode}", "conflict": mode}
            it.run(write("a", "1"), task("u", FILES + "UploadFiles", filesMap={"/path/file.txt": "{{ outputs.a.uri }}"}, **put))
            it.run(write("b", "2"), task("u", FILES + "UploadFiles", filesMap={"/path/file.txt": "{{ outputs.b.uri }}"}, **put),
                   status=1 if mode == "ERROR" else 0)
            files = it.run(task("l", FILES + "DownloadFiles", namespace=space, files=[f"{mode}/**"]))["l"]["files"]
            assert {path: it.text(uri) for path, uri in files.items()} == {f"{mode}/path/file.txt": left}


# --- requests -----------------------------------------------------------------------------------

HELLO = b'{ "hello": "world" }'


def test_a_request_gives_body_and_code():
    with world() as folder, Recorder({"/hello": [(200, {}, HELLO)], "/hello417": [(417, {}, HELLO)]}) as server:
        it = World(folder)
        out = it.run(task("good", REQUEST, uri=server.url + "/hello"), task("bad", REQUEST, uri=server.url + "/hello417", allowFailed=True))
        for name, code in (("good", 200), ("bad", 417)):
            assert [out[name]["body"], out[name]["code"], out[name].get("encryptedBody")] == [HELLO.decode(), code, None]


def test_a_head_request_gives_its_headers():
    with world() as folder, Recorder({"/data.csv": [(200, {}, b"x" * 512789)]}) as server:
        it = World(folder)
        out = it.run(task("h", REQUEST, method="HEAD", uri=server.url + "/data.csv"))["h"]
        assert out["uri"] == server.url + "/data.csv" and out["headers"]["content-length"] == ["512789"] and not out.get("body")


def test_a_certificate_of_its_own_is_taken_where_all_are():
    with world() as folder, Recorder({"/": [(200, {}, b"self-signed")]}, context=self_signed(folder)) as server:
        it = World(folder)
        out = it.run(task("r", REQUEST, uri=server.url + "/", allowFailed=True, options={"readTimeout": "PT30S"},
                          sslOptions={"insecureTrustAllCertificates": True}))["r"]
        assert [out["code"], out["body"]] == [200, "self-signed"]


def test_a_part_has_the_name_it_is_given():
    with world() as folder, Recorder() as server:
        it = World(folder)
        out = it.run(write("a", "file content", ".yml"),
                     task("r", REQUEST, method="POST", uri=server.url, contentType="multipart/form-data",
                          formData={"hello": "world", "file": {"content": "{{ outputs.a.uri }}", "name": "test.yml"}}))["r"]
        body = server.requests[0]["body"]
        assert out["code"] == 200 and b'name="hello"' in body and b"world" in body
        assert b'name="file"; filename="test.yml"' in body and b"file content" in body


def test_a_download_is_what_the_server_has():
    content = b"id,name\n" + b"1,x\n" * 50000
    with world() as folder, Recorder({"/path/data.csv": [(200, {"Content-Type": "text/csv"}, content)]}) as server:
        it = World(folder)
        out = it.run(task("d", DOWNLOAD, uri=server.url + "/path/data.csv"))["d"]
        assert it.path(out["uri"]).read_bytes() == content and out["uri"].endswith(".csv"), out["uri"]


def test_a_download_that_gives_nothing_or_an_error_fails():
    with world() as folder, Recorder({"/204": [(204, {}, b"")], "/500": [(500, {}, b"Internal Server Error")]}) as server:
        it = World(folder)
        it.run(task("d", DOWNLOAD, uri=server.url + "/204"), status=1)
        assert "empty" in message(it)
        it.run(task("d", DOWNLOAD, uri=server.url + "/500"), status=1)
        assert "500" in message(it)


if __name__ == "__main__":
    flowtest.main()
