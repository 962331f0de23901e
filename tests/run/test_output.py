"""What a command prints, byte for byte in the log: without newlines, in a million lines, with NULs and bytes that are no text, in
a marker as long as one may be; and what the runtime needs in memory for it. A tenth of it unless FLOW_TEST_MODE=long.
"""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

IS_LONG = flowtest.MODE == "long"
MIB = 1 << 20
BYTES = 100 * MIB if IS_LONG else 10 * MIB
LINES = 1_000_000 if IS_LONG else 100_000
MEMORY_KIB = 16 << 10
FLOW = """id: output
namespace: company.test
tasks:
  - id: print
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    commands:
      - %s
"""


def engine_memory(pid, peak):
    """Keeps the highest peak of the flowrun processes below `pid` and itself, in KiB, until they are gone."""
    while True:
        try:
            pids = [pid] + [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            for one in pids:
                status = Path(f"/proc/{one}/status").read_text()
                if "\nVmHWM:" in status and status.startswith("Name:\tflowrun"):
                    peak[0] = max(peak[0], int(status.split("VmHWM:")[1].split()[0]))
        except (OSError, ValueError):
            return
        time.sleep(0.005)


def printed(command, secrets=None):
    """(lines of the log of the task, vars, peak KiB) of one run."""
    with flowtest.temporary() as name:
        folder = Path(name)
        (folder / "flow.yaml").write_text(FLOW % json.dumps(command))
        flowtest.run([flowtest.FLOWC, "compile", folder / "flow.yaml", "-o", folder / "flow.flowc", "-q"], check=0)
        process = subprocess.Popen([flowtest.FLOWRUN, "run", folder / "flow.flowc", "--id", "x", "--state-dir", folder / "state",
                                    "--output", "json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        peak = [0]
        watcher = threading.Thread(target=engine_memory, args=(process.pid, peak))
        watcher.start()
        out = process.communicate()[0]
        watcher.join()
        result = json.loads(out)
        assert result["state"]["current"] == "SUCCESS", result
        with open(folder / "state/exec/x/log.jsonl", encoding="utf-8") as log:
            lines = [line for line in map(json.loads, log) if line.get("taskId") == "print"]
        return lines, result["taskRunList"][0]["outputs"]["vars"], peak[0]


def check_memory(peak, more=0):
    if not flowtest.IS_SANITIZED:
        assert peak <= MEMORY_KIB + more, f"{peak} KiB"


def test_bytes_without_a_newline_are_all_there():
    lines, _, peak = printed(f"head -c {BYTES} /dev/zero | tr '\\0' x")
    texts = [line["message"] for line in lines]
    assert sum(map(len, texts)) == BYTES and set("".join(texts[:3])) == {"x"}, sum(map(len, texts))
    check_memory(peak)


def test_each_of_many_lines_is_there_in_its_order():
    lines, _, peak = printed(f"seq 1 {LINES}")
    assert [line["message"] for line in lines] == [str(i) for i in range(1, LINES + 1)]
    assert {(line["level"], line["attempt"]) for line in lines} == {("INFO", 1)}
    dates = [line["date"] for line in lines]
    assert dates == sorted(dates), "times go on"
    check_memory(peak)


def test_what_is_no_text_is_counted():
    """All 256 byte values again and again: NULs and what is no UTF-8 become U+FFFD, one each; LF and CR end lines."""
    rounds = BYTES // 256 // 10
    program = f"import sys; b = bytes(range(256)); [sys.stdout.buffer.write(b) for _ in range({rounds})]; print()"
    lines, _, peak = printed(f"python3 -c '{program}'")
    said = [line["message"] for line in lines if line["level"] == "WARN"]
    texts = "".join(line["message"] for line in lines if line["level"] == "INFO")
    assert said == [f"{rounds * 129} bytes of the output were no text and are shown as U+FFFD"], said
    assert texts.count("\ufffd") == rounds * 129
    plain = "".join(map(chr, range(1, 128))).replace("\n", "").replace("\r", "")
    assert texts.replace("\ufffd", "") == plain * rounds
    check_memory(peak)


def test_a_marker_may_be_long_and_costs_its_length():
    size = 14 * MIB if IS_LONG else 3 * MIB
    program = f"print(chr(58) * 2 + chr(123) + chr(34) + \\\"outputs\\\" + chr(34) + \\\": {{\\\" + chr(34) + \\\"x\\\" + chr(34) + \\\": \\\" + chr(34) + \\\"y\\\" * {size} + chr(34) + \\\"}}}}::\\\")"
    lines, found, peak = printed(f'python3 -c "{program}"')
    assert len(found["x"]) == size and not lines
    # The line, the value in it, its copies on the way into the result.
    check_memory(peak, 8 * size // 1024)


def test_a_line_that_only_begins_like_a_marker_is_bounded():
    size = 40 * MIB if IS_LONG else 20 * MIB
    lines, found, peak = printed(f"printf '::{{'; head -c {size} /dev/zero | tr '\\0' x")
    assert sum(len(line["message"]) for line in lines) == size + 3 and not found
    check_memory(peak, 16 << 10)  # what such a line may have


if __name__ == "__main__":
    flowtest.main()
