"""A megabyte of anything is checked without a crash and in 64 MiB. What it may take of time is a row of the figures."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest
import megabyte

MEMORY_MIB = 64
# What takes more at present, by a kilobyte for each finding or expression: no more than this many MiB.
LARGER = {
    "inputs that nobody reads": 96, "one key": 76, "tabs": 112, "aliases": 144, "expressions": 90, "expressions of one line": 100,
    "unclosed expressions": 164, "openings": 160, "scripts": 86,
}
PEAK = flowtest.BUILD / "tests" / "perf_peak"


def peak_mib(command):
    """Of the program alone: a child of this one would begin with the size of Python. None where it ended otherwise than with 0 or 1."""
    done = subprocess.run([PEAK, *command], capture_output=True, text=True)
    return int(done.stdout) >> 10 if done.returncode == 0 else None


def test_a_megabyte_of_anything_takes_little_memory():
    if not PEAK.exists():
        flowtest.skip(f"{PEAK} is not built")
    bad = []
    with flowtest.temporary() as folder:
        path = Path(folder) / "shape.yaml"
        for name, text in megabyte.SHAPES.items():
            path.write_text(text)
            mib = peak_mib([flowtest.FLOWC, "check", "--no-cache", "--embedded=off", "-j1", "--format", "oneline", path])
            if mib is None:
                bad.append(f"{name}: neither accepted nor refused")
            elif not flowtest.IS_SANITIZED and mib > LARGER.get(name, MEMORY_MIB):
                bad.append(f"{name}: {mib} MiB")
    assert not bad, "\n".join(bad)


flowtest.main()
