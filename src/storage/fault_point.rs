//! Named points at which a test can kill the process: between one step of durable work and the next.
//!
//! Compiled in with the feature `fault-points` only. The environment then names the point, and perhaps at which of its
//! passings it strikes: `LOKIKV_FAULT=checkpoint.after_manifest_rename`, `LOKIKV_FAULT=control.before_rename:3`.
//!
//! **Invariant:** every name that is used is in [`NAMES`], so that a test can go through all of them.

/// All points there are, by what passes them.
pub const NAMES: &[&str] = &[
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

/// Ends the process as `kill -9` would if the environment says so for this point.
#[cfg(feature = "fault-points")]
pub fn fault_point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSED: AtomicU64 = AtomicU64::new(0);
    assert!(NAMES.contains(&name), "{name} is not among the fault points");
    let Ok(wanted) = std::env::var("LOKIKV_FAULT") else {
        return;
    };
    let (wanted, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if wanted == name && nth.parse() == Ok(PASSED.fetch_add(1, Ordering::Relaxed) + 1) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal may reach another thread first.
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

/// Nothing without the feature.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub fn fault_point(_: &str) {}
