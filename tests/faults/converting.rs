//! Kills while a collection is converted under writers: it is of the old kind or of the new one, and has all that was
//! acknowledged.

use std::path::Path;
use std::thread;

use lokikv::storage::fault_point::FILLS;

use crate::args;
use crate::data::{SETTINGS, kind_of};
use crate::support::{Args, Conn, Server, Value};
use crate::verify_checkpoints;

const KEYS: usize = 3000;
const WRITERS: usize = 2;
/// Values of a writer are so long that a conversion does not catch up in its first round.
const PADDING: usize = 4000;
const CHUNK: usize = 64;
/// How often a kill is tried at a point that is not passed each time.
const ATTEMPTS: usize = 10;

fn fill(conn: &mut Conn) {
    assert_eq!(conn.call(&["COLLECTION", "CREATE", "c", "KIND", "bcust"]), Value::ok());
    conn.call(&["SELECT", "c"]);
    let commands: Vec<Args> = (0..KEYS).map(|key| args!["SET", format!("k:{key}"), "0"]).collect();
    conn.pipeline(&commands).expect("replies");
}

/// Sets its keys to 1, 2, … until the server is gone; the number that was acknowledged for all of them last.
fn write(mut conn: Conn, writer: usize) -> usize {
    for round in 1.. {
        let value = format!("{round} {}", "x".repeat(PADDING));
        let commands: Vec<Args> = (0..CHUNK)
            .map(|key| args!["SET", format!("w:{writer}:{key}"), value.clone()])
            .collect();
        if conn.pipeline(&commands).is_err() {
            return round - 1;
        }
    }
    0
}

fn strike(data: &Path, point: &str) -> bool {
    let mut server = Server::lokikv_over(data, &SETTINGS);
    let armed = data.with_file_name("armed");
    server.set_env("LOKIKV_FAULT", Some(point));
    server.set_env("LOKIKV_FAULT_WHEN", armed.to_str());
    // So long that writers fall behind the copy by more than its last round, on any machine.
    server.set_env("LOKIKV_FAULT_PAUSE", Some("fill.within"));
    server.restart();
    // Before anything strikes: a writer may come to write only when the server has gone.
    let selected = |_| {
        let mut conn = server.connect();
        assert_eq!(conn.call(&["SELECT", "c"]), Value::ok());
        conn
    };
    let conns: Vec<Conn> = (0..WRITERS).map(selected).collect();
    std::fs::write(&armed, "").expect("arm");
    let writers = conns.into_iter().enumerate();
    let writers: Vec<_> = writers
        .map(|(writer, conn)| thread::spawn(move || write(conn, writer)))
        .collect();
    let reply = server
        .connect()
        .try_call(&["COLLECTION", "CONVERT", "c", "KIND", "hmap"]);
    if let Ok(reply) = &reply {
        assert_eq!(*reply, Value::ok());
    }
    server.kill9();
    let acknowledged = writers.into_iter().map(|writer| writer.join().expect("a writer"));
    let acknowledged: Vec<usize> = acknowledged.collect();
    server.set_env("LOKIKV_FAULT", None);
    server.set_env("LOKIKV_FAULT_PAUSE", None);
    server.restart();
    check(&mut server.connect(), point, reply.is_ok(), &acknowledged);
    reply.is_err()
}

fn check(conn: &mut Conn, what: &str, is_converted: bool, acknowledged: &[usize]) {
    let kind = kind_of(conn, "c");
    assert!(kind == "hmap" || (!is_converted && kind == "bcust"), "{what}: {kind}");
    conn.call(&["SELECT", "c"]);
    for key in 0..KEYS {
        assert_eq!(
            conn.call(&["GET", &format!("k:{key}")]),
            Value::bulk("0"),
            "{what}: k:{key}"
        );
    }
    for (writer, acknowledged) in acknowledged.iter().enumerate() {
        for key in 0..CHUNK {
            let value = conn.call(&["GET", &format!("w:{writer}:{key}")]).text();
            let round = value
                .split(' ')
                .next()
                .and_then(|round| round.parse().ok())
                .unwrap_or(0);
            let is_right = round == *acknowledged || round == acknowledged + 1;
            assert!(
                is_right,
                "{what}: w:{writer}:{key} is of round {round}, {acknowledged} was acknowledged"
            );
        }
    }
    verify_checkpoints(conn, what);
}

#[test]
fn a_conversion_under_writers_is_done_or_not_begun() {
    let mut filled = Server::lokikv(&SETTINGS);
    fill(&mut filled.connect());
    assert!(filled.terminate().success());
    for point in FILLS.iter().filter(|point| **point != "fill.collection_filled") {
        let struck = (0..ATTEMPTS).any(|_| strike(&filled.data_dir(), point));
        assert!(struck, "{point} was never passed");
    }
}
