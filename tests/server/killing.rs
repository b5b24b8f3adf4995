//! CLIENT KILL in every state that a connection can be in, and what blocked clients are handed from other threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::await_that;
use crate::support::conn::encode;
use crate::support::{Conn, Server, Value};

fn server() -> Server {
    Server::lokikv(&[
        "wal.fsync=always",
        "checkpoint.interval_s=0",
        "server.workers=2",
        "server.enable_debug_command=yes",
    ])
}

fn id(conn: &mut Conn) -> String {
    conn.call(&["CLIENT", "ID"]).int().expect("a number").to_string()
}

/// Kills the client and sees that it has gone, soon.
fn kill(by: &mut Conn, conn: &mut Conn, id: &str, state: &str) {
    assert_eq!(by.call(&["CLIENT", "KILL", "ID", id]), Value::Int(1), "{state}");
    let _ = conn.read_to_close();
    await_that(&format!("{state}: it is gone"), || {
        by.call(&["CLIENT", "LIST", "ID", id]).text().is_empty()
    });
}

fn batch(lines: &[&str]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for line in lines {
        encode(&line.split(' ').collect::<Vec<_>>(), &mut encoded);
    }
    encoded
}

#[test]
fn in_every_state() {
    let server = server();
    let mut by = server.connect();
    by.call(&["SETRANGE", "big", "3000000", "x"]);
    by.call(&["SETRANGE", "huge", "30000000", "x"]);
    let mut pipeline = batch(&["BITCOUNT huge"; 2_000]);
    pipeline.extend(batch(&["SET after 1"]));
    let mut last_replies = batch(&["GET big"; 20]);
    last_replies.extend(batch(&["QUIT"]));
    let states: [(&str, Vec<u8>); 11] = [
        ("reading", Vec::new()),
        ("in a request", b"*2\r\n$3\r\nGET\r\n$1000\r\nabc".to_vec()),
        (
            "in a big argument",
            [&b"*2\r\n$3\r\nGET\r\n$1000000\r\n"[..], &[b'x'; 90_000]].concat(),
        ),
        ("running", pipeline),
        ("in a transaction", batch(&["MULTI", "SET after 1", "WATCH"])),
        ("blocked", batch(&["BLPOP list 0", "SET after 1"])),
        ("waiting", batch(&["WAIT 1 0", "SET after 1"])),
        ("following the log", batch(&["WAL READ 1000000 BLOCK 0", "SET after 1"])),
        ("sending", batch(&["GET big"; 20])),
        ("closing", last_replies),
        ("paused", batch(&["PING", "SET after 1"])),
    ];
    for (state, requests) in states {
        let mut conn = server.connect();
        let number = id(&mut conn);
        if state == "paused" {
            by.call(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        }
        conn.send_raw(&requests).expect("send");
        std::thread::sleep(Duration::from_millis(60));
        kill(&mut by, &mut conn, &number, state);
    }
    by.call(&["CLIENT", "UNPAUSE"]);
    assert_eq!(by.call(&["EXISTS", "after"]), Value::Int(0));
    assert_eq!(by.call(&["LPUSH", "list", "v"]), Value::Int(1), "nobody takes it");
}

/// Writers under `always` are mostly settling; others are served while they are killed.
#[test]
fn while_writing_and_being_served() {
    let server = server();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut conn = server.connect();
            while !is_over.load(Ordering::Relaxed) {
                conn.call(&["LPUSH", "list", "v"]);
            }
        });
        let mut by = server.connect();
        for round in 0..60 {
            let mut conn = server.connect();
            let number = id(&mut conn);
            let lines = if round % 2 == 0 {
                "SET key value"
            } else {
                "BLPOP list 0"
            };
            conn.send_raw(&batch(&[lines; 200])).expect("send");
            std::thread::sleep(Duration::from_millis(round % 7));
            kill(&mut by, &mut conn, &number, lines);
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_answer_to_a_blocked_client_is_bounded() {
    let server = server();
    let (mut conn, mut greedy, mut deaf) = (server.connect(), server.connect(), server.connect());
    conn.call(&["CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"]);
    let mut push = vec!["RPUSH", "list"];
    let value = "v".repeat(10_000);
    push.extend([value.as_str(); 300]);
    let take = ["BLMPOP", "0", "1", "list", "LEFT", "COUNT", "1000"];
    let is_blocked = |conn: &mut Conn| conn.call(&["INFO", "clients"]).text().contains("blocked_clients:1");
    let mut serve = |waiting: &mut Conn| {
        waiting.send(&take).expect("send");
        while !is_blocked(&mut conn) {
            std::thread::sleep(Duration::from_millis(5));
        }
        conn.call(&push);
    };
    serve(&mut greedy);
    assert_eq!(greedy.read_to_close().expect("it is closed"), b"");
    deaf.send(&["CLIENT", "REPLY", "OFF"]).expect("send");
    serve(&mut deaf);
    assert_eq!(deaf.call(&["CLIENT", "REPLY", "ON"]), Value::ok());
}
