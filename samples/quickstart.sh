#!/bin/bash
# quickstart.sh - from a fresh clone to a flow that ran: installs what is missing, builds, checks and plans the multi-cloud
# flow (a new user has no clusters), then runs a second flow for real and shows what came of it.
#
# Works as root on Debian 12 or newer, and without root where the packages are there already. Nothing outside the
# clone is written but the packages.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/support/packages.sh

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') green=$(printf '\033[32m') plain=$(printf '\033[0m')
else
    bold='' dim='' green='' plain=''
fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# Shows a command as one would type it, then runs it.
try() {
    printf '%s$ %s%s\n' "$green" "$*" "$plain"
    "$@"
}
quiet() { # what it does, command: its output is shown only where it fails
    printf '%s%s …%s ' "$dim" "$1" "$plain"
    shift
    local log
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        printf 'done\n'
        rm -f "$log"
    else
        printf 'failed\n'
        tail -30 "$log"
        rm -f "$log"
        exit 1
    fi
}

say "1. Build"
need_packages $packages_build python3
quiet "configuring" cmake -S . -B build -G Ninja -DFLOW_TESTS=OFF
quiet "compiling flowc and flowrun" ninja -C build
export PATH=$PWD/build/bin:$PATH
ls -l build/bin/flowc build/bin/flowrun | awk '{printf "  %-20s %d KiB\n", $NF, $5 / 1024}'

work=$(mktemp -d)
server=
cleanup() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
export FLOWRUN_STATE_DIR=$work/state

say "2. Check a flow over two clouds, a cluster and a DNS provider"
try flowc check samples/multi_cloud/flow.yaml

say "3. Find a mistake before it costs a deployment"
sed 's/| length/| lenght/; s/outputs.host.vars/outputs.hots.vars/' samples/service_health/flow.yaml >"$work/broken.yaml"
printf '%s# another sample with two slips of the finger%s\n' "$dim" "$plain"
try flowc check "$work/broken.yaml" || true

say "4. Compile it to one small file"
try flowc compile -o "$work/multi_cloud.flowc" samples/multi_cloud/flow.yaml 2>"$work/findings" || { cat "$work/findings"; exit 1; }
grep -vE '^(warning|note|  )' "$work/findings" | grep -E 'flowc|digest|bytes' || true
try flowrun inspect "$work/multi_cloud.flowc"

say "5. Plan it: every command, request and file, nothing touched"
try flowrun plan "$work/multi_cloud.flowc" -i service_name=shop

say "6. Run a flow for real: a shell, an HTTP service that is busy at first, a loop, a retry, a result"
python3 samples/service_health/server.py >"$work/port" &
server=$!
for _ in $(seq 100); do [ -s "$work/port" ] && break || sleep 0.05; done
try flowc compile -o "$work/service_health.flowc" samples/service_health/flow.yaml
try flowrun run "$work/service_health.flowc" -i "base_url=http://127.0.0.1:$(cat "$work/port")"

say "7. It is all on record"
try flowrun list
id=$(flowrun list --output json | python3 -c 'import json,sys; print(json.load(sys.stdin)["executions"][0]["id"])')
try flowrun show "$id"

say "Next"
cat <<'END'
  README.md                     a tour of five minutes
  flowc check YOUR_FLOW.yaml    your own flow
  flowc explain E0301           what a finding means
  tests/run.sh                  all tests
END
