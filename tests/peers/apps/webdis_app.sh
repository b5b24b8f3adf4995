#!/usr/bin/env bash
# Debian's webdis, a server asked by HTTP: `bash webdis_app.sh HOST PORT`
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

port_http=$(free_port)
cat >"$dir/webdis.json" <<END
{
    "redis_host": "$host", "redis_port": $port, "http_host": "127.0.0.1", "http_port": $port_http, "threads": 2,
    "daemonize": false, "database": 3, "verbosity": 3, "logfile": "$dir/webdis.log", "websockets": false,
    "acl": [{"disabled": ["FLUSHALL"]}]
}
END
start webdis "$dir/webdis.json"
web() { curl -sS --max-time 30 "${@:2}" "http://127.0.0.1:$port_http/$1"; }
until_ok "it answers" web PING --fail

check "SET" '{"SET":[true,"OK"]}' "$(web SET/greeting/hello)"
check "the server has it" hello "$(cli -n 3 GET greeting)"
check "GET" '{"GET":"hello"}' "$(web GET/greeting)"
check "text" hello "$(web GET/greeting.txt)"
check "as the server sends it" $'$5\r\nhello\r' "$(web GET/greeting.raw)"
check "none" '{"GET":null}' "$(web GET/nothing)"
check "by POST" '{"RPUSH":3}' "$(web '' --data 'RPUSH/list/a/b%20c/%C3%A9')"
check "list" '["a","b c","é"]' "$(web LRANGE/list/0/-1 | python3 -c 'import json, sys
print(json.dumps(json.load(sys.stdin)["LRANGE"], ensure_ascii=False, separators=(",", ":")))')"
check "hash" '{"HGETALL":{"a":"1"}}' "$(web HSET/hash/a/1 >/dev/null && web HGETALL/hash)"
check "error" '{"LPUSH":[false,"WRONGTYPE Operation against a key holding the wrong kind of value"]}' \
    "$(web LPUSH/greeting/x)"
check "forbidden" 403 "$(web FLUSHALL --output /dev/null --write-out '%{http_code}')"
checked "commands by GET and POST, as JSON, text and raw"

head -c 500000 /dev/urandom >"$dir/file"
check "upload" '{"SET":[true,"OK"]}' "$(web SET/file --upload-file "$dir/file")"
check "download" "$(sha1sum <"$dir/file")" "$(web GET/file.png | sha1sum)"
tag=$(web GET/greeting --output /dev/null --dump-header - | tr -d '\r' | sed -n 's/^ETag: //p')
check "unchanged" 304 "$(web GET/greeting --header "If-None-Match: $tag" --output /dev/null --write-out '%{http_code}')"
web SET/greeting/other >/dev/null
check "changed" 200 "$(web GET/greeting --header "If-None-Match: $tag" --output /dev/null --write-out '%{http_code}')"
checked "a file of 500 kB up and down, what has not changed"

increment() { curl -sS --max-time 30 "http://127.0.0.1:$port_http/INCR/counter?[1-250]" >/dev/null; }
clients=()
for _ in 1 2 3 4; do
    increment &
    clients+=($!)
done
wait "${clients[@]}"
check "counted" '{"GET":"1000"}' "$(web GET/counter)"
checked "1,000 requests of 4 clients"

start curl -sSN --max-time 60 --output "$dir/heard" "http://127.0.0.1:$port_http/SUBSCRIBE/news"
subscribed() { [[ $(cli PUBSUB NUMSUB news | tail -n 1) == 1 ]]; }
until_ok "it listens" subscribed
for number in {1..50}; do check "heard by" '{"PUBLISH":1}' "$(web "PUBLISH/news/$number")"; done
until_ok "the last is heard" grep -q '"50"' "$dir/heard"
check "messages" "$(for number in {1..50}; do printf '{"SUBSCRIBE":["message","news","%d"]}' "$number"; done)" \
    "$(sed 's/^{"SUBSCRIBE":\["subscribe","news",1\]}//' "$dir/heard")"
checked "50 messages, in their order"

cli FLUSHALL >/dev/null
echo "webdis $(version_of webdis): ok"
