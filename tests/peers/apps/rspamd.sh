#!/usr/bin/env bash
# Debian's rspamd, whose Bayes statistics are in a server: `bash rspamd.sh HOST PORT`
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

LEARNT=12
port_learn=$(free_port)
port_scan=$(free_port)
# Its own list of top-level domains takes seconds to compile.
echo com >"$dir/tld"
cat >"$dir/rspamd.conf" <<END
options {
    filters = [];
    url_tld = "$dir/tld";
    pidfile = "$dir/rspamd.pid";
    control_socket = "$dir/rspamd.sock mode=0600";
    cache_file = "$dir/symbols.cache";
    dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "console"; level = "info"; }
worker "controller" { bind_socket = "127.0.0.1:$port_learn"; count = 1; secure_ip = "127.0.0.1"; }
worker "normal" { bind_socket = "127.0.0.1:$port_scan"; count = 2; }
classifier "bayes" {
    tokenizer { name = "osb"; }
    backend = "redis";
    servers = "$host:$port";
    new_schema = true;
    min_tokens = 11;
    min_learns = $LEARNT;
    statfile { symbol = "BAYES_HAM"; spam = false; }
    statfile { symbol = "BAYES_SPAM"; spam = true; }
}
END
start rspamd --no-fork --insecure --user root --group root --var "DBDIR=$dir" --config "$dir/rspamd.conf"

# A mail of 60 of some words: `mail NAME WORD…`.
mail() {
    local name=$1
    shift
    printf 'From: %s@example.com\nTo: b@example.com\nMessage-Id: <%s@example.com>\nSubject: %s %s\n\n' \
        "$name" "$name" "${!#}" "$1"
    for _ in {1..60}; do printf '%s ' "${@:RANDOM % $# + 1:1}"; done
    echo
}
RANDOM=1
spam=(pills winner lottery prize casino discount offer million urgent transfer inheritance prince dollars click)
ham=(meeting agenda project release compiler patch review branch schedule lunch kernel report server minutes)
for ((number = 1; number <= LEARNT + 5; number++)); do
    mail "spam$number" "${spam[@]}" >"$dir/spam$number.eml"
    mail "ham$number" "${ham[@]}" >"$dir/ham$number.eml"
done
symbols() { rspamc --timeout 30 --connect "127.0.0.1:$port_scan" symbols "$1" | sed -n 's/^Symbol: \(BAYES_[A-Z]*\).*/\1/p'; }
learn() {
    local each files=()
    for ((each = 1; each <= LEARNT; each++)); do files+=("$dir/$1$each.eml"); done
    rspamc --timeout 30 --connect "127.0.0.1:$port_learn" "learn_$1" "${files[@]}" | grep -c '^success = true'
}
until_ok "it answers" curl -sf "http://127.0.0.1:$port_scan/ping"
until_ok "it learns" curl -sf "http://127.0.0.1:$port_learn/ping"

check "it knows nothing yet" "" "$(symbols "$dir/spam1.eml")"
check "spam" "$LEARNT" "$(learn spam)"
check "ham" "$LEARNT" "$(learn ham)"
check "learnt" "$LEARNT $LEARNT" "$(cli HMGET RS learns_spam learns_ham | tr '\n' ' ' | sed 's/ $//')"
tokens=$(cli --scan --pattern 'RS_*' | sort -u | wc -l)
check "tokens" 1 "$((tokens > 500))"
counted=$(cli EVAL "local sums = {0, 0}
    for _, key in ipairs(redis.call('KEYS', 'RS_*')) do
        for index, field in ipairs({'S', 'H'}) do
            sums[index] = sums[index] + (redis.call('HGET', key, field) or 0)
        end
    end
    return {sums[1] >= $tokens / 4, sums[2] >= $tokens / 4}" 0 | tr '\n' ' ')
check "their counts" "1 1 " "$counted"
checked "$LEARNT mails each of spam and ham, learnt as $tokens tokens"

for ((number = LEARNT + 1; number <= LEARNT + 5; number++)); do
    check "spam $number" BAYES_SPAM "$(symbols "$dir/spam$number.eml")"
    check "ham $number" BAYES_HAM "$(symbols "$dir/ham$number.eml")"
done
checked "10 other mails, classified by them"
cli DEL RS >/dev/null
check "it has forgotten" "" "$(symbols "$dir/spam1.eml")"
checked "without the counts of what was learnt it does not judge"

cli FLUSHALL >/dev/null
echo "rspamd $(version_of rspamd): ok"
