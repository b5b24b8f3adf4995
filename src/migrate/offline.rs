//! A data directory, opened by nobody else, as an engine without a server.
//!
//! What changes is not logged: it is in the next checkpoint or nowhere.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{MigrateError, Observer, Outcome};
use crate::checkpoint::{CheckpointDone, CheckpointOptions, Checkpointer, Origin};
use crate::config::core_count;
use crate::config::{Loaded, Params};
use crate::engine::Engine;
use crate::engine::worker::Worker;
use crate::recovery::folders::FolderLocks;
use crate::recovery::{self, RecoverOptions};
use crate::storage::Disk;
use crate::wal::Wal;

/// See the module.
pub struct Offline {
    /// The data.
    pub engine: Arc<Engine>,
    /// This thread's way into it.
    pub worker: Worker,
    /// How many numbered databases a server would offer.
    pub databases: u32,
    checkpoints: Checkpointer,
    origin: Origin,
    _locks: FolderLocks,
}

impl Offline {
    /// Opens the directory that the configuration names, which exists, and recovers what is in it.
    ///
    /// # Errors
    /// A server uses it, or what is in it is damaged.
    pub fn open(loaded: Loaded, disk: &Arc<dyn Disk>, observer: &mut dyn Observer) -> Outcome<Self> {
        let config = loaded.config.clone();
        let dir = config.storage.data_path();
        let (locks, finished) = FolderLocks::take(disk.as_ref(), &dir, &config.storage.folders())?;
        if finished.is_some() {
            observer.note("a restore in place that was interrupted has been finished");
        }
        let options = RecoverOptions {
            checkpoint_dir: config.storage.checkpoint_path(),
            wal_dir: config.storage.wal_path(),
            wal_enabled: true,
            threads: core_count(),
        };
        let recovered = recovery::recover(Arc::clone(disk), options, |progress| {
            observer.progress(progress.stage.what(), progress.done, progress.total);
            ControlFlow::Continue(())
        })?;
        if recovered.torn_tail.is_some() {
            observer.note("an incomplete record at the end of the log, never acknowledged, was cut off");
        }
        let wal = Wal::disabled(recovered.next_lsn);
        let engine = Engine::new(recovered.registry, wal, 1, recovered.data_bytes);
        let engine = Arc::new(engine.map_err(MigrateError::Thread)?);
        // Nobody else is there, and there is no log: the checkpoint tells of it.
        engine.thresholds().set(&config.encoding.limits());
        let worker = engine.worker().ok_or(MigrateError::NoPlace)?;
        let options = CheckpointOptions {
            dir: config.storage.checkpoint_path(),
            persist_dir: config.storage.persist_path(),
            wal_dir: config.storage.wal_path(),
            term: 0,
        };
        let params = Params::new(loaded);
        let settings = Arc::clone(params.live().checkpoint());
        Ok(Self {
            checkpoints: Checkpointer::new(Arc::clone(&engine), Arc::clone(disk), options, settings),
            engine,
            worker,
            origin: Origin {
                checkpoint: recovered.checkpoint,
                wal_bytes: recovered.wal_bytes,
            },
            databases: config.server.databases as u32,
            _locks: locks,
        })
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// Why it failed; on disk is what was there before.
    pub fn checkpoint(&mut self) -> Outcome<CheckpointDone> {
        self.worker.submit();
        self.checkpoints.start(self.origin).map_err(MigrateError::Thread)?;
        let done = self.checkpoints.checkpoint_blocking();
        self.checkpoints.stop();
        Ok(done?)
    }
}
