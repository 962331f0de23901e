# packages.sh - Debian packages, installed where they are missing. Sourced; needs bash.
#
# need_packages NAME... installs what dpkg does not know. Without root, or where apt cannot get them, it says what to
# install and fails; the caller decides whether that ends everything or skips something.

packages_build="gcc libc6-dev make cmake ninja-build pkgconf libyaml-dev libtree-sitter-dev liblua5.4-dev
    libuv1-dev libsqlite3-dev libpcre2-dev libsodium-dev libcurl4-openssl-dev ca-certificates tzdata"
packages_test="libcmocka-dev libjansson-dev libjq1 python3 python3-yaml python3-jsonschema curl git openssl"
packages_more="clang-14 clang-format-14 libclang-rt-14-dev valgrind strace tmux python3-venv etcd-server iproute2 minisign faketime age
    python3-cryptography
    podman crun runc catatonit busybox-static ruby php-cli lua5.4 r-base-core ansible-core redis-server"

need_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing packages; as root: apt-get install ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local try
    for try in 1 2; do  # a mirror in the middle of a sync fails once
        apt-get update -qq >/dev/null 2>&1 || true
        apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" \
            >/tmp/flow-apt.$$ 2>&1 && rm -f /tmp/flow-apt.$$ && return 0
    done
    tail -5 /tmp/flow-apt.$$ >&2
    rm -f /tmp/flow-apt.$$
    echo "cannot install: ${missing[*]}" >&2
    return 1
}
