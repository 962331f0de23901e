"""Published flows that compile with our modules: at least half, by tests/stdlib/coverage."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

MINIMUM = 50  # per cent


def test_half_of_the_published_flows_compiles():
    flows = [folder for folder in (flowtest.SOURCE / "../shared", flowtest.SOURCE / "../../shared") if (folder / "corpus/blueprints").is_dir()]
    if not flows:
        flowtest.skip("../shared is not here")
    done = subprocess.run([sys.executable, flowtest.SOURCE / "tests/stdlib/coverage", "--bin", Path(flowtest.FLOWC).parent,
                           "--minimum", str(MINIMUM), flows[0] / "corpus/blueprints"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_every_type_of_the_contract_has_a_module_and_a_test():
    done = subprocess.run([sys.executable, flowtest.SOURCE / "tests/stdlib/coverage", "--bin", Path(flowtest.FLOWC).parent, "--contract"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


if __name__ == "__main__":
    flowtest.main()
