#!/bin/bash
# build.sh NAME... - builds the Go components that the tests run against, from their module sources.
#
# NAME is tofu or kube-apiserver. The binary goes to $FLOW_CACHE/components/NAME-VERSION and is built once;
# the Go build cache is removed afterwards, since it is larger than all else together.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${FLOW_CACHE:-$HOME/.cache/flowc}/components
mkdir -p "$cache"
export GOFLAGS="-p=2 -buildvcs=false" CGO_ENABLED=0 GOTOOLCHAIN=local
export GOPATH=$cache/go GOMODCACHE=$cache/go/mod GOCACHE=$cache/go/build
unset TF_CLI_CONFIG_FILE

build() { # name, folder, version, ldflags, package
    local out=$cache/$1-$3
    [ -x "$out" ] && return 0
    echo "building $1 $3 from source (once, some minutes)"
    local work
    work=$(mktemp -d)
    cp "$here/$2"/go.* "$work"
    (cd "$work" && { [ -f go.sum ] || go mod tidy; } &&
        nice go build -mod=mod -trimpath -ldflags="$4" -o "$out.part" "$5" && mv "$out.part" "$out")
    [ -f "$here/$2/go.sum" ] || cp "$work/go.sum" "$work/go.mod" "$cache/" 2>/dev/null || true
    cp "$work/go.sum" "$cache/$2.go.sum"
    cp "$work/go.mod" "$cache/$2.go.mod"
    rm -rf "$work"
}

for name in "$@"; do
    case $name in
    tofu)
        build tofu tofu 1.12.6 "-s -w -X github.com/opentofu/opentofu/version.dev=no" \
            github.com/opentofu/opentofu/cmd/tofu
        ;;
    kube-apiserver)
        build kube-apiserver kubernetes 1.33.13 \
            "-s -w -X k8s.io/component-base/version.gitVersion=v1.33.13" \
            k8s.io/kubernetes/cmd/kube-apiserver
        ;;
    *)
        echo "build.sh: unknown component '$name'" >&2
        exit 2
        ;;
    esac
done
