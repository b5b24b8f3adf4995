//! `wal.fsync=everysec` and `no`: what is recovered is a prefix of the history, over all clients, with all of it that
//! was acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Args, Conn, Rng, Server, Value, seed};
use crate::{args, checkpoint_at_random, rounds, start_lokikv, turn_kind};

/// Clients writing at the same time.
const CLIENTS: usize = 6;

/// One write of one client: `SET <round>:<client>:<n> <n>`, where `n` came from the round's shared `INCR`.
///
/// Each round has its own keys.
#[derive(Debug)]
struct Write {
    number: i64,
    is_acknowledged: bool,
}

fn write_until_killed(round: u64, client: usize, port: u16) -> Vec<Write> {
    let mut writes = Vec::new();
    let Ok(mut conn) = Conn::connect(port) else {
        return writes;
    };
    loop {
        let Ok(Value::Int(number)) = conn.try_call(&["INCR", &format!("{round}:shared")]) else {
            return writes;
        };
        let key = format!("{round}:{client}:{number}");
        let reply = conn.try_call(&["SET", &key, &number.to_string()]);
        let is_acknowledged = reply.is_ok();
        writes.push(Write {
            number,
            is_acknowledged,
        });
        match reply {
            Ok(reply) => assert_eq!(reply, Value::ok(), "SET {key}"),
            Err(_) => return writes,
        }
    }
}

/// Checks the recovered keys against all clients' histories.
fn check(round: u64, conn: &mut Conn, histories: &[Vec<Write>]) {
    let shared = conn
        .call(&["GET", &format!("{round}:shared")])
        .text()
        .parse::<i64>()
        .unwrap_or(0);
    let mut there = Vec::new();
    for (client, writes) in histories.iter().enumerate() {
        let commands: Vec<Args> = writes
            .iter()
            .map(|w| args!["GET", format!("{round}:{client}:{}", w.number)])
            .collect();
        let values = conn.pipeline(&commands).expect("read back");
        let found: Vec<bool> = values.iter().map(|v| !v.is_null()).collect();
        let count = found.iter().filter(|f| **f).count();
        assert!(
            found[..count].iter().all(|f| *f),
            "client {client}: a hole in what was recovered"
        );
        for (write, value) in writes.iter().zip(&values).take(count) {
            assert_eq!(value.text(), write.number.to_string(), "client {client}");
            assert!(
                write.number <= shared,
                "{} is there, but the counter it came from is {shared}",
                write.number
            );
        }
        there.push(count);
    }
    for (client, writes) in histories.iter().enumerate() {
        let lost = writes[there[client]..].iter().find(|write| write.is_acknowledged);
        assert!(lost.is_none(), "client {client}: {lost:?} was acknowledged and is lost");
    }
    let total: usize = histories.iter().map(Vec::len).sum();
    eprintln!("{} of {total} writes recovered", there.iter().sum::<usize>());
}

fn kill_rounds(mut server: Server, checkpoint_command: &str, wait_ms: (i64, i64)) {
    let mut rng = Rng::new(seed());
    for round in 0..rounds() {
        turn_kind(&server, checkpoint_command, round);
        let (port, stop) = (server.port(), AtomicBool::new(false));
        let histories: Vec<Vec<Write>> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..CLIENTS)
                .map(|n| scope.spawn(move || write_until_killed(round, n, port)))
                .collect();
            if rng.one_in(2) {
                let rng = Rng::new(rng.next());
                scope.spawn(|| checkpoint_at_random(port, checkpoint_command, rng, &stop));
            }
            std::thread::sleep(Duration::from_millis(rng.range(wait_ms.0, wait_ms.1) as u64));
            server.kill9();
            stop.store(true, Ordering::Relaxed);
            writers.into_iter().map(|w| w.join().expect("a writer")).collect()
        });
        let numbers: Vec<i64> = histories.iter().flatten().map(|w| w.number).collect();
        assert_eq!(
            numbers.iter().collect::<BTreeSet<_>>().len(),
            numbers.len(),
            "INCR gave a number twice"
        );
        server.restart();
        let mut conn = server.connect();
        check(round, &mut conn, &histories);
        assert_eq!(conn.call(&["FLUSHALL"]), Value::ok());
    }
}

#[test]
fn recovered_is_a_prefix_everysec() {
    kill_rounds(start_lokikv("everysec"), "CHECKPOINT", (100, 2_800));
}

#[test]
fn recovered_is_a_prefix_no_fsync() {
    kill_rounds(start_lokikv("no"), "CHECKPOINT", (50, 800));
}

#[cfg(feature = "peer-tests")]
#[test]
#[ignore = "checks the checker, not the server"]
fn redis_passes_the_prefix_check() {
    let server = Server::redis(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    kill_rounds(server, "BGREWRITEAOF", (100, 800));
}
