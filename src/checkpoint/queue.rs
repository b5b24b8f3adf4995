//! The requests that wait for the checkpointer's thread.
//!
//! **Invariant:** once closed no request is taken, and every thread that waits for one is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::{Condvar, Mutex};

use super::files::error::Result;
use super::files::refusal::Refusal;
use super::holds::Holds;
use super::request::{
    AttachRequest, CheckpointDone, CheckpointOptions, ConvertRequest, CopyRequest, LoadDone, LoadRequest, PersistDone,
    RestoreDone, RestoreRequest,
};
use super::runner::Runner;
use super::settings::CheckpointSettings;
use super::status::Status;
use crate::engine::Engine;
use crate::storage::Disk;

pub(super) type Reply<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Work for the thread, besides checkpoints.
pub(super) enum Job {
    Persist(String, Reply<PersistDone>),
    Load(LoadRequest, Reply<LoadDone>),
    Copy(CopyRequest, Reply<LoadDone>),
    Convert(ConvertRequest, Reply<LoadDone>),
    Restore(RestoreRequest, Reply<RestoreDone>),
    Attach(AttachRequest, Reply<LoadDone>),
    /// Whatever looks at the checkpoints that are there.
    Act(Box<dyn FnOnce(&mut Runner) + Send>),
}

/// What waits for the thread.
#[derive(Default)]
pub(super) struct Requests {
    /// Whether a checkpoint is wanted, and who waits for it.
    pub checkpoint: bool,
    pub waiters: Vec<Reply<CheckpointDone>>,
    pub jobs: VecDeque<Job>,
    /// No request is taken any more.
    pub closed: bool,
}

/// What the thread and those who ask it have in common.
pub(super) struct Context {
    pub engine: Arc<Engine>,
    pub disk: Arc<dyn Disk>,
    pub options: CheckpointOptions,
    pub settings: Arc<CheckpointSettings>,
    pub requests: Mutex<Requests>,
    pub wake: Condvar,
    pub stop: AtomicBool,
    pub status: Status,
    pub holds: Holds,
    /// How much the log may still write before writes are refused; the greatest number: not known, or much.
    pub log_room_bytes: AtomicU64,
}

impl Requests {
    pub fn want(&mut self, reply: Reply<CheckpointDone>) {
        self.checkpoint = true;
        self.waiters.push(reply);
    }
}

impl Context {
    pub fn ask(&self, add: impl FnOnce(&mut Requests)) -> Result<()> {
        let mut requests = self.requests.lock();
        if requests.closed {
            return Err(Refusal::ShuttingDown.into());
        }
        add(&mut requests);
        self.wake.notify_one();
        Ok(())
    }

    /// Whether failing checkpoints are a reason to refuse writes, as they are in Redis: they are to be taken by time,
    /// and there is no log.
    pub fn stops_writes(&self) -> bool {
        let settings = &self.settings;
        let is_alone = !self.engine.wal().is_enabled() && settings.interval_s() > 0;
        self.status.is_failing() && is_alone && settings.stops_writes()
    }

    /// Refuses all requests from now on; dropping their replies tells those who wait.
    pub fn close(&self) {
        let mut requests = self.requests.lock();
        requests.closed = true;
        requests.checkpoint = false;
        requests.waiters.clear();
        requests.jobs.clear();
        self.wake.notify_one();
    }
}
