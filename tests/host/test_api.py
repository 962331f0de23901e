#!/usr/bin/env python3
"""The host API is what API.md says: every name there exists, and the modules of stdlib use no other."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import flowtest  # noqa: E402

SOURCE = flowtest.SOURCE
HOST = SOURCE / "runtime" / "host"
TABLES = ("workdir", "storage", "nsfiles", "kv", "executions", "archive", "json", "yaml", "csv", "re", "base64", "url")
FIELDS = {"null", "context"}


def functions():
    """Names registered in C: `log`, `kv.get`, …"""
    names = set(FIELDS)
    for path in sorted(HOST.glob("*.c")):
        text = re.sub(r"\s+", " ", path.read_text())
        tables = dict(re.findall(r'add_table\(L, "(\w+)", (\w+)\)', text))
        for array, body in re.findall(r"static const luaL_Reg (\w+)\[\] = \{(.*?)\{NULL,\s*NULL\s*\}", text):
            prefix = next((name + "." for name, variable in tables.items() if variable == array), "")
            names.update(prefix + name for name in re.findall(r'\{"(\w+)",', body))
    return names


def test_every_documented_name_exists():
    text = (HOST / "API.md").read_text()
    known = functions()
    missing = set()
    for name in re.findall(r"\bhost\.(\w+(?:\.\w+)?)", text):
        if name.split(".")[0] in TABLES and "." not in name:
            continue
        if name not in known and name.split(".")[0] not in FIELDS:
            missing.add(name)
    assert not missing, ", ".join(sorted(missing))


def test_every_function_is_documented():
    text = (HOST / "API.md").read_text()
    missing = []
    for name in functions():
        short = name.split(".")[-1]
        if not re.search(r"[`.:]" + re.escape(short) + r"\b", text):
            missing.append(name)
    assert not missing, ", ".join(sorted(missing))


def test_modules_use_what_there_is():
    known = functions()
    wrong = []
    for path in sorted((SOURCE / "stdlib").glob("*/*.lua")):
        code = re.sub(r"--.*", "", path.read_text())
        for name in re.findall(r"\bhost\.(\w+(?:\.\w+)?)", code):
            first = name.split(".")[0]
            if name in known or first in FIELDS or first in known:
                continue
            wrong.append(f"{path.name}: host.{name}")
    assert not wrong, "\n".join(wrong)


flowtest.main()
