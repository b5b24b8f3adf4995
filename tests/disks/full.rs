//! A disk that fills up, and is enlarged while the server runs.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::control::Control;
use crate::support::{Conn, Rng, Server, Value, seed};
use crate::writers::{POLICIES, Writers, bad_time, in_parallel, rounds, server_on};

const CLIENTS: usize = 4;
const SEGMENT_BYTES: u64 = 256 << 10;
/// How long it may take to be full.
const FULL_MAX: Duration = Duration::from_secs(20);

/// Waits until the log has failed, and for a while then.
fn await_full(conn: &mut Conn) {
    let since = Instant::now();
    while !conn
        .call(&["INFO", "persistence"])
        .text()
        .contains("aof_last_write_status:err")
    {
        assert!(since.elapsed() < FULL_MAX, "it is never full");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(bad_time() / 2);
}

/// The library gives room and takes it: what is removed gives none back.
fn with_room_given(policy: &str, rng: &mut Rng) {
    let control = Control::new();
    let mut server = server_on(&control, policy, SEGMENT_BYTES);
    server.restart();
    let mut writers = Writers::new(CLIENTS, rng);
    for round in 0..2 {
        let what = format!("full disk, fsync {policy}, time {round}");
        writers.live_through(&server, &what, |conn| {
            control.set_bytes_left(Some(rng.range(20_000, 200_000)));
            await_full(conn);
            control.set_bytes_left(None);
        });
        writers.kill_and_check(&mut server, rng);
    }
    eprintln!("full disk, fsync {policy}: {} refused", writers.refused());
}

/// A file system of its own, as long as this lives.
pub struct Mounted(PathBuf);

impl Mounted {
    /// `None`: that is not allowed here.
    pub fn new(dir: &Path, bytes: u64) -> Option<Mounted> {
        let size = format!("size={bytes}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir)
            .output();
        let is_mounted = mount.is_ok_and(|output| output.status.success());
        is_mounted.then(|| Mounted(dir.to_owned()))
    }

    pub fn enlarge(&self, bytes: u64) {
        let size = format!("remount,size={bytes}");
        let status = Command::new("mount").args(["-o", &size]).arg(&self.0).status();
        assert!(status.expect("mount").success(), "it cannot be enlarged");
    }

    /// Leaves no room at all.
    fn fill(&self) {
        let mut file = File::create(self.0.join("ballast")).expect("a file");
        for len in [64 << 10, 4 << 10, 1] {
            while file.write_all(&vec![b'.'; len]).is_ok() {}
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever looks at it meanwhile does not keep it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn with_a_file_system(policy: &str, rng: &mut Rng) {
    let control = Control::new();
    let mut server = server_on(&control, policy, SEGMENT_BYTES);
    let Some(mounted) = Mounted::new(&server.data_dir(), 3 << 20) else {
        eprintln!("file systems cannot be mounted here: only the room that the library gives is tested");
        return;
    };
    server.restart();
    let mut writers = Writers::new(CLIENTS, rng);
    for round in 1..3 {
        let what = format!("full file system, fsync {policy}, time {round}");
        writers.live_through(&server, &what, |conn| {
            std::thread::sleep(Duration::from_millis(200));
            mounted.fill();
            await_full(conn);
            mounted.enlarge(round * (8 << 20));
        });
        writers.kill_and_check(&mut server, rng);
    }
    eprintln!("full file system, fsync {policy}: {} refused", writers.refused());
    server.kill9();
}

#[test]
fn a_full_disk_that_is_enlarged_is_written_to_again() {
    let seed = seed();
    let lives: [fn(&str, &mut Rng); 2] = [with_room_given, with_a_file_system];
    let of_policy = |policy| lives.map(|live| (policy, live));
    let lives: Vec<_> = (0..rounds())
        .flat_map(|round| POLICIES.map(|policy| (round, policy)))
        .collect();
    let lives: Vec<_> = lives
        .iter()
        .flat_map(|(round, policy)| of_policy((*round, *policy)))
        .collect();
    in_parallel(&lives, lives.len().min(6), |((round, policy), live)| {
        live(policy, &mut Rng::new(seed.wrapping_add(*round)));
    });
}

/// What is overwritten again and again fills a disk with a log that nobody needs: a checkpoint makes room for it without
/// being asked for.
#[test]
fn the_log_of_what_was_overwritten_makes_room() {
    const WRITTEN_BYTES: usize = 300 << 20;
    let mut server = Server::lokikv(&[
        "wal.segment_bytes=8mb",
        "checkpoint.interval_s=3600",
        "checkpoint.wal_bytes_max=1gb",
        "storage.free_bytes_min=16mb",
    ]);
    server.kill9();
    let Some(_mounted) = Mounted::new(&server.data_dir(), 96 << 20) else {
        eprintln!("file systems cannot be mounted here: that a checkpoint makes room is tested without a disk only");
        return;
    };
    server.restart();
    let mut conn = server.connect();
    let (value, since) = (".".repeat(64 << 10), Instant::now());
    let mut written = 0;
    while written < WRITTEN_BYTES {
        let reply = conn.call(&["SET", "key", &value]);
        if reply == Value::ok() {
            written += value.len();
            continue;
        }
        assert!(reply.text().starts_with("MISCONF "), "{}", reply.text());
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "{written} bytes written, and no room is made"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!conn.call(&["CHECKPOINT", "LIST"]).items().is_empty());
    server.kill9();
}
