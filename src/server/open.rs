//! The data comes: recovered by a thread of its own, while the workers serve already and say that it is loading.
//!
//! **Invariants**
//! - Nobody sees any of the data before all of it is there: the checkpoint, the log behind it, the numbered databases.
//! - A load that fails ends the server, with the error that says why. One that is called off has changed nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::StartError;
use super::notify;
use super::start::TERM;
use crate::checkpoint::Origin;
use crate::config::{Config, core_count};
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::scope::Scope;
use crate::engine::worker::Worker;
use crate::recovery::{self, Progress, RecoverOptions, Recovered, RecoveryError};
use crate::state::{Rest, Server};
use crate::storage::Disk;
use crate::wal::{ClaimDir, Lsn, Wal, WalOptions};

/// Between two lines of the log that say how far it is.
const REPORT: Duration = Duration::from_millis(500);

/// Whether the data is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// All of it.
    Yes,
    /// The server was told to end before.
    CalledOff,
}

/// The thread that loads the data.
pub(super) type Opening = JoinHandle<Result<Opened, StartError>>;

/// Starts it. `worker` is what it installs the data with, `claim` how the log makes sure of its directory.
///
/// # Errors
/// When the thread cannot be started.
pub(super) fn start(
    server: &Arc<Server>,
    (disk, claim): (Arc<dyn Disk>, ClaimDir),
    worker: Worker,
) -> Result<Opening, StartError> {
    let server = Arc::clone(server);
    let thread = std::thread::Builder::new().name("loader".to_owned()).spawn(move || {
        let outcome = open(&server, (&disk, claim), worker);
        if outcome.is_err() {
            server.shutdown.request(Rest::default());
        }
        outcome
    });
    thread.map_err(|error| StartError(format!("cannot start a thread: {error}")))
}

fn open(server: &Server, (disk, claim): (&Arc<dyn Disk>, ClaimDir), mut worker: Worker) -> Result<Opened, StartError> {
    let config = server.params.config();
    let recovered = match recover(server, &config, disk) {
        Err(RecoveryError::CalledOff) => return Ok(Opened::CalledOff),
        recovered => recovered?,
    };
    note(&recovered);
    let origin = Origin {
        checkpoint: recovered.checkpoint,
        wal_bytes: recovered.wal_bytes,
    };
    let wal = open_wal(&config, (disk, claim), recovered.next_lsn)?;
    if server.shutdown.is_requested() {
        return Ok(Opened::CalledOff);
    }
    install(server, recovered, wal, &mut worker)?;
    let started = server.checkpoints.start(origin);
    started.map_err(|error| StartError(format!("cannot start the checkpointer: {error}")))?;
    server.loading.end(server.started.elapsed());
    tell_start(server, &config);
    notify::tell(notify::READY);
    Ok(Opened::Yes)
}

/// One line with all that one asks first when something is amiss.
fn tell_start(server: &Server, config: &Config) {
    let mut kinds = BTreeMap::<&str, u32>::new();
    for slot in server.engine.registry().slots() {
        *kinds.entry(slot.collection.placement().kind.name()).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind}:{count}")).collect();
    let wal = server.engine.wal();
    let fsync = if wal.is_enabled() {
        config.wal.fsync.as_str()
    } else {
        "none"
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        data_dir = %config.storage.data_path().display(),
        port = server.port,
        tls_port = config.tls.port,
        workers = config.server.worker_count(),
        log = fsync,
        lsn = %wal.last_lsn(),
        checkpoint = server.checkpoints.stats().last.map_or(0, |last| last.id),
        maxmemory = config.memory.max_bytes,
        policy = config.memory.policy.as_str(),
        maxclients = config.server.maxclients,
        collections = %kinds.join(" "),
        millis = server.started.elapsed().as_millis() as u64,
        "ready for clients"
    );
}

fn recover(server: &Server, config: &Config, disk: &Arc<dyn Disk>) -> Result<Recovered, RecoveryError> {
    let options = RecoverOptions {
        checkpoint_dir: config.storage.checkpoint_path(),
        wal_dir: config.storage.wal_path(),
        wal_enabled: config.wal.enabled,
        threads: core_count(),
    };
    tracing::info!(data_dir = %config.storage.data_path().display(), "recovering");
    let mut told = Instant::now();
    recovery::recover(Arc::clone(disk), options, |progress| {
        let Progress {
            all_done, all_total, ..
        } = progress;
        server.loading.note(all_done, all_total);
        if told.elapsed() >= REPORT {
            told = Instant::now();
            let (done, total) = (progress.done, progress.total);
            tracing::info!("loaded {done} of {total} {}", progress.stage.what());
        }
        match server.shutdown.is_requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })
}

fn note(recovered: &Recovered) {
    if let Some(tail) = &recovered.torn_tail {
        tracing::warn!(
            ?tail,
            "cut off an incomplete record at the end of the log, which was never acknowledged"
        );
    }
    tracing::info!(
        keys = recovered.keys,
        checkpoint = recovered.checkpoint.map_or(0, |checkpoint| checkpoint.id),
        log_effects = recovered.effects,
        millis = recovered.millis,
        "recovered"
    );
}

fn open_wal(config: &Config, (disk, claim): (&Arc<dyn Disk>, ClaimDir), next_lsn: Lsn) -> Result<Wal, StartError> {
    if !config.wal.enabled {
        return Ok(Wal::disabled(next_lsn));
    }
    let options = WalOptions {
        note_dir: Some(config.storage.checkpoint_path()),
        fsync: config.wal.fsync.into(),
        segment_bytes: config.wal.segment_bytes,
        term: TERM,
        claim,
        ..WalOptions::new(config.storage.wal_path())
    };
    Ok(Wal::open(Arc::clone(disk), options, next_lsn)?)
}

/// The data and the log take their place, and what is set or numbered otherwise than in the configuration is brought
/// in line with it, in one step.
fn install(server: &Server, recovered: Recovered, wal: Wal, worker: &mut Worker) -> Result<(), StartError> {
    let engine = &server.engine;
    worker.with_exclusive(engine, |kit, pass| {
        engine.install(recovered.registry, wal, recovered.data_bytes, pass);
        // CONFIG SET may have changed it meanwhile; it works under a pass, so not now.
        let config = server.params.config();
        if config.wal.enabled {
            engine.wal().set_fsync(config.wal.fsync.into());
            engine.wal().set_segment_bytes(config.wal.segment_bytes);
        }
        kit.see_data(engine);
        let mut scope = Scope::exclusive(engine, kit, pass);
        let mut txn = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT);
        // The log is told where it knows others.
        txn.set_encoding(config.encoding.limits())?;
        txn.create_numbered(config.server.databases as u32)
    })?;
    worker.submit();
    Ok(())
}
