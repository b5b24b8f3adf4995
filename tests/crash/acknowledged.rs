//! A killed process loses no acknowledged write, whatever `wal.fsync` says; groups are atomic.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::client::Client;
use crate::support::{Rng, Server, seed};
use crate::{checkpoint_at_random, rounds, start_lokikv, turn_kind};

/// Clients writing at the same time.
const CLIENTS: usize = 20;

fn kill_rounds(mut server: Server, checkpoint_command: &str, rounds: u64) {
    let seed = seed();
    let mut rng = Rng::new(seed);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, seed)).collect();
    for round in 0..rounds {
        turn_kind(&server, checkpoint_command, round);
        let port = server.port();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writers: Vec<_> = clients
                .iter_mut()
                .map(|client| scope.spawn(move || client.write_while(port, Duration::ZERO, || false)))
                .collect();
            let checkpoints = (!rng.one_in(4)).then(|| Rng::new(rng.next()));
            if let Some(rng) = checkpoints {
                scope.spawn(|| checkpoint_at_random(port, checkpoint_command, rng, &stop));
            }
            std::thread::sleep(Duration::from_millis(rng.range(20, 700) as u64));
            server.kill9();
            stop.store(true, Ordering::Relaxed);
            writers.into_iter().for_each(|w| w.join().expect("a writer"));
        });
        server.restart();
        let mut conn = server.connect();
        clients.iter_mut().for_each(|client| client.check(&mut conn));
        let writes: u64 = clients.iter().map(|c| c.sequence).sum();
        eprintln!("round {round}: {writes} writes so far, all as they must be");
    }
}

#[test]
fn acknowledged_writes_survive_kill_always() {
    kill_rounds(start_lokikv("always"), "CHECKPOINT", rounds());
}

#[test]
fn acknowledged_writes_survive_kill_everysec() {
    kill_rounds(start_lokikv("everysec"), "CHECKPOINT", rounds());
}

#[test]
fn acknowledged_writes_survive_kill_no_fsync() {
    kill_rounds(start_lokikv("no"), "CHECKPOINT", rounds());
}

/// Recovery may itself be cut off: killed again and again while starting, nothing is lost.
#[test]
fn kill_during_recovery() {
    let seed = seed();
    let mut rng = Rng::new(seed);
    let mut server = start_lokikv("always");
    let mut client = Client::new(0, seed);
    for _ in 0..rounds() {
        let port = server.port();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| client.write_while(port, Duration::ZERO, || false));
            std::thread::sleep(Duration::from_millis(200));
            server.kill9();
            writer.join().expect("the writer");
        });
        for _ in 0..3 {
            server.start_and_kill_after(Duration::from_micros(rng.range(0, 60_000) as u64));
        }
        server.restart();
        client.check(&mut server.connect());
    }
}

#[cfg(feature = "peer-tests")]
#[test]
#[ignore = "checks the checker, not the server"]
fn redis_passes_the_check() {
    kill_rounds(
        Server::redis(&["--appendonly", "yes", "--appendfsync", "always"]),
        "BGREWRITEAOF",
        rounds(),
    );
}
