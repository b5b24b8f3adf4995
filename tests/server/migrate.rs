//! Keys that go to another server: what arrives, what is deleted here, what is said where something is wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::probes::closed_port;
use crate::support::{Conn, Server, Value};
use crate::{await_that, in_memory};

/// How long anything may take.
const TIME_MAX: Duration = Duration::from_secs(20);

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
            (&line("a 3 20000"), "OK"),
            (&line("none 3 20000"), "NOKEY"),
            (&line("'' 3 20000 COPY KEYS l h none s l"), "OK"),
            (&line("big 3 20000"), "OK"),
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
    let some = call(&mut here, &line("'' 3 20000 KEYS h new"));
    assert_eq!(some.text(), busy);
    call(&mut here, "SET new 1");
    // What has arrived goes, beside what has not.
    says(
        &mut here,
        &[
            (&line("'' 3 20000 KEYS h new"), busy),
            ("EXISTS h", "1"),
            ("EXISTS new", "0"),
        ],
    );
    says(&mut here, &[(&line("l 3 20000 REPLACE"), "OK"), ("EXISTS l", "0")]);
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
    let (_closed, closed) = closed_port();
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
                &line(port, "a 0 20000"),
                "ERR Target instance replied with error: NOAUTH Authentication required.",
            ),
            (
                &line(port, "a 0 20000 AUTH no"),
                "ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.",
            ),
            (
                &line(port, "a 99999 20000 AUTH pw"),
                "ERR Target instance replied with error: ERR DB index is out of range",
            ),
            (
                &line(closed, "a 0 20000"),
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
            (&line(port, "a 0 20000 AUTH2 default pw"), "OK"),
            ("EXISTS a", "0"),
        ],
    );
    call(&mut here, "MULTI");
    assert!(call(&mut here, &line(port, "a 0 20000")).is_error());
}

/// The next one that connects, which it does soon.
fn accepted(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut found = None;
    await_that("a connection", || {
        found = listener.accept().ok();
        found.is_some()
    });
    let (stream, _) = found.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(TIME_MAX)).unwrap();
    stream
}

/// A server that takes all, answers at once what comes first, tells when the rest has come, and answers that when it is
/// told to.
fn slow_target(
    listener: TcpListener,
    come: Sender<()>,
    go: Receiver<()>,
    answers: [&'static [u8]; 2],
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut stream = accepted(&listener);
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).unwrap();
        stream.write_all(answers[0]).unwrap();
        let _ = stream.read(&mut buffer).unwrap();
        let _ = come.send(());
        let _ = go.recv();
        let _ = stream.write_all(answers[1]);
    })
}

/// A MIGRATE of `a` that waits for the other server.
struct Move {
    mover: Conn,
    target: JoinHandle<()>,
    go: Sender<()>,
}

impl Move {
    fn begin(server: &Server, answers: [&'static [u8]; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (go, wait) = channel();
        let (come, told) = channel();
        let target = slow_target(listener, come, wait, answers);
        let mut mover = server.connect();
        let words = ["MIGRATE", "127.0.0.1", &port.to_string(), "a", "0", "30000"];
        mover.send(&words).unwrap();
        // It has been read by the time the other server knows of it.
        told.recv_timeout(2 * TIME_MAX).unwrap();
        Self { mover, target, go }
    }

    /// The other server answers: what the client is told.
    fn end(mut self) -> String {
        self.go.send(()).unwrap();
        let answer = self.mover.recv().unwrap().value.text();
        self.target.join().unwrap();
        answer
    }
}

const OKS: [&[u8]; 2] = [b"+OK\r\n"; 2];
const CHANGED: &str = "ERR Key 'a' has changed while it was migrated, and was not deleted";

#[test]
fn others_go_on_and_a_key_that_changes_meanwhile_stays() {
    // One worker: it must not stand still.
    let server = Server::lokikv(&["wal.enabled=no", "server.workers=1", "checkpoint.interval_s=0"]);
    let mut other = server.connect();
    for (change, answer, is_kept) in [
        ("SET a other", CHANGED, true),
        ("EXPIRE a 100", CHANGED, true),
        // The same value, written anew: so it is where the other server is this one.
        ("SET a 1", CHANGED, true),
        ("DEL a", CHANGED, false),
        ("RENAME a b", CHANGED, false),
        ("FLUSHALL", CHANGED, false),
        ("SWAPDB 0 1", CHANGED, false),
        ("SET b 1", "OK", false),
        ("GET a", "OK", false),
    ] {
        call(&mut other, "FLUSHALL");
        call(&mut other, "SET a 1");
        let moved = Move::begin(&server, OKS);
        call(&mut other, change);
        assert_eq!(moved.end(), answer, "{change}");
        assert_eq!(call(&mut other, "EXISTS a").int(), Some(i64::from(is_kept)), "{change}");
    }
    // Its last element is taken.
    call(&mut other, "RPUSH a x");
    let moved = Move::begin(&server, OKS);
    call(&mut other, "LPOP a");
    assert_eq!(moved.end(), CHANGED);
    // Its time comes: it goes there as here.
    call(&mut other, "SET a 1 PX 3000");
    let moved = Move::begin(&server, OKS);
    await_that("it is dead", || call(&mut other, "EXISTS a").int() == Some(0));
    assert_eq!(moved.end(), "OK");
}

#[test]
fn only_the_one_answer_of_success_is_taken_for_it() {
    const OK: &[u8] = b"+OK\r\n";
    const STRANGE: [&[u8]; 7] = [
        b":1\r\n",
        b"\x00garbage\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+QUEUED\r\n",
        b"+OK \r\n",
        b"$2\r\nOK\r\n",
        b"+OK\n",
    ];
    let server = in_memory();
    let mut other = server.connect();
    call(&mut other, "SET a 1");
    for answers in STRANGE.iter().flat_map(|strange| [[*strange, OK], [OK, *strange]]) {
        let moved = Move::begin(&server, answers);
        let answer = moved.end();
        assert_eq!(
            answer, "IOERR error or timeout reading to target instance",
            "{answers:?}"
        );
        assert_eq!(call(&mut other, "GET a").text(), "1", "{answers:?}");
    }
}

#[test]
fn a_key_that_is_moved_to_where_it_is_stays() {
    let server = in_memory();
    let port = server.port();
    let mut here = server.connect();
    call(&mut here, "SET a 1");
    let line = format!("MIGRATE 127.0.0.1 {port} a 0 20000 REPLACE");
    says(&mut here, &[(&line, CHANGED), ("GET a", "1")]);
}

#[test]
fn a_key_is_not_deleted_while_writes_are_paused() {
    let server = in_memory();
    let mut other = server.connect();
    call(&mut other, "SET a 1");
    let mut moved = Move::begin(&server, OKS);
    call(&mut other, "CLIENT PAUSE 60000 WRITE");
    moved.go.send(()).unwrap();
    thread::sleep(Duration::from_millis(100));
    says(&mut other, &[("EXISTS a", "1"), ("CLIENT UNPAUSE", "OK")]);
    assert_eq!(moved.mover.recv().unwrap().value.text(), "OK");
    says(&mut other, &[("EXISTS a", "0")]);
}

#[test]
fn clients_that_leave_take_no_place_from_others() {
    let (server, to) = (in_memory(), in_memory());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mute, port) = (silent.local_addr().unwrap().port(), to.port());
    let mut other = server.connect();
    call(&mut other, "SET a 1");
    let waiting: Vec<Conn> = (0..64)
        .map(|_| {
            let mut mover = server.connect();
            mover
                .send(&["MIGRATE", "127.0.0.1", &mute.to_string(), "a", "0", "60000"])
                .unwrap();
            mover
        })
        .collect();
    let held: Vec<TcpStream> = waiting.iter().map(|_| accepted(&silent)).collect();
    let line = |timeout_ms: u32| format!("MIGRATE 127.0.0.1 {port} a 0 {timeout_ms}");
    says(
        &mut other,
        &[(&line(200), "IOERR error or timeout writing to target instance")],
    );
    drop(waiting);
    await_that("a place is free", || call(&mut other, &line(10_000)).text() == "OK");
    says(&mut other, &[("EXISTS a", "0")]);
    drop(held);
}
