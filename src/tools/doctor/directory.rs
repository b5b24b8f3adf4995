//! A data directory: its disk, its checkpoints and its log, by their headers. A server may be using it meanwhile.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{major, minor};

use super::finding::{Findings, bytes};
use super::system::Kernel;
use super::{disk, memory};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::files::catalog;
use crate::checkpoint::files::format::FORMAT_VERSION;
use crate::checkpoint::files::manifest::Manifest;
use crate::config::Config;
use crate::config::doctor_args::DoctorArgs;
use crate::recovery::exchange::Exchange;
use crate::recovery::folders::check_finished;
use crate::storage::{Disk, LOCK_FILE, RealDisk};
use crate::time::utc;
use crate::wal::{Lsn, Walk, segments};

/// How often checkpoints are looked at that a server exchanges meanwhile.
const ATTEMPTS: usize = 5;
/// A log so many times as long as one after which a checkpoint is due is not let go of.
const LOG_TIMES: u64 = 4;

/// Looks at the directory.
pub(super) fn look(args: &DoctorArgs, findings: &mut Findings) -> Result<(), String> {
    let dir = Path::new(&args.target);
    check_readable(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let loaded = args.load();
    let config = loaded
        .map_err(|error| format!("the configuration is refused: {error}"))?
        .config;
    check_has_data(&config, dir)?;
    let holder = holder(dir);
    match holder {
        Some(pid) => findings.good(format!("process {pid} is using the directory")),
        None => findings.note("no server is using the directory", ""),
    }
    let kernel = Kernel::read(holder);
    let (clients_max, backlog) = (config.server.maxclients, config.server.tcp_backlog);
    kernel.judge(clients_max, u64::from(backlog), findings);
    memory::judge(config.memory.max_bytes, memory::available(), findings);
    permissions(dir, findings);
    disks(&config, dir, findings);
    data(&config, dir, holder.is_some(), findings);
    Ok(())
}

fn check_readable(dir: &Path) -> Result<(), String> {
    let said = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such directory".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this user may not read it: look as root, or as the server's user".to_owned()
        }
        _ => error.to_string(),
    };
    if !fs::metadata(dir).map_err(said)?.is_dir() {
        return Err("it is a file, and not a directory".to_owned());
    }
    fs::read_dir(dir).map(drop).map_err(said)
}

/// Whether a server or a tool has made one of the folders that belong to `dir`. One that cannot be read is told of
/// later.
fn check_has_data(config: &Config, dir: &Path) -> Result<(), String> {
    let (disk, log, checkpoints) = (RealDisk, config.storage.wal_path(), config.storage.checkpoint_path());
    let is_ours = |folder: &Path| folder.starts_with(dir) || dir.join(LOCK_FILE).exists();
    let is_made = |folder: &Path, has_data: bool| is_ours(folder) && (has_data || folder.join(LOCK_FILE).exists());
    let has_log = log.is_dir() && segments(&disk, &log).map_or(true, |files| !files.is_empty());
    let has_manifests = catalog::manifests(&disk, &checkpoints).map_or(true, |found| !found.is_empty());
    check_finished(dir).map_err(|why| why.to_string())?;
    let is_being_restored = !matches!(Exchange::pending(&disk, dir), Ok(None));
    if is_made(&log, has_log) || is_made(&checkpoints, has_manifests) || is_being_restored {
        return Ok(());
    }
    Err(format!(
        "{}: it is no data directory: there is neither a log ({}) nor are there checkpoints ({})",
        dir.display(),
        log.display(),
        checkpoints.display()
    ))
}

/// The process that has locked `dir`. The lock is not touched: a server that starts meanwhile finds it free.
fn holder(dir: &Path) -> Option<u64> {
    let lock = fs::metadata(dir.join(LOCK_FILE)).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let place = format!("{:02x}:{:02x}:{}", major(lock.dev()), minor(lock.dev()), lock.ino());
    holder_of(&place, &locks)
}

/// The process that has the lock on the file at `place`, in the kernel's list of locks.
fn holder_of(place: &str, locks: &str) -> Option<u64> {
    let mut lines = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.find_map(|words| match words.as_slice() {
        [_, "FLOCK", _, "WRITE", pid, at, ..] if *at == place => pid.parse().ok(),
        _ => None,
    })
}

fn permissions(dir: &Path, findings: &mut Findings) {
    let Ok(found) = fs::metadata(dir) else { return };
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o002 != 0 {
        findings.fault(
            format!("every user of this machine may write to the directory (mode {mode:o})"),
            format!("chmod o-rwx {}", dir.display()),
        );
    }
}

/// The disks of the folders, each once.
fn disks(config: &Config, dir: &Path, findings: &mut Findings) {
    let storage = &config.storage;
    let folders = [("log", storage.wal_path()), ("checkpoints", storage.checkpoint_path())];
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    let mut seen = vec![device(dir)];
    disk::look("data", dir, storage.free_bytes_min, findings);
    for (what, path) in folders {
        let found = device(&path);
        if found.is_some() && !seen.contains(&found) {
            disk::look(what, &path, storage.free_bytes_min, findings);
            seen.push(found);
        }
    }
}

fn data(config: &Config, dir: &Path, is_used: bool, findings: &mut Findings) {
    match Exchange::pending(&RealDisk, dir) {
        Ok(None) => {}
        Ok(Some(pending)) => findings.fault(pending.refusal(dir), "start the server, or run that restore again"),
        Err(error) => findings.fault(error.to_string(), "lokikv verify, and lokikv repair, say more"),
    }
    let aside = fs::read_dir(dir).into_iter().flatten().flatten();
    let aside = aside.filter(|entry| entry.file_name().to_string_lossy().starts_with("quarantine-"));
    let count = aside.count();
    if count > 0 {
        findings.note(
            format!("{count} folders hold what repairs have dropped (quarantine-…)"),
            "delete them when nothing of it is wanted any more",
        );
    }
    let checkpoints = config.storage.checkpoint_path();
    let newest = match newest(&RealDisk, &checkpoints, is_used) {
        Ok(newest) => newest,
        Err(error) => {
            findings.fault(
                format!("checkpoints: {error}"),
                "lokikv verify shows all that is damaged, lokikv repair what can be done; keep a copy first",
            );
            return;
        }
    };
    match newest {
        Some(newest) => newest.tell(findings),
        None => findings.note("there is no checkpoint yet", ""),
    }
    let lsn = newest.map_or(Lsn::ZERO, |newest| newest.lsn);
    log(config, lsn, is_used, findings);
}

/// The newest checkpoint, and how many there are.
#[derive(Clone, Copy)]
struct Newest {
    id: u64,
    lsn: Lsn,
    wall_ms: u64,
    entries: u64,
    kept: usize,
    /// The least version of their formats.
    version: u32,
}

impl Newest {
    fn tell(self, findings: &mut Findings) {
        findings.good(format!(
            "checkpoint {} of {}: LSN {}, {} entries; {} are kept",
            self.id,
            utc(self.wall_ms),
            self.lsn,
            self.entries,
            self.kept
        ));
        if self.version < FORMAT_VERSION {
            findings.note(
                format!("some are of an older format ({}, now {FORMAT_VERSION})", self.version),
                "they can be read; the server writes new ones in the new format, which an older server does not read",
            );
        }
    }
}

fn newest(disk: &dyn Disk, dir: &Path, is_used: bool) -> Result<Option<Newest>, CheckpointError> {
    let mut found = try_newest(disk, dir);
    // What a server has just let go of is no fault.
    let attempts = if is_used { ATTEMPTS } else { 1 };
    for _ in 1..attempts {
        if found.is_err() {
            found = try_newest(disk, dir);
        }
    }
    found
}

fn try_newest(disk: &dyn Disk, dir: &Path) -> Result<Option<Newest>, CheckpointError> {
    let Some((_, id, path)) = catalog::committed(disk, dir)? else {
        return Ok(None);
    };
    let head = Manifest::read_head(disk, &path)?;
    let manifests = catalog::manifests(disk, dir)?;
    let mut version = head.versions.layout;
    for (_, path) in &manifests {
        version = version.min(Manifest::read_head(disk, path)?.versions.layout);
    }
    Ok(Some(Newest {
        id,
        lsn: head.lsn,
        wall_ms: head.wall_ms,
        entries: head.entries,
        kept: manifests.len(),
        version,
    }))
}

/// The log behind the checkpoint at `lsn`.
fn log(config: &Config, lsn: Lsn, is_used: bool, findings: &mut Findings) {
    let (disk, dir) = (RealDisk, config.storage.wal_path());
    if !dir.is_dir() {
        findings.note("there is no log", "");
        return;
    }
    let files = match segments(&disk, &dir) {
        Ok(files) => files,
        Err(error) => return findings.fault(format!("the log: {error}"), "lokikv verify says more"),
    };
    let mut sum = 0;
    for (at, (_, path)) in files.iter().enumerate() {
        match Walk::open(&disk, path) {
            Ok(walk) => sum += walk.summary().bytes,
            // A server lets go of the first ones, and has just begun the last.
            Err(_) if is_used && (at + 1 == files.len() || !path.exists()) => {}
            Err(error) => findings.fault(format!("the log: {error}"), "lokikv verify and lokikv repair say more"),
        }
    }
    let first = files.first().map_or(Lsn::ZERO, |(first, _)| *first);
    if !is_used && !files.is_empty() && first > lsn.next() {
        findings.fault(
            format!(
                "the log begins with LSN {first}, and the newest checkpoint ends at {lsn}: what was between is missing"
            ),
            "put the missing files back, or restore a backup; lokikv repair says what could be saved",
        );
    }
    let due = config.checkpoint.wal_bytes_max;
    if due > 0 && config.wal.keep_age_s == 0 && sum > due.saturating_mul(LOG_TIMES) {
        findings.fault(
            format!("the log has {}: a checkpoint is due after {}", bytes(sum), bytes(due)),
            "ask the server why none has let it go (INFO lokikv, checkpoint_last_error); a start has to read it all",
        );
    } else {
        findings.good(format!("the log has {} in {} segments", bytes(sum), files.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::lock_dir;

    #[test]
    fn who_has_the_lock_is_known_without_taking_it() {
        let locks = "1: POSIX  ADVISORY  WRITE 1 fe:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 fe:01:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 12 fe:01:78 0 EOF\n";
        assert_eq!(holder_of("fe:01:77", locks), Some(4711));
        assert_eq!(holder_of("fe:01:78", locks), None, "it only waits");
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()), None);
        let lock = lock_dir(dir.path()).unwrap();
        assert_eq!(holder(dir.path()), Some(u64::from(std::process::id())));
        drop(lock);
        assert_eq!(holder(dir.path()), None);
    }
}
