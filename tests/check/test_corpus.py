"""Published flows: no finding at error level but where the flow can never do what it says, and no more than a second.

The flows are not part of the project; the test is skipped where ../shared is missing. Each entry of FAULTS was looked at: the
expression, property or name cannot work on any server of the target version.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

SHARED = flowtest.SHARED
BLUEPRINTS = SHARED / "corpus" / "blueprints"
FLOWS = SHARED / "conformance" / "flows"

# File -> the codes of its faults.
FAULTS = {
    "agent-text-summarizer": "E0101",
    "ai-blog-post-generator": "E0308 E0401",
    "ai-document-data-extraction": "E0308 E0401",
    "ai-gdpr-dpia-assistant": "E0303 E0308",
    "ai-github-pr-review": "E0401",
    "ai-inventory-forecasting": "E0303",
    "ai-slack-chatbot-with-memory": "E0401",
    "ai-text-to-sql-openai": "E0303",
    "ansible-config-drift": "E0305",
    "apify-cost-quality-guardrail": "E0105",
    "argocd-single-tenant-wave-rollout": "E0303 E0318",
    "aws-log-shipper": "E0304",
    "cloudflare-canary-deploy": "E0303",
    "cloudflare-multizone-dns-from-git": "E0308",
    "csv-duckdb-slack": "E0303",
    "dropbox-backup-to-s3": "E0315",
    "fabric-end-to-end-pipeline": "E0308",
    "fabric-onelake-download-and-process": "E0308",
    "fabric-onelake-upload": "E0308",
    "fabric-run-data-pipeline": "E0308",
    "fabric-run-notebook": "E0308",
    "gcs-object-arrival-load-to-bigquery": "E0322",
    "github-cross-repo-dispatch": "E0322",
    "hackernews-etl-to-postgres": "E0401",
    "incident-response-jira-slack": "E0303 E0401",
    "influxdb-load-query-data": "E0309",
    "kvm-scheduled-maintenance-window": "E0101 E0315",
    "kvm-self-healing-monitor": "E0401",
    "netbox-ansible-by-role-site": "E0322",
    "netbox-drift-reconciliation": "E0322",
    "opa-compliance-audit": "E0303",
    "salesforce-postgres-sync": "E0304",
    "service-now-custom-table": "E0318 E0322",
    "servicenow-cmdb-patch-wave": "E0322",
    "ssl-certificate-expiry-monitor": "E0318 E0401",
    "vertex-ai-batch-row-enrichment": "E0322",
    "vmware-safe-patching": "E0306",
    "website-monitoring-with-alerts": "E0401",
    # Flows of the conformance suite that are there to fail, or use types of its own.
    "cache": "E0103",
    "each-sequential": "E0305",
    "exception-with-output": "E0103",
    "executable-fail": "E0103",
    "failed-first": "E0305",
    "flow-with-outputs-failed": "E0305",
    "flowable-with-parent-fail": "E0315",
    "pause": "E0115",
    "restart_pause_last_failed": "E0305",
    "retry-success": "E0305",
    "retry-with-flowable-errors": "E0305",
    "task-flow-dynamic": "E0301",
    "task-runif": "E0302",
    "variables-invalid": "E0301",
    "working-directory": "E0305",
    "working-directory-namespace-files": "E0103",
}


def check(paths):
    done = flowtest.run([flowtest.FLOWC, "check", "--format", "json", "-j1", *paths])
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)["diagnostics"]


def surprises(found):
    out = []
    for diag in found:
        name = Path(diag["file"]).stem
        known = FAULTS.get(name, "").split()
        if diag["severity"] == "error" and diag["code"] not in known:
            start = diag["range"]["start"]
            out.append(f"{diag['file']}:{start['line']}:{start['column']} {diag['code']} {diag['message']}")
    return out


def files(folder, part=""):
    if not folder.is_dir():
        flowtest.skip(f"{folder} is not there")
    return sorted(p for p in folder.rglob("*.y*ml") if part in p.parts or not part)


def test_published_flows_have_no_false_error():
    wrong = surprises(check(files(BLUEPRINTS)))
    assert not wrong, "\n".join(wrong)


def test_valid_flows_of_the_conformance_suite_have_no_false_error():
    wrong = surprises(check(files(FLOWS, "valids")))
    assert not wrong, "\n".join(wrong)


def test_invalid_flows_of_the_conformance_suite_have_an_error():
    # What older versions refused and the target takes.
    accepted = {"inputs-validation"}
    quiet = []
    for path in files(FLOWS, "invalids"):
        if path.stem in accepted:
            continue
        if not any(diag["severity"] == "error" for diag in check([path])):
            quiet.append(path.name)
    assert not quiet, quiet


def test_the_corpus_is_checked_in_a_second():
    if flowtest.IS_SANITIZED:
        flowtest.skip("a sanitized build says nothing about time")
    paths = files(BLUEPRINTS)
    best = min(timed(paths) for _ in range(3))
    assert best < 1.0, f"{best:.2f} s for {len(paths)} flows"


def timed(paths):
    start = time.monotonic()
    flowtest.run([flowtest.FLOWC, "check", "--embedded=off", "-q", "-j1", *paths])
    return time.monotonic() - start


flowtest.main()
