#!/usr/bin/env bash
# Proves the image and compose.yaml with a real Docker engine, without pulling an image.
#
#   docker/prove.sh [--rootfs DIR] [--older FILE] [BINARY]      as root; BINARY defaults to target/release/lokikv
#
# It starts an engine of its own (no bridge, no iptables, files in a temporary directory), makes the base with
# debootstrap (or from DIR) and builds docker/Dockerfile as it stands, with a stand-in for the compiler that answers
# with BINARY. Then it runs the result as people do, and takes over the volume of an older release's binary (FILE) where
# one is given. Everything it made is gone when it ends, packages that it installed apart.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rootfs=""
older=""
while [[ ${1:-} == --* ]]; do
    case $1 in
        --rootfs) rootfs=$2 ;;
        --older) older=$(realpath "$2") ;;
        *) echo "no such flag: $1" >&2; exit 2 ;;
    esac
    shift 2
done
binary=${1:-$repo/target/release/lokikv}
[[ -x $binary ]] || { echo "no binary at $binary: cargo build --release" >&2; exit 2; }
# shellcheck source=docker/engine.sh
source "$repo/docker/engine.sh"

field() { docker inspect -f "$2" "$1"; }
pid() { field "$1" '{{.State.Pid}}'; }

# Runs a program in a container's network, which has nothing but its own loopback.
within() {
    local container=$1
    shift
    nsenter --net --target "$(pid "$container")" "$@"
}
cli() { within "$1" redis-cli --raw "${@:2}"; }
http() { within "$1" curl -sS "http://127.0.0.1:$2"; }

expect() {
    local what=$1 want=$2 got=$3
    [[ $got == "$want" ]] || fail "$what: wanted '$want', got '$got'"
    ok "$what: ${got:0:100}"
}

# What is said of it, what it has to print, and what to run until it does.
until_it_says() {
    local what=$1 want=$2
    shift 2
    for _ in {1..600}; do
        [[ $("$@" 2>/dev/null) == "$want" ]] && return
        [[ -n $(docker ps -q) ]] || fail "$what: nothing runs"
        sleep 0.2
    done
    fail "$what: not '$want' but '$("$@" 2>&1)'"
}
answers() { until_it_says "$1" PONG cli "$1" PING; }
has_health() {
    until_it_says "$1" "$2" field "$1" '{{.State.Health.Status}}'
    ok "$1: $2"
}

# As compose.yaml has it, where this machine gives as many.
nofile=$(ulimit -Hn)
[[ $nofile != unlimited ]] && ((nofile < 65536)) || nofile=65536

# Started as compose.yaml does it: nothing writable but the volumes, no rights. Arguments of docker come before a `--`.
start() {
    local name=$1 flags=()
    shift
    while [[ ${1:---} != -- ]]; do flags+=("$1") && shift; done
    docker run -d --name "$name" --network none --read-only --cap-drop ALL --security-opt no-new-privileges:true \
        --ulimit "nofile=$nofile" "${flags[@]}" lokikv "${@:2}" >/dev/null
}
# The same for what does its work and ends, in a network; its code and what it says are in `code` and `said`.
once() {
    code=0
    said=$(docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges:true --network "$@" 2>&1) \
        || code=$?
}

# docker stop waits for 10 s, and kills then: exit code 137.
stop() {
    local container=$1 before=$EPOCHREALTIME
    docker stop "$container" >/dev/null
    expect "$container: exit code after docker stop" 0 "$(field "$container" '{{.State.ExitCode}}')"
    ok "$container: ended within $(((${EPOCHREALTIME/./} - ${before/./}) / 1000)) ms"
}

check_image() {
    expect "user" 10001:10001 "$(docker image inspect -f '{{.Config.User}}' lokikv)"
    expect "volumes" '{"/data":{}}' "$(docker image inspect -f '{{json .Config.Volumes}}' lokikv)"
    expect "ports" '{"6379/tcp":{},"6380/tcp":{},"9121/tcp":{}}' \
        "$(docker image inspect -f '{{json .Config.ExposedPorts}}' lokikv)"
    local base whole
    base=$(docker image inspect -f '{{.Size}}' "$(base 2)")
    whole=$(docker image inspect -f '{{.Size}}' lokikv)
    ok "size: $((whole / 1048576)) MiB, $(((whole - base) / 1048576)) MiB over the base"
}

# No arguments, a named volume, the health check of the image.
check_defaults() {
    local before=$EPOCHREALTIME
    docker run -d --name plain --network none -v kept:/data lokikv >/dev/null
    answers plain
    ok "PING, $(((${EPOCHREALTIME/./} - ${before/./}) / 1000)) ms after docker run"
    expect "uid of process 1" 10001 "$(awk '/^Uid:/{ print $2 }' "/proc/$(pid plain)/status")"
    expect "owner of /data" "10001 750" "$(docker exec plain stat -c '%u %a' /data)"
    expect "SET" OK "$(cli plain SET greeting hello)"
    has_health plain healthy
    expect "/healthz" alive "$(http plain 9121/healthz)"
    expect "/readyz" ready "$(http plain 9121/readyz)"
    expect "/metrics" "redis_up 1" "$(http plain 9121/metrics | grep '^redis_up ')"
    stop plain
    docker start plain >/dev/null
    answers plain
    expect "GET after docker stop and docker start" hello "$(cli plain GET greeting)"
    docker restart plain >/dev/null
    answers plain
    expect "GET after docker restart" hello "$(cli plain GET greeting)"
    stop plain
    docker rm plain >/dev/null
}

check_locked_down() {
    start locked -v kept:/data --
    answers locked
    expect "GET in a new container, read-only, without rights" hello "$(cli locked GET greeting)"
    expect "rights of process 1" 0000000000000000 "$(awk '/^CapBnd:/{ print $2 }' "/proc/$(pid locked)/status")"
    docker exec locked touch /etc/lokikv/other 2>/dev/null && fail "the root file system can be written"
    expect "SET" OK "$(cli locked SET another one)"
    expect "CHECKPOINT" OK "$(cli locked CHECKPOINT)"
}

# Beside the server, with its data for reading only.
check_subcommands() {
    once container:locked -v kept:/data:ro -v saved:/backup lokikv backup --from redis://127.0.0.1 --to /backup
    expect "lokikv backup: $(tail -n 1 <<<"$said")" 0 "$code"
    once none -v saved:/backup:ro lokikv backup --verify /backup
    expect "lokikv backup --verify" 0 "$code"
    # 1: it found something to change at this machine.
    once container:locked lokikv doctor redis://127.0.0.1
    ((code <= 1)) && [[ -n $said ]] || fail "lokikv doctor redis://127.0.0.1: $code: $said"
    ok "lokikv doctor of the server: $code, $(wc -l <<<"$said") lines"
    once none -v kept:/data lokikv doctor /data
    ((code <= 1)) && [[ -n $said ]] || fail "lokikv doctor /data: $code: $said"
    ok "lokikv doctor of the directory: $code, $(wc -l <<<"$said") lines"
    once container:locked lokikv ping
    expect "lokikv ping" "0 127.0.0.1:6379: PONG" "$code $said"
    stop locked
    docker rm locked >/dev/null
    once none -v kept:/data lokikv verify /data
    expect "lokikv verify" 0 "$code"
    once none -v saved:/backup:ro -v restored:/data lokikv restore --from /backup --into /data
    expect "lokikv restore: $(tail -n 1 <<<"$said")" 0 "$code"
    start restored -v restored:/data --
    answers restored
    expect "GET from the restored volume" "hello one" "$(cli restored MGET greeting another | paste -sd ' ')"
    stop restored
    docker rm restored >/dev/null
}

# Defaults < the mounted file < arguments; nothing of the environment.
check_configuration() {
    sed -e 's/^port = 6379/port = 7001/' -e 's/^requirepass = .*/requirepass = "secret"/' "$repo/docker/config.toml" \
        >"$work/config.toml"
    start tuned -v hard:/data -v "$work/config.toml:/etc/lokikv/config.toml:ro" -e LOKIKV_SERVER_PORT=7002 \
        -- --set wal.fsync=always
    until_it_says "the mounted file's port" PONG cli tuned -p 7001 --no-auth-warning -a secret PING
    ok "the mounted file's port and password"
    docker rm -f tuned >/dev/null
    start tuned -v hard:/data -v "$work/config.toml:/etc/lokikv/config.toml:ro" \
        -- --port 6379 --set wal.fsync=always --set http.port=9200
    until_it_says "--port" PONG cli tuned --no-auth-warning -a secret PING
    ok "--port before the mounted file"
    expect "/readyz on --set http.port" ready "$(http tuned 9200/readyz)"
    expect "/metrics without a login" 401 \
        "$(within tuned curl -so /dev/null -w '%{http_code}' http://127.0.0.1:9200/metrics)"
    has_health tuned healthy
    expect "fsync" always "$(cli tuned --no-auth-warning -a secret CONFIG GET appendfsync | tail -n 1)"
    expect "SET" OK "$(cli tuned --no-auth-warning -a secret SET hard kept)"
    docker kill tuned >/dev/null
    docker start tuned >/dev/null
    until_it_says "after SIGKILL" kept cli tuned --no-auth-warning -a secret GET hard
    ok "GET after SIGKILL"
    docker rm -f tuned >/dev/null
    once none lokikv --set no.such=1
    expect "exit code of a mistake" 2 "$code"
}

# In a hurry, but with the image's own command and number of retries.
check_health() {
    local hurry=(--health-interval 1s --health-timeout 3s) volume
    docker volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=192m,uid=10001,gid=10001 small >/dev/null
    start sick "${hurry[@]}" -v small:/data -- --set storage.free_bytes_min=0 --set wal.fsync=always
    has_health sick healthy
    kill -STOP "$(pid sick)"
    has_health sick unhealthy
    kill -CONT "$(pid sick)"
    has_health sick healthy
    expect "SET" OK "$(cli sick SET before 1)"
    volume=$(docker volume inspect -f '{{.Mountpoint}}' small)
    head -c 1G /dev/zero >"$volume/filler" 2>/dev/null || true
    # It waits for its answer until there is room again.
    cli sick -x SET large < <(head -c 80000000 /dev/zero) >"$work/large" &
    local large=$!
    until_it_says "/readyz" "the log has failed: writes are refused" http sick 9121/readyz
    ok "/readyz tells of the failed log"
    has_health sick unhealthy
    rm "$volume/filler"
    has_health sick healthy
    wait "$large"
    expect "SET that had no room" OK "$(cat "$work/large")"
    expect "GET after that" 1 "$(cli sick GET before)"
    stop sick
    docker rm sick >/dev/null
}

# What the two releases are asked for.
content() {
    cli "$1" <<'COMMANDS'
DBSIZE
GET string
HGETALL hash
LRANGE list 0 -1
ZRANGE zset 0 -1 WITHSCORES
XRANGE stream - +
SMEMBERS set
EXPIRETIME brief
GET last
COMMANDS
}

check_upgrade() {
    [[ -n $older ]] || { say "no older release is given: no upgrade"; return; }
    # An image has the configuration of its release; this one holds for each.
    printf '[server]\nbind = ["0.0.0.0"]\nprotected_mode = false\n[storage]\ndata_dir = "/data"\n' >"$work/older.toml"
    start older -v aged:/data -v "$older:/usr/local/bin/lokikv:ro" -v "$work/older.toml:/etc/lokikv/config.toml:ro" --
    answers older
    {
        printf 'SET string text\nHSET hash a 1 b 2\nZADD zset 1 a 2.5 b\nXADD stream 1-1 f v\nSADD set 1 2 3\n'
        printf 'SET brief x EXAT 4102444800\nRPUSH list %s\n' "$(seq -s ' ' 1 1000)"
        seq -f 'SET key:%.0f value' 1 2000
        printf 'CHECKPOINT\nSET last log\nLPOP list 10\n'
    } | cli older >/dev/null
    local before
    before=$(content older)
    stop older
    docker rm older >/dev/null
    start newer -v aged:/data --
    answers newer
    expect "sum of what the older release's volume has" "$(md5sum <<<"$before")" "$(content newer | md5sum)"
    ok "$(wc -l <<<"$before") lines of it"
    stop newer
    docker rm newer >/dev/null
}

# compose.yaml without what needs a bridge: the containers share one loopback, on which its names are. Grafana's image
# has no stand-in.
check_compose() {
    docker-compose -f "$repo/docker/compose.yaml" config >"$work/rendered.yaml" 2>"$work/compose.log" \
        || fail "docker-compose config: $(cat "$work/compose.log")"
    ok "docker-compose config"
    expect "image" "lokikv:$(sed -n 's/^version = "\(.*\)"/\1/p' "$repo/Cargo.toml" | head -n 1)" \
        "$(sed -n 's/^ *image: \(lokikv:.*\)/\1/p' "$work/rendered.yaml")"
    docker tag lokikv "$(sed -n 's/^ *image: \(lokikv:.*\)/\1/p' "$work/rendered.yaml")"
    make_prometheus "$(sed -n 's/^ *image: \(prom.*\)/\1/p' "$work/rendered.yaml")"
    /usr/bin/python3 - "$work/rendered.yaml" "$nofile" >"$work/here.yaml" <<'PYTHON'
import sys, yaml
compose = yaml.safe_load(open(sys.argv[1]))
services = compose["services"]
del services["grafana"], services["lokikv"]["build"]
for service in services.values():
    del service["ports"]
services["lokikv"] |= {"network_mode": "none", "extra_hosts": ["lokikv:127.0.0.1", "prometheus:127.0.0.1"]}
services["lokikv"]["ulimits"]["nofile"] = int(sys.argv[2])
services["prometheus"]["network_mode"] = "service:lokikv"
yaml.safe_dump(compose, sys.stdout)
PYTHON
    composed() { docker-compose --project-name proof -f "$work/here.yaml" "$@" >"$work/compose.log" 2>&1; }
    composed up -d --no-build || fail "docker-compose up: $(cat "$work/compose.log")"
    answers proof_lokikv_1
    has_health proof_lokikv_1 healthy
    expect "SET" OK "$(cli proof_lokikv_1 SET composed 1)"
    scraped() { http proof_lokikv_1 "9090/api/v1/query?query=redis_db_keys%7Bdb%3D%22db0%22%7D" | grep -o '"1"'; }
    until_it_says "Prometheus scrapes the server" '"1"' scraped
    ok "Prometheus has redis_db_keys of $(http proof_lokikv_1 9090/api/v1/targets | grep -o '"scrapeUrl":"[^"]*"')"
    rules() { http proof_lokikv_1 9090/api/v1/rules | grep -o '"type":"alerting"' | wc -l; }
    expect "alert rules that Prometheus has loaded" \
        "$(grep -c 'alert:' "$repo/deploy/prometheus/lokikv.rules.yml")" "$(rules)"
    composed down || fail "docker-compose down: $(cat "$work/compose.log")"
    composed up -d --no-build || fail "docker-compose up: $(cat "$work/compose.log")"
    answers proof_lokikv_1
    expect "GET after down and up" 1 "$(cli proof_lokikv_1 GET composed)"
    composed down --volumes || fail "docker-compose down: $(cat "$work/compose.log")"
}

install_tools
say "starting a Docker engine"
start_engine
say "making the bases"
make_bases
say "building"
image -t lokikv -f "$repo/docker/Dockerfile" "$repo"
check_image
say "running"
check_defaults
check_locked_down
check_subcommands
check_configuration
check_health
check_upgrade
say "compose.yaml"
check_compose

cat <<END
== $checks checks passed
== not proved here: the compiler's work (a stand-in answers with $binary), the published bases
   ($(base 1), $(base 2): debootstrap's minbase stands in), port publishing (-p needs a bridge),
   Grafana, the published Prometheus (Debian's stands in), and any storage driver but vfs
END
