#!/bin/sh
# regenerate.sh - makes the committed parser from compiler/expr/grammar/grammar.js.
#
# Needs cargo and node; see README.md. The generator is pinned: another version gives other bytes.
# With --check it writes nothing and says whether the committed files are what the grammar gives.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
grammar=$here/../../compiler/expr/grammar
target=${CARGO_TARGET_DIR:-$here/generate/target}
CARGO_TARGET_DIR=$target cargo build --quiet --locked --manifest-path "$here/generate/Cargo.toml"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$target/debug/generate" "$work" "$grammar/grammar.js"
{
    echo '// symbols.h - numbers of the grammar'"'"'s symbols and fields, taken from parser.c. Generated.'
    echo '#ifndef FLOW_GRAMMAR_SYMBOLS_H'
    echo '#define FLOW_GRAMMAR_SYMBOLS_H'
    echo
    sed -n '/^enum ts_symbol_identifiers/,/^};/p; /^enum ts_field_identifiers/,/^};/p' "$work/parser.c"
    echo
    echo '#endif'
} >"$work/symbols.h"

files="parser.c grammar.json node-types.json symbols.h tree_sitter/parser.h"
if [ "${1:-}" = --check ]; then
    for file in $files; do cmp "$work/$file" "$grammar/$file"; done
    exit 0
fi
mkdir -p "$grammar/tree_sitter"
for file in $files; do cp "$work/$file" "$grammar/$file"; done
