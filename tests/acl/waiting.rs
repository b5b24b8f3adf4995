//! Whoever waits, or has not logged in: what it is given, and what it may hold.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::{Conn, Server, Value};

const SETTINGS: &[&str] = &["wal.fsync=no", "checkpoint.interval_s=0"];

fn set_user(admin: &mut Conn, rules: &[&str]) {
    let words: Vec<&str> = ["ACL", "SETUSER", "u"].iter().chain(rules).copied().collect();
    assert_eq!(admin.call(&words), Value::ok());
}

/// Waits until a client is blocked.
fn await_blocked(admin: &mut Conn) {
    let begun = Instant::now();
    while !admin.call(&["INFO", "clients"]).text().contains("blocked_clients:1") {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody is blocked");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn who_waits_gets_what_it_may_have_when_it_comes() {
    let server = Server::lokikv(SETTINGS);
    let mut admin = server.connect();
    let wait: [&[&str]; 3] = [
        &["BLPOP", "app:l", "0"],
        &["XREAD", "BLOCK", "0", "STREAMS", "app:s", "$"],
        &["BLMOVE", "app:l", "app:m", "LEFT", "LEFT", "0"],
    ];
    for (waits, taken) in wait.into_iter().zip(["-blpop", "resetkeys", "db=5"]) {
        set_user(&mut admin, &["reset", "on", "nopass", "+@all", "~app:*"]);
        let mut client = server.connect();
        assert_eq!(client.call(&["AUTH", "u", "x"]), Value::ok());
        client.send(waits).unwrap();
        await_blocked(&mut admin);
        set_user(&mut admin, &[taken]);
        admin.call(&["RPUSH", "app:l", "secret"]);
        admin.call(&["XADD", "app:s", "*", "f", "secret"]);
        let told = client.recv().unwrap().value;
        assert!(told.text().starts_with("NOPERM"), "{waits:?} {taken}: {told}");
        assert_eq!(admin.call(&["LLEN", "app:l"]), Value::Int(1), "{waits:?}");
        admin.call(&["FLUSHALL"]);
    }
    let after = admin.wal_info("last-lsn") + 50;
    set_user(&mut admin, &["reset", "on", "nopass", "+@all", "~*"]);
    let mut client = server.connect();
    client.call(&["AUTH", "u", "x"]);
    client.send(&["WAL", "READ", &after.to_string(), "BLOCK", "0"]).unwrap();
    await_blocked(&mut admin);
    set_user(&mut admin, &["-wal"]);
    (0..60).for_each(|_| drop(admin.call(&["INCR", "n"])));
    let told = client.recv().unwrap().value;
    assert!(told.text().starts_with("NOPERM"), "{told}");
}

#[test]
fn who_waits_is_refused_where_there_is_no_memory() {
    let server = Server::lokikv(SETTINGS);
    let (mut admin, mut client) = (server.connect(), server.connect());
    client.send(&["BLMOVE", "from", "to", "LEFT", "LEFT", "0"]).unwrap();
    await_blocked(&mut admin);
    for args in [
        &["MULTI"][..],
        &["RPUSH", "from", "1"],
        &["CONFIG", "SET", "maxmemory", "1"],
        &["EXEC"],
    ] {
        admin.call(args);
    }
    let told = client.recv().unwrap().value;
    assert!(told.text().starts_with("OOM"), "{told}");
    assert_eq!(admin.call(&["LLEN", "from"]), Value::Int(1));
}

#[test]
fn who_has_not_logged_in_holds_no_replies() {
    let settings = [SETTINGS, &["server.requirepass=secret"]].concat();
    let server = Server::lokikv(&settings);
    let mut stranger = std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stranger.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    let batch = "GET x\r\n".repeat(10_000);
    let is_closed = (0..400).any(|_| stranger.write_all(batch.as_bytes()).is_err());
    assert!(is_closed, "28 MB of requests were taken, and none of their replies");
    // Who reads what comes may fail as often as it likes.
    let mut patient = server.connect();
    for _ in 0..100 {
        let replies = patient
            .pipeline(&vec![vec![b"GET".to_vec(), b"x".to_vec()]; 100])
            .unwrap();
        assert!(replies.iter().all(|reply| reply.text().starts_with("NOAUTH")));
    }
    assert_eq!(patient.call(&["AUTH", "secret"]), Value::ok());
}

#[test]
fn a_line_for_default_says_all_that_it_may() {
    for (line, password, ping, get) in [
        ("default on nopass +ping", "", "PONG", "NOPERM"),
        ("default on >other +get ~*", "other", "NOPERM", ""),
        ("default on >other +get ~app:*", "other", "NOPERM", "NOPERM"),
    ] {
        let users = format!("acl.users=[\"{line}\"]");
        let settings = [SETTINGS, &["server.requirepass=topsecret", &users]].concat();
        let server = Server::lokikv(&settings);
        let mut conn = Conn::connect(server.port()).unwrap();
        if !password.is_empty() {
            assert!(
                conn.call(&["AUTH", "topsecret"]).text().starts_with("WRONGPASS"),
                "{line}"
            );
            assert_eq!(conn.call(&["AUTH", password]), Value::ok());
        }
        assert!(conn.call(&["PING"]).text().starts_with(ping), "{line}");
        assert!(conn.call(&["GET", "k"]).text().starts_with(get), "{line}");
    }
}
