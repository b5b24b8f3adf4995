//! Connections that come, go and wait while a worker drives them in turns.

use std::time::Duration;

use crate::support::conn::encode;
use crate::support::{Conn, Server, Value};
use crate::{args, await_that, in_memory};

fn one_worker() -> Server {
    Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "server.workers=1"])
}

fn requests(lines: &[&[&str]]) -> Vec<u8> {
    let mut encoded = Vec::new();
    lines.iter().for_each(|line| encode(line, &mut encoded));
    encoded
}

/// A client ends in the middle of its turn while others arrive, who get its place: what it had noted is not theirs.
#[test]
fn whoever_gets_the_place_of_one_that_has_gone_runs_each_request_once() {
    const PAIRS: usize = 200;
    let server = one_worker();
    let mut conn = server.connect();
    conn.call(&["SETRANGE", "big", "60000000", "x"]);
    conn.call(&["SET", "value", &"v".repeat(50_000)]);
    for _ in 0..3 {
        conn.call(&["DEL", "n0", "n1", "n2", "n3"]);
        let mut leaving = server.connect();
        leaving.call(&["PING"]);
        let last = requests(&[&["BITCOUNT", "big"], &["POST", "/"]]);
        leaving.send_raw(&last).expect("a long request and the last one");
        std::thread::sleep(Duration::from_millis(5));
        let mut newcomers: Vec<Conn> = (0..4).map(|_| server.connect()).collect();
        for (number, newcomer) in newcomers.iter_mut().enumerate() {
            let key = format!("n{number}");
            let pair = requests(&[&["INCR", &key], &["GET", "value"]]);
            newcomer.send_raw(&pair.repeat(PAIRS)).expect("requests");
        }
        for newcomer in &mut newcomers {
            for count in 1..=PAIRS {
                assert_eq!(newcomer.recv().expect("a count").value, Value::Int(count as i64));
                assert_eq!(
                    newcomer.recv().expect("a value").value.bytes().map(<[u8]>::len),
                    Some(50_000)
                );
            }
        }
        for number in 0..4 {
            assert_eq!(conn.call(&["GET", &format!("n{number}")]).text(), PAIRS.to_string());
        }
    }
}

#[test]
fn a_blocked_client_that_has_been_killed_takes_nothing() {
    let server = one_worker();
    let (mut conn, mut waiting) = (server.connect(), server.connect());
    let id = waiting.call(&["CLIENT", "ID"]).int().expect("a number").to_string();
    waiting.send(&["BLPOP", "list", "0"]).expect("send");
    await_that("it is blocked", || {
        conn.call(&["INFO", "clients"]).text().contains("blocked_clients:1")
    });
    let replies = conn
        .pipeline(&[
            vec![b"CLIENT".to_vec(), b"KILL".to_vec(), b"ID".to_vec(), id.into_bytes()],
            vec![b"LPUSH".to_vec(), b"list".to_vec(), b"v".to_vec()],
            vec![b"LLEN".to_vec(), b"list".to_vec()],
        ])
        .expect("replies");
    assert_eq!(replies, [Value::Int(1), Value::Int(1), Value::Int(1)]);
}

#[test]
fn clients_that_leave_while_they_are_paused_are_let_go() {
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    for _ in 0..5 {
        let mut leaving = server.connect();
        leaving.send(&["SET", "k", "v"]).expect("send");
        std::thread::sleep(Duration::from_millis(20));
    }
    await_that("only this one is left", || {
        conn.call(&["CLIENT", "LIST"]).text().lines().count() == 1
    });
    conn.call(&["CLIENT", "UNPAUSE"]);
    assert_eq!(conn.call(&["EXISTS", "k"]), Value::Int(0));
}

#[test]
fn who_waits_gives_or_takes_is_not_idle() {
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&["CONFIG", "SET", "timeout", "5"]);
    assert_eq!(conn.call(&["BLPOP", "none", "6"]), Value::NullArray);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(conn.call(&["PING"]).text(), "PONG", "after it has waited");
    // A value that arrives slowly.
    let set = requests(&[&["SET", "k", &"v".repeat(300_000)]]);
    for piece in set.chunks(set.len() / 12 + 1) {
        conn.send_raw(piece).expect("a piece");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(conn.recv().expect("a reply").value, Value::ok());
    assert_eq!(conn.read_to_close().expect("idle at last"), b"");
}

/// Long requests of one client's pipeline take turns with others'. On a busy machine a PING may be sent late.
#[test]
fn a_pipeline_of_long_requests_lets_others_go_first() {
    const REQUESTS: u64 = 300;
    let server = one_worker();
    let (mut conn, mut greedy) = (server.connect(), server.connect());
    conn.call(&["SETRANGE", "big", "40000000", "x"]);
    conn.call(&["BITCOUNT", "big"]);
    let all = requests(&[&["BITCOUNT", "big"]]).repeat(REQUESTS as usize);
    let mut seen: Vec<u64> = Vec::new();
    while !seen.iter().any(|done| *done < REQUESTS / 2) {
        assert!(seen.len() < 10, "of {REQUESTS} ran before a PING: {seen:?}");
        let before = stat(&mut conn, "bitcount", "calls");
        greedy.send_raw(&all).expect("requests");
        greedy.recv().expect("the first reply");
        let both = [args!["PING"], args!["INFO", "commandstats"]];
        let replies = conn.pipeline(&both).expect("replies");
        assert_eq!(replies[0].text(), "PONG");
        seen.push(stat_of(&replies[1].text(), "bitcount", "calls") - before);
        for _ in 1..REQUESTS {
            greedy.recv().expect("a reply");
        }
    }
}

/// The figure `name` of a command in `INFO commandstats`.
fn stat(conn: &mut Conn, command: &str, name: &str) -> u64 {
    stat_of(&conn.call(&["INFO", "commandstats"]).text(), command, name)
}

/// The same in what that has answered.
fn stat_of(stats: &str, command: &str, name: &str) -> u64 {
    let line = stats
        .lines()
        .find(|line| line.starts_with(&format!("cmdstat_{command}:")));
    let line = line.unwrap_or_else(|| panic!("{command} in {stats}"));
    let figure = line
        .split([':', ','])
        .find_map(|part| part.strip_prefix(&format!("{name}=")));
    figure.and_then(|figure| figure.parse().ok()).expect("a number")
}

#[test]
fn commands_within_a_transaction_have_their_own_times() {
    let server = one_worker();
    let mut conn = server.connect();
    conn.call(&["SETRANGE", "big", "64000000", "x"]);
    for request in [
        &["MULTI"][..],
        &["BITCOUNT", "big"],
        &["INCR", "big"],
        &["GET", "other"],
        &["EXEC"],
    ] {
        conn.call(request);
    }
    let (bitcount, exec) = (stat(&mut conn, "bitcount", "usec"), stat(&mut conn, "exec", "usec"));
    assert!(
        bitcount > 50 && exec >= bitcount,
        "BITCOUNT {bitcount}, EXEC {exec} microseconds"
    );
    assert_eq!(stat(&mut conn, "incr", "failed_calls"), 1);
    assert_eq!(stat(&mut conn, "get", "calls"), 1);
}

#[test]
fn a_slow_log_that_keeps_everything_keeps_each_small_call() {
    const GETS: usize = 50;
    let server = one_worker();
    let mut conn = server.connect();
    conn.call(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    conn.send_raw(&requests(&[&["GET", "key"]]).repeat(GETS))
        .expect("requests");
    for _ in 0..GETS {
        conn.recv().expect("a reply");
    }
    conn.call(&["CONFIG", "SET", "slowlog-log-slower-than", "-1"]);
    // And the first CONFIG SET, which began before.
    let kept = conn.call(&["SLOWLOG", "LEN"]).int().expect("a length") as usize;
    assert!((GETS..=GETS + 2).contains(&kept), "{kept}");
    assert_eq!(stat(&mut conn, "get", "calls"), GETS as u64);
}
