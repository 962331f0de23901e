#!/bin/bash
# run.sh [--fast | --long] - installs what is missing, builds, runs all tests.
#
#   --fast   one build, unit and golden tests: at most five minutes
#   --long   adds the campaigns: fuzzing, long simulation, kills at every point
#
# Ends with `N passed, N failed, N skipped`; status 0 where nothing failed. What is not installed and cannot be is skipped
# with its reason, and is an error where CI=true. Builds stay in build/, components in ${FLOW_CACHE:-~/.cache/flowc}.
set -uo pipefail
cd "$(dirname "$0")/.."
source tests/support/packages.sh

mode=full
case ${1:-} in
'') ;;
--fast | --long) mode=${1#--} ;;
-h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
*) echo "run.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
esac
export FLOW_TEST_MODE=$mode
export FLOW_CACHE=${FLOW_CACHE:-$HOME/.cache/flowc}

passed=0 failed=0 skipped=0
started=$SECONDS

step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - started)); }

note_failure() { echo "FAILED: $1" >&2; failed=$((failed + 1)); }

# Runs ctest in a build folder and adds up its report.
run_ctest() { # folder, arguments of ctest
    local dir=$1
    shift
    ctest --test-dir "$dir" -j2 --output-on-failure --no-tests=error --output-junit report.xml "$@" |
        grep -vE '^(Internal ctest|Test project|    Start|UpdateCTest)'
    local counts
    counts=$(awk -F'"' '/^\ttests=/{t=$2} /^\tfailures=/{f=$2} /^\tdisabled=/{d=$2} /^\tskipped=/{s=$2}
        /^\t>/{printf "%d %d %d\n", t-f-d-s, f, d+s; exit}' "$dir/report.xml" 2>/dev/null)
    if [ -z "$counts" ]; then
        note_failure "ctest in $dir gave no report"
        return
    fi
    read -r p f s <<<"$counts"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

build() { # folder, arguments of cmake
    local dir=$1
    shift
    mkdir -p "$dir"
    cmake -S . -B "$dir" -G Ninja "$@" >"$dir/build.log" 2>&1 && ninja -C "$dir" >>"$dir/build.log" 2>&1 && return 0
    grep -E 'error|warning|FAILED|undefined' "$dir/build.log" | head -30
    note_failure "building $dir (see $dir/build.log)"
    return 1
}

step "packages"
need_packages $packages_build $packages_test || exit 1
if [ "$mode" != fast ]; then
    need_packages $packages_more || note_failure "installing packages"
    tests/diag/fetch_schemas.sh "$([ "$mode" = long ] && echo tools)" >/dev/null 2>&1 || echo "schemas of the report formats cannot be fetched; their tests are skipped"
fi

step "build with gcc, release"
build build -DFLOW_TESTS=ON || { echo "$passed passed, $failed failed, $skipped skipped"; exit 1; }

if [ "$mode" != fast ]; then
    step "components"
    bash tests/components/build.sh all || note_failure "components"
fi

step "tests"
run_ctest build

if [ "$mode" != fast ]; then
    step "build with clang, address and undefined-behaviour sanitizers"
    build build-asan -DCMAKE_C_COMPILER=clang-14 -DFLOW_SANITIZE=address,undefined \
        -DCMAKE_BUILD_TYPE=Debug &&
        run_ctest build-asan -LE 'once|perf'

    step "figures"
    if [ -x tests/perf/run ]; then tests/perf/run build || note_failure "figures"; fi
fi

if [ "$mode" != fast ] && [ -x tests/fuzz/run.sh ]; then
    step "fuzzing"
    seconds=30
    [ "$mode" = long ] && seconds=600
    tests/fuzz/run.sh "$seconds" || note_failure "fuzzing"
fi

printf '\n%d s\n' $((SECONDS - started))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
