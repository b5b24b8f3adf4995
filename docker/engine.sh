# For prove.sh: a Docker engine of one's own, and images without pulling any. Sourced by bash;
# needs $repo, root, Debian.

work=$(mktemp -d "${TMPDIR:-/tmp}/lokikv-docker.XXXXXX")
export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/config DOCKER_BUILDKIT=0
engine=""
checks=0

say() { printf '== %s\n' "$*"; }
ok() { checks=$((checks + 1)); printf 'ok   %s\n' "$*"; }
fail() {
    printf 'FAIL %s\n' "$*" >&2
    docker ps -aq | xargs -r -n 1 docker logs --tail 10 >&2 || true
    tail -n 10 "$work/engine.log" >&2 || true
    exit 1
}

# Only what was started here: the engine knows only its own containers.
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
    local command missing=()
    declare -A packages=([dockerd]=docker.io [docker-compose]=docker-compose [redis-cli]=redis-tools [curl]=curl
        [prometheus]=prometheus [debootstrap]=debootstrap)
    [[ -z $rootfs ]] || unset 'packages[debootstrap]'
    for command in "${!packages[@]}"; do
        command -v "$command" >/dev/null || missing+=("${packages[$command]}")
    done
    ((${#missing[@]} == 0)) && return
    say "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

start_engine() {
    dockerd --storage-driver vfs --iptables=false --ip6tables=false --bridge none --data-root "$work/data" \
        --exec-root "$work/exec" --pidfile "$work/pid" --host "$DOCKER_HOST" >"$work/engine.log" 2>&1 &
    engine=$!
    for _ in {1..300}; do
        docker version >/dev/null 2>&1 && return
        kill -0 "$engine" 2>/dev/null || fail "the Docker engine ended"
        sleep 0.2
    done
    fail "the Docker engine does not answer"
}

# docker build, told of only where it fails.
image() {
    docker build --network host "$@" >"$work/build.log" 2>&1 || fail "docker build: $(tail -n 20 "$work/build.log")"
}

# What a stage of the Dockerfile is made from: base 1, base 2.
base() { awk -v stage="$1" '/^FROM / && ++n == stage { print $2 }' "$repo/docker/Dockerfile"; }

make_bases() {
    if [[ -z $rootfs ]]; then
        rootfs=$work/rootfs
        debootstrap --variant=minbase bookworm "$rootfs" >"$work/debootstrap.log" 2>&1 \
            || fail "debootstrap: $(tail -n 3 "$work/debootstrap.log")"
    fi
    tar -C "$rootfs" --one-file-system --exclude './var/cache/apt/archives/*.deb' --exclude './var/lib/apt/lists/*_*' \
        -c . | docker import - "$(base 2)" >/dev/null
    # No compiler: a `cargo` that looks at what the build is given, and answers with a binary that is there already.
    mkdir "$work/cargo"
    cp --reflink=auto "$binary" "$work/cargo/lokikv"
    cat >"$work/cargo/cargo" <<'CARGO'
#!/bin/sh
set -e
[ "$*" = "build --release --locked --bin lokikv" ] || { echo "not known here: cargo $*" >&2; exit 1; }
for path in Cargo.toml Cargo.lock .cargo/config.toml $(sed -n 's/^path = "\(.*\)"/\1/p' Cargo.toml); do
    [ -f "$path" ] || { echo "the build is not given $path" >&2; exit 1; }
done
for path in .git target rust-toolchain.toml; do
    [ ! -e "$path" ] || { echo "the build is given $path" >&2; exit 1; }
done
install -D -m 0755 /usr/local/lib/lokikv target/release/lokikv
CARGO
    chmod 0755 "$work/cargo/cargo"
    printf 'FROM %s\nCOPY cargo /usr/local/bin/\nCOPY lokikv /usr/local/lib/\n' "$(base 2)" >"$work/cargo/Dockerfile"
    image -t "$(base 1)" "$work/cargo"
}

# The image of Prometheus that compose.yaml names, as far as the file relies on it: with Debian's program.
make_prometheus() {
    mkdir "$work/prometheus"
    cp "$(command -v prometheus)" "$work/prometheus/prometheus"
    cat >"$work/prometheus/Dockerfile" <<PROMETHEUS
FROM $(base 2)
COPY prometheus /bin/prometheus
RUN install -d -o nobody -g nogroup /prometheus
USER nobody
WORKDIR /prometheus
VOLUME /prometheus
ENTRYPOINT ["/bin/prometheus"]
PROMETHEUS
    image -t "$1" "$work/prometheus"
}
