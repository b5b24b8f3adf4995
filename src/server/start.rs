//! From a configuration to a running server, and back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use super::finish::finish;
use super::housekeeping;
use crate::checkpoint::{CheckpointOptions, Checkpointer};
use crate::client::Clients;
use crate::commands::table::table;
use crate::config::core_count;
use crate::config::{Config, Loaded, Params, values};
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::scope::Scope;
use crate::engine::worker::Worker;
use crate::engine::{CollectionError, Engine};
use crate::logging;
use crate::logging::LogFileError;
use crate::metrics::Stats;
use crate::net::BindError;
use crate::net::{self, Listeners};
use crate::recovery::folders::{FolderError, FolderLocks};
use crate::recovery::{self, RecoverOptions, Recovered, Stage};
use crate::state::{Pause, Server, Shutdown};
use crate::storage::{Disk, RealDisk};
use crate::wal::{Lsn, Wal, WalOptions};

/// The replication term: constant as long as there is no replication.
const TERM: u32 = 0;

/// Why the server could not start or had to stop: one line.
#[derive(Debug)]
pub struct StartError(pub(super) String);

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

impl From<FolderError> for StartError {
    fn from(error: FolderError) -> Self {
        Self(error.to_string())
    }
}

impl From<CollectionError> for StartError {
    fn from(error: CollectionError) -> Self {
        Self(error.to_string())
    }
}

impl From<String> for StartError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<LogFileError> for StartError {
    fn from(error: LogFileError) -> Self {
        Self(error.to_string())
    }
}

impl From<BindError> for StartError {
    fn from(error: BindError) -> Self {
        Self(error.to_string())
    }
}

/// Runs a server until it is told to end (a signal, or SHUTDOWN).
///
/// # Errors
/// One line saying what kept it from starting, or what was lost at the end.
pub fn run(loaded: Loaded) -> Result<(), StartError> {
    let started = Instant::now();
    logging::start(&loaded.config)?;
    let config = loaded.config.clone();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        "LokiKV starts"
    );
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let data_dir = config.storage.data_path();
    let (_locks, finished) = FolderLocks::take(disk.as_ref(), &data_dir, &config.storage.folders())?;
    if let Some((pending, aside)) = finished {
        tracing::warn!(
            to = pending.to,
            ?aside,
            "finished a restore in place that was interrupted"
        );
    }
    let listeners = net::bind(&config)?;
    let server = assemble(loaded, &config, disk, listeners.port(), started)?;
    serve(&server, listeners, config.server.worker_count())?;
    finish(&server)
}

fn assemble(
    loaded: Loaded,
    config: &Config,
    disk: Arc<dyn Disk>,
    port: u16,
    started: Instant,
) -> Result<Arc<Server>, StartError> {
    let recovered = recover_data(config, &disk)?;
    let (checkpoint, wal_bytes) = (recovered.checkpoint, recovered.wal_bytes);
    let wal = open_wal(config, &disk, recovered.next_lsn)?;
    let engine = Arc::new(start_engine(config, recovered, wal)?);
    create_databases(&engine, config)?;
    let params = Params::new(loaded);
    fit_clients(&params, config)?;
    let options = CheckpointOptions {
        dir: config.storage.checkpoint_path(),
        persist_dir: config.storage.persist_path(),
        wal_dir: config.storage.wal_path(),
        last: checkpoint,
        behind_bytes: wal_bytes,
        term: TERM,
    };
    let checkpoints = Checkpointer::new(
        Arc::clone(&engine),
        disk,
        options,
        Arc::clone(params.live().checkpoint()),
    );
    Ok(Arc::new(Server {
        stats: Stats::new(table().all().len(), engine.cells()),
        engine,
        params: Arc::new(params),
        clients: Clients::default(),
        checkpoints: Arc::new(checkpoints),
        shutdown: Shutdown::default(),
        pause: Pause::default(),
        active_expire: AtomicBool::new(true),
        started,
        started_s: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
        run_id: run_id(),
        port,
    }))
}

fn start_engine(config: &Config, recovered: Recovered, wal: Wal) -> Result<Engine, StartError> {
    let workers = config.server.worker_count();
    let engine = Engine::new(recovered.registry, wal, workers, recovered.data_bytes)
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    engine.set_waits_for_stable(config.wal.enabled && config.wal.fsync == values::Fsync::Always);
    engine.set_string_bytes_max(config.limits.bulk_bytes_max);
    engine.set_hll_sparse_bytes_max(config.memory.hll_sparse_bytes_max);
    config.encoding.store_in(engine.thresholds());
    Ok(engine)
}

fn fit_clients(params: &Params, config: &Config) -> Result<(), StartError> {
    let (wanted, fitting) = (config.server.maxclients, params.fit_clients());
    if fitting == 0 {
        let why = "the limit on open files (ulimit -n) leaves no room for clients: raise it";
        return Err(StartError(why.to_owned()));
    }
    if fitting < wanted {
        tracing::warn!(
            wanted,
            "the limit on open files (ulimit -n) has room for {fitting} clients: server.maxclients is reduced to that"
        );
    }
    Ok(())
}

fn recover_data(config: &Config, disk: &Arc<dyn Disk>) -> Result<Recovered, StartError> {
    let options = RecoverOptions {
        checkpoint_dir: config.storage.checkpoint_path(),
        wal_dir: config.storage.wal_path(),
        wal_enabled: config.wal.enabled,
        threads: core_count(),
    };
    tracing::info!(data_dir = %config.storage.data_path().display(), "recovering");
    let recovered = recovery::recover(Arc::clone(disk), options, |progress| {
        let what = match progress.stage {
            Stage::Pages => "pages",
            Stage::Log => "bytes of the log",
        };
        tracing::info!("loaded {} of {} {what}", progress.done, progress.total);
    })
    .map_err(|error| StartError(error.to_string()))?;
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
    Ok(recovered)
}

fn open_wal(config: &Config, disk: &Arc<dyn Disk>, next_lsn: Lsn) -> Result<Wal, StartError> {
    if !config.wal.enabled {
        return Ok(Wal::disabled(next_lsn));
    }
    let options = WalOptions {
        note_dir: Some(config.storage.checkpoint_path()),
        fsync: config.wal.fsync.into(),
        segment_bytes: config.wal.segment_bytes,
        term: TERM,
        ..WalOptions::new(config.storage.wal_path())
    };
    Wal::open(Arc::clone(disk), options, next_lsn).map_err(|error| StartError(error.to_string()))
}

fn helper(engine: &Engine) -> Result<Worker, StartError> {
    engine
        .worker()
        .ok_or_else(|| StartError("all places for threads are taken".to_owned()))
}

fn create_databases(engine: &Engine, config: &Config) -> Result<(), StartError> {
    let mut worker = helper(engine)?;
    worker.with_exclusive(engine, |worker, pass| {
        let mut scope = Scope::exclusive(engine, worker, pass);
        ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT).create_numbered(config.server.databases as u32)
    })?;
    worker.submit();
    Ok(())
}

fn run_id() -> String {
    (0..5).map(|_| format!("{:08x}", rand::random::<u32>())).collect()
}

fn serve(server: &Arc<Server>, listeners: Listeners, workers: usize) -> Result<(), StartError> {
    let sweeper = helper(&server.engine)?;
    let for_sweeper = Arc::clone(server);
    let keeper = std::thread::Builder::new()
        .name("housekeeping".to_owned())
        .spawn(move || housekeeping::run(&for_sweeper, sweeper))
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    server
        .checkpoints
        .start()
        .map_err(|error| format!("cannot start the checkpointer: {error}"))?;
    let workers = net::start_workers(server, workers).map_err(|error| format!("cannot start workers: {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    tracing::info!(addresses = ?listeners.describe(), "ready for clients");
    LocalSet::new()
        .block_on(&runtime, async {
            let ended = end_on_signal(Arc::clone(server))?;
            net::accept_all(listeners, Arc::clone(server), Arc::clone(&workers)).await?;
            ended.abort();
            Ok::<_, std::io::Error>(())
        })
        .map_err(|error| format!("cannot accept clients: {error}"))?;
    tracing::info!("ending: no new clients, finishing what is under way");
    workers.join();
    let _ = keeper.join();
    Ok(())
}

fn end_on_signal(server: Arc<Server>) -> std::io::Result<tokio::task::JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::task::spawn_local(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "asked to end");
        server.shutdown.request(None);
    }))
}
