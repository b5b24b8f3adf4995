//! Logins: passwords that are shown nowhere, failures that are counted, logged and slowed down.

use std::time::{Duration, Instant};

use crate::support::{Conn, Server, Value};

const SETTINGS: &[&str] = &[
    "wal.fsync=no",
    "checkpoint.interval_s=0",
    "server.requirepass=first-secret",
];
const SECRETS: [&str; 4] = ["first-secret", "second-secret", "third-secret", "wrong-secret"];

fn admin(server: &Server) -> Conn {
    let mut conn = server.connect();
    assert_eq!(conn.call(&["AUTH", SECRETS[0]]), Value::ok());
    conn
}

#[test]
fn passwords_are_shown_nowhere() {
    let server = Server::lokikv(SETTINGS);
    let mut admin = admin(&server);
    admin.call(&[
        "CONFIG",
        "SET",
        "slowlog-log-slower-than",
        "0",
        "slowlog-max-len",
        "1000",
    ]);
    let mut monitor = server.connect();
    monitor.call(&["AUTH", SECRETS[0]]);
    monitor.call(&["MONITOR"]);
    let mut other = server.connect();
    for args in [
        &["ACL", "SETUSER", "u", "on", ">second-secret", "+@all", "~*"][..],
        &["ACL", "SETUSER", "u", "<second-secret", ">third-secret", "nope"],
        &["ACL", "SETUSER", "u", "(>second-secret"],
        &["ACL", "NOPE", "u", ">second-secret"],
        &["ACL", "SETUSER"],
        &["CONFIG", "SET", "requirepass", "third-secret"],
        &["CONFIG", "SET", "requirepass", "first-secret"],
        &["ACL", "LIST"],
    ] {
        admin.call(args);
    }
    for args in [
        &["AUTH", "u", "wrong-secret"][..],
        &["AUTH", "u", "second-secret"],
        &["AUTH", "u", "second-secret", "more"],
        &["HELLO", "3", "AUTH", "u", "second-secret"],
        &["HELLO", "4", "AUTH", "u", "wrong-secret"],
        &["MULTI"],
        &["AUTH", "u", "wrong-secret"],
        &["EXEC"],
    ] {
        other.call(args);
    }
    let slow = admin.call(&["SLOWLOG", "GET", "-1"]).to_string();
    assert!(slow.contains("redacted"), "{slow}");
    let log = admin.call(&["ACL", "LOG", "100"]).to_string();
    let users = admin.call(&["ACL", "LIST"]).to_string();
    // Redis shows this one.
    let config = admin.call(&["CONFIG", "GET", "*"]);
    let config: Vec<String> = config
        .pairs()
        .iter()
        .filter(|(name, _)| name.text() != "requirepass")
        .map(|(_, value)| value.text())
        .collect();
    // Whoever is killed loses what is on its way: it has to have seen all of it before.
    admin.call(&["ECHO", "the last line"]);
    let mut lines = String::new();
    while !lines.contains("the last line") {
        lines += &monitor.recv().unwrap().value.text();
    }
    admin.call(&["CLIENT", "KILL", "USER", "default", "SKIPME", "yes"]);
    assert_eq!(monitor.read_to_close().unwrap(), b"");
    assert!(lines.contains("hello") || lines.contains("HELLO"), "{lines}");
    let shown = [
        slow,
        log,
        users,
        config.concat(),
        lines,
        server.stdout(),
        server.stderr(),
    ];
    // What a client was told of its own wrong rule is for itself.
    for (text, secret) in shown.iter().flat_map(|text| SECRETS.map(|secret| (text, secret))) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn failures_are_counted_and_logged() {
    let server = Server::lokikv(SETTINGS);
    let mut admin = admin(&server);
    let mut other = server.connect();
    other.call(&["AUTH", "nobody\nx", SECRETS[3]]);
    other.call(&["AUTH", SECRETS[3]]);
    other.call(&["HELLO", "3", "AUTH", "default", SECRETS[3]]);
    let info = admin.call(&["INFO", "stats"]);
    assert_eq!(info.figure("acl_access_denied_auth"), 3);
    assert_eq!(info.figure("acl_access_denied_cmd"), 0);
    let told = server.stdout();
    assert_eq!(told.matches("a login has failed").count(), 3, "{told}");
    assert!(told.contains("nobody\\nx"), "{told}");
    admin.call(&["CONFIG", "RESETSTAT"]);
    assert_eq!(admin.call(&["INFO", "stats"]).figure("acl_access_denied_auth"), 0);
}

#[test]
fn failures_slow_down_logins_of_the_address_and_nothing_else() {
    let server = Server::lokikv(SETTINGS);
    let mut admin = admin(&server);
    let mut other = server.connect();
    let begun = Instant::now();
    for _ in 0..20 {
        assert!(other.call(&["AUTH", SECRETS[3]]).is_error());
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "the first ones are free: {:?}",
        begun.elapsed()
    );
    // 25, 50, 100, 200, 400, 800 and then 1000 ms, less what is forgiven: one of the later ones is seen to wait.
    for failure in 1.. {
        let sent = Instant::now();
        other.send(&["AUTH", SECRETS[3]]).unwrap();
        // Who is in is served meanwhile.
        assert_eq!(admin.call(&["PING"]).text(), "PONG");
        let served = sent.elapsed();
        assert!(other.recv().unwrap().value.text().starts_with("WRONGPASS"));
        let waited = sent.elapsed();
        let is_seen = waited > Duration::from_millis(300) && served < Duration::from_millis(100);
        if is_seen && failure >= 5 {
            break;
        }
        assert!(failure < 40, "{waited:?}, and others are served after {served:?}");
    }
    // A right one waits, too, and then works.
    let has_waited = (0..3).any(|_| {
        let begun = Instant::now();
        assert_eq!(other.call(&["AUTH", SECRETS[0]]), Value::ok());
        let has_waited = begun.elapsed() > Duration::from_millis(100);
        if !has_waited {
            fail_often(&mut other);
        }
        has_waited
    });
    assert!(has_waited, "right ones do not wait");
    assert_eq!(
        other
            .call(&["HELLO", "3", "AUTH", "default", SECRETS[0]])
            .field("proto"),
        Some(Value::Int(3))
    );
    assert_eq!(other.call(&["ACL", "WHOAMI"]).text(), "default");
}

/// Makes up for what is forgiven while a test stands still.
fn fail_often(conn: &mut Conn) {
    for _ in 0..25 {
        assert!(conn.call(&["AUTH", SECRETS[3]]).is_error());
    }
}

#[test]
fn guesses_from_many_connections_do_not_add_up() {
    let server = Server::lokikv(SETTINGS);
    let mut conns: Vec<Conn> = (0..200).map(|_| server.connect()).collect();
    for conn in &mut conns {
        conn.send(&["AUTH", SECRETS[3]]).unwrap();
    }
    let mut refused = 0;
    let begun = Instant::now();
    for conn in &mut conns {
        let answer = conn.recv().unwrap().value.text();
        if answer.starts_with("ERR too many failed logins") {
            refused += 1;
        } else {
            assert!(answer.starts_with("WRONGPASS"), "{answer}");
        }
    }
    assert!(refused > 150, "{refused} of 200 were not judged");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // Within a transaction nothing waits, so nothing is judged.
    let mut admin = server.connect();
    while admin.call(&["AUTH", SECRETS[0]]) != Value::ok() {
        std::thread::sleep(Duration::from_millis(500));
    }
    let is_refused = (0..3).any(|_| {
        admin.call(&["MULTI"]);
        admin.call(&["AUTH", "default", SECRETS[0]]);
        let answer = admin.call(&["EXEC"]).items();
        let is_refused = answer[0].text().starts_with("ERR too many failed logins");
        if !is_refused {
            assert_eq!(answer, [Value::ok()]);
            fail_often(&mut conns[0]);
        }
        is_refused
    });
    assert!(is_refused, "it is judged");
}
