#!/bin/bash
# run.sh [SECONDS [TARGET...]] - builds the fuzz targets with libFuzzer and runs each for SECONDS of its own CPU time (30)
# on its corpus, as many at a time as there are processors.
#
# A finding is kept in build-fuzz/findings and is a failure; add it to corpus/<target>/ together with the repair. What a
# target learns stays in build-fuzz/corpus and the next run starts from it.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-30}
shift || true
if ! command -v clang-14 >/dev/null; then
    echo "skipped: clang-14 is not installed"
    [ "${CI:-}" = true ] && exit 1
    exit 0
fi
targets=${*:-$(cd tests/fuzz && ls ./*_fuzz.c | sed 's#^\./##; s#\.c$##')}
cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang-14 -DFLOW_FUZZ=ON -DCMAKE_BUILD_TYPE=Debug >/dev/null
# shellcheck disable=SC2086
ninja -C build-fuzz $targets >build-fuzz/build.log 2>&1 || { tail -20 build-fuzz/build.log; exit 1; }
mkdir -p build-fuzz/findings
ticks=$(getconf CLK_TCK)

cpu_seconds() { # pid; nothing where it has ended
    [ -r "/proc/$1/stat" ] || return 0
    awk -v hz="$ticks" '{sub(/^.*\) /, ""); printf "%d", ($12 + $13) / hz}' "/proc/$1/stat" 2>/dev/null || true
}

fuzz() { # target; SIGUSR1 asks libFuzzer to end in order
    local target=$1 log=build-fuzz/$1.log pid used
    mkdir -p "build-fuzz/corpus/$target"
    "build-fuzz/tests/$target" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="build-fuzz/findings/$target-" \
        "build-fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1 &
    pid=$!
    while used=$(cpu_seconds "$pid"); [ -n "$used" ] && [ "$used" -lt "$seconds" ]; do
        sleep 1
        kill -0 "$pid" 2>/dev/null || break
    done
    kill -USR1 "$pid" 2>/dev/null || true
    if wait "$pid"; then
        awk -v t="$target" -v s="$seconds" '/number_of_executed_units/{n=$2}
            END{printf "  %-24s %d inputs in %d s of CPU time, no finding\n", t, n, s}' "$log"
    else
        echo "  $target: a finding, see $log"
        tail -25 "$log"
        return 1
    fi
}

status=0 running=0
for target in $targets; do
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || status=1
        running=$((running - 1))
    fi
    fuzz "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || status=1
    running=$((running - 1))
done
exit $status
