#!/bin/sh
# fetch_schemas.sh - what others wrote that judges the formats of `flowc check`: the schema of SARIF
# 2.1.0 from a validator's package, JUnit's from a test runner's sources, a reader of the latter, and
# the library by which actions of GitHub write their commands. With `tools` also the validator of
# SARIF with GitHub's rules and a converter from SARIF to GitLab's report, 300 MB. They go to
# ${FLOW_CACHE:-~/.cache/flowc}/schemas; test_formats.py skips what is not there.
set -eu
folder=${FLOW_CACHE:-$HOME/.cache/flowc}/schemas
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
if [ ! -f "$folder/sarif-2.1.0.json" ]; then
    npm pack --silent @microsoft/sarif-multitool-linux@5.7.0 > /dev/null
    tar xzf microsoft-sarif-multitool-linux-5.7.0.tgz package/sarif-2.1.0.json
    mv package/sarif-2.1.0.json "$folder/"
fi
if [ ! -f "$folder/junit-10.xsd" ]; then
    python3 -m pip download -q --no-deps --no-binary pytest pytest==9.2.0
    tar xzf pytest-9.2.0.tar.gz pytest-9.2.0/testing/example_scripts/junit-10.xsd
    mv pytest-9.2.0/testing/example_scripts/junit-10.xsd "$folder/"
fi
[ -d "$folder/python/xmlschema" ] || python3 -m pip install -q --root-user-action=ignore --upgrade --target "$folder/python" xmlschema==4.3.2
[ -d "$folder/python/jsonschema" ] || python3 -m pip install -q --root-user-action=ignore --upgrade --target "$folder/python" jsonschema
[ -d "$folder/node_modules/@actions/core" ] || npm install --silent --no-audit --no-fund --prefix "$folder" @actions/core@1.11.1 > /dev/null
[ "${1:-}" = tools ] || exit 0
if [ ! -d "$folder/multitool" ]; then
    npm pack --silent @microsoft/sarif-multitool-linux@5.7.0 > /dev/null
    tar xzf microsoft-sarif-multitool-linux-5.7.0.tgz
    chmod +x package/Sarif.Multitool
    mv package "$folder/multitool"
fi
[ -d "$folder/sarif-tools/sarif" ] || python3 -m pip install -q --root-user-action=ignore --target "$folder/sarif-tools" sarif-tools==3.0.5
