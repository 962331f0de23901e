"""flowc check -jN: the bytes of -j1, whatever N is."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

FLOW = """id: flow-{n}
namespace: company.team
tasks:
  - id: one
    type: io.kestra.plugin.core.debug.Retrun
    format: "{{{{ inputs.nope{n} }}}}"  # flowc: ignore[unknown-input]
  - id: one
    type: io.kestra.plugin.core.debug.Return
    fromat: hello
"""


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def prepared(folder):
    for n in range(60):
        text = {0: FLOW.format(n=n), 1: "kind: Deployment\n", 2: "tasks: [\n"}.get(n % 7, FLOW.format(n=n))
        (Path(folder) / f"{n}.yaml").write_text(text)
    (Path(folder) / ".flowc.yaml").write_text("target: 1.3\nnonsense: 1\n")


def test_every_format_is_the_same_for_every_number_of_threads():
    with flowtest.temporary() as folder:
        prepared(folder)
        for form in ("text", "oneline", "json", "sarif", "github", "gitlab", "junit"):
            one = flowc("check", "--format", form, "-j1", cwd=folder, check=1)
            assert len(one.stdout) > 1000
            for jobs in ("-j2", "-j7", "-j64", "-j0"):
                many = flowc("check", "--format", form, jobs, cwd=folder, check=1)
                assert (many.stdout, many.stderr) == (one.stdout, one.stderr), (form, jobs)


def test_diffs_and_fixes_are_the_same_too():
    with flowtest.temporary() as one, flowtest.temporary() as many:
        prepared(one)
        prepared(many)
        assert flowc("check", "--diff", cwd=one).stdout == flowc("check", "--diff", "-j5", cwd=many).stdout
        first = flowc("check", "--fix", cwd=one, check=1)
        second = flowc("check", "--fix", "-j5", cwd=many, check=1)
        assert (first.stdout, first.stderr) == (second.stdout, second.stderr)
        for path in Path(one).iterdir():
            assert path.read_bytes() == (Path(many) / path.name).read_bytes()


flowtest.main()
