//! `wal.fsync=everysec` and `no`: what is recovered is a prefix of the history, over all clients.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Args, Conn, Rng, Server, Value, seed};
use crate::{args, checkpoint_at_random, rounds, start_lokikv, turn_kind};

/// Clients writing at the same time.
const CLIENTS: usize = 6;

/// Under `everysec`, what was acknowledged this long before the kill must be there.
const EVERYSEC_LOSS_MAX: Duration = Duration::from_millis(2_000);

/// One write of one client: `SET <round>:<client>:<n> <n>`, where `n` came from the round's shared `INCR`.
///
/// Each round has its own keys: without fsync even the FLUSHALL between rounds may be lost.
#[derive(Debug)]
struct Write {
    number: i64,
    /// Ticks of a clock shared by all clients: before the INCR was sent, after the SET was acknowledged.
    began: u64,
    acknowledged: Option<(u64, Instant)>,
}

fn write_until_killed(round: u64, client: usize, port: u16, clock: &AtomicU64) -> Vec<Write> {
    let mut writes = Vec::new();
    let Ok(mut conn) = Conn::connect(port) else {
        return writes;
    };
    loop {
        let began = clock.fetch_add(1, Ordering::SeqCst);
        let Ok(Value::Int(number)) = conn.try_call(&["INCR", &format!("{round}:shared")]) else {
            return writes;
        };
        let key = format!("{round}:{client}:{number}");
        let reply = conn.try_call(&["SET", &key, &number.to_string()]);
        let acknowledged = reply
            .is_ok()
            .then(|| (clock.fetch_add(1, Ordering::SeqCst), Instant::now()));
        writes.push(Write {
            number,
            began,
            acknowledged,
        });
        match reply {
            Ok(reply) => assert_eq!(reply, Value::ok(), "SET {key}"),
            Err(_) => return writes,
        }
    }
}

/// Checks the recovered keys against all clients' histories.
fn check(round: u64, conn: &mut Conn, histories: &[Vec<Write>], killed: Instant, loss_max: Option<Duration>) {
    let shared = conn
        .call(&["GET", &format!("{round}:shared")])
        .text()
        .parse::<i64>()
        .unwrap_or(0);
    let mut last_began = None;
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
            last_began = last_began.max(Some(write.began));
        }
        there.push(count);
    }
    for (client, writes) in histories.iter().enumerate() {
        let lost = writes[there[client]..]
            .iter()
            .filter_map(|w| w.acknowledged.map(|(tick, when)| (w, tick, when)));
        for (write, tick, when) in lost {
            let before_a_recovered_one = last_began.is_some_and(|began| tick < began);
            assert!(
                !before_a_recovered_one,
                "client {client}: {write:?} is lost, a write begun later is there"
            );
            let too_old = loss_max.is_some_and(|max| killed.duration_since(when) > max);
            assert!(
                !too_old,
                "client {client}: lost, though acknowledged {:?} before",
                killed.duration_since(when)
            );
        }
    }
    let total: usize = histories.iter().map(Vec::len).sum();
    eprintln!("{} of {total} writes recovered", there.iter().sum::<usize>());
}

fn kill_rounds(mut server: Server, checkpoint_command: &str, wait_ms: (i64, i64), loss_max: Option<Duration>) {
    let mut rng = Rng::new(seed());
    for round in 0..rounds() {
        turn_kind(&server, checkpoint_command, round);
        let (port, clock, stop) = (server.port(), AtomicU64::new(0), AtomicBool::new(false));
        let mut killed = Instant::now();
        let histories: Vec<Vec<Write>> = std::thread::scope(|scope| {
            let clock = &clock;
            let writers: Vec<_> = (0..CLIENTS)
                .map(|n| scope.spawn(move || write_until_killed(round, n, port, clock)))
                .collect();
            if rng.one_in(2) {
                let rng = Rng::new(rng.next());
                scope.spawn(|| checkpoint_at_random(port, checkpoint_command, rng, &stop));
            }
            std::thread::sleep(Duration::from_millis(rng.range(wait_ms.0, wait_ms.1) as u64));
            killed = Instant::now();
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
        check(round, &mut conn, &histories, killed, loss_max);
        assert_eq!(conn.call(&["FLUSHALL"]), Value::ok());
    }
}

#[test]
fn recovered_is_a_prefix_everysec() {
    kill_rounds(
        start_lokikv("everysec"),
        "CHECKPOINT",
        (100, 2_800),
        Some(EVERYSEC_LOSS_MAX),
    );
}

#[test]
fn recovered_is_a_prefix_no_fsync() {
    kill_rounds(start_lokikv("no"), "CHECKPOINT", (50, 800), None);
}

#[cfg(feature = "peer-tests")]
#[test]
#[ignore = "checks the checker, not the server"]
fn redis_passes_the_prefix_check() {
    let server = Server::redis(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    kill_rounds(server, "BGREWRITEAOF", (100, 800), Some(EVERYSEC_LOSS_MAX));
}
