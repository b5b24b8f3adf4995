//! The end of all that runs beside the main thread, within `server.shutdown_timeout_s` of the moment it is asked for.
//!
//! A thread ends one after the other; the main thread waits for it until the time is over, then says what it does not
//! wait for and leaves. What is acknowledged is in the kernel by then, so a process that ends loses nothing of it.
//!
//! **Invariant:** the exit code says whether what was acknowledged is as durable as the policy promises.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::error::StartError;
use super::finish::finish;
use super::open::{Opened, Opening};
use crate::net::Workers;
use crate::state::Server;
use crate::wal::Fsync;

/// A load that was called off has this long: it changes nothing, so there is nothing to wait for.
const CALLED_OFF: Duration = Duration::from_secs(1);

const CALLED_OFF_TEXT: &str = "ended while data was loading: on disk is what was there before";

/// What runs beside the main thread.
pub(super) struct Running {
    pub opening: Opening,
    pub workers: Arc<Workers>,
    pub keeper: JoinHandle<()>,
}

/// What is being waited for, in words.
type Step = Arc<Mutex<&'static str>>;

/// Ends it, once the server has been asked to end.
///
/// # Errors
/// Why the server could not start, or what may be lost.
pub(super) fn end(server: &Arc<Server>, running: Running) -> Result<(), StartError> {
    let until = deadline(server);
    let step = Step::default();
    let (sender, ended) = sync_channel(1);
    let (at, with) = (Arc::clone(&step), Arc::clone(server));
    let thread = std::thread::Builder::new().name("ending".to_owned()).spawn(move || {
        // Nobody listens any more once the time is over.
        let _ = sender.send(end_each(&with, running, &at));
    });
    thread.map_err(|error| format!("cannot start a thread: {error}"))?;
    match ended.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => leave(server, *step.lock()),
        Err(RecvTimeoutError::Disconnected) => Err(StartError("the thread that ends the others died".to_owned())),
    }
}

fn deadline(server: &Server) -> Instant {
    let live = server.params.live();
    // Some time for the log, even where no client is waited for.
    let until = server
        .shutdown
        .after(Duration::from_secs(live.shutdown_timeout_s().max(1)));
    match server.loading.is_on() {
        true => until.min(Instant::now() + CALLED_OFF),
        false => until,
    }
}

fn end_each(server: &Server, running: Running, step: &Mutex<&'static str>) -> Result<(), StartError> {
    *step.lock() = "the load of the data";
    let opened = running.opening.join();
    let opened = opened.map_err(|_| StartError("the thread that loads the data died".to_owned()))??;
    *step.lock() = "workers and their clients";
    running.workers.join();
    *step.lock() = "housekeeping";
    // A panic there has been reported by the panic hook.
    let _ = running.keeper.join();
    if opened == Opened::CalledOff {
        tracing::info!("{CALLED_OFF_TEXT}");
        return Ok(());
    }
    *step.lock() = "the last checkpoint, or the end of the log";
    finish(server)
}

/// The time is over.
fn leave(server: &Server, step: &'static str) -> Result<(), StartError> {
    if server.loading.is_on() {
        tracing::info!("{CALLED_OFF_TEXT}");
        return Ok(());
    }
    let waited_s = server.params.live().shutdown_timeout_s();
    tracing::warn!(waited_s, "the time for the shutdown is over: not waited for {step}");
    match lost(server) {
        None => Ok(()),
        Some(what) => Err(StartError(format!(
            "the shutdown took longer than server.shutdown_timeout_s and did not wait for {step}: {what}"
        ))),
    }
}

/// What was acknowledged and is not as durable as promised.
fn lost(server: &Server) -> Option<String> {
    let loss = server.shutdown.rest().loss;
    if loss.is_some() {
        return loss;
    }
    let wal = server.engine.wal();
    // Under `always` nothing was acknowledged that is not stable; under `no` the kernel's copy is what is promised.
    let (written, stable) = (wal.written_lsn(), wal.stable_lsn());
    let is_late = wal.fsync() == Fsync::EverySec && stable < written;
    is_late.then(|| {
        let count = written.records_since(stable);
        format!("{count} records are written to the log, but not synced")
    })
}
