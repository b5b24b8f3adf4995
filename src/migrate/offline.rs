//! A data directory, opened by nobody else, as a server without clients, threads and a log.
//!
//! What changes is not logged: it is in the next checkpoint or nowhere.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::{MigrateError, Observer, Outcome};
use crate::acl::Acl;
use crate::checkpoint::{CheckpointDone, CheckpointOptions, Origin};
use crate::commands::rights::catalogue;
use crate::commands::server::REDIS_VERSION;
use crate::commands::table::table;
use crate::config::core_count;
use crate::config::{Config, Loaded, Params};
use crate::engine::Engine;
use crate::page::value::STRING_BYTES_MAX;
use crate::recovery::folders::FolderLocks;
use crate::recovery::{self, RecoverOptions, Recovered};
use crate::session::WorkerCx;
use crate::state::{Parts, Server};
use crate::storage::Disk;
use crate::wal::Wal;

/// See the module.
pub struct Offline {
    /// What a worker's thread has, the data included.
    pub cx: WorkerCx,
    /// How many numbered databases a server would offer.
    pub databases: u32,
    origin: Origin,
    _locks: FolderLocks,
}

impl Offline {
    /// Opens the directory that the configuration names, which exists, and recovers what is in it.
    ///
    /// # Errors
    /// A server uses it, or what is in it is damaged.
    pub fn open(mut loaded: Loaded, disk: &Arc<dyn Disk>, observer: &mut dyn Observer) -> Outcome<Self> {
        // What comes in comes in whole.
        loaded.config.memory.max_bytes = 0;
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
        let origin = Origin {
            checkpoint: recovered.checkpoint,
            wal_bytes: recovered.wal_bytes,
        };
        let engine = engine(recovered, &config)?;
        let worker = engine.worker().ok_or(MigrateError::NoPlace)?;
        let server = Server::new(Parts {
            engine,
            params: Params::new(loaded),
            disk: Arc::clone(disk),
            checkpoints: CheckpointOptions {
                dir: config.storage.checkpoint_path(),
                persist_dir: config.storage.persist_path(),
                wal_dir: config.storage.wal_path(),
                term: 0,
            },
            acl: Acl::new(catalogue(table()), None),
            redis_version: REDIS_VERSION,
            port: 0,
            started: Instant::now(),
        });
        Ok(Self {
            cx: WorkerCx::new(server, worker),
            origin,
            databases: config.server.databases as u32,
            _locks: locks,
        })
    }

    /// The data.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.cx.server.engine
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// Why it failed; on disk is what was there before.
    pub fn checkpoint(&self) -> Outcome<CheckpointDone> {
        self.cx.worker.borrow_mut().submit();
        let checkpoints = &self.cx.server.checkpoints;
        checkpoints.start(self.origin).map_err(MigrateError::Thread)?;
        let done = checkpoints.checkpoint_blocking();
        checkpoints.stop();
        Ok(done?)
    }
}

/// An engine over what was recovered. Nobody else is there, and there is no log: the checkpoint tells of its settings.
fn engine(recovered: Recovered, config: &Config) -> Outcome<Engine> {
    let wal = Wal::disabled(recovered.next_lsn);
    let engine = Engine::new(recovered.registry, wal, 1, recovered.data_bytes).map_err(MigrateError::Thread)?;
    engine.thresholds().set(&config.encoding.limits());
    engine.set_string_bytes_max(STRING_BYTES_MAX);
    engine.set_collections_max(config.limits.collections_max);
    engine.set_hll_sparse_bytes_max(config.memory.hll_sparse_bytes_max);
    Ok(engine)
}
