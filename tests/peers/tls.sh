#!/usr/bin/env bash
# Stock programs over TLS: tls.sh TLS_PORT FOLDER, with the files of tls_files.sh in FOLDER, against a server that asks
# for certificates. Empties that server. Exits 1 at the first surprise.
set -euo pipefail

port=$1
files=$2
trusted=(--tls --cacert "$files/ca.crt")
known=("${trusted[@]}" --cert "$files/client.crt" --key "$files/client.key")
cli() { redis-cli -h localhost -p "$port" "${known[@]}" "$@"; }

fail() {
    printf 'TLS: %s\n' "$*" >&2
    exit 1
}

check() {
    local what=$1 wanted=$2 got=$3
    [[ $got == "$wanted" ]] || fail "$what: wanted '$wanted', got '$got'"
}

contains() {
    local what=$1 part=$2 got=$3
    [[ $got == *"$part"* ]] || fail "$what: wanted '$part' within '$got'"
}

check "FLUSHALL" OK "$(cli FLUSHALL)"
check "SET" OK "$(cli SET greeting 'hello, world')"
check "GET" "hello, world" "$(cli GET greeting)"
check "a large value" OK "$(head -c 10000000 /dev/zero | tr '\0' z | cli -x SET wide)"
check "its length" 10000001 "$(($(cli GET wide | wc -c)))"
mass() { for index in {1..5000}; do printf '*3\r\n$3\r\nSET\r\n$8\r\nmass%04d\r\n$4\r\nxxxx\r\n' "$index"; done; }
contains "--pipe" "errors: 0, replies: 5000" "$(mass | cli --pipe)"
check "--scan" 5000 "$(cli --scan --pattern 'mass*' | sort -u | wc -l)"
check "TLS 1.2" PONG "$(cli --tls-ciphers ECDHE-ECDSA-CHACHA20-POLY1305 PING)"
check "TLS 1.3" PONG "$(cli --tls-ciphersuites TLS_AES_128_GCM_SHA256 PING)"

# Who shows no certificate, or one of another authority, is not served.
unknown=$(timeout 10 redis-cli -h localhost -p "$port" "${trusted[@]}" PING 2>&1 || true)
[[ $unknown != *PONG* ]] || fail "served without a certificate"
stranger=$(timeout 10 redis-cli -h localhost -p "$port" "${trusted[@]}" \
    --cert "$files/other.crt" --key "$files/other.key" PING 2>&1 || true)
[[ $stranger != *PONG* ]] || fail "served with another authority's certificate"
contains "without TLS" "this port speaks TLS" "$(timeout 10 redis-cli -h localhost -p "$port" PING 2>&1 || true)"

# A client of TLS 1.2 that wants to agree anew ("R") is told no, and served on.
anew() {
    { sleep 3; printf 'R\n'; sleep 3; printf 'PING\r\n'; sleep 3; } | timeout 30 openssl s_client \
        -connect "localhost:$port" -tls1_2 -CAfile "$files/ca.crt" -cert "$files/client.crt" -key "$files/client.key" 2>&1 || true
}
answer=$(anew)
contains "agreeing anew" "RENEGOTIATING" "$answer"
contains "agreeing anew" "no renegotiation" "$answer"
for old in -tls1 -tls1_1; do
    answer=$(timeout 10 openssl s_client -connect "localhost:$port" "$old" -cipher 'DEFAULT@SECLEVEL=0' \
        -CAfile "$files/ca.crt" </dev/null 2>&1 || true)
    contains "$old" "SSL alert number" "$answer"
done

for pipeline in 1 16; do
    output=$(redis-benchmark -h localhost -p "$port" "${known[@]}" -t ping,set,get,incr -n 20000 -P "$pipeline" --csv 2>&1)
    [[ $output != *[Ee]rror* ]] || fail "redis-benchmark -P $pipeline: $output"
    for test in PING_MBULK SET GET INCR; do
        contains "redis-benchmark -P $pipeline" "\"$test\"" "$output"
    done
done
# Those that have gone are clients until the server notices.
only_one() { cli INFO tls | tr -d '\r' | grep -x tls_connected_clients:1 >/dev/null; }
deadline=$((SECONDS + 30))
until only_one; do
    ((SECONDS < deadline)) || fail "INFO: $(cli INFO tls)"
    sleep 0.1
done
check "FLUSHALL" OK "$(cli FLUSHALL)"
echo "$(redis-cli --version), $(openssl version): ok"
