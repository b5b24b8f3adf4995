//! Keys that go to another server: what arrives, what is deleted here, what is said where something is wrong.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::in_memory;
use crate::support::{Conn, Server, Value};

fn call(conn: &mut Conn, line: &str) -> Value {
    let words = line.split(' ').map(|word| if word == "''" { "" } else { word });
    conn.call(&words.collect::<Vec<_>>())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(" "),
        other => other.text(),
    }
}

fn says(conn: &mut Conn, lines: &[(&str, &str)]) {
    for (line, answer) in lines {
        assert_eq!(shown(&call(conn, line)), *answer, "{line}");
    }
}

#[test]
fn keys_arrive_whole_and_are_deleted_for_good() {
    let (mut from, to) = (Server::lokikv(&[]), in_memory());
    let port = to.port();
    let (mut here, mut there) = (from.connect(), to.connect());
    call(&mut here, "SET a 1 PX 5000000");
    call(&mut here, "RPUSH l x y z");
    call(&mut here, "HSET h f v");
    call(&mut here, "XADD s IDMP p one * f v");
    let big = "x".repeat(300_000);
    here.call(&["SET", "big", &big]);
    let line = |rest: &str| format!("MIGRATE 127.0.0.1 {port} {rest}");
    says(
        &mut here,
        &[
            (&line("a 3 1000"), "OK"),
            (&line("none 3 1000"), "NOKEY"),
            (&line("'' 3 1000 COPY KEYS l h none s l"), "OK"),
            (&line("big 3 1000"), "OK"),
            ("EXISTS a big", "0"),
            ("EXISTS l h s", "3"),
        ],
    );
    let message = call(&mut here, "XADD s IDMP p one * f v");
    call(&mut there, "SELECT 3");
    let ttl = call(&mut there, "PTTL a").int().unwrap();
    assert!((4_900_000..=5_000_000).contains(&ttl), "{ttl}");
    assert_eq!(there.call(&["GET", "big"]), Value::bulk(&big));
    assert_eq!(call(&mut there, "XADD s IDMP p one * f v"), message);
    says(
        &mut there,
        &[
            ("GET a", "1"),
            ("LRANGE l 0 -1", "x y z"),
            ("TTL l", "-1"),
            ("HGET h f", "v"),
        ],
    );
    let busy = "ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    let some = call(&mut here, &line("'' 3 1000 KEYS h new"));
    assert_eq!(some.text(), busy);
    call(&mut here, "SET new 1");
    // What has arrived goes, beside what has not.
    says(
        &mut here,
        &[
            (&line("'' 3 1000 KEYS h new"), busy),
            ("EXISTS h", "1"),
            ("EXISTS new", "0"),
        ],
    );
    says(&mut here, &[(&line("l 3 1000 REPLACE"), "OK"), ("EXISTS l", "0")]);
    from.terminate();
    from.restart();
    let mut here = from.connect();
    says(&mut here, &[("EXISTS a big l new", "0"), ("EXISTS h s", "2")]);
}

#[test]
fn what_is_wrong_is_said_as_in_redis_and_nothing_is_deleted() {
    let (from, to) = (
        in_memory(),
        Server::lokikv(&["wal.enabled=no", "server.requirepass=pw"]),
    );
    let port = to.port();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = silent.local_addr().unwrap().port();
    let mut here = from.connect();
    call(&mut here, "SET a 1");
    let line = |port: u16, rest: &str| format!("MIGRATE 127.0.0.1 {port} {rest}");
    let integer = "ERR value is not an integer or out of range";
    says(
        &mut here,
        &[
            (
                &line(port, "a 0 1000"),
                "ERR Target instance replied with error: NOAUTH Authentication required.",
            ),
            (
                &line(port, "a 0 1000 AUTH no"),
                "ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.",
            ),
            (
                &line(port, "a 99999 1000 AUTH pw"),
                "ERR Target instance replied with error: ERR DB index is out of range",
            ),
            (
                &line(closed, "a 0 1000"),
                "IOERR error or timeout writing to target instance",
            ),
            (
                &line(mute, "a 0 50"),
                "IOERR error or timeout reading to target instance",
            ),
            (
                "MIGRATE nowhere.invalid 1 a 0 1000",
                "IOERR error or timeout connecting to the client",
            ),
            (
                "MIGRATE 127.0.0.1 x a 0 1000",
                "IOERR error or timeout writing to target instance",
            ),
            (&line(port, "a x 1000"), integer),
            (&line(port, "a 0 x"), integer),
            (&line(port, "a 0 1 BOGUS"), "ERR syntax error"),
            (&line(port, "a 0 1 AUTH"), "ERR syntax error"),
            (&line(port, "a 0 1 AUTH2 x"), "ERR syntax error"),
            (
                &line(port, "a 0 1 KEYS a"),
                "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
            ),
            (&line(port, "'' 0 1 KEYS"), "NOKEY"),
            ("EXISTS a", "1"),
            (&line(port, "a 0 1000 AUTH2 default pw"), "OK"),
            ("EXISTS a", "0"),
        ],
    );
    call(&mut here, "MULTI");
    assert!(call(&mut here, &line(port, "a 0 1000")).is_error());
}

/// A server that takes all, and answers the last request only when it is told to.
fn slow_target(listener: TcpListener, go: std::sync::mpsc::Receiver<()>) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut buffer = [0; 4096];
    let _ = stream.read(&mut buffer).unwrap();
    stream.write_all(b"+OK\r\n").unwrap();
    let _ = stream.read(&mut buffer).unwrap();
    go.recv().unwrap();
    stream.write_all(b"+OK\r\n").unwrap();
}

#[test]
fn others_go_on_and_a_key_that_changes_meanwhile_stays() {
    for (change, is_kept) in [
        ("SET a other", true),
        ("EXPIRE a 100", true),
        ("DEL a", false),
        ("SET b 1", false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (go, wait) = std::sync::mpsc::channel();
        let target = thread::spawn(move || slow_target(listener, wait));
        // One worker: it must not stand still.
        let server = Server::lokikv(&["wal.enabled=no", "server.workers=1"]);
        let (mut mover, mut other) = (server.connect(), server.connect());
        call(&mut other, "SET a 1");
        let words = ["MIGRATE", "127.0.0.1", &port.to_string(), "a", "0", "10000"];
        mover.send(&words).unwrap();
        // It has been read by the time the other server knows of it.
        while call(&mut other, "INFO clients").is_error() {}
        thread::sleep(std::time::Duration::from_millis(100));
        call(&mut other, change);
        go.send(()).unwrap();
        let answer = mover.recv().unwrap().value.text();
        target.join().unwrap();
        if is_kept {
            assert_eq!(
                answer,
                "ERR Key 'a' has changed while it was migrated, and was not deleted"
            );
        } else {
            assert_eq!(answer, "OK");
        }
        assert_eq!(call(&mut other, "EXISTS a").int(), Some(i64::from(is_kept)), "{change}");
    }
}
