"""parser.c is what grammar.js gives. Skipped where the generator was not built (see README.md)."""
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
target = os.environ.get("CARGO_TARGET_DIR", os.path.join(here, "generate", "target"))
if not os.path.exists(os.path.join(target, "debug", "generate")):
    print("skipped: the generator is not built (tests/grammar/regenerate.sh builds it)")
    sys.exit(77)
sys.exit(subprocess.call(["sh", os.path.join(here, "regenerate.sh"), "--check"]))
