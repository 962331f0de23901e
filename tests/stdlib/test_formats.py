"""Rows between CSV, JSON, YAML and XML; archives and compressed files, also those that mean harm."""

import bz2
import gzip
import io
import json
import lzma
import sys
import tarfile
import xml.etree.ElementTree as tree
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from flows import World, task, world
import flowtest
import yaml

SERDES = "io.kestra.plugin.serdes."
COMPRESS = "io.kestra.plugin.compress."


class Files(World):
    """A world that reads files beside its flows."""

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / "files"
        self.place.mkdir()
        (self.folder / "flowrun.yaml").write_text(f"allowedPaths: [{self.place}]\n")

    def put(self, name, content):
        path = self.place / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return f"file://{path}"

    def one(self, kind, content, status=0, name="in.txt", **properties):
        """The outputs of one task over a file, and the text of its `uri`."""
        out = self.run(task("t", kind, **{"from": self.put(name, content)}, **properties), status=status,
                       options=["--config", self.folder / "flowrun.yaml"])
        if status:
            return self.execution["reason"]["message"]
        return out["t"], self.path(out["t"]["uri"]).read_bytes().decode() if "uri" in out["t"] else None

    def rows(self, kind, content, **properties):
        out, text = self.one(kind, content, **properties)
        rows = [json.loads(line) for line in text.splitlines()]
        assert out["size"] == len(rows)
        return rows


def test_csv_becomes_rows():
    with world() as folder:
        it = Files(folder)
        kind = SERDES + "csv.CsvToIon"
        text = 'id,name\n1,"A, ""B"""\n2,"two\nlines"\n'
        assert it.rows(kind, text) == [{"id": "1", "name": 'A, "B"'}, {"id": "2", "name": "two\nlines"}]
        assert it.rows(kind, "1;'x;y'\r\n2;z", header=False, fieldSeparator=";", textDelimiter="'") == [["1", "x;y"], ["2", "z"]]
        assert it.rows(kind, "junk\nid,n\n1,a\n\n2,b\n", skipRows=1, skipEmptyRows=True) == [{"id": "1", "n": "a"}, {"id": "2", "n": "b"}]
        assert it.rows(kind, "id,,n\n1,x,a\n") == [{"id": "1", "n": "a"}]
        assert it.rows(kind, "id,,n\n1,x,a\n", onEmptyHeader="RENAME") == [{"id": "1", "column_2": "x", "n": "a"}]
        assert it.rows(kind, "a,b\n1\n2,3\n", onBadLines="SKIP") == [{"a": "2", "b": "3"}]
        assert "has 1 fields instead of 2" in it.one(kind, "a,b\n1\n2,3\n", status=1)
        assert "not closed" in it.one(kind, 'a\n"b\n', status=1)
        assert it.rows(kind, "") == []


def test_many_rows_of_csv_pass_in_batches():
    with world() as folder:
        it = Files(folder)
        text = "id,text\n" + "".join(f'{i},"line\n{"x" * 60}"\n' for i in range(40000))
        rows = it.rows(SERDES + "csv.CsvToIon", text)
        assert len(rows) == 40000 and rows[39999] == {"id": "39999", "text": "line\n" + "x" * 60}


def test_rows_become_csv():
    with world() as folder:
        it = Files(folder)
        kind = SERDES + "csv.IonToCsv"
        rows = '{"id":1,"name":"A, \\"B\\"","on":true,"none":null}\n{"id":2.5,"on":false,"name":"x"}\n'
        assert it.one(kind, rows)[1] == 'id,name,on,none\n1,"A, ""B""",true,\n2.5,x,false,\n'
        assert it.one(kind, rows, header=False, fieldSeparator=";", lineDelimiter="\r\n")[1] == '1;"A, ""B""";true;\r\n2.5;x;false;\r\n'
        assert it.one(kind, rows, quoteMode="NON_NUMERIC")[1].splitlines()[2] == '2.5,"x","false",'
        assert it.one(kind, "[1,2]\n", alwaysDelimitText=True)[1] == '"1","2"\n'
        assert "row 1 is neither" in it.one(kind, "5\n", status=1)


def test_json_and_yaml_become_rows_and_back():
    with world() as folder:
        it = Files(folder)
        want = [{"a": 1}, {"a": 2.5, "b": None}]
        lines = "".join(json.dumps(row) + "\n" for row in want)
        assert it.rows(SERDES + "json.JsonToIon", lines) == want
        assert it.rows(SERDES + "json.JsonToIon", json.dumps(want, indent=2), newLine=False) == want
        assert it.rows(SERDES + "json.JsonToIon", '{"a": 1}', newLine=False) == [{"a": 1}]
        assert it.rows(SERDES + "json.JsonToJsonl", json.dumps(want, indent=2)) == want
        out, text = it.one(SERDES + "json.IonToJson", lines, newLine=False)
        assert json.loads(text) == want and out["size"] == 2 and out["uri"].endswith(".json")
        assert json.loads(it.one(SERDES + "json.IonToJson", "", newLine=False)[1]) == []
        assert it.rows(SERDES + "json.IonToJson", lines) == want
        assert it.rows(SERDES + "yaml.YamlToIon", "- a: 1\n- {a: 2.5, b: null}\n") == want
        assert it.rows(SERDES + "yaml.YamlToIon", "a: 1\n---\na: 2.5\nb:\n") == want
        assert yaml.safe_load(it.one(SERDES + "yaml.IonToYaml", lines)[1]) == want
        assert yaml.safe_load(it.one(SERDES + "yaml.JsonToYaml", json.dumps({"x": want}))[1]) == {"x": want}
        assert yaml.safe_load(it.one(SERDES + "yaml.JsonToYaml", lines, jsonl=True)[1]) == want
        assert json.loads(it.one(SERDES + "yaml.YamlToJson", "x: {y: [1, 2]}\n")[1]) == {"x": {"y": [1, 2]}}
        assert it.rows(SERDES + "yaml.YamlToJson", "- a: 1\n- {a: 2.5, b: null}\n", jsonl=True) == want
        assert "row 2" in it.one(SERDES + "json.JsonToIon", '{"a":1}\n{"a":\n', status=1)
        assert "charset" in it.one(SERDES + "json.JsonToIon", "", status=1, charset="UTF-16")


ION = r"""{name:"A \"B\" \x41\u00e4\U0001F600",'odd key':'a symbol',n:null.string,i:-1_000,x:0xff,b:0b101,d:1.50,m:15d-1,e:2.5e1}
{t:2026-01-02T03:04:05.678Z,day:2026-01-02,list:[1,two,'''long ' ''' '''text''',(a 1)],typed:kind::{ok:true} /* no */}
note::{"json": [1, {}], clob:{{aGk=}}, f:false} // end
"""


def test_rows_of_ion_text_are_read():
    want = [{"name": 'A "B" Aä😀', "odd key": "a symbol", "n": None, "i": -1000, "x": 255, "b": 5, "d": 1.5, "m": 1.5, "e": 25.0},
            {"t": "2026-01-02T03:04:05.678Z", "day": "2026-01-02", "list": [1, "two", "long ' text", ["a", 1]], "typed": {"ok": True}},
            {"json": [1, {}], "clob": "aGk=", "f": False}]
    with world() as folder:
        it = Files(folder)
        assert it.rows(SERDES + "json.IonToJson", ION) == want
        for bad in ("{a:}", "{a:1", "{a 1}", "[1 2]", "{a:'x}", "1 2", "{a:1x}", "(" * 100):
            assert "row 1" in it.one(SERDES + "json.IonToJson", bad, status=1), bad


BOOKS = """<?xml version="1.0"?>
<!-- books -->
<catalog count="2"><book id="a1"><title>A &amp; B &#228;</title><price>9.5</price><empty/></book>
<book id="b2"><title><![CDATA[<C>]]></title><price>10</price></book></catalog>"""


def test_xml_becomes_rows_and_back():
    with world() as folder:
        it = Files(folder)
        kind = SERDES + "xml.XmlToIon"
        books = [{"id": "a1", "title": "A & B ä", "price": 9.5, "empty": ""}, {"id": "b2", "title": "<C>", "price": 10}]
        assert it.rows(kind, BOOKS) == [{"catalog": {"count": 2, "book": books}}]
        assert it.rows(kind, BOOKS, query="/catalog/book") == books
        assert it.rows(kind, BOOKS, query="/catalog/book/1") == books[1:]
        one = "<r><x>1</x></r>"
        assert it.rows(kind, one, query="/r", parserConfiguration={"forceList": ["x"]}) == [{"x": [1]}]
        assert it.rows(kind, "<r a='x > y'>text<b/>more</r>") == [{"r": {"a": "x > y", "b": "", "content": "textmore"}}]
        for bad, why in (("<a><b></a>", "closes what is not open"), ("<a>", "not closed"), ("<a b=c/>", "no quotes"),
                         ("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "document types"),
                         ("<a>&x;</a>", "unknown entity"), ("<a>" * 100 + "</a>" * 100, "deep"), ("text", "outside")):
            assert why in it.one(kind, bad, status=1), bad
        assert "'nothing' of the query" in it.one(kind, BOOKS, status=1, query="/catalog/nothing")
        out, text = it.one(SERDES + "xml.IonToXml", '{"a b":"<x>","n":[1,2],"m":{"k":null}}\n{"t":"ä & b"}\n', rootName="rows")
        root = tree.fromstring(text)
        assert root.tag == "rows" and out["size"] == 2 and [item.tag for item in root] == ["item", "item"]
        assert root[0].find("a_b").text == "<x>" and [n.text for n in root[0].findall("n")] == ["1", "2"]
        assert root[0].find("m/k") is not None and root[1].find("t").text == "ä & b"


# --- compress -----------------------------------------------------------------------------------


def need_library():
    import ctypes
    try:
        ctypes.CDLL("libarchive.so.13")
    except OSError:
        flowtest.skip("libarchive13 is not installed", is_installable=True)


OPEN = {"GZIP": gzip.decompress, "BZIP2": bz2.decompress, "XZ": lzma.decompress, "LZMA": lzma.decompress, "ZSTD": None, "LZ4FRAME": None, "Z": None}


def test_a_file_is_compressed_and_back():
    need_library()
    content = b"some text that repeats itself, " * 5000
    with world() as folder:
        it = Files(folder)
        for kind, decompress in OPEN.items():
            out = it.run(task("c", COMPRESS + "FileCompress", **{"from": it.put("a.txt", content)}, compression=kind),
                         task("d", COMPRESS + "FileDecompress", **{"from": "{{ outputs.c.uri }}"}, compression=kind),
                         options=["--config", it.folder / "flowrun.yaml"])
            packed = it.path(out["c"]["uri"]).read_bytes()
            assert len(packed) < len(content) / 10, kind
            assert decompress is None or decompress(packed) == content
            assert it.path(out["d"]["uri"]).read_bytes() == content and out["d"]["uri"].endswith("/a.txt")
        assert "SNAPPY" in it.one(COMPRESS + "FileCompress", "x", status=1, compression="SNAPPY")
        assert "cannot be unpacked" in it.one(COMPRESS + "FileDecompress", b"\x1f\x8b garbage", status=1, compression="GZIP")


def test_archives_are_packed_and_unpacked():
    need_library()
    with world() as folder:
        it = Files(folder)
        a, b = it.put("a.txt", "A" * 1000), it.put("b.txt", "B")
        for kind, compression in (("ZIP", None), ("TAR", None), ("TAR", "GZIP"), ("CPIO", "ZSTD"), ("JAR", None)):
            more = {"compression": compression} if compression else {}
            out = it.run(task("c", COMPRESS + "ArchiveCompress", **{"from": {"dir/a.txt": a, "b.txt": b}}, algorithm=kind, **more),
                         task("d", COMPRESS + "ArchiveDecompress", **{"from": "{{ outputs.c.uri }}"}, algorithm=kind, **more),
                         task("l", COMPRESS + "ArchiveCompress", **{"from": [a, b, a]}, algorithm="ZIP"),
                         options=["--config", it.folder / "flowrun.yaml"])
            files = {path: it.text(uri) for path, uri in out["d"]["files"].items()}
            assert files == {"dir/a.txt": "A" * 1000, "b.txt": "B"}, kind
            packed = it.path(out["c"]["uri"])
            if kind == "ZIP":
                assert sorted(zipfile.ZipFile(packed).namelist()) == ["b.txt", "dir/a.txt"]
            elif kind == "TAR":
                assert sorted(tarfile.open(packed).getnames()) == ["b.txt", "dir/a.txt"]
        assert sorted(zipfile.ZipFile(it.path(out["l"]["uri"])).namelist()) == ["1-a.txt", "a.txt", "b.txt"]


def tar(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, 0 if kind != tarfile.REGTYPE else 1
            archive.addfile(info, io.BytesIO(b"x"))
    return out.getvalue()


def test_archives_that_mean_harm_are_refused():
    need_library()
    kind = COMPRESS + "ArchiveDecompress"
    with world() as folder:
        it = Files(folder)
        for member in (("../evil", tarfile.REGTYPE, ""), ("/etc/evil", tarfile.REGTYPE, ""), ("a/../../evil", tarfile.REGTYPE, "")):
            assert "leaves its folder" in it.one(kind, tar(member), status=1, algorithm="TAR"), member
        for member in (("link", tarfile.SYMTYPE, "/etc/passwd"), ("hard", tarfile.LNKTYPE, "a"), ("dev", tarfile.CHRTYPE, "")):
            said = it.one(kind, tar(("a", tarfile.REGTYPE, ""), member), status=1, algorithm="TAR")
            assert "no file" in said or "cannot be unpacked" in said, said
        assert "cannot be unpacked" in it.one(kind, b"no archive at all", status=1, algorithm="ZIP")
        assert "ARJ" in it.one(kind, b"x", status=1, algorithm="ARJ")


def test_an_archive_bomb_is_stopped():
    need_library()
    if flowtest.MODE != "long":
        flowtest.skip("writes a gigabyte: FLOW_TEST_MODE=long")
    bomb = gzip.compress(bytes(64 << 20), 9) * 40  # members one behind the other: 2.5 GiB of zeros
    with world() as folder:
        it = Files(folder)
        said = it.one(COMPRESS + "FileDecompress", bomb, status=1, compression="GZIP")
        assert "times its size" in said, said
        assert not [p for p in it.state.glob("files/**/*") if p.is_file()]


if __name__ == "__main__":
    flowtest.main()
