"""Our libraries have no writable global and call nothing that is banned; the engine touches no machine."""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

BANNED = set("strcpy strcat sprintf vsprintf gets strtok system popen tmpnam localtime gmtime mktime asctime ctime".split())


def writable(library):
    """Names in .data and .bss; .data.rel.ro is written once, by the loader."""
    done = subprocess.run(["nm", "--format=sysv", "--defined-only", str(library)], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        columns = [c.strip() for c in line.split("|")]
        if len(columns) == 7 and columns[3] == "OBJECT" and re.match(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)", columns[6]):
            yield columns[0]


def called(library):
    done = subprocess.run(["nm", "--undefined-only", str(library)], capture_output=True, text=True)
    return {m.group(1) for m in re.finditer(r"^\s+U (\S+)$", done.stdout, re.M)}


def libraries():
    if flowtest.IS_SANITIZED:
        flowtest.skip("sanitizers add symbols of their own")
    found = sorted(flowtest.BUILD.glob("libflow_*.a"))
    assert found, "no libraries in the build folder"
    return found


def test_there_is_no_writable_global():
    wrong = []
    for library in libraries():
        for name in writable(library):
            wrong.append(f"{library.name}: {name}")
    assert not wrong, "\n".join(wrong)


def test_banned_functions_are_not_called():
    wrong = []
    for library in libraries():
        for name in called(library) & BANNED:
            wrong.append(f"{library.name}: {name}")
    assert not wrong, "\n".join(wrong)


flowtest.main()
