//! How fast a folder's disk makes things durable, what it is, and how much room there is.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{StatFs, statfs};

use super::finding::{Findings, bytes};

/// How often it is asked to sync, and for how long at most.
const SYNCS: usize = 20;
const TIME_MAX: Duration = Duration::from_secs(3);
/// What is written before each.
const BLOCK: [u8; 4096] = [0xA5; 4096];
/// A median from which on writes that wait for syncs are slow.
const SLOW: Duration = Duration::from_millis(20);
/// One that long holds writers back under every policy but "no", if it happens under load.
const VERY_SLOW: Duration = Duration::from_millis(500);
/// So much room, of a hundred parts, is little.
const ROOM_PERCENT: u64 = 5;

/// File systems by the number that the kernel has for them.
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58F6];
const OVER_NETWORK: [(u32, &str); 5] = [
    (0x6969, "NFS"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9p"),
];

/// How long syncs took, shortest first.
struct Syncs(Vec<Duration>);

impl Syncs {
    fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    fn longest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }
}

/// Looks at the folder `dir`, which has `what`.
pub(super) fn look(what: &str, dir: &Path, free_bytes_min: u64, findings: &mut Findings) {
    if let Ok(found) = statfs(dir) {
        judge_kind(what, found.f_type as u32, findings);
        judge_room(what, &found, free_bytes_min, findings);
    }
    match measure(dir) {
        Ok(syncs) => judge_syncs(what, &syncs, findings),
        Err(error) => findings.fault(
            format!("{what}: {} cannot be written to: {error}", dir.display()),
            "let the user of the server own it, on a file system that is mounted for writing; or look as that user",
        ),
    }
}

/// A file of our own, removed when this is dropped.
struct Probe<'d> {
    file: File,
    path: std::path::PathBuf,
    _dir: &'d Path,
}

impl<'d> Probe<'d> {
    fn create(dir: &'d Path) -> io::Result<Self> {
        let path = dir.join(format!(".lokikv-doctor-{}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, _dir: dir })
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        // Where it cannot be removed it does no harm: no server reads it.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn measure(dir: &Path) -> io::Result<Syncs> {
    let mut probe = Probe::create(dir)?;
    let (begun, mut took) = (Instant::now(), Vec::new());
    while took.len() < SYNCS && begun.elapsed() < TIME_MAX {
        probe.file.write_all(&BLOCK)?;
        let start = Instant::now();
        probe.file.sync_data()?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    Ok(Syncs(took))
}

fn judge_syncs(what: &str, syncs: &Syncs, findings: &mut Findings) {
    let (median, longest) = (syncs.median(), syncs.longest());
    let millis = |took: Duration| took.as_secs_f64() * 1000.0;
    let told = format!(
        "{what}: a sync takes {:.2} ms (median; the longest {:.2} ms)",
        millis(median),
        millis(longest)
    );
    if median >= SLOW || longest >= VERY_SLOW {
        findings.fault(
            told,
            "that is slow: with wal.fsync = \"always\" every write waits for one. Use a disk with a cache that survives \
             a power failure, or one of its own for the log (storage.wal_dir), or wal.fsync = \"everysec\"",
        );
    } else {
        findings.good(told);
    }
}

fn judge_kind(what: &str, kind: u32, findings: &mut Findings) {
    if IN_MEMORY.contains(&kind) {
        findings.fault(
            format!("{what}: the folder is in memory (tmpfs): nothing of it survives the machine's next start"),
            "choose a folder on a disk (storage.data_dir)",
        );
    }
    if let Some((_, name)) = OVER_NETWORK.iter().find(|(known, _)| *known == kind) {
        findings.fault(
            format!("{what}: the folder is on {name}: what is synced there may not be, and locks may not hold"),
            "choose a folder on a disk of this machine",
        );
    }
}

fn judge_room(what: &str, found: &StatFs, free_bytes_min: u64, findings: &mut Findings) {
    let unit = u64::try_from(found.f_bsize).unwrap_or(1);
    let (free, all) = (found.f_bavail.saturating_mul(unit), found.f_blocks.saturating_mul(unit));
    let told = format!("{what}: {} of {} are free", bytes(free), bytes(all));
    if free < free_bytes_min {
        findings.fault(
            format!(
                "{told}, less than storage.free_bytes_min = {}: writes are refused",
                bytes(free_bytes_min)
            ),
            "make room, or keep fewer checkpoints (checkpoint.keep_count, checkpoint.keep_age_s)",
        );
    } else if free < free_bytes_min.saturating_mul(4) || free < all / 100 * ROOM_PERCENT {
        findings.fault(
            format!("{told}: the disk is almost full"),
            format!(
                "make room: below {} writes are refused (storage.free_bytes_min)",
                bytes(free_bytes_min)
            ),
        );
    } else {
        findings.good(told);
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;

    #[test]
    fn what_is_measured_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let syncs = measure(dir.path()).unwrap();
        assert!(!syncs.0.is_empty() && syncs.median() <= syncs.longest());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(measure(&dir.path().join("nowhere")).is_err());
    }

    #[test]
    fn syncs_and_kinds_are_judged() {
        let mark = |millis: &[u64]| {
            let mut findings = Findings::default();
            judge_syncs(
                "log",
                &Syncs(millis.iter().copied().map(Duration::from_millis).collect()),
                &mut findings,
            );
            findings.mark_of("log: a sync takes")
        };
        assert_eq!(mark(&[1, 2, 30]), Some(Mark::Good));
        assert_eq!(mark(&[1, 21, 30]), Some(Mark::Amiss));
        assert_eq!(mark(&[1, 2, 600]), Some(Mark::Amiss));
        let kind = |kind| {
            let mut findings = Findings::default();
            judge_kind("log", kind, &mut findings);
            findings.amiss()
        };
        assert_eq!([kind(0xEF53), kind(0x0102_1994), kind(0x6969)], [0, 1, 1]);
    }

    #[test]
    fn room_is_judged_by_what_writes_need() {
        let dir = tempfile::tempdir().unwrap();
        let mut found = statfs(dir.path()).unwrap();
        let unit = u64::try_from(found.f_bsize).unwrap();
        let mut mark = |free_mib: u64, all_mib: u64| {
            (found.f_bavail, found.f_blocks) = ((free_mib << 20) / unit, (all_mib << 20) / unit);
            let mut findings = Findings::default();
            judge_room("data", &found, 64 << 20, &mut findings);
            findings.mark_of("data:")
        };
        assert_eq!(mark(63, 1_000), Some(Mark::Amiss));
        assert_eq!(mark(200, 1_000), Some(Mark::Amiss));
        assert_eq!(mark(300, 100_000), Some(Mark::Amiss));
        assert_eq!(mark(500, 1_000), Some(Mark::Good));
    }
}
