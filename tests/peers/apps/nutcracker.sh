#!/usr/bin/env bash
# Debian's nutcracker (twemproxy) before a server, asked by redis-cli: `bash nutcracker.sh HOST PORT`
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

port_proxy=$(free_port)
cat >"$dir/nutcracker.yml" <<END
pool:
  listen: 127.0.0.1:$port_proxy
  redis: true
  hash: fnv1a_64
  distribution: ketama
  timeout: 30000
  servers:
    - $host:$port:1
END
start nutcracker --conf-file "$dir/nutcracker.yml" --stats-port "$(free_port)" --stats-addr 127.0.0.1 --mbuf-size 16384
proxy() { redis-cli -p "$port_proxy" "$@"; }
until_ok "it answers" proxy PING

check "SET" OK "$(proxy SET greeting 'hello, world')"
check "the server has it" "hello, world" "$(cli GET greeting)"
check "GET" "hello, world" "$(proxy GET greeting)"
check "nil" "(nil)" "$(proxy --no-raw GET nothing)"
check "error" "WRONGTYPE Operation against a key holding the wrong kind of value" "$(proxy LPUSH greeting x 2>&1)"
check "MSET" OK "$(proxy MSET a 1 b 2 c 3)"
check "MGET" '"1",NULL,"3","2"' "$(proxy --csv MGET a nothing c b)"
check "DEL" 3 "$(proxy DEL a b c nothing)"
check "HGETALL" '"f","1","g","2"' "$(proxy HSET hash f 1 g 2 >/dev/null && proxy --csv HGETALL hash)"
check "ZRANGE" '"a","1.5"' "$(proxy ZADD zset 1.5 a >/dev/null && proxy --csv ZRANGE zset 0 -1 WITHSCORES)"
check "EVAL" 5 "$(proxy EVAL 'return redis.call("INCRBY", KEYS[1], ARGV[1])' 1 counted 5)"
check "a value of 3 MB" OK "$(head -c 3000000 /dev/zero | tr '\0' z | proxy -x SET wide)"
check "its length" 3000000 "$(proxy STRLEN wide)"
check "it comes back" "$(cli GET wide | sha1sum)" "$(proxy GET wide | sha1sum)"
checked "commands of one key and of several, scripts, large values"

# 2,000 pairs of commands, sent before a reply is read.
for index in {1..2000}; do
    key=key:$index value=value:$index
    printf '*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n' ${#key} "$key" ${#value} "$value"
    printf '*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n' ${#key} "$key"
done >"$dir/pipeline"
exec 3<>"/dev/tcp/127.0.0.1/$port_proxy"
cat "$dir/pipeline" >&3 &
timeout 30 head -n 6000 <&3 | tr -d '\r' >"$dir/replies"
wait $!
exec 3>&-
for index in {1..2000}; do value=value:$index; printf '+OK\n$%d\n%s\n' ${#value} "$value"; done >"$dir/wanted"
check "replies" "" "$(diff "$dir/wanted" "$dir/replies" | head -n 4)"
check "keys" 2000 "$(cli --scan --pattern 'key:*' | sort -u | wc -l)"
checked "a pipeline of 4,000 commands, its replies in their order"

redis-benchmark -p "$port_proxy" -t set,get,incr,lpush,sadd -n 4800 -c 20 -P 16 -q >"$dir/benchmark" 2>&1
check "benchmarks" 5 "$(tr '\r' '\n' <"$dir/benchmark" | grep -c 'requests per second')"
check "what was counted" "4800 4800" "$(cli GET counter:__rand_int__) $(cli LLEN mylist)"
checked "24,000 commands of 20 clients of redis-benchmark"

cli FLUSHALL >/dev/null
echo "nutcracker $(version_of nutcracker): ok"
