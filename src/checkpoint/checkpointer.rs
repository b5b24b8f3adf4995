//! The handle by which all threads ask the checkpointer's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::files::catalog::SnapshotId;
use super::files::error::{CheckpointError, Result};
use super::files::refusal::Refusal;
use super::holds::{Held, Holds};
use super::kept::Snapshot;
use super::persist;
use super::queue::{Context, Job, Reply};
use super::request::{
    AttachRequest, CheckpointDone, CheckpointOptions, ConvertRequest, CopyRequest, LoadDone, LoadRequest, Origin,
    PersistDone, RestoreDone, RestoreRequest, Target,
};
use super::runner::{self, Runner};
use super::settings::CheckpointSettings;
use super::snapshots::{Compared, SnapshotContent, Verified};
use super::status::{CheckpointStats, Persisted, Status};
use crate::engine::Engine;
use crate::engine::index::Kind;
use crate::storage::Disk;

/// Takes checkpoints, and tells of those there are. Context by all threads.
pub struct Checkpointer {
    pub(super) shared: Arc<Context>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpointer {
    /// A checkpointer of `engine` that keeps its files on `disk` and follows `settings`.
    pub fn new(
        engine: Arc<Engine>,
        disk: Arc<dyn Disk>,
        options: CheckpointOptions,
        settings: Arc<CheckpointSettings>,
    ) -> Self {
        Self {
            shared: Arc::new(Context {
                status: Status::new(),
                engine,
                disk,
                options,
                settings,
                requests: Mutex::default(),
                wake: Condvar::new(),
                stop: AtomicBool::new(false),
                holds: Holds::default(),
                log_room_bytes: AtomicU64::new(u64::MAX),
            }),
            thread: Mutex::new(None),
        }
    }

    /// Starts the thread, over data of this origin. Requests made before wait for it.
    ///
    /// # Errors
    /// When the thread cannot be started, or the engine has no cell left for it.
    pub fn start(&self, origin: Origin) -> std::io::Result<()> {
        let worker = self.shared.engine.worker();
        let worker = worker.ok_or_else(|| std::io::Error::other("the engine has no cell left for the checkpointer"))?;
        let shared = Arc::clone(&self.shared);
        // Before anybody can ask.
        shared
            .status
            .note_origin(origin.checkpoint, shared.engine.wal().last_lsn());
        persist::note_persisted(&shared);
        let builder = std::thread::Builder::new().name("checkpointer".to_owned());
        *self.thread.lock() = Some(builder.spawn(move || runner::run(shared, worker, origin.wal_bytes))?);
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
    pub async fn checkpoint(&self) -> Result<CheckpointDone> {
        let (reply, done) = tokio::sync::oneshot::channel();
        self.shared.ask(|requests| requests.want(to_oneshot(reply)))?;
        done.await
            .unwrap_or_else(|_| Err(CheckpointError::from(Refusal::ShuttingDown)))
    }

    /// [`Checkpointer::checkpoint`] for a thread that may block.
    ///
    /// # Errors
    /// As there.
    pub fn checkpoint_blocking(&self) -> Result<CheckpointDone> {
        let (reply, done) = std::sync::mpsc::sync_channel(1);
        let reply: Reply<CheckpointDone> = Box::new(move |outcome| drop(reply.send(outcome)));
        self.shared.ask(|requests| requests.want(reply))?;
        done.recv()
            .unwrap_or_else(|_| Err(CheckpointError::from(Refusal::ShuttingDown)))
    }

    /// Writes collection `name` as it is now under `persist_dir/name/`, replacing what was persisted there before.
    ///
    /// # Errors
    /// Why it failed; what was persisted before is as good as before.
    pub async fn persist(&self, name: &str) -> Result<PersistDone> {
        self.job(|reply| Job::Persist(name.to_owned(), reply)).await
    }

    /// Loads what was persisted as `name` into collection `as_name`, made one of `kind`, all at once and in the log
    /// when this returns. A collection that has keys is replaced only with `replace`.
    ///
    /// # Errors
    /// Why it failed; nothing has changed, unless it says that it is done: then the log has failed behind it, and it is
    /// on disk once that goes on.
    pub async fn load(&self, name: &str, as_name: &str, kind: Kind, replace: bool) -> Result<LoadDone> {
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
    /// Why it failed; nothing has changed, unless it says that it is done: then the log has failed behind it, and it is
    /// on disk once that goes on.
    pub async fn copy(&self, request: CopyRequest) -> Result<LoadDone> {
        self.job(|reply| Job::Copy(request, reply)).await
    }

    /// Converts a collection while it is in use; in the log when this returns.
    ///
    /// # Errors
    /// Why it failed; the collection is as it was, unless it says that it is done: then the log has failed behind it,
    /// and it is on disk once that goes on.
    pub async fn convert(&self, request: ConvertRequest) -> Result<LoadDone> {
        self.job(|reply| Job::Convert(request, reply)).await
    }

    /// Brings back what was, all at once and in the log when this returns.
    ///
    /// # Errors
    /// Why it failed; nothing has changed, unless it says that it is done: then the log has failed behind it, and it is
    /// on disk once that goes on.
    pub async fn restore(&self, request: RestoreRequest) -> Result<RestoreDone> {
        self.job(|reply| Job::Restore(request, reply)).await
    }

    /// Shows a collection of a checkpoint, read-only.
    ///
    /// # Errors
    /// Why it failed; nothing is shown.
    pub async fn attach(&self, request: AttachRequest) -> Result<LoadDone> {
        self.job(|reply| Job::Attach(request, reply)).await
    }

    async fn job<T: Send + 'static>(&self, make: impl FnOnce(Reply<T>) -> Job) -> Result<T> {
        let (reply, done) = tokio::sync::oneshot::channel();
        let job = make(to_oneshot(reply));
        self.shared.ask(|requests| requests.jobs.push_back(job))?;
        done.await
            .unwrap_or_else(|_| Err(CheckpointError::from(Refusal::ShuttingDown)))
    }

    /// Runs `act` on the thread, after what was asked for before.
    async fn act<T: Send + 'static>(&self, act: impl FnOnce(&mut Runner) -> Result<T> + Send + 'static) -> Result<T> {
        let (reply, done) = tokio::sync::oneshot::channel();
        let job = Job::Act(Box::new(move |runner| {
            // Whoever waited may have gone away.
            let _ = reply.send(act(runner).map_err(runner::told));
        }));
        self.shared.ask(|requests| requests.jobs.push_back(job))?;
        done.await
            .unwrap_or_else(|_| Err(CheckpointError::from(Refusal::ShuttingDown)))
    }

    /// All checkpoints that are kept, oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        self.act(Runner::snapshots).await
    }

    /// The same without asking the thread: as it was when it last changed; `None` before it has been looked at.
    pub fn kept(&self) -> Option<Arc<[Snapshot]>> {
        self.shared.status.kept()
    }

    /// One checkpoint, and what is in it.
    ///
    /// # Errors
    /// When it is not there or its manifest is damaged.
    pub async fn snapshot(&self, id: SnapshotId) -> Result<SnapshotContent> {
        self.act(move |runner| runner.describe_snapshot(id)).await
    }

    /// Reads a checkpoint back; what is wrong with it is no error, but told.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn verify_snapshot(&self, id: SnapshotId) -> Result<Verified> {
        self.act(move |runner| runner.verify_snapshot(id)).await
    }

    /// Deletes a checkpoint that is neither the newest nor pinned.
    ///
    /// # Errors
    /// When it is one of those or not there, or the disk refuses.
    pub async fn delete_snapshot(&self, id: SnapshotId) -> Result<()> {
        self.act(move |runner| runner.delete_snapshot(id)).await
    }

    /// Pins a checkpoint, so that it stays whatever its age, or unpins it.
    ///
    /// # Errors
    /// When it is not there, or the disk refuses.
    pub async fn pin_snapshot(&self, id: SnapshotId, is_pinned: bool) -> Result<()> {
        self.act(move |runner| runner.pin_snapshot(id, is_pinned)).await
    }

    /// From now on, for this long, nothing of checkpoints and of the log is removed; what can be copied.
    ///
    /// # Errors
    /// When there are too many holds, or the log cannot be made stable; then there is no hold.
    pub async fn hold(&self, name: &[u8], time: Duration) -> Result<Held> {
        // At once, since the thread may be about to remove something; and again when it has come to it.
        self.shared.holds.set(name, time)?;
        let own = name.to_vec();
        let held = self.act(move |runner| {
            runner.shared.holds.set(&own, time)?;
            runner.held()
        });
        held.await.inspect_err(|_| {
            self.shared.holds.end(name);
        })
    }

    /// Has a hold last for this long from now on; whether it was still there.
    pub fn renew_hold(&self, name: &[u8], time: Duration) -> bool {
        self.shared.holds.renew(name, time)
    }

    /// Ends a hold; whether it was still there.
    pub fn release_hold(&self, name: &[u8]) -> bool {
        self.shared.holds.end(name)
    }

    /// How many holds there are.
    pub fn holds(&self) -> usize {
        self.shared.holds.count()
    }

    /// What differs between two checkpoints; collections and libraries without a difference are left out.
    ///
    /// # Errors
    /// When one of them is not there, or a page that differs is damaged.
    pub async fn compare_snapshots(&self, first: SnapshotId, second: SnapshotId) -> Result<Compared> {
        self.act(move |runner| runner.compare_snapshots(first, second)).await
    }

    /// [`Checkpointer::checkpoint`], for as long as it gets on: `None` once nothing has been written for `patience`.
    pub async fn checkpoint_while_it_moves(&self, patience: Duration) -> Option<Result<CheckpointDone>> {
        let mut done = std::pin::pin!(self.checkpoint());
        let steps = || self.shared.status.steps().load(Ordering::Relaxed);
        loop {
            let before = steps();
            match tokio::time::timeout(patience, &mut done).await {
                Ok(outcome) => return Some(outcome),
                Err(_) if steps() == before => return None,
                Err(_) => {}
            }
        }
    }

    /// Whether the last checkpoint failed. One load.
    #[inline]
    pub fn is_failing(&self) -> bool {
        self.shared.status.is_failing()
    }

    /// Whether that is a reason to refuse writes: nothing else would keep them.
    pub fn stops_writes(&self) -> bool {
        self.shared.stops_writes()
    }

    /// Whether checkpoints are taken by time.
    pub fn are_regular(&self) -> bool {
        self.shared.settings.interval_s() > 0
    }

    /// Is told how much the log may still write before writes are refused for want of room; `None`: nothing bounds it,
    /// or that is not known. Where a checkpoint would free more than that, one is taken.
    pub fn note_log_room(&self, bytes: Option<u64>) {
        let room = bytes.unwrap_or(u64::MAX);
        self.shared.log_room_bytes.store(room, Ordering::Relaxed);
    }

    /// How many records no checkpoint has, of those that were written since the start.
    pub fn unsaved(&self) -> u64 {
        let last = self.shared.engine.wal().last_lsn();
        last.records_since(self.shared.status.kept_lsn().min(last))
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

fn to_oneshot<T: Send + 'static>(sender: tokio::sync::oneshot::Sender<Result<T>>) -> Reply<T> {
    // Whoever waited may have gone away.
    Box::new(move |outcome| drop(sender.send(outcome)))
}
