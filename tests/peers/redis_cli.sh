#!/usr/bin/env bash
# Stock redis-cli against a server: redis_cli.sh HOST PORT. Empties that server. Exits 1 at the first surprise.
set -euo pipefail

host=$1
port=$2
cli() { redis-cli -h "$host" -p "$port" "$@"; }

check() {
    local what=$1 wanted=$2 got=$3
    if [[ $got != "$wanted" ]]; then
        printf 'redis-cli: %s: wanted %q, got %q\n' "$what" "$wanted" "$got" >&2
        exit 1
    fi
}

contains() {
    local what=$1 part=$2 got=$3
    if [[ $got != *"$part"* ]]; then
        printf 'redis-cli: %s: wanted %q within %q\n' "$what" "$part" "$got" >&2
        exit 1
    fi
}

# Tries a command until it succeeds, for 30 s at most: what has come of it is looked at then.
try_until_done() {
    local end=$((SECONDS + 30))
    until "$@" || ((SECONDS >= end)); do sleep 0.1; done
}

check "FLUSHALL" OK "$(cli FLUSHALL)"
check "PING" PONG "$(cli PING)"
check "SET" OK "$(cli SET greeting 'hello, world')"
check "GET" "hello, world" "$(cli GET greeting)"
check "no such key" "" "$(cli GET nothing)"
check "integer" "(integer) 12" "$(cli --no-raw STRLEN greeting)"
check "nil" "(nil)" "$(cli --no-raw GET nothing)"
check "nil, RESP3" "(nil)" "$(cli -3 --no-raw GET nothing)"
contains "HELLO 3" "proto" "$(cli -3 HELLO 3)"
contains "error" "ERR wrong number of arguments for 'get' command" "$(cli GET 2>&1)"
contains "unknown command" "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' " "$(cli NOSUCH a b 2>&1)"
check "value from standard input" OK "$(head -c 1000000 /dev/zero | tr '\0' z | cli -x SET wide)"
check "its length" 1000000 "$(cli STRLEN wide)"
check "repeat" $'1\n2\n3' "$(cli -r 3 INCR counter)"
check "another database" "" "$(cli -n 1 GET greeting)"
check "csv" '"hello, world",NULL' "$(cli --csv MGET greeting nothing)"
check "json" '["3",null]' "$(cli --json MGET counter nothing)"
check "several commands by standard input" $'OK\n1\nPONG' "$(printf 'SET a 1\nGET a\nPING\n' | cli)"
check "quoted bytes" '"\x00\xff\n"' "$(cli SET bytes "" >/dev/null; printf 'SET bytes "\\x00\\xff\\n"\n' | cli >/dev/null; cli --no-raw GET bytes)"
check "MULTI" $'OK\nQUEUED\nQUEUED\nOK\n2' "$(printf 'MULTI\nSET m 1\nINCR m\nEXEC\n' | cli)"

# Mass insertion: raw protocol, ended by redis-cli with ECHO of a random string.
mass() { for index in {1..5000}; do printf '*3\r\n$3\r\nSET\r\n$8\r\nmass%04d\r\n$4\r\nxxxx\r\n' "$index"; done; }
contains "--pipe" "errors: 0, replies: 5000" "$(mass | cli --pipe)"
check "--scan" 5000 "$(cli --scan --pattern 'mass*' | sort -u | wc -l)"
contains "--bigkeys" "Biggest string found '\"wide\"' has 1000000 bytes" "$(cli --bigkeys)"
contains "--memkeys" "strings with" "$(cli --memkeys)"
contains "INFO" "redis_version:" "$(cli INFO server)"
contains "INFO keyspace" "db0:keys=" "$(cli INFO keyspace)"
check "CONFIG" $'maxmemory-policy\nnoeviction' "$(cli CONFIG GET maxmemory-policy)"
contains "COMMAND DOCS" "summary" "$(cli COMMAND DOCS get)"

# A subscriber prints what comes until it is stopped.
listened=$(mktemp)
timeout 60 redis-cli -h "$host" -p "$port" SUBSCRIBE news >"$listened" &
is_heard() { [[ $(cli PUBLISH news hello) == 1 ]]; }
try_until_done is_heard
try_until_done grep -q hello "$listened"
kill %% && wait %% 2>/dev/null || true
check "SUBSCRIBE" "subscribe news 1 message news hello" "$(tr '\n' ' ' <"$listened" | sed 's/ $//')"
rm "$listened"

# MONITOR prints what others run.
watched=$(mktemp)
timeout 60 redis-cli -h "$host" -p "$port" MONITOR >"$watched" &
is_seen() { cli SET seen 'a "b"' >/dev/null; grep -q seen "$watched"; }
try_until_done is_seen
kill %% && wait %% 2>/dev/null || true
contains "MONITOR" '"SET" "seen" "a \"b\""' "$(cat "$watched")"
rm "$watched"

# Inline commands, as typed into a bare socket.
exec 3<>"/dev/tcp/$host/$port"
printf 'PING\r\nSET inline "a b"\r\nGET inline\r\nQUIT\r\n' >&3
check "inline" $'+PONG\r\n+OK\r\n$3\r\na b\r\n+OK\r' "$(timeout 10 cat <&3)"
exec 3>&-

check "FLUSHALL" OK "$(cli FLUSHALL)"
check "DBSIZE" 0 "$(cli DBSIZE)"
echo "$(redis-cli --version): ok"
