"""A sample of the cases of flows holds: some of every kind, and what took a repair."""
import os
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
source = pathlib.Path(os.environ.get("FLOW_SOURCE", here.parent.parent))
SAMPLE = """
allow-failure-crash allow-warning-subflow current-each-output each-empty errors-global
flow-outputs-array if-in-foreach labels-update subflow-correlation variables-invalid
n-finally-foreach-ko n-after-execution n-exit n-run-if-workingdir n-pause-all-branches
retry-success each-sequential get-log-task-id inputs-run workingdir-success
n-subflow-inherited-labels concurrency-fail n-concurrency-restart pause-delay-from-input
pause-no-tasks pause-on-resume pause-on-resume-missing restart-working-directory replay-from-task
state-lifecycle n-pause-timeout-allow-failure inputs-missing-required inputs-bad-pattern
inputs-bad-int-min inputs-bad-float-min inputs-bad-array-item inputs-bad-enum
inputs-depends-chain-disabled invalid-duplicate-parallel invalid-input-type invalid-property
validate-bad-enum n-invalid-optional-with-default
""".split()

found = [p for p in (source / "../shared", source / "../../shared") if (p / "conformance/cases.yaml").exists()]
if not found:
    print("skipped: the case file is not at hand")
    sys.exit(77)
try:
    import yaml  # noqa: F401
except ImportError:
    print("skipped: python3-yaml is not installed")
    sys.exit(77)
if not all(os.access(os.environ.get(name, ""), os.X_OK) for name in ("FLOWC", "FLOWRUN")):
    print("skipped: flowc or flowrun is not built")
    sys.exit(77)
argv = [sys.executable, str(here / "run"), "--cases", str(found[0] / "conformance/cases.yaml"), "--flows",
        str(found[0] / "conformance/flows")]
for name in SAMPLE:
    argv += ["--id", name]
done = subprocess.run(argv, capture_output=True, text=True, check=False)
print(done.stdout + done.stderr)
last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
sys.exit(0 if done.returncode == 0 and last == f"{len(SAMPLE)} passed, 0 failed, 0 skipped" else 1)
