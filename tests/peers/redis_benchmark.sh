#!/usr/bin/env bash
# Stock redis-benchmark against a server: redis_benchmark.sh HOST PORT. Empties that server.
# A check that every default test of the types that exist runs and its effect is there, not a measurement.
set -euo pipefail

host=$1
port=$2
requests=20000
cli() { redis-cli -h "$host" -p "$port" "$@"; }

fail() {
    printf 'redis-benchmark: %s\n' "$*" >&2
    exit 1
}

run() {
    local output
    output=$(redis-benchmark -h "$host" -p "$port" -n "$requests" --csv "$@" 2>&1) || fail "$* ended with $?: $output"
    [[ $output != *[Ee]rror* ]] || fail "$*: $output"
    printf '%s\n' "$output"
}

for pipeline in 1 16; do
    cli FLUSHALL >/dev/null
    output=$(run -t ping,set,get,incr,mset -P "$pipeline")
    for test in PING_INLINE PING_MBULK SET GET INCR 'MSET (10 keys)'; do
        grep -qF "\"$test\"" <<<"$output" || fail "no result for $test at -P $pipeline: $output"
    done
    # A pipeline is always sent whole, so a few requests more may have been made.
    counted=$(cli GET counter:__rand_int__)
    ((counted >= requests && counted < requests + 50 * pipeline)) || fail "INCR at -P $pipeline counted $counted"
    [[ $(cli GET key:__rand_int__) == [xV]* ]] || fail "SET at -P $pipeline left '$(cli GET key:__rand_int__)'"
done
run -t set,get -r 100000 -d 4096 -c 200 --threads 2 -P 8 >/dev/null
(($(cli DBSIZE) > 1000)) || fail "random keys were not written"
cli FLUSHALL >/dev/null
echo "$(redis-benchmark --version): ok"
