//! Memory goes back to the system when values go, and counts for what it is.

use crate::in_memory;
use crate::support::{Conn, Server, Value};

/// What the process has in memory, in megabytes.
fn resident_mb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kb: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kb >> 10
}

fn used_mb(conn: &mut Conn) -> u64 {
    let text = conn.call(&["INFO", "memory"]).text();
    let line = text.lines().find(|line| line.starts_with("used_memory:")).unwrap();
    line.split_once(':').unwrap().1.trim().parse::<u64>().unwrap() >> 20
}

#[test]
fn large_values_that_come_and_go_leave_nothing_behind() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "memory.max_bytes=500mb"]);
    let mut conn = server.connect();
    let before = resident_mb(&server);
    for round in 0..60 {
        let grown = conn.call(&["SETRANGE", "k", "100000000", "x"]);
        assert_eq!(grown, Value::Int(100_000_001), "round {round}");
        // All of it is there, and touched.
        assert_eq!(conn.call(&["BITCOUNT", "k"]), Value::Int(4));
        assert_eq!(conn.call(&["DEL", "k"]), Value::Int(1));
        let now = resident_mb(&server);
        assert!(now < before + 350, "round {round}: {now} MB, {before} at first");
    }
}

#[test]
fn shared_values_that_go_do_not_count_until_then() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "memory.max_bytes=500mb"]);
    let mut conn = server.connect();
    conn.call(&["SETRANGE", "k", "100000000", "x"]);
    for round in 0..60 {
        assert_eq!(conn.call(&["COPY", "k", "k2"]), Value::Int(1), "round {round}");
        assert_eq!(conn.call(&["DEL", "k2"]), Value::Int(1));
    }
}

#[test]
fn a_byte_more_does_not_take_as_much_again() {
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&["SETRANGE", "k", "70000000", "x"]);
    conn.call(&["APPEND", "k", "y"]);
    let used = used_mb(&mut conn);
    assert!((66..70).contains(&used), "{used} MB");
}
