#!/usr/bin/env bash
# Debian's rsyslog, which writes what it is told to a server by hiredis: `bash rsyslog.sh HOST PORT`
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

port_syslog=$(free_port)
cat >"$dir/rsyslog.conf" <<END
global(workDirectory="$dir")
module(load="imtcp")
module(load="omhiredis")
input(type="imtcp" address="127.0.0.1" port="$port_syslog")
template(name="line" type="string" string="%hostname% %syslogtag% %msg:2:\$%")
template(name="json" type="list" option.jsonf="on") {
    property(outname="program" name="programname" format="jsonf")
    property(outname="text" name="msg" position.from="2" format="jsonf")
}
template(name="count" type="string" string="HINCRBY counts %programname% 1")
template(name="key" type="string" string="last:%programname%")
if \$programname == "many" then
    action(type="omhiredis" server="$host" serverport="$port" mode="queue" key="lines" userpush="on" template="line")
if \$programname != "many" then {
    action(type="omhiredis" server="$host" serverport="$port" mode="queue" key="stack" template="json")
    action(type="omhiredis" server="$host" serverport="$port" mode="publish" key="news" template="line")
    action(type="omhiredis" server="$host" serverport="$port" mode="set" key="key" dynakey="on" expiration="500"
           template="line")
}
action(type="omhiredis" server="$host" serverport="$port" mode="template" template="count")
END
# A program in the middle of the way of each message: `tell PROGRAM TEXT…` sends one for each text.
tell() {
    local program=$1
    shift
    printf "<13>Nov 29 12:00:00 machine $program: %s\n" "$@" >"/dev/tcp/127.0.0.1/$port_syslog"
}

start redis-cli -h "$host" -p "$port" SUBSCRIBE news
subscribed() { [[ $(cli PUBSUB NUMSUB news | tail -n 1) == 1 ]]; }
until_ok "somebody listens" subscribed
start rsyslogd -n -f "$dir/rsyslog.conf" -i "$dir/rsyslog.pid"
until_ok "it listens" tell first "hello"
until_ok "the first has come" cli --no-raw -e LINDEX stack 0

mapfile -t texts < <(seq -f 'message %g of "many"' 1 3000)
tell many "${texts[@]}"
all_have_come() { [[ $(cli HGET counts many) == 3000 ]]; }
until_ok "all have come" all_have_come
check "in their order" "$(printf 'machine many: %s\n' "${texts[@]}" | sha1sum)" "$(cli LRANGE lines 0 -1 | sha1sum)"
checked "3,000 messages in a list, in their order, and counted by a command that is a template"

tell second "one" "two \"quoted\" é"
has_come() { [[ $(cli HGET counts second) == 2 ]]; }
until_ok "both have come" has_come
check "the newest first" $'{"program":"second", "text":"two \\"quoted\\" é"}\n\n{"program":"second", "text":"one"}' \
    "$(cli LRANGE stack 0 1)"
check "the last of each" $'machine second: two "quoted" é\nmachine first: hello' "$(cli MGET last:second last:first)"
left=$(cli TTL last:second)
check "its time" 1 "$((0 < left && left <= 500))"
until_ok "both are heard" grep -q 'two "quoted"' "$dir/log"
check "messages" "machine first: hello machine second: one machine second: two \"quoted\" é" \
    "$(grep ^machine "$dir/log" | tr '\n' ' ' | sed 's/ $//')"
checked "messages as JSON, published, and the last of each program with its expiry"

cli FLUSHALL >/dev/null
echo "rsyslog-hiredis $(version_of rsyslog-hiredis): ok"
