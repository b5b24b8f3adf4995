#!/usr/bin/env bash
# Proves the image's runtime stage with a real Docker engine, without pulling an image.
#
#   docker/prove.sh [--rootfs DIR] [BINARY]      as root; BINARY defaults to target/release/lokikv
#
# It starts an engine of its own (no bridge, no iptables, files in a temporary directory), makes
# `debian:bookworm-slim` with debootstrap (or from DIR), builds docker/Dockerfile with the build stage
# replaced by a copy of BINARY, and runs the result. Everything it made is gone when it ends.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rootfs=""
if [[ ${1:-} == --rootfs ]]; then
    rootfs=$2
    shift 2
fi
binary=${1:-$repo/target/release/lokikv}

work=$(mktemp -d /tmp/lokikv-docker.XXXXXX)
export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/config DOCKER_BUILDKIT=0
engine=""
checks=0

say() { printf '== %s\n' "$*"; }
ok() { checks=$((checks + 1)); printf 'ok   %s\n' "$*"; }
fail() {
    printf 'FAIL %s\n' "$*" >&2
    tail -n 20 "$work/engine.log" >&2 || true
    exit 1
}

# Only what this script started: its own engine knows only its own containers.
cleanup() {
    set +e
    if [[ -n $engine ]]; then
        docker ps -aq | xargs -r docker rm -fv >/dev/null 2>&1
        kill "$engine" 2>/dev/null
        wait "$engine" 2>/dev/null
    fi
    while read -r mount; do umount -l "$mount"; done \
        < <(awk -v dir="$work/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r)
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT

install_tools() {
    local missing=()
    command -v dockerd >/dev/null || missing+=(docker.io)
    command -v redis-cli >/dev/null || missing+=(redis-tools)
    command -v curl >/dev/null || missing+=(curl)
    [[ -n $rootfs ]] || command -v debootstrap >/dev/null || missing+=(debootstrap)
    ((${#missing[@]} == 0)) && return
    say "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

start_engine() {
    dockerd --storage-driver vfs --iptables=false --ip6tables=false --bridge none --data-root "$work/data" \
        --exec-root "$work/exec" --pidfile "$work/pid" --host "$DOCKER_HOST" >"$work/engine.log" 2>&1 &
    engine=$!
    for _ in {1..100}; do
        docker version >/dev/null 2>&1 && return
        kill -0 "$engine" 2>/dev/null || fail "the Docker engine ended"
        sleep 0.2
    done
    fail "the Docker engine does not answer"
}

import_base() {
    if [[ -z $rootfs ]]; then
        rootfs=$work/rootfs
        debootstrap --variant=minbase bookworm "$rootfs" >"$work/debootstrap.log" 2>&1 \
            || fail "debootstrap: $(tail -n 3 "$work/debootstrap.log")"
    fi
    tar -C "$rootfs" --one-file-system -c . | docker import - debian:bookworm-slim >/dev/null
}

# The second stage is taken from the Dockerfile unchanged.
build_image() {
    local context=$work/context
    mkdir -p "$context/docker"
    install -m 0755 "$binary" "$context/lokikv"
    cp "$repo/docker/config.toml" "$context/docker/config.toml"
    {
        printf 'FROM debian:bookworm-slim AS build\nCOPY lokikv /src/target/release/lokikv\n'
        awk '/^FROM /{ stage++ } stage >= 2' "$repo/docker/Dockerfile"
    } >"$context/Dockerfile"
    docker build --network host -t lokikv "$context" >"$work/build.log" 2>&1 \
        || fail "docker build: $(tail -n 20 "$work/build.log")"
}

field() { docker inspect -f "$2" "$1"; }

# Runs redis-cli in a container's network, which has nothing but its own loopback.
cli() {
    local container=$1
    shift
    nsenter --net --target "$(field "$container" '{{.State.Pid}}')" redis-cli --raw "$@"
}

# What the port for probes answers, in a container's network.
http() {
    nsenter --net --target "$(field "$1" '{{.State.Pid}}')" curl -sf "http://127.0.0.1:9121$2"
}

expect() {
    local what=$1 want=$2 got=$3
    [[ $got == "$want" ]] || fail "$what: wanted '$want', got '$got'"
    ok "$what: $got"
}

wait_pong() {
    for _ in {1..100}; do
        [[ $("$@" PING 2>/dev/null) == PONG ]] && return
        sleep 0.2
    done
    docker ps -aq | xargs -r -n 1 docker logs --tail 20 >&2
    fail "no PONG from: $*"
}

wait_health() {
    local container=$1 want=$2
    for _ in {1..60}; do
        [[ $(field "$container" '{{.State.Health.Status}}') == "$want" ]] && return
        sleep 1
    done
    fail "$container is not $want: $(field "$container" '{{json .State.Health}}')"
}

graceful_stop() {
    local container=$1 start=$SECONDS
    docker stop -t 30 "$container" >/dev/null
    expect "$container: exit code after SIGTERM" 0 "$(field "$container" '{{.State.ExitCode}}')"
    ((SECONDS - start < 20)) || fail "$container took $((SECONDS - start)) s to stop"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

check_image() {
    expect "user" 10001:10001 "$(docker image inspect -f '{{.Config.User}}' lokikv)"
    expect "volumes" '{"/data":{}}' "$(docker image inspect -f '{{json .Config.Volumes}}' lokikv)"
    expect "ports" '{"6379/tcp":{},"6380/tcp":{},"9121/tcp":{}}' "$(docker image inspect -f '{{json .Config.ExposedPorts}}' lokikv)"
    local base whole
    base=$(docker image inspect -f '{{.Size}}' debian:bookworm-slim)
    whole=$(docker image inspect -f '{{.Size}}' lokikv)
    ok "size: $(((whole - base) / 1048576)) MiB over the base"
}

# The defaults: no arguments, a named volume, the health check of the image.
check_defaults() {
    docker run -d --name plain --network none -v kept:/data lokikv >/dev/null
    wait_pong cli plain
    ok "PING"
    expect "uid of process 1" 10001 "$(awk '/^Uid:/{ print $2 }' "/proc/$(field plain '{{.State.Pid}}')/status")"
    expect "owner of /data" "10001 750" "$(docker exec plain stat -c '%u %a' /data)"
    expect "SET" OK "$(cli plain SET greeting hello)"
    wait_health plain healthy
    ok "health: healthy"
    expect "/readyz" ready "$(http plain /readyz)"
    expect "/metrics" "redis_up 1" "$(http plain /metrics | grep '^redis_up ')"
    docker restart -t 30 plain >/dev/null
    wait_pong cli plain
    expect "GET after restart" hello "$(cli plain GET greeting)"
    graceful_stop plain
    docker rm plain >/dev/null
}

# As compose.yaml runs it: nothing writable but the volume, no capabilities; the volume outlives containers.
check_locked_down() {
    docker run -d --name locked --network none -v kept:/data --read-only --cap-drop ALL \
        --security-opt no-new-privileges:true lokikv >/dev/null
    wait_pong cli locked
    expect "GET in a new container, read-only, without capabilities" hello "$(cli locked GET greeting)"
    graceful_stop locked
    docker rm locked >/dev/null
}

# Arguments reach the server, and what was acknowledged under fsync=always survives a kill.
check_arguments() {
    local port
    port=$(free_port)
    docker run -d --name tuned --network host -v hard:/data lokikv \
        --port "$port" --set server.bind=127.0.0.1 --set wal.fsync=always >/dev/null
    wait_pong redis-cli --raw -p "$port"
    ok "PING from the host on --port $port"
    expect "CONFIG GET appendfsync" always "$(redis-cli --raw -p "$port" CONFIG GET appendfsync | tail -n 1)"
    expect "SET" OK "$(redis-cli --raw -p "$port" SET hard kept)"
    docker kill tuned >/dev/null
    docker start tuned >/dev/null
    wait_pong redis-cli --raw -p "$port"
    expect "GET after SIGKILL" kept "$(redis-cli --raw -p "$port" GET hard)"
    graceful_stop tuned
}

[[ -x $binary ]] || { echo "no binary at $binary: cargo build --release" >&2; exit 2; }
install_tools
say "starting a Docker engine"
start_engine
say "making the base image"
import_base
say "building"
build_image
check_image
say "running"
check_defaults
check_locked_down
check_arguments

cat <<END
== $checks checks passed
== not proved here: the build stage (the binary came from this machine), the published
   debian:bookworm-slim (debootstrap's minbase stands in), port publishing (-p needs a bridge),
   compose.yaml, and any storage driver but vfs
END
