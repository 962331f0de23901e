"""What the user sees: each CASE.yaml below this folder is checked, and what is printed must equal CASE.expect.

CASE.args, where it is there, holds options, one a line. FLOW_UPDATE=1 writes the .expect files instead; the diff is
reviewed like code.
"""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

CASES = Path(__file__).resolve().parent


def cases():
    for path in sorted(CASES.glob("**/*.yaml")):
        if not any(part.startswith(".") for part in path.relative_to(CASES).parts):
            yield path


def printed(path):
    arguments = path.with_suffix(".args")
    options = arguments.read_text().split("\n") if arguments.exists() else []
    options = [o for o in options if o]
    name = path.relative_to(CASES)
    # What other tools say is another test's: their words change with their versions.
    done = flowtest.run([flowtest.FLOWC, "check", "--embedded=off", *options, name], cwd=CASES, env={"NO_COLOR": "1"})
    assert done.returncode in (0, 1), f"{name}: status {done.returncode}\n{done.stderr}"
    return f"{done.stdout}{done.stderr}status {done.returncode}\n"


def test_each_case_prints_what_it_should():
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    wrong = []
    for path in cases():
        expect = path.with_suffix(".expect")
        got = printed(path)
        if os.environ.get("FLOW_UPDATE") == "1":
            expect.write_text(got)
        elif not expect.exists():
            wrong.append(f"{expect.relative_to(CASES)} is missing; FLOW_UPDATE=1 writes it:\n{got}")
        elif expect.read_text() != got:
            wrong.append(f"--- {path.relative_to(CASES)}: got\n{got}--- expected\n{expect.read_text()}")
    assert not wrong, "\n".join(wrong)


# Codes that no flow of this folder shows, and the test that does.
ELSEWHERE = {
    "E0001": "session/test_command_line.py",
    "E0002": "hostile/test_bad_input.py",
    "W0113": "session/test_command_line.py",
    "W0121": "session/test_command_line.py",
    "E0122": "catalog/private_test.c",
    "E0610": "embed/test_scripts.py",
    "E0611": "embed/test_scripts.py",
    "W0612": "embed/test_scripts.py",
}


def test_each_code_of_the_registry_is_shown():
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    codes = {row.split()[0] for row in flowtest.run([flowtest.FLOWC, "explain"], check=0).stdout.splitlines()}
    shown = {c for p in CASES.glob("**/*.expect") for c in re.findall(r"^\w+\[([EWSP]\d{4})\]", p.read_text(), re.M)}
    missing = codes - shown - set(ELSEWHERE)
    assert not missing, f"no case for {sorted(missing)}"
    for code, test in ELSEWHERE.items():
        assert (CASES.parent / test).exists(), test
        if not test.endswith("test_command_line.py"):
            assert code in (CASES.parent / test).read_text(), f"{code} is not in {test}"


def test_valid_flows_have_no_error():
    """The flows in valid/ look like a mistake and are none; their expectations must not change that."""
    wrong = [str(p.relative_to(CASES)) for p in CASES.glob("valid/*.expect") if "error[" in p.read_text()]
    assert not wrong, wrong
    assert len(list(CASES.glob("valid/*.yaml"))) >= 10


def test_each_expectation_has_its_case():
    wrong = [
        str(path.relative_to(CASES))
        for suffix in (".expect", ".args")
        for path in CASES.glob(f"**/*{suffix}")
        if not path.with_suffix(".yaml").exists()
    ]
    assert not wrong, wrong


flowtest.main()
