//! A data directory, opened by nobody else, as a server without clients, threads and a log.
//!
//! What changes is not logged: it is in the next checkpoint or nowhere.

use std::cell::Cell;
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
use crate::engine::collection::Collection;
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::page::value::STRING_BYTES_MAX;
use crate::page::{Access, ValueRef};
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
    /// Whether the checkpointer's thread is there.
    has_checkpointer: Cell<bool>,
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
            has_checkpointer: Cell::new(false),
            databases: config.server.databases as u32,
            _locks: locks,
        })
    }

    /// The data.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.cx.server.engine
    }

    /// Changes collections and libraries as such, alone.
    ///
    /// # Errors
    /// Those of `body`.
    pub fn exclusively<R>(&self, body: impl FnOnce(&mut ExclusiveTxn<'_, '_>) -> Outcome<R>) -> Outcome<R> {
        let engine = &**self.engine();
        self.cx.worker.borrow_mut().with_exclusive(engine, |worker, pass| {
            let mut scope = Scope::exclusive(engine, worker, pass);
            body(&mut ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT))
        })
    }

    /// Between some changes and others: the time is told anew.
    pub fn turn(&self) {
        let worker = &mut *self.cx.worker.borrow_mut();
        worker.submit();
        worker.refresh_clock();
    }

    /// Puts a key into its collection; `false`: there is one already, and `may_replace` is not set.
    pub fn put(&self, collection: &Arc<Collection>, incoming: &Incoming<'_>, may_replace: bool) -> bool {
        let Incoming {
            key,
            value,
            expires_at_ms,
            idle_s,
        } = *incoming;
        let engine = &**self.engine();
        let worker = &mut *self.cx.worker.borrow_mut();
        let now_ms = worker.now_ms();
        let _pass = worker.enter(engine);
        let mut scope = Scope::for_key(engine, worker, collection, collection.key(key));
        let mut txn = Txn::new(&mut scope, collection, true);
        if !may_replace && txn.exists(key) {
            return false;
        }
        txn.put(key, value, expires_at_ms);
        if let Some(idle_s) = idle_s {
            let idle_s = u32::try_from(idle_s).unwrap_or(u32::MAX);
            txn.set_access(key, Access::in_second(now_ms).before(idle_s));
        }
        true
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// Why it failed; on disk is what was there before.
    pub fn checkpoint(&self) -> Outcome<CheckpointDone> {
        self.cx.worker.borrow_mut().submit();
        let checkpoints = &self.cx.server.checkpoints;
        if !self.has_checkpointer.get() {
            checkpoints.start(self.origin).map_err(MigrateError::Thread)?;
            self.has_checkpointer.set(true);
        }
        Ok(checkpoints.checkpoint_blocking()?)
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        if self.has_checkpointer.get() {
            self.cx.server.checkpoints.stop();
        }
    }
}

/// A key on its way in.
#[derive(Clone, Copy)]
pub struct Incoming<'v> {
    pub key: &'v [u8],
    pub value: ValueRef<'v>,
    /// Unix milliseconds.
    pub expires_at_ms: Option<u64>,
    /// How long it was not used, in seconds.
    pub idle_s: Option<u64>,
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
