//! Point-in-time images of all collections: page files and the manifest that commits them; and the same for one
//! collection (`PERSIST`), and back (`LOAD`). The layout on disk is in `docs/format-checkpoint.md`.
//!
//! One thread does all of it, one act at a time, so that there is one epoch at a time.
//!
//! **Invariants**
//! - A checkpoint that was asked for while one runs is the next one: it covers all that was done before it was asked.
//! - A failed act leaves the previous checkpoint and the WAL as they were; the server goes on and tells of it.
//! - The WAL is trimmed only after the manifest is durable, and the manifest is committed only after the WAL is stable
//!   up to its LSN.

mod base;
mod capture;
pub mod catalog;
pub mod control;
mod copy;
pub mod error;
mod fill;
pub mod format;
mod load;
pub mod manifest;
pub mod packing;
pub mod page_file;
mod persist;
mod restore;
mod runner;
mod snapshots;
mod status;
#[cfg(test)]
mod tests;
pub mod verify;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::config::Live;
use crate::engine::Engine;
use crate::engine::index::Kind;
use crate::storage::Disk;
use crate::wal::Lsn;

pub use error::CheckpointError;
pub use persist::{MANIFEST as PERSISTED_MANIFEST, persisted_manifests};
pub use snapshots::{Difference, Snapshot, SnapshotCollection, SnapshotId, Verified};
use status::Status;
pub use status::{CheckpointStats, Persisted};

/// A checkpoint that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointInfo {
    /// Its identity; ascending.
    pub id: u64,
    /// The instant: all records up to this LSN are in it, none after.
    pub lsn: Lsn,
    /// Wall clock at the instant, Unix milliseconds.
    pub wall_ms: u64,
}

/// What a [`Checkpointer`] begins with.
#[derive(Clone, Debug)]
pub struct CheckpointOptions {
    /// Where checkpoints are.
    pub dir: PathBuf,
    /// Where persisted collections are.
    pub persist_dir: PathBuf,
    /// Where the log is.
    pub wal_dir: PathBuf,
    /// The checkpoint that the data was recovered from.
    pub last: Option<CheckpointInfo>,
    /// Bytes of WAL replayed after it; they count towards `checkpoint.wal_bytes_max`.
    pub behind_bytes: u64,
    /// The replication term, noted in manifests.
    pub term: u32,
}

/// What a checkpoint did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointDone {
    /// Its identity.
    pub id: u64,
    /// Its instant.
    pub lsn: Lsn,
    /// Pages in it.
    pub pages: u64,
    /// Pages written for it; the others were on disk already.
    pub written_pages: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How long it took.
    pub millis: u64,
}

type Outcome<T> = Result<T, String>;
type Reply<T> = Box<dyn FnOnce(Outcome<T>) + Send>;

/// What `PERSIST` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersistDone {
    /// Pages written.
    pub pages: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How long it took.
    pub millis: u64,
}

/// What brought a collection in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadDone {
    /// Entries loaded.
    pub entries: u64,
    /// How long it took.
    pub millis: u64,
}

/// What to load, and where to.
struct LoadRequest {
    name: String,
    target: Target,
    kind: Kind,
}

/// Where a collection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name; a collection of this name is made if there is none.
    pub name: String,
    /// Whether keys that are there may go.
    pub replace: bool,
}

/// What `COLLECTION COPY` does.
#[derive(Clone, Debug)]
pub struct CopyRequest {
    /// What to copy.
    pub source: String,
    /// Where to.
    pub target: Target,
    /// Of which kind the copy is; `None`: as the source.
    pub kind: Option<Kind>,
}

/// What `COLLECTION CONVERT` does, and what makes a cache a collection that is kept on disk.
#[derive(Clone, Debug)]
pub struct ConvertRequest {
    /// Which collection.
    pub name: String,
    /// Of which kind it will be; `None`: as it is.
    pub kind: Option<Kind>,
    /// Whether a cache becomes one that is kept.
    pub is_kept: bool,
}

/// A moment whose data there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// That of a checkpoint.
    Checkpoint(u64),
    /// Right after a record.
    Lsn(Lsn),
    /// A time, Unix milliseconds.
    Time(u64),
}

/// One of the collections that were there.
#[derive(Clone, Debug)]
pub struct Only {
    /// Its name then.
    pub name: String,
    /// Where it goes.
    pub target: Target,
}

/// What `CHECKPOINT RESTORE` does.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// As of when.
    pub moment: Moment,
    /// One collection; `None`: all of them, and what else there is goes.
    pub only: Option<Only>,
}

/// What a restore did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreDone {
    /// The last record that is in it.
    pub lsn: Lsn,
    /// Collections brought back.
    pub collections: u64,
    /// Keys in them.
    pub entries: u64,
    /// How long it took.
    pub millis: u64,
}

/// What `COLLECTION ATTACH` does.
#[derive(Clone, Debug)]
pub struct AttachRequest {
    /// Which checkpoint.
    pub checkpoint: u64,
    /// Which collection in it.
    pub name: String,
    /// Under what name it is shown.
    pub as_name: String,
}

/// Work for the thread, besides checkpoints.
enum Job {
    Persist(String, Reply<PersistDone>),
    Load(LoadRequest, Reply<LoadDone>),
    Copy(CopyRequest, Reply<LoadDone>),
    Convert(ConvertRequest, Reply<LoadDone>),
    Restore(RestoreRequest, Reply<RestoreDone>),
    Attach(AttachRequest, Reply<LoadDone>),
    /// Whatever looks at the checkpoints that are there.
    Act(Box<dyn FnOnce(&mut runner::Runner) + Send>),
}

#[derive(Default)]
struct Requests {
    /// Whether a checkpoint is wanted, and who waits for it.
    checkpoint: bool,
    waiters: Vec<Reply<CheckpointDone>>,
    jobs: VecDeque<Job>,
    /// No request is taken any more.
    closed: bool,
}

struct Shared {
    engine: Arc<Engine>,
    disk: Arc<dyn Disk>,
    options: CheckpointOptions,
    live: Arc<Live>,
    requests: Mutex<Requests>,
    wake: Condvar,
    stop: AtomicBool,
    status: Status,
}

/// Takes checkpoints, and tells of those there are. Shared by all threads.
pub struct Checkpointer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

const CLOSED: &str = "the server is shutting down";

impl Checkpointer {
    /// A checkpointer of `engine` that keeps its files on `disk` and follows the settings in `live`.
    pub fn new(engine: Arc<Engine>, disk: Arc<dyn Disk>, options: CheckpointOptions, live: Arc<Live>) -> Self {
        Self {
            shared: Arc::new(Shared {
                status: Status::new(options.last),
                engine,
                disk,
                options,
                live,
                requests: Mutex::default(),
                wake: Condvar::new(),
                stop: AtomicBool::new(false),
            }),
            thread: Mutex::new(None),
        }
    }

    /// Starts the thread. Requests made before wait for it.
    ///
    /// # Errors
    /// When the thread cannot be started, or the engine has no cell left for it.
    pub fn start(&self) -> std::io::Result<()> {
        let worker = self.shared.engine.worker();
        let worker = worker.ok_or_else(|| std::io::Error::other("the engine has no cell left for the checkpointer"))?;
        let shared = Arc::clone(&self.shared);
        // Before anybody can ask.
        persist::note_persisted(&shared);
        let builder = std::thread::Builder::new().name("checkpointer".to_owned());
        *self.thread.lock() = Some(builder.spawn(move || runner::run(shared, worker))?);
        Ok(())
    }

    /// Ends the thread. A running act is given up, waiting requests are refused.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.close();
        if let Some(thread) = self.thread.lock().take() {
            // A panic there has been reported by the panic hook.
            let _ = thread.join();
        }
    }

    /// Takes a checkpoint that covers everything done before this call.
    ///
    /// # Errors
    /// Why it failed; the previous checkpoint is as good as before.
    pub async fn checkpoint(&self) -> Result<CheckpointDone, String> {
        let (reply, done) = tokio::sync::oneshot::channel();
        self.shared.ask(|requests| requests.want(to_oneshot(reply)))?;
        done.await.unwrap_or_else(|_| Err(CLOSED.to_owned()))
    }

    /// [`Checkpointer::checkpoint`] for a thread that may block.
    ///
    /// # Errors
    /// As there.
    pub fn checkpoint_blocking(&self) -> Result<CheckpointDone, String> {
        let (reply, done) = std::sync::mpsc::sync_channel(1);
        let reply: Reply<CheckpointDone> = Box::new(move |outcome| drop(reply.send(outcome)));
        self.shared.ask(|requests| requests.want(reply))?;
        done.recv().unwrap_or_else(|_| Err(CLOSED.to_owned()))
    }

    /// Writes collection `name` as it is now under `persist_dir/name/`, replacing what was persisted there before.
    ///
    /// # Errors
    /// Why it failed; what was persisted before is as good as before.
    pub async fn persist(&self, name: &str) -> Result<PersistDone, String> {
        self.job(|reply| Job::Persist(name.to_owned(), reply)).await
    }

    /// Loads what was persisted as `name` into collection `as_name`, made one of `kind`, all at once and in the log when
    /// this returns. A collection that has keys is replaced only with `replace`.
    ///
    /// # Errors
    /// Why it failed; nothing has changed.
    pub async fn load(&self, name: &str, as_name: &str, kind: Kind, replace: bool) -> Result<LoadDone, String> {
        let request = LoadRequest {
            name: name.to_owned(),
            target: Target {
                name: as_name.to_owned(),
                replace,
            },
            kind,
        };
        self.job(|reply| Job::Load(request, reply)).await
    }

    /// Copies a collection as it is at one instant, all at once and in the log when this returns.
    ///
    /// # Errors
    /// Why it failed; nothing has changed.
    pub async fn copy(&self, request: CopyRequest) -> Result<LoadDone, String> {
        self.job(|reply| Job::Copy(request, reply)).await
    }

    /// Converts a collection while it is in use; in the log when this returns.
    ///
    /// # Errors
    /// Why it failed; the collection is as it was.
    pub async fn convert(&self, request: ConvertRequest) -> Result<LoadDone, String> {
        self.job(|reply| Job::Convert(request, reply)).await
    }

    /// Brings back what was, all at once and in the log when this returns.
    ///
    /// # Errors
    /// Why it failed; nothing has changed.
    pub async fn restore(&self, request: RestoreRequest) -> Result<RestoreDone, String> {
        self.job(|reply| Job::Restore(request, reply)).await
    }

    /// Shows a collection of a checkpoint, read-only.
    ///
    /// # Errors
    /// Why it failed; nothing is shown.
    pub async fn attach(&self, request: AttachRequest) -> Result<LoadDone, String> {
        self.job(|reply| Job::Attach(request, reply)).await
    }

    async fn job<T: Send + 'static>(&self, make: impl FnOnce(Reply<T>) -> Job) -> Result<T, String> {
        let (reply, done) = tokio::sync::oneshot::channel();
        let job = make(to_oneshot(reply));
        self.shared.ask(|requests| requests.jobs.push_back(job))?;
        done.await.unwrap_or_else(|_| Err(CLOSED.to_owned()))
    }

    /// Runs `act` on the thread, after what was asked for before.
    async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut runner::Runner) -> error::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let (reply, done) = tokio::sync::oneshot::channel();
        let job = Job::Act(Box::new(move |runner| {
            // Whoever waited may have gone away.
            let _ = reply.send(act(runner).map_err(runner::told));
        }));
        self.shared.ask(|requests| requests.jobs.push_back(job))?;
        done.await.unwrap_or_else(|_| Err(CLOSED.to_owned()))
    }

    /// All checkpoints that are kept, oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>, String> {
        self.act(runner::Runner::snapshots).await
    }

    /// One checkpoint, and what is in it.
    ///
    /// # Errors
    /// When it is not there or its manifest is damaged.
    pub async fn snapshot(&self, id: SnapshotId) -> Result<(Snapshot, Vec<SnapshotCollection>), String> {
        self.act(move |runner| runner.describe_snapshot(id)).await
    }

    /// Reads a checkpoint back; what is wrong with it is no error, but told.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn verify_snapshot(&self, id: SnapshotId) -> Result<Verified, String> {
        self.act(move |runner| runner.verify_snapshot(id)).await
    }

    /// Deletes a checkpoint that is neither the newest nor pinned.
    ///
    /// # Errors
    /// When it is one of those or not there, or the disk refuses.
    pub async fn delete_snapshot(&self, id: SnapshotId) -> Result<(), String> {
        self.act(move |runner| runner.delete_snapshot(id)).await
    }

    /// Pins a checkpoint, so that it stays whatever its age, or unpins it.
    ///
    /// # Errors
    /// When it is not there, or the disk refuses.
    pub async fn pin_snapshot(&self, id: SnapshotId, is_pinned: bool) -> Result<(), String> {
        self.act(move |runner| runner.pin_snapshot(id, is_pinned)).await
    }

    /// What differs between two checkpoints; collections without a difference are left out.
    ///
    /// # Errors
    /// When one of them is not there, or a page that differs is damaged.
    pub async fn compare_snapshots(&self, first: SnapshotId, second: SnapshotId) -> Result<Vec<Difference>, String> {
        self.act(move |runner| runner.compare_snapshots(first, second)).await
    }

    /// Asks for a checkpoint and does not wait for it.
    pub fn start_background(&self) {
        // Refused only at shutdown, when a last one may follow anyway.
        let _ = self.shared.ask(|requests| requests.checkpoint = true);
    }

    /// Whether a checkpoint is being taken, or has been asked for.
    pub fn is_running(&self) -> bool {
        self.shared.requests.lock().checkpoint || self.shared.status.is_running()
    }

    /// When the last good checkpoint was (of this process's start, if there is none), Unix seconds.
    pub fn last_save_s(&self) -> u64 {
        self.shared.status.last_save_s()
    }

    /// Why the last checkpoint failed; `None` if it did not.
    pub fn last_error(&self) -> Option<String> {
        self.shared.status.last_error()
    }

    /// When the collection of this name was last persisted, as far back as its files are there.
    pub fn persisted(&self, name: &str) -> Option<Persisted> {
        self.shared.status.persisted(name)
    }

    /// Numbers for INFO and metrics.
    pub fn stats(&self) -> CheckpointStats {
        self.shared.status.stats()
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn to_oneshot<T: Send + 'static>(sender: tokio::sync::oneshot::Sender<Outcome<T>>) -> Reply<T> {
    // Whoever waited may have gone away.
    Box::new(move |outcome| drop(sender.send(outcome)))
}

impl Requests {
    fn want(&mut self, reply: Reply<CheckpointDone>) {
        self.checkpoint = true;
        self.waiters.push(reply);
    }
}

impl Shared {
    fn ask(&self, add: impl FnOnce(&mut Requests)) -> Outcome<()> {
        let mut requests = self.requests.lock();
        if requests.closed {
            return Err(CLOSED.to_owned());
        }
        add(&mut requests);
        self.wake.notify_one();
        Ok(())
    }

    /// Refuses all requests from now on; dropping their replies tells those who wait.
    fn close(&self) {
        let mut requests = self.requests.lock();
        requests.closed = true;
        requests.checkpoint = false;
        requests.waiters.clear();
        requests.jobs.clear();
        self.wake.notify_one();
    }
}
