"""Manual pages and completion of both programs: made of the rows of their options, taken by man and by shells."""

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

PROGRAMS = {"flowc": flowtest.FLOWC, "flowrun": flowtest.FLOWRUN}


def run(program, *arguments, **options):
    if not Path(PROGRAMS[program]).exists():
        flowtest.skip(f"{program} is not built")
    return flowtest.run([PROGRAMS[program], *arguments], **options)


def commands_of(program):
    """The words that `PROGRAM --help` begins lines with."""
    lines = run(program, "--help", check=0).stdout.splitlines()
    return [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]


def options_of(program, command):
    lines = run(program, command, "--help", check=0).stdout.splitlines()
    rows = [line.replace(",", " ").split() for line in lines if line.startswith("  ") and line.strip().startswith("-")]
    words = {next(word for word in row if word.startswith("--")) for row in rows}
    assert "--help" in words
    return words - {"--help"}


def shell(name):
    if shutil.which(name) is None:
        flowtest.skip(f"{name} is not installed")
    return name


def test_every_command_has_a_page_that_man_takes():
    with flowtest.temporary() as folder:
        for program in PROGRAMS:
            option = "--output" if program == "flowc" else "--pages"
            run(program, "manual", option, folder, check=0)
            commands = commands_of(program)
            assert len(commands) >= 10
            for command in commands:
                page = Path(folder) / f"{program}-{command}.1"
                assert page.read_text() == run(program, "manual", command, check=0).stdout
                text = page.read_text().replace("\\-", "-")
                missing = {o for o in options_of(program, command) if o not in text}
                assert not missing, (program, command, missing)
                assert ".SH EXIT STATUS" in text
            assert (Path(folder) / f"{program}.1").exists()
            run(program, "manual", "nonsense", check=2)
        if shutil.which("groff") is None:
            return
        for page in sorted(Path(folder).iterdir()):
            done = flowtest.run(["groff", "-k", "-man", "-Tutf8", "-ww", page], check=0)
            assert done.stderr == "", (page.name, done.stderr)
        shown = flowtest.run(["groff", "-k", "-man", "-Tascii", "-P-cbou", Path(folder) / "flowc-check.1"], check=0).stdout
        assert "--unknown-types LEVEL" in shown and "flowc check" in shown, shown[:2000]


COMPLETE = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_{program}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(program, *words):
    """What bash offers for the last of the words."""
    with flowtest.temporary() as folder:
        script = Path(folder) / "completion"
        script.write_text(run(program, "completion", "bash", check=0).stdout)
        text = COMPLETE.format(program=program)
        done = flowtest.run([shell("bash"), "-c", text, "bash", script, *words], cwd=folder, check=0)
        assert done.stderr == ""
        return done.stdout.split()


def test_bash_completes_commands_options_and_values():
    for program in PROGRAMS:
        assert completed(program, program, "") == commands_of(program)
        for command in commands_of(program):
            offered = set(completed(program, program, command, "--"))
            assert options_of(program, command) <= offered, (program, command)
    assert completed("flowc", "flowc", "ch") == ["check"]
    assert completed("flowc", "flowc", "check", "--fo") == ["--format"]
    assert completed("flowc", "flowc", "check", "--format", "j") == ["json", "junit"]
    assert completed("flowc", "flowc", "check", "--format", "=", "j") == ["json", "junit"]
    assert completed("flowc", "flowc", "check", "--format", "=") == "text oneline json sarif github gitlab junit".split()
    assert completed("flowrun", "flowrun", "show", "--output", "") == ["text", "json"]
    assert completed("flowc", "flowc", "--color", "x") == []
    # Names of files.
    assert completed("flowc", "flowc", "check", "compl") == ["completion"]
    assert completed("flowc", "flowc", "check", "--baseline", "compl") == ["completion"]


def test_other_shells_read_their_scripts():
    for program in PROGRAMS:
        for name in ("bash", "zsh", "fish"):
            script = run(program, "completion", name, check=0).stdout
            assert program in script and all(command in script for command in commands_of(program))
            if shutil.which(name) is None:
                continue
            with flowtest.temporary() as folder:
                (Path(folder) / "script").write_text(script)
                done = subprocess.run([name, "-n", Path(folder) / "script"], capture_output=True, text=True)
                assert done.returncode == 0 and done.stderr == "", (name, done.stderr)
        run(program, "completion", "tcsh", check=2)
        run(program, "completion", check=2)


flowtest.main()
