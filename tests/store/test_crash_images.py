"""Power loss: what a disk may hold after one is opened, and equals a state at or behind the last that was acknowledged.

A run is recorded with strace: every write, sync, rename and unlink below its state directory, and what acknowledges: a state
that was told, a command that was started. Then images are made: up to a point of the recording everything synced is there; of
what was written since, any 512-byte sectors in any order (so pages are torn, files have holes); of the changes to a folder any
first part, but what was synced has its name. 10,000 images where FLOW_TEST_MODE=long, 200 else; FLOW_SEED changes what is drawn.
"""

import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

IMAGES = 10000 if flowtest.MODE == "long" else 200
SEED = int(os.environ.get("FLOW_SEED", "1"))
SECTOR = 512
CALLS = "openat,pwrite64,write,fdatasync,fsync,ftruncate,unlink,unlinkat,rename,renameat,renameat2,execve"

# Logs over 4 KiB (synced by themselves), a value over 16 KiB (a blob), enough commits for the log of the store to be folded.
FLOW = """id: crash
namespace: test
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [1, 2, 3]
    tasks:
      - id: loud
        type: io.kestra.plugin.scripts.shell.Commands
        taskRunner: {type: io.kestra.plugin.core.runner.Process}
        commands: ['for i in $(seq 200); do echo "line $i of {{ taskrun.value }} with some text behind it"; done']
  - id: large
    type: io.kestra.plugin.core.debug.Return
    format: "{% for i in range(1, 4000) %}text {{ i }} {% endfor %}"
  - id: many
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ range(1, 12) }}"
    tasks:
      - id: quiet
        type: io.kestra.plugin.scripts.shell.Commands
        taskRunner: {type: io.kestra.plugin.core.runner.Process}
        commands: ['true']
  - id: last
    type: io.kestra.plugin.core.debug.Return
    format: done
"""


# So much that the next process folds the log of the store into the database when it opens it.
FILLER = """id: filler
namespace: test
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ range(1, 2500) }}"
    tasks:
      - id: value
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value }}"
"""


class File:
    def __init__(self, content=b""):
        self.durable = bytearray(content)
        self.pending = []  # ("write", offset, bytes) or ("size", bytes)
        self.size = len(content)  # as the process sees it

    def write(self, at, data):
        self.pending.append(("write", at, data))
        self.size = max(self.size, at + len(data))

    def resize(self, size):
        self.pending.append(("size", size))
        self.size = size

    def sync(self):
        self.durable = self.content(lambda: True, None)
        self.pending = []

    def content(self, survives, draw):
        """What is there if each sector of what is pending survives or not."""
        data = bytearray(self.durable)
        pieces = []
        for change in self.pending:
            if change[0] == "size":
                if survives():
                    apply(data, pieces, draw)
                    pieces = []
                    del data[change[1]:]
                    data.extend(bytes(change[1] - len(data)))
                continue
            _, at, text = change
            while text:
                part = SECTOR - at % SECTOR
                if survives():
                    pieces.append((at, text[:part]))
                at, text = at + part, text[part:]
        apply(data, pieces, draw)
        return data


def apply(data, pieces, draw):
    if draw is not None:
        draw.shuffle(pieces)
    for at, text in pieces:
        if len(data) < at:
            data.extend(bytes(at - len(data)))
        data[at:at + len(text)] = text


class Disk:
    """Files by path, folders with what is not synced of them."""

    def __init__(self, before):
        self.now = {path: File(content) for path, content in before.items()}  # as the process sees it
        self.durable = dict(self.now)  # of synced folders
        self.changes = {}  # folder: [(path, File or None)]

    def entry(self, path, file):
        if file is None:
            self.now.pop(path, None)
        else:
            self.now[path] = file
        self.changes.setdefault(os.path.dirname(path), []).append((path, file))

    def sync_folder(self, folder):
        for path, file in self.changes.pop(folder, []):
            self.put(self.durable, path, file)

    def name(self, path):
        """A file that was synced has its name, too: so do the file systems of Linux, though POSIX does not promise it."""
        self.put(self.durable, path, self.now[path])

    @staticmethod
    def put(entries, path, file):
        if file is None:
            entries.pop(path, None)
        else:
            entries[path] = file

    def image(self, draw):
        """Contents by path; with `draw` None everything that was written."""
        entries = dict(self.durable)
        for changes in self.changes.values():
            kept = len(changes) if draw is None else draw.choice([0, len(changes), draw.randint(0, len(changes))])
            for path, file in changes[:kept]:
                self.put(entries, path, file)
        image = {}
        for path, file in entries.items():
            odds = 1 if draw is None else draw.choice([0, 0.2, 0.5, 0.8, 0.95, 1])
            image[path] = bytes(file.content(lambda: draw is None or draw.random() < odds, draw))
        return image


def is_kept(path):
    return not any(s in path for s in ("/owners/", "/work/", "store.db-shm"))


def record(folder, is_filled):
    """The state directory of a finished run, what it held before, and what happened to it, line by line."""
    for name, text in (("flow", FLOW), ("filler", FILLER)):
        (folder / f"{name}.yaml").write_text(text)
        flowtest.run([flowtest.FLOWC, "compile", folder / f"{name}.yaml", "-o", folder / f"{name}.flowc"], check=0)
    state, trace = folder / "state", folder / "trace"
    state.mkdir(mode=0o700)
    if is_filled:
        flowtest.run([flowtest.FLOWRUN, "run", folder / "filler.flowc", "--state-dir", state], check=0)
        assert (state / "store.db-wal").stat().st_size > 2 << 20
    before = {str(f): f.read_bytes() for f in state.rglob("*") if f.is_file() and is_kept(str(f))}
    done = subprocess.run(
        ["strace", "-f", "-qq", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-o", trace, flowtest.FLOWRUN, "run",
         folder / "flow.flowc", "--state-dir", state, "--id", "one"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return state, before, joined(trace.read_text(errors="replace").splitlines())


def joined(lines):
    """Calls that another thread interrupted in the recording, in one line where they ended."""
    unfinished = {}
    for line in lines:
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            unfinished[pid] = rest[:-len("<unfinished ...>")]
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
        if resumed:
            rest = unfinished.pop(pid, "") + resumed.group(1)
        yield rest


def text_of(hexadecimal):
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


QUOTED = r'"((?:\\x[0-9a-f]{2})*)"'


def descriptor(rest):
    """The path behind the first argument, which strace prints in hexadecimal, too."""
    found = re.match(r"\w+\((\d+)<((?:\\x[0-9a-f]{2}|[^>])*)>", rest)
    if not found:
        return None, None
    path = found.group(2)
    return int(found.group(1)), text_of(path).decode(errors="replace") if path.startswith("\\x") else path


def replay(lines, state, before):
    """Yields (disk, whether something was acknowledged just now) behind each step."""
    disk = Disk(before)
    prefix = str(state) + "/"

    def is_ours(path):
        return path is not None and path.startswith(prefix) and is_kept(path)

    for rest in lines:
        call = rest.partition("(")[0]
        if re.search(r"= -1 E\w+", rest):
            continue
        names = [text_of(n).decode(errors="replace") for n in re.findall(QUOTED, rest)[:2]] if call in (
            "openat", "unlink", "unlinkat", "rename", "renameat", "renameat2") else []
        if call == "openat" and is_ours(names[0]) and "O_CREAT" in rest and names[0] not in disk.now:
            disk.entry(names[0], File())
            yield disk, False
        elif call in ("pwrite64", "write"):
            number, path = descriptor(rest)
            data = text_of(re.search(QUOTED, rest).group(1))
            if number == 2 and b"STATE" in data:
                yield disk, True
            if not is_ours(path) or path not in disk.now:
                continue
            file = disk.now[path]
            at = int(re.search(r", (\d+)\)\s+= \d+$", rest).group(1)) if call == "pwrite64" else file.size
            file.write(at, data)
            yield disk, False
        elif call == "ftruncate":
            _, path = descriptor(rest)
            if is_ours(path) and path in disk.now:
                disk.now[path].resize(int(re.search(r", (\d+)\)", rest).group(1)))
                yield disk, False
        elif call in ("fdatasync", "fsync"):
            _, path = descriptor(rest)
            if path in disk.now:
                disk.now[path].sync()
                disk.name(path)
            elif path is not None:
                disk.sync_folder(path)
            yield disk, False
        elif call in ("unlink", "unlinkat") and is_ours(names[0]):
            disk.entry(names[0], None)
            yield disk, False
        elif call.startswith("rename") and is_ours(names[0]):
            file = disk.now.get(names[0])
            disk.entry(names[0], None)
            disk.entry(names[1], file)
            yield disk, False
        elif call == "execve" and "= 0" in rest:
            yield disk, True


def write_image(image, state, target):
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o700)
    for path, data in image.items():
        file = target / os.path.relpath(path, state)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(0o600)


def events_of(folder):
    """Rows of the events; none where there is no store yet."""
    if not (folder / "store.db").exists():
        return []
    with sqlite3.connect(folder / "store.db") as store:
        try:
            store.execute("PRAGMA synchronous=OFF")
            assert store.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            return store.execute("SELECT seq, kind, body, blob, hash FROM event WHERE execution = 'one' ORDER BY seq").fetchall()
        except sqlite3.OperationalError as error:
            assert "no such table" in str(error), error
            return []


def check_files(folder, truth, events, what):
    """What events refer to is there: logs that are not in the event itself, values in files."""
    log = folder / "exec/one/log.jsonl"
    logged = log.read_bytes() if log.exists() else b""
    full = (truth / "exec/one/log.jsonl").read_bytes()
    for seq, _, body, blob, _ in events:
        if blob is not None:
            name = f"blobs/{blob.hex()}"
            assert (folder / name).exists(), f"{what}: event {seq} has lost {name}"
            assert (folder / name).read_bytes() == (truth / name).read_bytes(), f"{what}: {name} is not what it was"
            body = (folder / name).read_bytes()
        part = json.loads(body).get("more", {}).get("log") if isinstance(json.loads(body).get("more"), dict) else None
        if part and "text" not in part:
            begin, end = part.get("from", 0), part["to"]
            assert logged[begin:end] == full[begin:end], f"{what}: event {seq} has lost lines {begin} to {end} of the log"


def go_on(folder, what):
    """The product itself opens it and goes on; what it cannot know it asks."""
    for _ in range(20):
        done = flowtest.run([flowtest.FLOWRUN, "resume", "one", "--state-dir", folder, "--output", "json"])
        if done.returncode == 2 and "nothing to resume" in done.stdout:
            return
        if done.returncode == 0:
            return
        assert done.returncode == 50, f"{what}: {done.returncode} {done.stdout[-800:]} {done.stderr[-800:]}"
        for run in json.loads(done.stdout)["taskRunList"]:
            if run["unknown"]:
                flowtest.run([flowtest.FLOWRUN, "resolve", "one", run["id"], "--as", "retry", "--state-dir", folder], check=0)
    raise AssertionError(f"{what}: it does not end")


def images(count, is_filled):
    if shutil.which("strace") is None:
        flowtest.skip("strace is not installed", is_installable=True)
    if flowtest.IS_SANITIZED:
        flowtest.skip("a recording of the plain build is enough")
    draw = random.Random(SEED)
    with flowtest.temporary() as name:
        folder = Path(name)
        state, before, lines = record(folder, is_filled)
        lines = list(lines)
        truth = folder / "truth"
        shutil.copytree(state, truth)
        whole = events_of(truth)
        steps = sum(1 for _ in replay(lines, state, before))
        assert steps > 100, steps
        points = sorted(draw.randrange(steps) for _ in range(count))
        acknowledged, made, opened, gone_on, known = 0, 0, 0, 0, None
        target = folder / "image"
        for step, (disk, is_told) in enumerate(replay(lines, state, before)):
            if is_told:
                write_image(disk.image(None), state, target)
                acknowledged = max(acknowledged, len(events_of(target)))
            while made < len(points) and points[made] == step:
                what = f"seed {SEED}, image {made}, step {step}"
                made += 1
                image = disk.image(draw)
                if image == known:
                    continue
                known = image
                write_image(image, state, target)
                is_tried = made % 50 == 0
                if is_tried:
                    shutil.rmtree(folder / "second", ignore_errors=True)
                    shutil.copytree(target, folder / "second")
                events = events_of(target)
                assert events == whole[:len(events)], f"{what}: it is no earlier state"
                assert len(events) >= acknowledged, f"{what}: {len(events)} events, {acknowledged} were acknowledged"
                check_files(target, truth, events, what)
                opened += 1
                if is_tried and events:
                    go_on(folder / "second", what)
                    gone_on += 1
        print(f"    seed {SEED}: {made} images of {steps} steps, {opened} different ones opened, {gone_on} gone on with, "
              f"{len(whole)} events")
        assert acknowledged >= len(whole) - 3, (acknowledged, len(whole))


def test_images_of_a_new_store_are_states_behind_the_last_acknowledged():
    images(IMAGES * 3 // 4, False)


def test_so_are_those_of_a_store_whose_log_is_folded():
    images(IMAGES // 4, True)


if __name__ == "__main__":
    flowtest.main()
