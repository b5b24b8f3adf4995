//! Each sync takes eight seconds. Nothing acknowledged is lost by a kill meanwhile; under `always` nothing is
//! acknowledged before its sync; under `everysec` writers are held back, so that no more than two seconds of
//! acknowledged writes wait for a sync.

use std::time::Duration;

use crate::client::{Ack, monotonic_ns};
use crate::control::{ALWAYS, Control, Rule, SYNC, Sync};
use crate::support::{Conn, Rng, seed};
use crate::writers::{Writers, bad_time, in_parallel, server_on};

const SYNC_TIME: Duration = Duration::from_secs(8);
/// Of acknowledged writes that wait for a sync, the oldest is at most this old when another one is acknowledged.
const UNSYNCED_MAX: Duration = Duration::from_secs(2);
/// What threads may take to be run on a machine that is busy, this test among others.
const SLACK: Duration = Duration::from_millis(300);
const CLIENTS: usize = 8;

/// A server that is written to for a while on a slow disk, and killed.
struct Slow {
    /// Since the disk became slow, in order of time.
    acks: Vec<Ack>,
    syncs: Vec<Sync>,
    /// How often writers were held back.
    delayed: u64,
    said_so: bool,
}

fn live_slowly(fsync: &str, segment_bytes: u64, time: Duration, rng: &mut Rng) -> Slow {
    let mut control = Control::new();
    let mut server = server_on(&control, fsync, segment_bytes);
    server.restart();
    let port = server.port();
    let mut writers = Writers::new(CLIENTS, rng);
    writers.write_during(port, || std::thread::sleep(Duration::from_millis(200)));
    control.set(&[Rule {
        operations: SYNC,
        part: "",
        error: 0,
        times: ALWAYS,
        delay: SYNC_TIME,
        follows: false,
    }]);
    let since_ns = monotonic_ns();
    // A checkpoint is under way, too, when it dies.
    server.connect().send(&["CHECKPOINT"]).expect("send");
    let (delayed, said_so, syncs) = writers.write_during(port, || {
        std::thread::sleep(time.max(bad_time()));
        let delayed = info_number(&mut server.connect(), "aof_delayed_fsync");
        let said_so = server.stdout().contains("the log's disk is slow");
        server.kill9();
        let syncs = control.syncs();
        control.clear();
        (delayed, said_so, syncs)
    });
    writers.start_and_check(&mut server);
    let acks = writers.acks().flatten();
    let mut acks: Vec<Ack> = acks.copied().filter(|ack| ack.sent_ns > since_ns).collect();
    acks.sort_by_key(|ack| ack.came_ns);
    eprintln!(
        "{fsync}: {} batches acknowledged, {} syncs, delayed {delayed}",
        acks.len(),
        syncs.len()
    );
    Slow {
        acks,
        syncs,
        delayed,
        said_so,
    }
}

fn info_number(conn: &mut Conn, name: &str) -> u64 {
    let info = conn.call(&["INFO", "persistence"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {info}"))
}

/// How old the oldest acknowledged write without a sync is when another one is sent that is acknowledged, at most. When
/// that comes is no measure: the client may have been late to read it.
fn oldest_unsynced(slow: &Slow) -> Duration {
    let age = |ack: &Ack| {
        let ended = slow.syncs.iter().filter(|sync| sync.ended_ns <= ack.came_ns);
        let synced = ended.map(|sync| sync.begun_ns).max().unwrap_or(0);
        let oldest = slow.acks.partition_point(|ack| ack.came_ns <= synced);
        let oldest = slow.acks.get(oldest).map_or(ack.came_ns, |oldest| oldest.came_ns);
        ack.sent_ns.saturating_sub(oldest)
    };
    Duration::from_nanos(slow.acks.iter().map(age).max().unwrap_or(0))
}

fn always(rng: &mut Rng) {
    // The first sync may have begun before there was anything to acknowledge: one of what was zeroed ahead, for
    // instance.
    let slow = live_slowly("always", 64 << 20, 2 * SYNC_TIME + Duration::from_secs(3), rng);
    assert!(!slow.acks.is_empty(), "nothing was acknowledged");
    for ack in &slow.acks {
        let covers = |sync: &Sync| sync.begun_ns >= ack.sent_ns && sync.ended_ns <= ack.came_ns;
        assert!(
            slow.syncs.iter().any(covers),
            "{ack:?} is not covered by a sync of {:?}",
            slow.syncs
        );
    }
}

fn everysec(rng: &mut Rng) {
    let slow = live_slowly("everysec", 64 << 20, Duration::from_secs(7), rng);
    let unsynced = oldest_unsynced(&slow);
    eprintln!("everysec: {unsynced:?} of acknowledged writes without a sync");
    assert!(slow.acks.len() > 100, "{} batches were acknowledged", slow.acks.len());
    assert!(unsynced <= UNSYNCED_MAX + SLACK, "{unsynced:?}");
    assert!(slow.delayed > 0 && slow.said_so, "nobody was told: {}", slow.delayed);
}

fn no_fsync(rng: &mut Rng) {
    // With small segments, whose ends are synced.
    for segment_bytes in [64 << 10, 64 << 20] {
        let slow = live_slowly("no", segment_bytes, Duration::from_secs(4), rng);
        assert!(!slow.acks.is_empty(), "nothing was acknowledged");
    }
}

#[test]
fn a_slow_disk_holds_writers_back_and_costs_nothing() {
    let seed = seed();
    let lives: [fn(&mut Rng); 3] = [always, everysec, no_fsync];
    in_parallel(&lives, lives.len(), |live| live(&mut Rng::new(seed)));
}
