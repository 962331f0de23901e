#!/bin/bash
# run.sh [SECONDS] - builds the fuzz targets with libFuzzer and runs each for SECONDS of CPU time (30) on its corpus.
#
# A finding is kept in build-fuzz/findings and is a failure; add it to corpus/<target>/ together with the repair.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-30}
if ! command -v clang-14 >/dev/null; then
    echo "skipped: clang-14 is not installed"
    [ "${CI:-}" = true ] && exit 1
    exit 0
fi
cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang-14 -DFLOW_FUZZ=ON -DCMAKE_BUILD_TYPE=Debug >/dev/null
targets=$(cd tests/fuzz && ls ./*_fuzz.c | sed 's#^\./##; s#\.c$##')
# shellcheck disable=SC2086
ninja -C build-fuzz $targets >build-fuzz/build.log 2>&1 || { tail -20 build-fuzz/build.log; exit 1; }
mkdir -p build-fuzz/findings
status=0
for target in $targets; do
    mkdir -p "build-fuzz/corpus/$target"
    if "build-fuzz/tests/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -artifact_prefix="build-fuzz/findings/$target-" -print_final_stats=1 \
        "build-fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"build-fuzz/$target.log" 2>&1; then
        awk -v t="$target" '/number_of_executed_units/{n=$2} END{printf "  %-24s %d inputs, no finding\n", t, n}' \
            "build-fuzz/$target.log"
    else
        echo "  $target: a finding, see build-fuzz/$target.log"
        tail -25 "build-fuzz/$target.log"
        status=1
    fi
done
exit $status
