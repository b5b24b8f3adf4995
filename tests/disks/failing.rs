//! Each operation on a file of the log or of checkpoints fails, once or for a while, in each way that disks do.

use std::time::{Duration, Instant};

use crate::control::{ALWAYS, CREATE, Control, OPEN, RENAME, Rule, SYNC, SYNC_DIR, TRUNCATE, UNLINK, WRITE};
use crate::support::{Conn, Rng, seed};
use crate::writers::{POLICIES, Writers, bad_time, in_parallel, rounds, server_on};

/// Small, so that the log turns to new ones.
const SEGMENT_BYTES: u64 = 64 << 10;
/// How long it may take until a fault is met.
const MET_MAX: Duration = Duration::from_secs(30);
/// After so long a write is made to fail again.
const STRIKE_TIME: Duration = Duration::from_secs(2);
const CLIENTS: usize = 4;
const LIVES_AT_A_TIME: usize = 12;

const LOG: &str = "/wal/";
const NOTE: &str = "/log.lkn";
const CHECKPOINTS: &str = "/checkpoint/";

/// All that changes something.
const CHANGES: u32 = CREATE | WRITE | RENAME | TRUNCATE | UNLINK;

/// What goes wrong, in one life of a server.
#[derive(Clone, Debug)]
struct Case {
    name: String,
    rules: Vec<Rule>,
}

fn rule(part: &'static str, operations: u32, error: i32, times: u32) -> Rule {
    Rule {
        operations,
        part,
        error,
        times,
        delay: Duration::ZERO,
        follows: false,
    }
}

/// The ways in which an operation can fail, and how often it does.
fn ways(operation: u32) -> Vec<(&'static str, i32, u32)> {
    let mut ways = vec![("EIO once", libc::EIO, 1), ("EIO for a while", libc::EIO, ALWAYS)];
    if operation & (CREATE | OPEN) != 0 {
        ways.push(("EMFILE for a while", libc::EMFILE, ALWAYS));
    }
    if operation & (CREATE | RENAME | UNLINK) != 0 {
        ways.push(("EROFS for a while", libc::EROFS, ALWAYS));
    }
    if operation & (CREATE | WRITE | RENAME) != 0 {
        ways.push(("ENOSPC for a while", libc::ENOSPC, ALWAYS));
    }
    ways
}

const OPERATIONS: [(&str, u32); 8] = [
    ("create", CREATE),
    ("open", OPEN),
    ("write", WRITE),
    ("sync", SYNC),
    ("sync of the folder", SYNC_DIR),
    ("rename", RENAME),
    ("truncate", TRUNCATE),
    ("remove", UNLINK),
];

/// Whether there is such an operation on such files.
fn is_done(part: &str, operation: u32) -> bool {
    match operation {
        RENAME => part != LOG,
        TRUNCATE => part == LOG,
        SYNC_DIR => part != NOTE,
        OPEN | UNLINK => part != NOTE,
        _ => true,
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let failing_write = rule(LOG, WRITE, libc::EIO, 1);
    for part in [LOG, NOTE, CHECKPOINTS] {
        for (doing, operation) in OPERATIONS.iter().filter(|(_, operation)| is_done(part, *operation)) {
            for (how, error, times) in ways(*operation) {
                let fails = rule(part, *operation, error, times);
                // A folder's own path does not end in a slash.
                let fails = match *operation & (OPEN | SYNC_DIR) != 0 {
                    true => Rule {
                        part: part.trim_end_matches('/'),
                        ..fails
                    },
                    false => fails,
                };
                // Nothing is cut off in a log that is well.
                if *operation != TRUNCATE {
                    cases.push(Case {
                        name: format!("{doing} in {part}: {how}"),
                        rules: vec![fails],
                    });
                }
                if *operation != WRITE || part != LOG {
                    let then_fails = Rule { follows: true, ..fails };
                    cases.push(Case {
                        name: format!("{doing} in {part}: {how}, when the log has failed"),
                        rules: vec![failing_write, then_fails],
                    });
                }
            }
        }
    }
    for (how, operations, error) in [
        ("EIO", CHANGES | OPEN | SYNC | SYNC_DIR, libc::EIO),
        ("EROFS", CHANGES, libc::EROFS),
        ("EMFILE", CREATE | OPEN, libc::EMFILE),
        ("ENOSPC", CREATE | WRITE | RENAME, libc::ENOSPC),
    ] {
        cases.push(Case {
            name: format!("{how} for all there is"),
            rules: vec![rule("", operations, error, ALWAYS)],
        });
    }
    cases
}

/// Asks for what uses the disk until `time` is over; it may be refused.
fn manage(conn: &mut Conn, time: Duration) {
    let since = Instant::now();
    let acts: [&[&str]; 2] = [&["CHECKPOINT"], &["COLLECTION", "PERSIST", "default"]];
    for act in acts.iter().cycle() {
        if since.elapsed() >= time {
            return;
        }
        // An answer there must be.
        conn.call(act);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The disk is bad until that was met, and for a while then.
fn be_bad(control: &mut Control, conn: &mut Conn, case: &Case) -> Result<(), String> {
    control.set(&case.rules);
    let since = Instant::now();
    let mut set = since;
    while let Some(unmet) = (0..case.rules.len()).find(|at| control.hits(*at) == 0) {
        if since.elapsed() > MET_MAX {
            return Err(format!("it never comes to {:?}", case.rules[unmet]));
        }
        // The write that failed may have been one that zeroes blocks ahead, which has no consequences.
        if set.elapsed() > STRIKE_TIME && case.rules.iter().any(|rule| rule.follows) {
            control.clear();
            control.set(&case.rules);
            set = Instant::now();
        }
        manage(conn, Duration::from_millis(1));
    }
    if case.rules.iter().any(|rule| rule.times == ALWAYS) {
        manage(conn, bad_time());
    }
    Ok(())
}

fn live_through(case: &Case, policy: &str, rng: &mut Rng) {
    let what = format!("{}, fsync {policy}", case.name);
    let mut control = Control::new();
    let mut server = server_on(&control, policy, SEGMENT_BYTES);
    server.restart();
    let mut writers = Writers::new(CLIENTS, rng);
    let mut met = Ok(());
    writers.live_through(&server, &what, |conn| {
        manage(conn, Duration::from_millis(150));
        met = be_bad(&mut control, conn, case);
        control.clear();
    });
    met.unwrap_or_else(|why| panic!("{what}: {why}"));
    writers.kill_and_check(&mut server, rng);
    eprintln!("{what}: {} refused", writers.refused());
}

#[test]
fn a_disk_that_fails_for_a_while_costs_nothing_that_was_acknowledged() {
    let seed = seed();
    let rounds = rounds();
    let mut lives: Vec<(usize, Case, &str)> = Vec::new();
    for (at, case) in (0..rounds).flat_map(|_| cases()).enumerate() {
        // One policy for each case, unless there is time for more.
        let wanted = |number: usize| rounds > 1 || (at + seed as usize) % POLICIES.len() == number;
        for (_, policy) in POLICIES.iter().enumerate().filter(|(number, _)| wanted(*number)) {
            lives.push((lives.len(), case.clone(), policy));
        }
    }
    if let Ok(wanted) = std::env::var("LOKIKV_CASE") {
        lives.retain(|(_, case, _)| case.name.contains(&wanted));
    }
    in_parallel(&lives, LIVES_AT_A_TIME, |(number, case, policy)| {
        let mut rng = Rng::new(seed.wrapping_add(*number as u64));
        live_through(case, policy, &mut rng);
    });
}
