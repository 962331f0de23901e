"""A module includes only what layers.cmake allows, and each foreign header has its owners."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

OWNERS = {
    "yaml.h": {"runtime/value", "compiler/syntax"},
    "lua.h": {"runtime/leaf", "runtime/host"},
    "lauxlib.h": {"runtime/leaf", "runtime/host"},
    "lualib.h": {"runtime/leaf", "runtime/host"},
    "sqlite3.h": {"runtime/store"},
    "uv.h": {"runtime/loop"},
    "pcre2.h": {"runtime/value"},
    "sodium.h": {"runtime/base"},
    "curl/curl.h": {"runtime/net"},
    "tree_sitter/api.h": {"compiler/expr"},
    "microhttpd.h": {"runtime/serve"},
}


def layers():
    """{side/name: allowed modules} from the file the build reads."""
    text = (flowtest.SOURCE / "tests/layers.cmake").read_text()
    found = {}
    for side, name, rest in re.findall(r"^layer\((\w+)\s+(\w+)([^)]*)\)", text, re.M):
        uses = re.search(r"USES\s+([\w\s]*?)(?:LIBS|$)", rest.strip())
        found[f"{side}/{name}"] = set(uses.group(1).split()) if uses else set()
    return found


def sources():
    for side in ("compiler", "runtime"):
        for path in sorted((flowtest.SOURCE / side).glob("*/*.[ch]")):
            yield path


def test_a_module_includes_only_modules_to_its_left():
    allowed = layers()
    wrong = []
    for path in sources():
        module = f"{path.parent.parent.name}/{path.parent.name}"
        for other in re.findall(r'^#include "(\w+)/', path.read_text(), re.M):
            if other != path.parent.name and other not in allowed[module]:
                wrong.append(f"{path.relative_to(flowtest.SOURCE)} includes {other}/")
    assert not wrong, "\n".join(wrong)


def test_shared_modules_are_only_base_value_leaf_artifact():
    allowed = layers()
    compiler = {m.split("/")[1] for m in allowed if m.startswith("compiler/")}
    for module, uses in allowed.items():
        if module.startswith("compiler/"):
            assert uses - compiler <= {"base", "value", "leaf", "artifact"}, module


def test_foreign_headers_stay_with_their_owners():
    wrong = []
    for path in sources():
        module = f"{path.parent.parent.name}/{path.parent.name}"
        for header in re.findall(r"^#include <([^>]+)>", path.read_text(), re.M):
            if header in OWNERS and module not in OWNERS[header]:
                wrong.append(f"{path.relative_to(flowtest.SOURCE)} includes <{header}>")
    assert not wrong, "\n".join(wrong)


def test_malloc_appears_in_base_only():
    wrong = []
    for path in sources():
        if path.parent.name == "base":
            continue
        text = re.sub(r"//.*|/\*.*?\*/|\"(\\.|[^\"])*\"", "", path.read_text(), flags=re.S if False else 0)
        if re.search(r"\b(malloc|calloc|realloc|free|alloca)\s*\(", text):
            wrong.append(str(path.relative_to(flowtest.SOURCE)))
    assert not wrong, "\n".join(wrong)


def test_every_folder_says_what_it_is():
    missing = []
    for side in ("compiler", "runtime"):
        for folder in sorted((flowtest.SOURCE / side).iterdir()):
            if folder.is_dir() and any(folder.glob("*.c")) and not (folder / "README.md").exists():
                missing.append(str(folder.relative_to(flowtest.SOURCE)))
    assert not missing, "no README.md in " + ", ".join(missing)


flowtest.main()
