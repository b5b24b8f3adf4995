//! From a configuration to a running server, and back.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::task::LocalSet;

use super::ending::{self, Running};
use super::error::StartError;
use super::signals::end_on_signal;
use super::{certificates, evictor, housekeeping, notify, open, space, watchdog};
use crate::acl::Acl;
use crate::checkpoint::CheckpointOptions;
use crate::commands::rights::catalogue;
use crate::commands::server::REDIS_VERSION;
use crate::commands::table::table;
use crate::config::{Config, Loaded, Params, values};
use crate::engine::Engine;
use crate::engine::registry::Registry;
use crate::engine::worker::{Worker, unix_ms};
use crate::http;
use crate::logging;
use crate::net::{self, Listeners, Workers};
use crate::recovery::folders::FolderLocks;
use crate::state::{Parts, Server};
use crate::storage::{Disk, RealDisk};
use crate::wal::ClaimDir;

/// The replication term: constant as long as there is no replication.
pub(super) const TERM: u32 = 0;

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
    let (locks, finished) = FolderLocks::take(disk.as_ref(), &data_dir, &config.storage.folders())?;
    if let Some((pending, aside)) = finished {
        tracing::warn!(
            to = pending.to,
            ?aside,
            "finished a restore in place that was interrupted"
        );
    }
    let listeners = net::bind(&config)?;
    let for_http = net::bind_http(&config)?;
    let server = found(loaded, &config, Arc::clone(&disk), (listeners.port(), started))?;
    let locks = Arc::new(Mutex::new(locks));
    let for_log = Arc::clone(&locks);
    let claim = ClaimDir::new(move || for_log.lock().renew().map_err(io::Error::other));
    if config.tls.is_on() {
        let read = server.tls.take_over(&config.tls);
        read.map_err(|error| StartError(format!("cannot serve TLS: {error}")))?;
    }
    notify::tell(notify::LOADING);
    let running = start(&server, (disk, claim), &config)?;
    http::start(&server, for_http).map_err(|error| format!("cannot start a thread: {error}"))?;
    serve(&server, listeners, &running.workers)?;
    ending::end(&server, running)
}

/// A server whose data is still to come.
fn found(
    loaded: Loaded,
    config: &Config,
    disk: Arc<dyn Disk>,
    (port, started): (u16, Instant),
) -> Result<Arc<Server>, StartError> {
    let params = Params::new(loaded);
    fit_clients(&params, config)?;
    let server = Server::new(Parts {
        engine: empty_engine(config)?,
        params,
        disk,
        checkpoints: CheckpointOptions {
            dir: config.storage.checkpoint_path(),
            persist_dir: config.storage.persist_path(),
            wal_dir: config.storage.wal_path(),
            term: TERM,
        },
        acl: users(config)?,
        redis_version: REDIS_VERSION,
        port,
        started,
    });
    server.loading.begin(unix_ms() / 1000);
    Ok(server)
}

fn empty_engine(config: &Config) -> Result<Engine, StartError> {
    let databases = Registry::numbered(config.server.databases as u32)?;
    let engine = Engine::awaiting_data(databases, config.serving_threads())
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    engine.set_waits_for_stable(config.wal.enabled && config.wal.fsync == values::Fsync::Always);
    engine.set_string_bytes_max(config.limits.bulk_bytes_max);
    engine.set_collections_max(config.limits.collections_max);
    engine.tracking().set_keys_max(config.limits.tracking_keys_max);
    engine.set_hll_sparse_bytes_max(config.memory.hll_sparse_bytes_max);
    engine.events().ask_for(config.notifications.classes());
    config.memory.configure_eviction(&engine);
    config.encoding.configure_naming(&engine);
    Ok(engine)
}

/// The users of the configuration, and of its ACL file.
fn users(config: &Config) -> Result<Acl, StartError> {
    let acl = &config.acl;
    let file = (!acl.file.is_empty()).then(|| PathBuf::from(&acl.file));
    if file.is_some() && !acl.users.is_empty() {
        let why = "acl.users: there are users in acl.file, too: leave one of both empty";
        return Err(StartError(why.to_owned()));
    }
    let users = Acl::new(catalogue(table()), file);
    users.set_all_channels(acl.allows_channels());
    users.log.lock().set_len_max(acl.log_entries_max());
    if !config.server.requirepass.is_empty() {
        users.set_default_password(&config.server.requirepass);
    }
    let added = users.add_lines(acl.users.iter().map(String::as_str));
    added.map_err(|(at, why)| StartError(format!("acl.users: user {at} of the list: {why}")))?;
    if users.file().is_some() {
        users.load().map_err(|error| StartError(format!("acl.file: {error}")))?;
    }
    Ok(users)
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

fn helper(engine: &Engine) -> Result<Worker, StartError> {
    engine
        .worker()
        .ok_or_else(|| StartError("all places for threads are taken".to_owned()))
}

/// Starts all that runs beside this thread.
fn start(
    server: &Arc<Server>,
    (disk, claim): (Arc<dyn Disk>, ClaimDir),
    config: &Config,
) -> Result<Running, StartError> {
    let sweeper = helper(&server.engine)?;
    let for_sweeper = Arc::clone(server);
    let keeper = std::thread::Builder::new()
        .name("housekeeping".to_owned())
        .spawn(move || housekeeping::run(&for_sweeper, sweeper))
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    let (evicting, for_evictor) = (helper(&server.engine)?, Arc::clone(server));
    let evictor = std::thread::Builder::new()
        .name("evictor".to_owned())
        .spawn(move || evictor::run(&for_evictor, evicting))
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    space::watch(server).map_err(|error| format!("cannot start a thread: {error}"))?;
    watchdog::watch(server).map_err(|error| format!("cannot start a thread: {error}"))?;
    if config.tls.is_on() {
        certificates::watch(server).map_err(|error| format!("cannot start a thread: {error}"))?;
    }
    let (workers, has_admin) = (config.server.worker_count(), config.admin_door().is_some());
    let workers =
        net::start_workers(server, workers, has_admin).map_err(|error| format!("cannot start workers: {error}"))?;
    let opening = open::start(server, (disk, claim), helper(&server.engine)?)?;
    Ok(Running {
        opening,
        workers,
        keeper,
        evictor,
    })
}

/// Accepts clients until the server is asked to end.
fn serve(server: &Arc<Server>, listeners: Listeners, workers: &Arc<Workers>) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    tracing::info!(addresses = ?listeners.describe(), "clients can connect");
    LocalSet::new()
        .block_on(&runtime, async {
            let ended = end_on_signal(Arc::clone(server))?;
            net::accept_all(listeners, Arc::clone(server), Arc::clone(workers)).await?;
            ended.abort();
            Ok::<_, std::io::Error>(())
        })
        .map_err(|error| format!("cannot accept clients: {error}"))?;
    notify::tell(notify::STOPPING);
    tracing::info!("ending: no new clients, finishing what is under way");
    Ok(())
}
