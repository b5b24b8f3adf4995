#!/usr/bin/env bash
# Debian's Prometheus exporter: what it finds must be what the server tells. `bash redis_exporter.sh HOST PORT`
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

port_http=$(free_port)
cli MSET counter 41 text hello >/dev/null
cli RPUSH list 1 2 3 >/dev/null
cli SET brief 1 EX 1000 >/dev/null
cli XADD stream 1-1 a b >/dev/null
cli XGROUP CREATE stream team 0 >/dev/null
cli XREADGROUP GROUP team anna STREAMS stream '>' >/dev/null
cli -n 3 SET other 1 >/dev/null
cli GET nothing >/dev/null
cli LPUSH text x >/dev/null 2>&1 || true
cli EVAL "return redis.error_reply('OWNKIND of error')" 0 >/dev/null 2>&1 || true
cli CONFIG SET slowlog-log-slower-than 0 >/dev/null
cli STRLEN text >/dev/null
cli CONFIG SET slowlog-log-slower-than 1000000 >/dev/null

start prometheus-redis-exporter -web.listen-address "127.0.0.1:$port_http" -redis.addr "redis://$host:$port" \
    -check-single-keys 'db0=counter,db0=list' -check-single-streams db0=stream -export-client-list
until_ok "it answers" curl -sf "http://127.0.0.1:$port_http/health"

scrape() { curl -sf "http://127.0.0.1:$port_http/metrics" >"$dir/metrics"; }
figure() { awk -v name="$1" '$1 == name { printf "%.0f\n", $2 }' "$dir/metrics"; }
told() { cli INFO everything | tr -d '\r' | sed -n "s/^$1://p"; }
# The figure of a command in its line of INFO's statistics.
told_of() { told "cmdstat_$1" | tr ',' '\n' | sed -n "s/^$2=//p"; }

scrape
check "up" 1 "$(figure redis_up)"
check "without errors" 0 "$(figure 'redis_exporter_last_scrape_error{err=""}')"
for pair in db_keys,db0:5 db_keys_expiring,db0:1 db_keys,db3:1 db_keys,db5:0; do
    name=${pair%:*}
    check "$name" "${pair#*:}" "$(figure "redis_${name%,*}{db=\"${name#*,}\"}")"
done
for pair in expired_keys_total:expired_keys evicted_keys_total:evicted_keys keyspace_misses_total:keyspace_misses \
    rejected_connections_total:rejected_connections \
    pubsub_channels:pubsub_channels blocked_clients:blocked_clients cluster_enabled:cluster_enabled \
    process_id:process_id aof_enabled:aof_enabled config_maxclients:maxclients memory_max_bytes:maxmemory \
    memory_used_peak_bytes:used_memory_peak; do
    check "${pair%:*}" "$(told "${pair#*:}")" "$(figure "redis_${pair%:*}")"
done
for name in set rpush mset flushall xadd xreadgroup 'xgroup|create'; do
    check "calls of $name" "$(told_of "$name" calls)" "$(figure "redis_commands_total{cmd=\"$name\"}")"
done
check "failed" "$(told_of lpush failed_calls)" "$(figure 'redis_commands_failed_calls_total{cmd="lpush"}')"
check "kinds of errors" "$(told errorstat_OWNKIND | sed 's/count=//')" \
    "$(figure 'redis_errors_total{err="OWNKIND"}')"
check "its name" 1 "$(grep -c "redis_instance_info{.*redis_version=\"$(told redis_version)\".*tcp_port=\"$port\"} 1" \
    "$dir/metrics")"
checked "figures of the server as INFO tells them"

check "value" 41 "$(figure 'redis_key_value{db="db0",key="counter"}')"
check "size" 3 "$(figure 'redis_key_size{db="db0",key="list"}')"
check "entries" 1 "$(figure 'redis_stream_length{db="db0",stream="stream"}')"
check "pending" 1 "$(figure 'redis_stream_group_messages_pending{db="db0",group="team",stream="stream"}')"
check "slow log" "$(cli SLOWLOG LEN)" "$(figure redis_slowlog_length)"
check "itself" 1 "$(grep -c 'redis_connected_clients_details{.*name="redis_exporter".*} 1' "$dir/metrics")"
checked "values, sizes, a stream and its group, the slow log, clients"

before=$(figure 'redis_commands_total{cmd="incr"}')
cli -r 25 INCR counter >/dev/null
scrape
check "value" 66 "$(figure 'redis_key_value{db="db0",key="counter"}')"
check "more calls" $((${before:-0} + 25)) "$(figure 'redis_commands_total{cmd="incr"}')"
check "without errors" "0 2" \
    "$(echo $(figure 'redis_exporter_last_scrape_error{err=""}') $(figure redis_exporter_scrapes_total))"
checked "what has changed by the next time"

cli CONFIG SET slowlog-log-slower-than 10000 >/dev/null
cli FLUSHALL >/dev/null
echo "prometheus-redis-exporter $(version_of prometheus-redis-exporter): ok"
