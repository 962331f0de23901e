"""Our libraries have no writable global and call nothing that is banned; the engine touches no machine."""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

BANNED = set("strcpy strcat sprintf vsprintf gets strtok system popen tmpnam localtime gmtime mktime asctime ctime".split())


def symbols(library):
    done = subprocess.run(["nm", "--defined-only", str(library)], capture_output=True, text=True)
    undefined = subprocess.run(["nm", "--undefined-only", str(library)], capture_output=True, text=True)
    defined = [(m.group(1), m.group(2)) for m in re.finditer(r"^[0-9a-f]+ (\w) (\S+)$", done.stdout, re.M)]
    return defined, {m.group(1) for m in re.finditer(r"^\s+U (\S+)$", undefined.stdout, re.M)}


def libraries():
    if flowtest.IS_SANITIZED:
        flowtest.skip("sanitizers add symbols of their own")
    found = sorted(flowtest.BUILD.glob("libflow_*.a"))
    assert found, "no libraries in the build folder"
    return found


def test_there_is_no_writable_global():
    wrong = []
    for library in libraries():
        for kind, name in symbols(library)[0]:
            if kind in "dDbBcCgGsS" and not name.startswith(("__", "ts_")):
                wrong.append(f"{library.name}: {name}")
    assert not wrong, "\n".join(wrong)


def test_banned_functions_are_not_called():
    wrong = []
    for library in libraries():
        for name in symbols(library)[1] & BANNED:
            wrong.append(f"{library.name}: {name}")
    assert not wrong, "\n".join(wrong)


flowtest.main()
