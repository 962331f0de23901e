"""Each header compiles alone, has its guard, and each source file begins with a paragraph that says what it is."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest


def headers():
    for side in ("compiler", "runtime"):
        for path in sorted((flowtest.SOURCE / side).glob("**/*.h")):
            if "tree_sitter" not in path.parts:
                yield path


def test_each_header_compiles_alone():
    compiler = shutil.which("cc") or shutil.which("gcc")
    include = [f"-I{flowtest.SOURCE}/compiler", f"-I{flowtest.SOURCE}/runtime"]
    for name in ("lua5.4", "tree-sitter", "sqlite3", "libuv"):
        found = subprocess.run(["pkg-config", "--cflags", name], capture_output=True, text=True)
        include += found.stdout.split()
    wrong = []
    for path in headers():
        done = subprocess.run(
            [compiler, "-std=c11", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-x", "c", *include, "-include",
             str(path), "/dev/null"],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            wrong.append(f"{path.relative_to(flowtest.SOURCE)}: {done.stderr.splitlines()[0]}")
    assert not wrong, "\n".join(wrong)


def test_guards_are_named_after_module_and_file():
    wrong = []
    for path in headers():
        name = path.stem.upper().replace("-", "_")
        guards = {f"FLOW_{path.parent.name.upper()}_{name}_H", f"FLOW_{name}_H"}
        found = re.search(r"^#ifndef (\w+)$", path.read_text(), re.M)
        if not found or found.group(1) not in guards:
            wrong.append(str(path.relative_to(flowtest.SOURCE)))
    assert not wrong, "\n".join(wrong)


def test_each_file_begins_with_what_it_is():
    wrong = []
    for side in ("compiler", "runtime", "tests"):
        for path in sorted((flowtest.SOURCE / side).glob("**/*.[ch]")):
            if "grammar" in path.parts or "tree_sitter" in path.parts:
                continue
            first = path.read_text(errors="replace").split("\n", 1)[0]
            if not re.match(rf"// {re.escape(path.name)} - \S", first):
                wrong.append(f"{path.relative_to(flowtest.SOURCE)}: {first[:60]}")
    assert not wrong, "\n".join(wrong)


flowtest.main()
