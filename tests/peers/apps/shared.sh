# What the applications under bash share, sourced at their beginning: `bash APP.sh HOST PORT`. Empties that server.
#
# Deadlines are generous and only guard against hanging; what is checked does not depend on the machine's speed.

set -euo pipefail
host=$1
port=$2
app=$(basename "$0" .sh)
dir=$(mktemp -d)
programs=()

cli() { redis-cli -h "$host" -p "$port" "$@"; }

check() {
    local what=$1 wanted=$2 got=$3
    if [[ $got != "$wanted" ]]; then
        printf '%s: %s: wanted %q, got %q\n' "$app" "$what" "${wanted:0:500}" "${got:0:500}" >&2
        exit 1
    fi
}

# Tells what has been shown; a section that says nothing has shown nothing.
checked() { printf '%s: %s\n' "$app" "$1"; }

# Waits until a command succeeds.
until_ok() {
    local what=$1 limit=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS > limit)); then
            printf '%s: not in time: %s\n' "$app" "$what" >&2
            exit 1
        fi
        sleep 0.05
    done
}

# A program that runs until this script ends; its output is shown if that fails.
start() {
    "$@" </dev/null >>"$dir/log" 2>&1 &
    programs+=($!)
}

finish() {
    local code=$? each
    trap - EXIT
    for each in "${programs[@]}"; do
        kill "$each" 2>/dev/null || true
        wait "$each" 2>/dev/null || true
    done
    ((code == 0)) || cat "$dir/log" >&2 || true
    rm -rf "$dir"
    exit "$code"
}
trap finish EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The version of a package of Debian.
version_of() { dpkg-query -W -f '${Version}' "$1"; }

cli FLUSHALL >/dev/null
