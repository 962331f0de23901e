"""The cases of the expression language hold, evaluated, folded and run from an artifact."""
import os
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
source = pathlib.Path(os.environ.get("FLOW_SOURCE", here.parent.parent))
found = [p for p in (source / "../shared", source / "../../shared") if (p / "spec/expression-cases.yaml").exists()]
if not found:
    print("skipped: the case file is not at hand")
    sys.exit(77)
if not os.access(os.environ.get("FLOWC", ""), os.X_OK):
    print("skipped: flowc is not built")
    sys.exit(77)
failed = False
for way, target in (("eval", "1.3"), ("fold", "1.3"), ("artifact", "1.3"), ("eval", "2.0"), ("fold", "2.0")):
    print(way, target, flush=True)
    done = subprocess.run([sys.executable, str(here / "expressions"), "--cases", str(found[0] / "spec/expression-cases.yaml"),
                           "--way", way, "--target", target, "--jobs", "2"], check=False)
    failed = failed or done.returncode != 0
sys.exit(1 if failed else 0)
