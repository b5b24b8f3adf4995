//! The thread that asks how much room the file systems have, and has writes refused before there is none.
//!
//! **Invariants**
//! - It is the only thread that waits for an answer: a file system that is gone holds up nothing else.
//! - What it finds is never older than a second; near the limit, or while space falls fast, than a tenth of that.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::state::{Purpose, Room, Server};
use crate::storage::{Disk, RealDisk};

const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_NEAR: Duration = Duration::from_millis(100);
/// So close to the limit, at least, is near.
const NEAR_BYTES: u64 = 256 << 20;
/// Less than this above the limit is too little, too: no disk is said to have room where small requests find none.
const MARGIN_BYTES: u64 = 64 << 10;
/// How often an interval is broken up, to see whether the limit has changed or the server ends.
const LOOK: Duration = Duration::from_millis(50);

/// Starts the thread. It ends with the server.
///
/// # Errors
/// When it cannot be started.
pub(super) fn watch(server: &Arc<Server>) -> std::io::Result<()> {
    let weak = Arc::downgrade(server);
    let builder = std::thread::Builder::new().name("space".to_owned());
    builder.spawn(move || run(&weak)).map(drop)
}

fn run(server: &Weak<Server>) {
    let mut watcher = Watcher::default();
    loop {
        let Some(looked) = server.upgrade().filter(|server| !server.shutdown.is_requested()) else {
            return;
        };
        let needs = Needs::of(&looked);
        let interval = watcher.look(&RealDisk, &looked, &needs);
        drop(looked);
        let mut waited = Duration::ZERO;
        while waited < interval {
            std::thread::sleep(LOOK);
            waited += LOOK;
            let Some(server) = server.upgrade() else { return };
            if server.shutdown.is_requested() || Needs::of(&server) != needs {
                break;
            }
        }
    }
}

/// Who needs room, and how much.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Needs {
    bytes_min: u64,
    has_log: bool,
    /// Whether checkpoints are taken without being asked for.
    saves: bool,
}

impl Needs {
    fn of(server: &Server) -> Self {
        let (live, has_log) = (server.params.live(), server.engine.wal().is_enabled());
        Self {
            bytes_min: live.free_bytes_min(),
            has_log,
            // They alone let the log go.
            saves: has_log || server.checkpoints.are_regular(),
        }
    }

    fn needs(self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Log => self.has_log,
            Purpose::Checkpoints => self.saves,
            Purpose::Persisted => true,
        }
    }

    /// How much the log may still write; `None`: nothing bounds it, or that is not known.
    fn log_room(self, rooms: &[Room]) -> Option<u64> {
        let log = rooms.iter().find(|room| room.purpose == Purpose::Log)?;
        let free_bytes = log.free_bytes.filter(|_| self.has_log && self.bytes_min > 0)?;
        Some(free_bytes.saturating_sub(self.bytes_min))
    }

    fn is_low(self, purpose: Purpose, free_bytes: Option<u64>) -> bool {
        // A log fills the disk up to the limit, request by request, and no further: there it refuses what is small,
        // too.
        let low_bytes = self.bytes_min.saturating_add(MARGIN_BYTES);
        self.needs(purpose) && self.bytes_min > 0 && free_bytes.is_some_and(|free| free < low_bytes)
    }
}

/// What was found last.
#[derive(Default)]
struct Watcher {
    free: HashMap<PathBuf, u64>,
}

impl Watcher {
    /// Looks once; how long to wait before the next look.
    fn look(&mut self, disk: &dyn Disk, server: &Server, needs: &Needs) -> Duration {
        // Before it is asked: what is written meanwhile counts twice rather than not at all.
        let wal = server.engine.wal();
        let claimed_before = server.space.claimed_bytes();
        let pending_bytes = wal.stats().pending_bytes;
        let log_bytes = wal.written_bytes();
        let config = server.params.config();
        let storage = &config.storage;
        let paths = [storage.wal_path(), storage.checkpoint_path(), storage.persist_path()];
        let found = Purpose::ALL.into_iter().zip(paths).map(|(purpose, path)| {
            // One that does not answer is told of by those who use it.
            let free_bytes = disk.free_bytes(&path).unwrap_or(None);
            Room {
                purpose,
                is_low: needs.is_low(purpose, free_bytes),
                path,
                free_bytes,
            }
        });
        let rooms: Vec<Room> = found.collect();
        tell(&server.space.rooms(), &rooms, needs.bytes_min);
        let interval = self.next_look(&rooms, needs.bytes_min);
        let log_room = needs.log_room(&rooms);
        server
            .space
            .store_log_room((log_bytes, pending_bytes), claimed_before, log_room);
        server.checkpoints.note_log_room(log_room);
        server.space.store(rooms);
        interval
    }

    /// Soon, where the space between here and the limit could be gone in the meantime, at four times the speed at which
    /// it fell last.
    fn next_look(&mut self, rooms: &[Room], bytes_min: u64) -> Duration {
        let mut interval = INTERVAL;
        for room in rooms {
            let Some(free) = room.free_bytes else { continue };
            let before = self.free.insert(room.path.clone(), free).unwrap_or(free);
            let fall = before.saturating_sub(free);
            let near = fall.saturating_mul(4).max(NEAR_BYTES);
            if bytes_min > 0 && free < bytes_min.saturating_add(near) {
                interval = INTERVAL_NEAR;
            }
        }
        interval
    }
}

/// Says in the log what has changed.
fn tell(before: &[Room], now: &[Room], bytes_min: u64) {
    for room in now {
        let was_low = before
            .iter()
            .any(|before| before.purpose == room.purpose && before.is_low);
        let (path, free) = (room.path.display(), room.free_bytes.unwrap_or_default());
        if room.is_low && !was_low {
            tracing::error!(
                "only {free} bytes are free in {path}, storage.free_bytes_min = {bytes_min}: what adds data is refused"
            );
        } else if was_low && !room.is_low {
            tracing::warn!("there is room in {path} again, {free} bytes: nothing is refused for want of it any more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(free_bytes: Option<u64>) -> Vec<Room> {
        vec![Room {
            purpose: Purpose::Log,
            path: PathBuf::from("log"),
            free_bytes,
            is_low: false,
        }]
    }

    #[test]
    fn looks_oftener_where_space_is_short_or_falls_fast() {
        let (gb, mb) = (1 << 30, 1 << 20);
        let mut watcher = Watcher::default();
        assert_eq!(watcher.next_look(&room(Some(9 * gb)), 64 * mb), INTERVAL);
        assert_eq!(watcher.next_look(&room(Some(8 * gb)), 64 * mb), INTERVAL, "falls");
        assert_eq!(
            watcher.next_look(&room(Some(6 * gb)), 64 * mb),
            INTERVAL_NEAR,
            "falls fast"
        );
        assert_eq!(watcher.next_look(&room(Some(6 * gb)), 64 * mb), INTERVAL);
        assert_eq!(
            watcher.next_look(&room(Some(300 * mb)), 64 * mb),
            INTERVAL_NEAR,
            "little"
        );
        assert_eq!(watcher.next_look(&room(Some(300 * mb)), 0), INTERVAL, "no limit");
        assert_eq!(watcher.next_look(&room(None), 64 * mb), INTERVAL, "not known");
    }

    #[test]
    fn a_folder_counts_for_those_who_need_it() {
        let low = |has_log, saves, purpose, free| {
            let needs = Needs {
                bytes_min: 10_000_000,
                has_log,
                saves,
            };
            needs.is_low(purpose, free)
        };
        let few = Some(9_000_000);
        assert!(low(true, true, Purpose::Log, few) && !low(true, true, Purpose::Log, Some(11_000_000)));
        assert!(!low(false, true, Purpose::Log, few) && !low(true, true, Purpose::Log, None));
        assert!(low(false, true, Purpose::Checkpoints, few) && !low(false, false, Purpose::Checkpoints, few));
        assert!(low(false, false, Purpose::Persisted, Some(0)));
    }

    #[test]
    fn a_disk_that_the_log_has_filled_up_to_the_limit_is_low() {
        let needs = Needs {
            bytes_min: 64 << 20,
            has_log: true,
            saves: true,
        };
        // Requests of some bytes find no room here.
        assert!(needs.is_low(Purpose::Log, Some(64 << 20)) && needs.is_low(Purpose::Log, Some((64 << 20) + 4096)));
        let off = Needs { bytes_min: 0, ..needs };
        assert!(!off.is_low(Purpose::Log, Some(0)));
    }
}
