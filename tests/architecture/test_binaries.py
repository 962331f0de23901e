"""What our programs are linked with, how large they are, and that a build does not know its folder or date."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

# The golden list: a line more here is a decision (design: light at start), not an accident.
FLOWC = {"libyaml-0", "libtree-sitter", "liblua5.4", "libpcre2-8", "libsodium"}
FLOWRUN = {"libyaml-0", "liblua5.4", "libuv", "libsqlite3", "libpcre2-8", "libsodium"}
ANY = {"libc", "libm", "libgcc_s", "linux-vdso", "ld-linux-x86-64", "ld-linux-aarch64", "libpthread", "libdl"}


def linked(program):
    if flowtest.IS_SANITIZED:
        flowtest.skip("sanitizers link libraries of their own")
    if not Path(program).exists():
        flowtest.skip(f"{program} is not built")
    done = flowtest.run(["readelf", "-d", program], check=0)
    return {re.sub(r"\.so.*", "", name) for name in re.findall(r"\(NEEDED\).*\[([^]]+)\]", done.stdout)} - ANY


def test_flowc_is_linked_with_its_list():
    assert linked(flowtest.FLOWC) == FLOWC, linked(flowtest.FLOWC)


def test_flowrun_is_linked_with_its_list():
    assert linked(flowtest.FLOWRUN) == FLOWRUN, linked(flowtest.FLOWRUN)


def stripped_size(program):
    if flowtest.IS_SANITIZED or not Path(program).exists():
        flowtest.skip("needs a release build")
    with flowtest.temporary() as folder:
        copy = Path(folder) / "program"
        shutil.copy(program, copy)
        subprocess.run(["strip", str(copy)], check=True)
        return copy.stat().st_size


def test_flowc_is_small():
    assert stripped_size(flowtest.FLOWC) <= 2 << 20, stripped_size(flowtest.FLOWC)


def test_flowrun_is_small():
    assert stripped_size(flowtest.FLOWRUN) <= 1 << 20, stripped_size(flowtest.FLOWRUN)


def test_binaries_hold_no_path_of_the_build():
    for program in (flowtest.FLOWC, flowtest.FLOWRUN):
        if not Path(program).exists() or flowtest.IS_SANITIZED:
            flowtest.skip("needs a release build")
        assert str(flowtest.SOURCE).encode() not in Path(program).read_bytes(), program


flowtest.main()
