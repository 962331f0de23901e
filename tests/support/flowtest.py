"""flowtest.py - what script tests share: the tree, the build, running our programs, skipping.

A script test is one file with functions named test_*; `flowtest.main()` at its end runs them, prints a line each and ends
with 0, 1 or 77 (skipped). Set FLOW_SOURCE, FLOW_BUILD, FLOWC, FLOWRUN to point elsewhere; ctest does.
"""

import contextlib
import inspect
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

SOURCE = Path(os.environ.get("FLOW_SOURCE", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("FLOW_BUILD", SOURCE / "build"))
FLOWC = os.environ.get("FLOWC", str(BUILD / "bin" / "flowc"))
FLOWRUN = os.environ.get("FLOWRUN", str(BUILD / "bin" / "flowrun"))
SHARED = SOURCE.parent / "shared"
CACHE = Path(os.environ.get("FLOW_CACHE", Path.home() / ".cache" / "flowc"))
CI = os.environ.get("CI") == "true"
# fast, full or long
MODE = os.environ.get("FLOW_TEST_MODE", "fast")
IS_SANITIZED = any(
    "FLOW_SANITIZE" in line and line.rstrip().split("=", 1)[1]
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines()
    if line.startswith("FLOW_SANITIZE:")
) if (BUILD / "CMakeCache.txt").exists() else False


class Skipped(Exception):
    """Something a test needs is not here."""


def skip(reason, is_installable=False):
    """Skips the test; what could have been installed is an error in CI."""
    if CI and is_installable:
        raise AssertionError(f"not installed in CI: {reason}")
    raise Skipped(reason)


def run(arguments, check=None, env=None, timeout=120, input=None, cwd=None):
    """Runs a program; gives the finished process with text output. `check` is the status it must end with."""
    full = dict(os.environ)
    if str(arguments[0]) == FLOWC:
        full["XDG_CACHE_HOME"] = str(BUILD / "cache")  # not the user's own
    full.update(env or {})
    done = subprocess.run(
        [str(a) for a in arguments],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        env=full,
        timeout=timeout,
        input=input,
        stdin=None if input is not None else subprocess.DEVNULL,
        cwd=cwd,
    )
    if check is not None and done.returncode != check:
        raise AssertionError(
            f"{' '.join(map(str, arguments))}\nended with {done.returncode}, expected {check}\n"
            f"stdout:\n{done.stdout[-4000:]}\nstderr:\n{done.stderr[-4000:]}"
        )
    return done


@contextlib.contextmanager
def temporary():
    """A folder that goes when its owner does: `with temporary() as folder:`. What just ends may still write into it for a moment."""
    folder = tempfile.TemporaryDirectory(prefix="flow-test-")
    try:
        yield folder.name
    finally:
        for left in range(20, -1, -1):
            try:
                folder.cleanup()
                break
            except OSError:
                if left == 0:
                    raise
                time.sleep(0.1)


def main():
    """Runs every test_* function of the calling module."""
    module = inspect.getmodule(inspect.stack()[1][0])
    wanted = sys.argv[1:]
    tests = [(n, f) for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
    failed = skipped = count = 0
    for name, function in tests:
        if wanted and name not in wanted:
            continue
        count += 1
        try:
            function()
            print(f"ok       {name}", flush=True)
        except Skipped as reason:
            skipped += 1
            print(f"skipped  {name}: {reason}", flush=True)
        except BaseException:  # noqa: B902 - every kind of failure is a failure
            failed += 1
            print(f"FAILED   {name}", flush=True)
            traceback.print_exc()
    if count == 0:
        print("no tests")
        sys.exit(1)
    sys.exit(1 if failed else 77 if skipped == count else 0)
