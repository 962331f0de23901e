"""The README shows what the program prints: five mistakes of one flow, each at its place, each with its repair."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

README = flowtest.SOURCE / "README.md"
SAMPLE = "samples/five_mistakes/nightly.yaml"
# Code, the bytes that are marked, and what is suggested instead.
MISTAKES = [
    ("E0103", "io.kestra.plugin.core.log.Logg", "io.kestra.plugin.core.log.Log"),
    ("E0301", "regoin", "region"),
    ("E0202", "backup", None),
    ("E0303", "lenght", "length"),
    ("E0502", "25", None),
]


def check(*options):
    return flowtest.run([flowtest.FLOWC, "check", *options, SAMPLE], cwd=flowtest.SOURCE, check=1, env={"NO_COLOR": "1"})


def test_the_readme_shows_what_is_printed():
    done = check()
    shown = README.read_text().split(f"$ flowc check {SAMPLE}\n")[1].split("```")[0]
    assert shown == done.stdout.rstrip("\n") + "\n\n" + done.stderr, done.stdout


def test_each_of_five_mistakes_is_marked_and_repaired():
    text = (flowtest.SOURCE / SAMPLE).read_bytes()
    found = json.loads(check("--format=json").stdout)["diagnostics"]
    got = []
    for d in found:
        start, end = d["range"]["start"]["offset"], d["range"]["end"]["offset"]
        edits = [e for s in d["suggestions"] for e in s["edits"]]
        got.append((d["code"], text[start:end].decode(), edits[0]["text"] if edits else None))
    assert got == MISTAKES, got


flowtest.main()
