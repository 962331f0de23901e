"""The build tool tells mistakes in catalog files and modules with file and line, and gives the same bytes twice."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["FLOW_SOURCE"])
TOOL = pathlib.Path(os.environ["FLOW_BUILD"]) / "tools" / "flow_embed"

# file, what is replaced, by what, the line and words of the message
MISTAKES = [
    ("catalog/core.yaml", "message: {type: any, any_of", "message: {typ: any, any_of", "message", "unknown key 'typ'"),
    ("catalog/core.yaml", "message: {type: any, any_of", "message: {type: anything, any_of", "message", "unknown type 'anything'"),
    ("catalog/core.yaml", "level: {type: $Level", "level: {type: $Levl", "level", "unknown definition '$Levl'"),
    ("catalog/terraform.yaml", "failFast: {type: bool", "failFast: {required: maybe, type: bool", "failFast", "expected true or false"),
    ("catalog/kubernetes.yaml", "use: [AbstractPod, AbstractConnection]", "use: [AbstractPd]", "use", "unknown group 'AbstractPd'"),
    ("catalog/opentofu.yaml", "kind: task", "kind: tusk", "kind", "unknown kind 'tusk'"),
    ("catalog/opentofu.yaml", "kind: task\n", "kind: task\n  colour: red\n", "colour", "unknown key 'colour' of a type"),
    ("catalog/opentofu.yaml", "types:\n", "types: [\n", None, "opentofu.yaml"),
    ("core/log.lua", "props.message", "props.mesage", "props.mesage", "has no property 'mesage'"),
    ("core/log.lua", "core.log.Log", "core.log.Logg", None, "is no type of the catalog"),
    ("core/log.lua", 'use "lib.value"', 'use "lib.valu"', None, "there is no library 'lib.valu'"),
    ("core/log.lua", "effects = {}", 'effects = { "magic" }', None, "unknown effect 'magic'"),
    ("core/log.lua", "plan = run", "plam = run", None, "unknown key 'plam'"),
    ("lib/script.lua", "props.failFast", "props.failfast", "props.failfast", "has no property 'failfast'"),
    ("lib/script.lua", "local script = {}", "local script = {", None, "lib/script.lua"),
    ("kubernetes/apply.lua", "extends = { manifests", "extends = { spec", None, "not marked"),
]


def run(folder):
    return subprocess.run([TOOL, "stdlib", "tables.c", "modules.c"], cwd=folder, capture_output=True, text=True, timeout=60)


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        stdlib = temporary / "stdlib"
        shutil.copytree(SOURCE / "stdlib", stdlib)
        good = run(temporary)
        assert good.returncode == 0, good.stderr
        first = [(temporary / name).read_bytes() for name in ("tables.c", "modules.c")]
        run(temporary)
        if first != [(temporary / name).read_bytes() for name in ("tables.c", "modules.c")]:
            print("two runs differ")
            failures += 1
        for name, old, new, marker, words in MISTAKES:
            path = stdlib / name
            text = path.read_text()
            assert old in text, (name, old)
            broken = text.replace(old, new, 1)
            path.write_text(broken)
            result = run(temporary)
            path.write_text(text)
            line = None
            if marker is not None:
                at = broken.index(new) + new.index(marker) if marker in new else broken.index(marker)
                line = f"stdlib/{name}:{broken.count(chr(10), 0, at) + 1}:"
            told = result.returncode == 1 and words in result.stderr and (line is None or line in result.stderr)
            if not told:
                print(f"{name}: '{new}': want {line} {words}, got {result.returncode} {result.stderr!r}")
                failures += 1
    print(f"{len(MISTAKES)} mistakes, {failures} not told")
    return 1 if failures else 0


sys.exit(main())
