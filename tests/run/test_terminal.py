"""What a person sees while a flow runs: captured in tmux at two widths, running, paused, failed, while it is resized.

No line may wrap: tmux tells wrapped lines (capture-pane -J joins them), so both captures have to be the same.
"""
import os
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
import flowtest  # noqa: E402

FLOW = """
id: tree
namespace: tests
tasks:
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: long_name_of_a_task_that_says_much_about_what_it_does
        type: io.kestra.plugin.core.log.Log
        message: "a message that is wider than a narrow terminal, with 漢字 and much to say about itself"
      - id: slow
        type: io.kestra.plugin.scripts.shell.Commands
        commands: ["while [ ! -e '{{ inputs.gate }}' ]; do sleep 0.1; done"]
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ range(1, 1000) }}"
    concurrencyLimit: 0
    tasks:
      - id: point
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value }}"
  - id: hold
    type: io.kestra.plugin.core.flow.Pause
  - id: broken
    type: io.kestra.plugin.core.execution.Fail
    errorMessage: three rows less than yesterday
inputs:
  - id: gate
    type: STRING
"""


class Terminal:
    def __init__(self, folder, columns, command):
        self.name = f"flow{os.getpid()}x{columns}"
        self.socket = folder / f"tmux{time.monotonic_ns()}"  # a server of its own: one that ends takes its time
        flowtest.run([*self.tmux(), "new-session", "-d", "-s", self.name, "-x", str(columns), "-y", "30",
                      f"LANG=C.UTF-8 {command}; echo status $?; sleep 600"])

    def tmux(self):
        return ["tmux", "-S", str(self.socket), "-f", "/dev/null"]

    def capture(self, *options):
        return flowtest.run([*self.tmux(), "capture-pane", "-p", "-t", self.name, *options]).stdout

    def wait_for(self, *texts):
        for _ in range(300):
            seen = self.capture()
            if all(text in seen for text in texts):
                return seen
            time.sleep(0.1)
        raise AssertionError(f"never saw {texts} in:\n{seen}")

    def assert_nothing_wraps(self, after=""):
        for _ in range(5):
            plain, joined = (self.capture(*o).partition(after or "\n")[2] for o in ([], ["-J"]))
            if [line.rstrip() for line in plain.splitlines()] == [line.rstrip() for line in joined.splitlines()]:
                return
            time.sleep(0.3)
        raise AssertionError(f"a line wraps:\n{plain}")

    def resize(self, columns):
        flowtest.run([*self.tmux(), "resize-window", "-t", self.name, "-x", str(columns), "-y", "30"])

    def end(self):
        flowtest.run([*self.tmux(), "kill-server"], check=None)


def watch(folder, columns):
    gate = folder / f"gate{columns}"
    state = folder / f"state{columns}"
    common = f"--state-dir {state}"
    terminal = Terminal(folder, columns, f"{flowtest.FLOWRUN} run {folder}/tree.flowc {common} --id t -i gate={gate}")
    try:
        seen = terminal.wait_for("tree RUNNING", "slow")
        assert "└─ both" in seen and "   └─ slow" in seen, seen
        assert seen.count("tree RUNNING") == 1, seen  # drawn over, not again
        terminal.assert_nothing_wraps()
        terminal.resize(columns - 15)
        terminal.wait_for("tree RUNNING")
        time.sleep(0.5)
        terminal.assert_nothing_wraps(after="tree RUNNING")  # what was above is the terminal's to fold
        assert terminal.capture().count("tree RUNNING") == 1, terminal.capture()
        terminal.resize(columns)
        gate.write_text("")
        seen = terminal.wait_for("status 50", "next: flowrun resume")
        assert "1000/1000" in seen and "more" in seen and "hold" in seen, seen
        terminal.assert_nothing_wraps()
    finally:
        terminal.end()
    terminal = Terminal(folder, columns, f"{flowtest.FLOWRUN} resume t {common}")
    try:
        seen = terminal.wait_for("status 1", "reason:")
        assert "task 'broken': three rows less than yesterday" in " ".join(seen.split()), seen
        assert seen.index("reason:") < seen.index("├─ both"), seen
        assert "broken" in seen.split("reason:")[1] and "━" in seen, seen
        terminal.assert_nothing_wraps()
    finally:
        terminal.end()


def test_the_tree_at_two_widths():
    if shutil.which("tmux") is None:
        flowtest.skip("tmux is not installed", is_installable=True)
    with flowtest.temporary() as name:
        folder = Path(name)
        (folder / "tree.yaml").write_text(FLOW)
        flowtest.run([flowtest.FLOWC, "compile", folder / "tree.yaml", "-o", folder / "tree.flowc"])
        watch(folder, 60)
        watch(folder, 200)


if __name__ == "__main__":
    flowtest.main()
