//! Named points at which a test can kill the process: between one step of durable work and the next.
//!
//! Compiled in with the feature `fault-points` only. The environment then names the point, and perhaps at which of its
//! passings it strikes: `LOKIKV_FAULT=checkpoint.after_manifest_rename`, `LOKIKV_FAULT=control.before_rename:3`. With
//! `LOKIKV_FAULT_WHEN=path` passings count only while there is a file of that name, so that a test can have a server
//! start and be filled first. `LOKIKV_FAULT_PAUSE=fill.within` names a point at which a thread stands for a while the
//! first time, so that what others do meanwhile does not hang on the speed of the machine; with
//! `LOKIKV_FAULT_PAUSE_WHILE=path` it stands there for as long as there is a file of that name.
//!
//! **Invariant:** every name that is used is in [`GROUPS`], so that a test can go through all of them.

/// What passes checkpoints, retention, trimming, pins and `PERSIST`.
pub const CHECKPOINTS: &[&str] = &[
    "checkpoint.page_file_created",
    "checkpoint.after_instant",
    "checkpoint.within_walk",
    "checkpoint.page_file_durable",
    "checkpoint.wal_durable",
    "checkpoint.before_manifest_rename",
    "checkpoint.after_manifest_rename",
    "checkpoint.manifest_durable",
    "control.before_rename",
    "control.after_rename",
    "checkpoint.before_trim",
    "checkpoint.after_trim",
    "retention.manifest_removed",
    "retention.manifests_durable",
    "retention.page_file_removed",
    "persist.page_file_durable",
    "persist.before_old_files_go",
];

/// What every change passes on its way through the log.
pub const LOG: &[&str] = &[
    "wal.before_write",
    "wal.written",
    "wal.synced",
    "wal.segment_created",
    "wal.segment_durable",
    "wal.before_note",
    "wal.noted",
];

/// What passes a log that goes on after it has failed.
pub const MENDING: &[&str] = &["checkpoint.before_resume"];

/// What passes `LOAD`, `COLLECTION COPY`, `CONVERT` and `CHECKPOINT RESTORE`.
pub const FILLS: &[&str] = &[
    "fill.begun",
    "fill.within",
    "fill.collection_filled",
    "fill.round_repeated",
    "fill.before_publish",
    "fill.published",
    "fill.durable",
];

/// What passes `lokikv restore --in-place` once the restored data is there.
pub const EXCHANGE: &[&str] = &[
    "exchange.built",
    "exchange.journal_written",
    "exchange.journal_renamed",
    "exchange.journal_durable",
    "exchange.log_aside",
    "exchange.checkpoints_aside",
    "exchange.in_place",
    "exchange.journal_removed",
];

/// Within a restore into a new directory.
pub const RESTORE: &[&str] = &["restore.begun", "restore.built", "restore.in_place"];

/// What passes `lokikv backup` that removes an older backup.
pub const BACKUP: &[&str] = &[
    "backup.begun",
    "backup.file_there",
    "backup.files_durable",
    "backup.manifest_written",
    "backup.manifest_renamed",
    "backup.whole",
    "backup.manifest_removed",
    "backup.files_removed",
];

/// All points there are, by what passes them.
pub const GROUPS: [&[&str]; 7] = [CHECKPOINTS, LOG, MENDING, FILLS, EXCHANGE, RESTORE, BACKUP];

/// Ends the process as `kill -9` would if the environment says so for this point.
#[cfg(feature = "fault-points")]
pub fn fault_point(name: &str) {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::Duration;
    static PASSED: AtomicU64 = AtomicU64::new(0);
    static PAUSED: AtomicBool = AtomicBool::new(false);
    let is_known = GROUPS.iter().any(|names| names.contains(&name));
    assert!(is_known, "{name} is not among the fault points");
    let pauses = std::env::var("LOKIKV_FAULT_PAUSE").is_ok_and(|wanted| wanted == name);
    if pauses && is_armed() && !PAUSED.swap(true, Ordering::Relaxed) {
        pause();
    }
    let Ok(wanted) = std::env::var("LOKIKV_FAULT") else {
        return;
    };
    let (wanted, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if wanted == name && is_armed() && nth.parse() == Ok(PASSED.fetch_add(1, Ordering::Relaxed) + 1) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal may reach another thread first.
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[cfg(feature = "fault-points")]
fn pause() {
    use std::time::Duration;
    const PAUSE: Duration = Duration::from_millis(300);
    const LOOK: Duration = Duration::from_millis(5);
    let Some(path) = std::env::var_os("LOKIKV_FAULT_PAUSE_WHILE") else {
        return std::thread::sleep(PAUSE);
    };
    while std::path::Path::new(&path).exists() {
        std::thread::sleep(LOOK);
    }
}

#[cfg(feature = "fault-points")]
fn is_armed() -> bool {
    std::env::var_os("LOKIKV_FAULT_WHEN").is_none_or(|path| std::path::Path::new(&path).exists())
}

/// Nothing without the feature.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub fn fault_point(_: &str) {}
