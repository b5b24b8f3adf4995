#!/usr/bin/env bash
# The status page in Debian's Chromium: it shows what INFO tells, and the browser has nothing to complain about.
# `chromium.sh HOST PORT HTTP_PORT`. Empties that server.
source "$(dirname "${BASH_SOURCE[0]}")/apps/shared.sh"

url="http://$host:$3"

# Opens a page; the document as it is then goes to $dir/dom, what the browser says to $dir/console.
open_page() {
    timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
        --user-data-dir="$dir/profile" --enable-logging=stderr "$@" >"$dir/dom" 2>"$dir/console"
}
complaints() { grep -c ':CONSOLE' "$dir/console" || true; }
# The machine-readable value of a figure.
shown() { sed -n "s/.*<data id=\"$1\" value=\"\([0-9]*\)\".*/\1/p" "$dir/dom"; }
told() { cli INFO everything | tr -d '\r' | sed -n "s/^$1://p"; }

cli CLIENT SETNAME '<script>document.title="stolen"</script>' >/dev/null
cli EVAL 'for n = 1, 500 do redis.call("SET", "key:" .. n, ("x"):rep(100)) end' 0 >/dev/null
cli CONFIG SET slowlog-log-slower-than 0 >/dev/null
cli SET '<script>document.title="stolen"</script>' 1 >/dev/null
cli CONFIG SET slowlog-log-slower-than 10000 >/dev/null
cli CHECKPOINT >/dev/null

open_page --dump-dom "$url/"
check "complaints" 0 "$(complaints)"
check "keys" 501 "$(shown keys)"
check "clients, but for the one that asks" "$(told connected_clients)" "$(($(shown connected-clients) + 1))"
check "last LSN" "$(told wal_lsn)" "$(shown log-lsn)"
check "checkpoint" 1 "$(grep -c "<th scope=\"row\">$(told checkpoint_last_id)</th>" "$dir/dom")"
uptime=$(told uptime_in_seconds)
check "uptime" yes "$(((uptime - $(shown uptime) < 60)) && echo yes)"
checked "figures as INFO tells them"

check "scripts of others" 0 "$(grep -c '<script' "$dir/dom" || true)"
check "the slow log shows it as text" yes "$(grep -q '&lt;script&gt;document.title' "$dir/dom" && echo yes)"
check "title" 1 "$(grep -c '<title>LokiKV: ready</title>' "$dir/dom")"
checked "what clients name is text"

open_page --window-size=360,800 --dump-dom "$url/?sort=-keys&refresh=1"
check "complaints" 0 "$(complaints)"
check "sorted" 1 "$(grep -c 'aria-sort="ascending"' "$dir/dom")"
checked "sorted by a link, and refreshed without a script"

timeout 90 python3 "$(dirname "${BASH_SOURCE[0]}")/page_browser.py" "$url/"
checked "by keyboard, on a small screen, light and dark"

cli FLUSHALL >/dev/null
cli SLOWLOG RESET >/dev/null
echo "chromium $(version_of chromium): ok"
