//! `kill -9` at each point that a failed log passes on its way to go on: behind a checkpoint, in a new segment.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::control::{Control, Rule, WRITE};
use crate::support::{Rng, Server, seed};
use crate::writers::{POLICIES, Writers, in_parallel, rounds, server_on};

const CLIENTS: usize = 4;
const SEGMENT_BYTES: u64 = 64 << 10;
/// How long it may take until it dies.
const DEAD_MAX: Duration = Duration::from_secs(60);
/// How long it goes on with one fault that may be without consequences.
const STRIKE_TIME: Duration = Duration::from_secs(2);

/// The points, with the passing at which it dies. The note is written twice: the old log is let go, the new segment
/// told.
const POINTS: [&str; 9] = [
    "checkpoint.page_file_durable",
    "checkpoint.after_manifest_rename",
    "control.after_rename",
    "checkpoint.before_resume",
    "wal.before_note:1",
    "wal.noted:1",
    "wal.segment_created",
    "wal.segment_durable",
    "wal.noted:2",
];

/// Whether a fault has led to nothing in this time. A log that has failed is on its way, however long that takes.
fn is_over(server: &Server, time: Duration) -> bool {
    if time <= STRIKE_TIME || time > DEAD_MAX {
        return time > DEAD_MAX;
    }
    let said = server.stdout();
    let count = |text: &str| said.matches(text).count();
    count("the log had failed and goes on") >= count("nothing is written to the log until this is mended")
}

/// A write to the log fails, and what follows is waited for. One that zeroes blocks ahead may fail without
/// consequences.
fn strike(control: &mut Control, server: &mut Server, armed: &Path) {
    control.set(&[Rule {
        operations: WRITE,
        part: "/wal/",
        error: libc::EIO,
        times: 1,
        delay: Duration::ZERO,
        follows: false,
    }]);
    let since = Instant::now();
    while control.hits(0) == 0 {
        assert!(since.elapsed() < DEAD_MAX, "nothing is written");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::fs::write(armed, "").expect("write");
    let since = Instant::now();
    while server.is_running() && !is_over(server, since.elapsed()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_file(armed).expect("remove");
    control.clear();
}

fn die_at(point: &str, policy: &str, rng: &mut Rng) {
    let what = format!("{point}, fsync {policy}");
    let mut control = Control::new();
    let mut server = server_on(&control, policy, SEGMENT_BYTES);
    let armed = server.data_dir().join("armed");
    server.set_env("LOKIKV_FAULT", Some(point));
    server.set_env("LOKIKV_FAULT_WHEN", armed.to_str());
    server.restart();
    let mut writers = Writers::new(CLIENTS, rng);
    writers.write_during(server.port(), || {
        std::thread::sleep(Duration::from_millis(100));
        let since = Instant::now();
        while server.is_running() {
            assert!(since.elapsed() < DEAD_MAX, "{what}: it is never passed");
            strike(&mut control, &mut server, &armed);
        }
        server.kill9();
    });
    server.set_env("LOKIKV_FAULT", None);
    writers.start_and_check(&mut server);
    writers.kill_and_check(&mut server, rng);
    eprintln!("{what}: {} refused", writers.refused());
}

#[test]
fn a_kill_while_a_log_is_about_to_go_on_loses_nothing() {
    let seed = seed();
    let mut lives = Vec::new();
    for (at, point) in POINTS.iter().enumerate() {
        let wanted = |number: usize| rounds() > 1 || (at + seed as usize) % POLICIES.len() == number;
        let policies = POLICIES.iter().enumerate().filter(|(number, _)| wanted(*number));
        lives.extend(policies.map(|(_, policy)| (*point, *policy)));
    }
    in_parallel(&lives, 6, |(point, policy)| die_at(point, policy, &mut Rng::new(seed)));
}
