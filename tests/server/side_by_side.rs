//! What one client's long command means to others, and to the requests behind it.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::in_memory;
use crate::support::{Args, Conn, Server, Value, now_ms};

const ELEMENTS: usize = 400_000;

/// Fills `list` with texts in no order.
fn fill(conn: &mut Conn, list: &str) {
    for start in (0..ELEMENTS).step_by(1000) {
        let texts = (start..start + 1000).map(|n| format!("{:016x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let request: Vec<String> = ["RPUSH".to_owned(), list.to_owned()].into_iter().chain(texts).collect();
        conn.call(&request);
    }
}

/// How long `SORT` takes, and the longest that each of the others waited for an answer meanwhile.
fn waits(server: &Server, sort: &[&str], others: Vec<(Conn, &'static [&'static str])>) -> (Duration, Vec<Duration>) {
    let mut conn = server.connect();
    let started = Instant::now();
    conn.send(sort).expect("send");
    let over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = others
            .into_iter()
            .map(|(mut other, request)| {
                scope.spawn(move || {
                    let mut longest = Duration::ZERO;
                    while !over.load(SeqCst) {
                        let asked = Instant::now();
                        other.call(request);
                        longest = longest.max(asked.elapsed());
                    }
                    longest
                })
            })
            .collect();
        let sorted = conn.recv().expect("a reply").value;
        let took = started.elapsed();
        over.store(true, SeqCst);
        assert!(!sorted.is_error(), "{sorted:?}");
        (
            took,
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a client"))
                .collect(),
        )
    })
}

#[test]
fn a_long_sort_stops_no_other_worker() {
    let server = in_memory();
    let mut conn = server.connect();
    fill(&mut conn, "list");
    conn.call(&["SET", "w1", "1"]);
    drop(conn);
    for sort in [
        &["SORT", "list", "ALPHA", "LIMIT", "0", "1"][..],
        // The whole collection is locked, since any key may be looked at; others are not.
        &["SORT", "list", "ALPHA", "BY", "w*", "LIMIT", "0", "1"],
    ] {
        // On a busy machine anybody may have to wait.
        let mut seen: Vec<(Duration, Duration)> = Vec::new();
        while !seen.iter().any(|(took, waited)| *waited < *took / 2) {
            assert!(seen.len() < 10, "{sort:?} took, and another waited: {seen:?}");
            // On the other worker is one of them at least.
            let others = (0..3).map(|_| {
                let mut other = server.connect();
                other.call(&["SELECT", "1"]);
                (other, &["SET", "k", "v"][..])
            });
            let (took, longest) = waits(&server, sort, others.collect());
            seen.push((took, longest.into_iter().min().expect("three of them")));
        }
    }
}

#[test]
fn a_copy_to_another_database_stops_nobody_and_is_one_instant() {
    let server = in_memory();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Both ways at once: locks are taken in one order.
        for (from, to) in [("0", "1"), ("1", "0")] {
            let (mut conn, stop) = (server.connect(), &stop);
            scope.spawn(move || {
                conn.call(&["SELECT", from]);
                conn.call(&["SET", "k", from]);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(conn.call(&["COPY", "k", "k", "DB", to, "REPLACE"]), Value::Int(1));
                    conn.call(&["MOVE", "other", to]);
                    conn.call(&["SET", "other", from]);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let mut conn = server.connect();
    assert!(["0", "1"].contains(&conn.call(&["GET", "k"]).text().as_str()));
}

#[test]
fn the_clock_is_read_again_after_a_long_request() {
    let server = in_memory();
    let mut conn = server.connect();
    fill(&mut conn, "list");
    let words = |line: &str| -> Args { line.split(' ').map(|word| word.as_bytes().to_vec()).collect() };
    let sort = words("SORT list ALPHA LIMIT 0 1");
    conn.call(&["CONFIG", "SET", "slowlog-log-slower-than", "1000"]);
    let sent_ms = now_ms();
    let replies = conn
        .pipeline(&[sort, words("SET k v PX 60000"), words("PEXPIRETIME k")])
        .expect("replies");
    let deadline_ms = replies[2].int().expect("a time");
    // What the server itself says of the sort, the newest of those that took long.
    let slow = conn.call(&["SLOWLOG", "GET", "1"]);
    let took_ms = slow.items()[0].items()[2].int().expect("microseconds") / 1000;
    assert!(
        deadline_ms >= sent_ms + took_ms + 60_000,
        "after {took_ms} ms the key dies {} ms from the beginning",
        deadline_ms - sent_ms
    );
}
