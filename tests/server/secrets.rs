//! Passwords in requests: neither the slow log nor the server's own log shows them to others.

use crate::support::{Conn, Server, Value};
use crate::{call, in_memory};

/// What the slow log has of each command, the oldest first.
fn slow(conn: &mut Conn) -> Vec<String> {
    let entries = call(conn, "SLOWLOG GET 1000").items();
    let args = |entry: &Value| entry.clone().items()[3].clone().items();
    let line = |entry: &Value| args(entry).iter().map(Value::text).collect::<Vec<_>>().join(" ");
    entries.iter().rev().map(line).collect()
}

/// Requests with the secret `hush`, and what may be seen of them.
const REQUESTS: &[(&str, &str)] = &[
    ("AUTH hush", "AUTH (redacted)"),
    ("AUTH default hush", "AUTH (redacted) (redacted)"),
    ("auth nobody hush", "auth (redacted) (redacted)"),
    ("AUTH default hush more", "AUTH (redacted) (redacted) (redacted)"),
    ("HELLO 2 AUTH default hush", "HELLO 2 AUTH (redacted) (redacted)"),
    (
        "hello 2 setname AUTH auth default hush",
        "hello 2 setname AUTH auth (redacted) (redacted)",
    ),
    (
        "HELLO 2 AUTH nobody hush SETNAME n",
        "HELLO 2 AUTH (redacted) (redacted) SETNAME n",
    ),
    ("HELLO x AUTH default hush", "HELLO x AUTH (redacted) (redacted)"),
    (
        "HELLO 2 BAD AUTH default hush",
        "HELLO 2 BAD AUTH (redacted) (redacted)",
    ),
    ("HELLO 2 AUTH hush", "HELLO 2 AUTH (redacted)"),
    ("HELLO 2 SETNAME n", "HELLO 2 SETNAME n"),
    ("CONFIG SET requirepass hush", "CONFIG SET requirepass (redacted)"),
    (
        "config set maxmemory 0 RequirePass hush",
        "config set maxmemory 0 RequirePass (redacted)",
    ),
    (
        "CONFIG SET server.requirepass hush",
        "CONFIG SET server.requirepass (redacted)",
    ),
    (
        "CONFIG SET requirepass hush port",
        "CONFIG SET requirepass (redacted) port",
    ),
    (
        "CONFIG SET port 1 requirepass hush",
        "CONFIG SET port 1 requirepass (redacted)",
    ),
    ("CONFIG SET masterauth hush", "CONFIG SET masterauth (redacted)"),
    ("CONFIG SET masteruser hush", "CONFIG SET masteruser (redacted)"),
    (
        "CONFIG SET tls-key-file-pass hush",
        "CONFIG SET tls-key-file-pass (redacted)",
    ),
    (
        "CONFIG SET tls-client-key-file-pass hush",
        "CONFIG SET tls-client-key-file-pass (redacted)",
    ),
    (
        "MIGRATE 127.0.0.1 x k 0 10 COPY AUTH hush",
        "MIGRATE 127.0.0.1 x k 0 10 COPY AUTH (redacted)",
    ),
    (
        "migrate 127.0.0.1 x k 0 10 auth2 hush hush replace keys",
        "migrate 127.0.0.1 x k 0 10 auth2 (redacted) (redacted) replace keys",
    ),
    (
        "MIGRATE 127.0.0.1 x k 0 AUTH hush BAD",
        "MIGRATE 127.0.0.1 x k 0 AUTH (redacted) BAD",
    ),
    (
        "MIGRATE 127.0.0.1 x k 0 10 AUTH2 hush",
        "MIGRATE 127.0.0.1 x k 0 10 AUTH2 (redacted)",
    ),
    (
        "MIGRATE 127.0.0.1 x k 0 10 KEYS AUTH plain",
        "MIGRATE 127.0.0.1 x k 0 10 KEYS AUTH plain",
    ),
    ("ACL DRYRUN default auth hush", "ACL DRYRUN default auth (redacted)"),
    (
        "acl dryrun nobody CONFIG set requirepass hush",
        "acl dryrun nobody CONFIG (redacted) (redacted) (redacted)",
    ),
    ("CONFIG GET requirepass", "CONFIG GET requirepass"),
    ("SET requirepass plain", "SET requirepass plain"),
];

fn with_slow_log() -> (Server, Conn) {
    let server = in_memory();
    let mut conn = server.connect();
    assert_eq!(call(&mut conn, "CONFIG SET slowlog-max-len 1000"), Value::ok());
    assert_eq!(call(&mut conn, "CONFIG SET slowlog-log-slower-than 0"), Value::ok());
    (server, conn)
}

#[test]
fn the_slow_log_shows_no_password() {
    let (_server, mut conn) = with_slow_log();
    for (request, _) in REQUESTS {
        call(&mut conn, request);
    }
    let seen = slow(&mut conn);
    let wanted: Vec<&str> = REQUESTS.iter().map(|(_, shown)| *shown).collect();
    // On a busy machine what came before may have been slow, too.
    assert_eq!(seen[seen.len().saturating_sub(wanted.len())..], wanted);
}

#[test]
fn nor_do_transactions_and_refused_requests() {
    let (server, mut conn) = with_slow_log();
    for line in [
        "MULTI",
        "AUTH hush",
        "CONFIG SET requirepass hush",
        "HELLO 2 AUTH default hush",
        "EXEC",
        "MULTI",
        "AUTH hush",
        "CONFIG SET requirepass",
        "CONFIG NOSUCH requirepass hush",
        "EXEC",
        "NOSUCH hush",
    ] {
        call(&mut conn, line);
    }
    let mut stranger = server.connect();
    assert!(call(&mut stranger, "GET hush").text().starts_with("NOAUTH"));
    assert!(call(&mut stranger, "AUTH hushhush").text().starts_with("WRONGPASS"));
    let seen = slow(&mut conn).join("\n");
    assert!(!seen.contains("hush"), "{seen}");
}

#[test]
fn the_servers_log_shows_no_password() {
    let (server, mut conn) = with_slow_log();
    assert_eq!(call(&mut conn, "CONFIG SET loglevel debug"), Value::ok());
    for (request, _) in REQUESTS {
        call(&mut conn, request);
    }
    assert_eq!(call(&mut conn, "CONFIG SET maxmemory 123456789"), Value::ok());
    drop(conn);
    let log = server.stdout() + &server.stderr();
    assert!(log.contains("memory.max_bytes = 123456789"), "{log}");
    assert!(!log.contains("hush"), "{log}");
}
