"""kestra_server.py - Kestra itself as a server: its own renderer, validator and engine behind HTTP, for tests that compare with it.

`with kestra(folder, "1.3.31") as url:` starts one at a free port and ends it by its pid. What it is made of (Kestra's modules
and a front for them) is set up once below ${FLOW_CACHE}/components by ../shared/tools/kestra_oracle.py. Without that tool, or
a JDK that is new enough, the test is skipped.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import components
import flowtest

TOOL = flowtest.SHARED / "tools/kestra_oracle.py"
# The oldest Java that runs a version.
JAVA = {"1.3.31": 21, "2.0.0": 25}


def java_version(home):
    try:
        told = subprocess.run([Path(home) / "bin/javac", "-version"], capture_output=True, text=True, timeout=30)
    except OSError:
        return 0
    found = re.search(r"javac (\d+)", told.stdout + told.stderr)
    return int(found.group(1)) if found else 0


def java_home(least):
    """A JDK of that version or newer: $JAVA_HOME, the one on the PATH, else one of those that are installed."""
    on_path = shutil.which("javac")
    homes = [os.environ.get("JAVA_HOME"), Path(on_path).resolve().parents[1] if on_path else None]
    homes += sorted(Path("/usr/lib/jvm").glob("*"), reverse=True)
    return next((str(home) for home in homes if home and java_version(home) >= least), None)


def at_hand(version):
    """A JDK and the folder with Kestra's modules, set up once; skips where something is missing for that."""
    if not TOOL.exists():
        flowtest.skip("the tool that sets up Kestra is not at hand")
    home = java_home(JAVA[version])
    if home is None:
        flowtest.skip(f"no JDK {JAVA[version]} or newer is installed")
    return home, set_up(version, home)


def set_up(version, home):
    folder = flowtest.CACHE / "components" / f"kestra-{version}"
    if (folder / "classes/oracle/Oracle.class").exists():
        return folder
    if shutil.which("mvn") is None and not (folder / "lib").is_dir():
        flowtest.skip("mvn is not installed (Debian package maven)", is_installable=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f"{folder.name}.part{os.getpid()}")
    done = subprocess.run([sys.executable, TOOL, "setup", part, "--kestra", version], capture_output=True, text=True,
                          timeout=900, env={**os.environ, "JAVA_HOME": home})
    if done.returncode != 0:
        shutil.rmtree(part, ignore_errors=True)
        flowtest.skip(f"Kestra {version} cannot be set up: {done.stderr.strip()[-300:]}")
    with contextlib.suppress(OSError):
        part.rename(folder)  # another process may have been faster
    shutil.rmtree(part, ignore_errors=True)
    return folder


@contextlib.contextmanager
def kestra(folder, version, memory="700m"):
    """A running Kestra whose data lies in `folder`; gives its URL."""
    home, place = at_hand(version)
    port, grpc = components.free_port(), components.free_port()
    arguments = [sys.executable, TOOL, "serve", place, "--port", port, "--grpc", grpc, "--data", Path(folder) / "data", "--memory", memory]
    with components.server(arguments, folder, f"kestra-{version}", {"JAVA_HOME": home}) as process:
        components.wait_until(lambda: components.answers(f"http://127.0.0.1:{port}/health"), f"Kestra {version}", 180, process)
        yield f"http://127.0.0.1:{port}"
