"""The engine is pure: its objects ask for nothing but our own base, value and artifact, and a few
functions that only look at memory. No I/O, no clock, no malloc."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

HARMLESS = {
    "memcpy", "memcmp", "memset", "memmove", "memchr", "strlen", "strcmp", "strncmp", "vsnprintf", "snprintf",
    "__memcpy_chk", "__memset_chk", "__memmove_chk", "__vsnprintf_chk", "__snprintf_chk",
    "__stack_chk_fail", "__assert_fail", "_GLOBAL_OFFSET_TABLE_", "bcmp",
}
# What base offers beyond arenas, buffers and text: files, clocks, randomness, plain heap.
FORBIDDEN_OWN = re.compile(r"^(file_|clock_|random_|heap_|crypto_init|err_system|sign_)")
OWN_MODULES = ("base", "value", "artifact", "engine")


def symbols(library, kind):
    out = subprocess.run(["nm", "-A", "-P", kind, str(library)], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        where, name, *_ = line.split()
        yield where, name


def main():
    if shutil.which("nm") is None:
        print("skipped: nm is not installed")
        return 77
    build = pathlib.Path(os.environ["FLOW_BUILD"])
    engine = build / "libflow_runtime_engine.a"
    if not engine.exists():
        print("skipped: the engine is not built")
        return 77
    own = set()
    for module in OWN_MODULES:
        library = build / f"libflow_runtime_{module}.a"
        own |= {name for _, name in symbols(library, "--defined-only")}
    wrong = []
    for where, name in symbols(engine, "-u"):
        if re.match(r"__(asan|ubsan|sanitizer|tsan|gcov|llvm)", name):
            continue
        if (name in own and not FORBIDDEN_OWN.match(name)) or name in HARMLESS:
            continue
        wrong.append(f"{where} {name}")
    writable = []
    listing = subprocess.run(["nm", "-A", "-f", "sysv", str(engine)], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        columns = [column.strip() for column in line.split("|")]
        if len(columns) < 7 or re.search(r"asan|ubsan|llvm|gcov", columns[0]):
            continue
        if re.match(r"\.(data|bss)(?!\.rel\.ro)", columns[6]) or columns[6] == "*COM*":
            writable.append(f"{columns[0]} {columns[6]}")
    for line in wrong:
        print(f"the engine must not use: {line}")
    for line in writable:
        print(f"writable data in the engine: {line}")
    sources = pathlib.Path(os.environ["FLOW_SOURCE"]) / "runtime" / "engine"
    for source in sorted(sources.glob("*.[ch]")):
        for include in re.findall(r'#include "([a-z]+)/', source.read_text()):
            if include not in OWN_MODULES:
                print(f"{source.name} includes {include}")
                wrong.append(include)
    return 1 if wrong or writable else 0


sys.exit(main())
