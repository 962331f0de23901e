"""escapes.py - ten ways in which a child may try to outlive its task, as shell commands; MARK is in the argv of each child.

`survivors(mark)` are the processes that made it, wherever they are: also in containers, whose processes this host sees.
"""

import shutil
import subprocess
import time
from pathlib import Path

_TRACER = (
    "import ctypes, os, signal, sys, time\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]\n"
    "child = os.fork()\n"
    "if child == 0:\n"
    "    libc.ptrace(0, 0, None, None)\n"  # PTRACE_TRACEME
    "    os.kill(os.getpid(), signal.SIGSTOP)\n"
    "    time.sleep(1000)\n"
    "os.waitpid(child, os.WUNTRACED)\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "time.sleep(1000)  # MARK\n"
)

# The same for a container that has no Python.
_TRACER_C = """
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        sleep(1000);
    }
    waitpid(child, 0, WUNTRACED);
    signal(SIGTERM, SIG_IGN);
    sleep(1000);
}
"""


def build_tracer(folder):
    """A static program that traces its child; None where it cannot be built."""
    compiler = shutil.which("cc")
    (Path(folder) / "tracer.c").write_text(_TRACER_C)
    done = compiler and subprocess.run([compiler, "-static", "-o", "tracer", "tracer.c"], cwd=folder, capture_output=True)
    return Path(folder) / "tracer" if done and done.returncode == 0 else None


ESCAPES = {
    "background": "sleep MARK &",
    "nohup": "nohup sleep MARK >/dev/null 2>&1 &",
    "setsid": "setsid sleep MARK >/dev/null 2>&1 &",
    "double_fork": "(setsid sh -c '(sleep MARK >/dev/null 2>&1 &)' &)",
    "closed_descriptors": "setsid sh -c 'exec sleep MARK <&- >&- 2>&-' &",
    "term_ignored": "sh -c 'trap \"\" TERM HUP INT; sleep MARK; sleep MARK' &\ntrap '' TERM",
    "fork_storm": "i=0; while [ $i -lt STORM ]; do sleep MARK & i=$((i+1)); done",
    "stopped": "sleep MARK & kill -STOP $!",
    "own_session_with_pipe": "setsid sleep MARK &",
    "ptraced": f"python3 -c '{_TRACER}' &",
}


def commands(name, mark, storm=500, is_container=False):
    if is_container and name == "ptraced":
        return f"tracer {mark} &"
    return ESCAPES[name].replace("MARK", mark).replace("STORM", str(storm))


def survivors(mark):
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "cmdline").read_bytes()
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        # The script that starts them holds the mark, too; a zombie is nobody any more.
        if mark.encode() in line and state != "Z" and b"flowrun" not in line.split(b"\0")[0]:
            found.append((entry.name, line.replace(b"\0", b" ").decode(errors="replace")[:80]))
    return found


def wait_for_none(mark, seconds):
    end = time.monotonic() + seconds
    while True:
        left = survivors(mark)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)
