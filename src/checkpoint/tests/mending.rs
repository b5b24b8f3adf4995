//! A log that has failed and cannot go on, since nothing can be made where it is: the checkpoint that it is to go on
//! behind is good all the same, and others are kept.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::storage::{DiskFile, DiskRead, FileStamp};

/// How long something may take that happens every second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A disk on which files of the log can neither be made, cut nor removed as long as it is sealed.
#[derive(Clone)]
struct SealedLog {
    disk: FaultDisk,
    is_sealed: Arc<AtomicBool>,
    /// Files that could not be made.
    refused: Arc<AtomicU64>,
}

impl SealedLog {
    fn admit(&self, path: &Path) -> io::Result<()> {
        if path.starts_with(LOG) && self.is_sealed.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }

    fn seal(&self, is_sealed: bool) {
        self.is_sealed.store(is_sealed, Ordering::SeqCst);
    }

    /// Waits until the log has tried in vain to go on, so many times from now.
    fn await_refused(&self, count: u64) {
        let refused = || self.refused.load(Ordering::SeqCst);
        let until = refused() + count;
        await_that("the log does not try to go on", || refused() >= until);
    }
}

impl Disk for SealedLog {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.admit(path).inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::SeqCst);
        })?;
        self.disk.create(path)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.admit(path)?;
        self.disk.open_append(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskRead>> {
        self.disk.open_read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.admit(from)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.admit(path)?;
        self.disk.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        self.disk.list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.disk.exists(path)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }

    fn stamp(&self, path: &Path) -> io::Result<FileStamp> {
        self.disk.stamp(path)
    }
}

fn await_that(otherwise: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "{otherwise}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A server with two checkpoints, which it keeps.
fn start() -> (SealedLog, Server) {
    let sealed = SealedLog {
        disk: FaultDisk::new(1),
        is_sealed: Arc::default(),
        refused: Arc::default(),
    };
    let options = WalOptions {
        note_dir: Some(CHECKPOINTS.into()),
        fsync: Fsync::Always,
        ..WalOptions::new(LOG)
    };
    let through = Arc::new(sealed.clone());
    let mut server = Server::start_through(through, &sealed.disk, Some(options), Kind::Hmap);
    server.settings.keep_count.store(2, Ordering::Relaxed);
    for number in 0..500 {
        server.set(&format!("key:{number}"), &"first ".repeat(30));
    }
    server.checkpoints.checkpoint_blocking().unwrap();
    server.set("key:0", "second");
    server.checkpoints.checkpoint_blocking().unwrap();
    (sealed, server)
}

/// The log fails, and cannot go on as long as it is sealed.
fn fail(sealed: &SealedLog, server: &mut Server) {
    sealed.seal(true);
    let since = Instant::now();
    while !server.engine.wal().is_failed() {
        assert!(since.elapsed() < PATIENCE, "no sync of the log fails");
        sealed.disk.fail_sync(0);
        server.set("key:1", "waits for the log");
    }
    sealed.disk.clear_faults();
}

#[test]
fn a_log_that_cannot_go_on_takes_one_checkpoint_and_no_more() {
    let (sealed, mut server) = start();
    assert_eq!(manifest_ids(&sealed.disk), [1, 2]);
    fail(&sealed, &mut server);
    let expected = server.dump();
    sealed.await_refused(3);
    assert!(server.engine.wal().is_failed());
    assert_eq!(manifest_ids(&sealed.disk), [2, 3]);
    let kept = server.checkpoints.kept().unwrap();
    assert_eq!(kept.iter().map(|snapshot| snapshot.id).collect::<Vec<_>>(), [2, 3]);
    let stats = server.checkpoints.stats();
    assert_eq!((stats.completed, stats.failed), (3, 0));
    assert_eq!(stats.last.map(|last| last.id), Some(3));
    assert_eq!(
        (server.checkpoints.last_error(), server.checkpoints.unsaved()),
        (None, 0)
    );
    // One that is asked for is taken, and builds on it.
    let done = server.checkpoints.checkpoint_blocking().unwrap();
    assert!(done.id == 4 && done.written_pages * 2 < done.pages, "{done:?}");
    assert_eq!(manifest_ids(&sealed.disk), [3, 4]);
    let after = sealed.disk.fork().crash();
    assert_eq!(dump(&read_back(&after).unwrap().registry), expected);
    sealed.seal(false);
    await_that("the log does not go on", || !server.engine.wal().is_failed());
    assert_eq!(manifest_ids(&sealed.disk), [3, 4], "it needs no other one");
    server.set("key:2", "acknowledged again");
    server.sync();
    let after = sealed.disk.fork().crash();
    assert_eq!(dump(&read_back(&after).unwrap().registry), server.dump());
}

/// What the log was to go on behind is lost meanwhile.
#[test]
fn a_log_goes_on_behind_no_checkpoint_that_is_lost() {
    let (sealed, mut server) = start();
    fail(&sealed, &mut server);
    sealed.await_refused(1);
    let newest = server.checkpoints.stats().last.unwrap().id;
    let head = incremental::manifest(&sealed.disk, newest).head;
    for id in head.files {
        let name = super::super::files::catalog::page_file_name(id);
        sealed.disk.remove(&Path::new(CHECKPOINTS).join(name)).unwrap();
    }
    sealed.seal(false);
    await_that("the log does not go on", || !server.engine.wal().is_failed());
    let after = sealed.disk.fork().crash();
    assert_eq!(dump(&read_back(&after).unwrap().registry), server.dump());
}

#[test]
fn others_are_served_where_an_attempt_to_go_on_takes_longer_than_the_time_between_two() {
    let (sealed, mut server) = start();
    fail(&sealed, &mut server);
    sealed.await_refused(1);
    sealed.disk.slow_sync(Duration::from_millis(1100));
    await_that("there is no attempt", || server.checkpoints.stats().running);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let listed = runtime.block_on(async { tokio::time::timeout(PATIENCE, server.checkpoints.snapshots()).await });
    sealed.disk.slow_sync(Duration::ZERO);
    sealed.seal(false);
    assert_eq!(listed.expect("it is never served").unwrap().len(), 2);
}
