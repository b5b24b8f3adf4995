//! The end of all that runs beside the main thread, within `server.shutdown_timeout_s` of the moment it is asked for.
//!
//! A thread ends one after the other. The main thread waits for it; when the time is over it says what it does not wait
//! for, and leaves. What is acknowledged is in the kernel by then, so a process that ends loses nothing of it.
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
use crate::wal::{Fsync, Lsn};

/// A load that was called off has this long: it changes nothing, so there is nothing to wait for.
const CALLED_OFF: Duration = Duration::from_secs(1);
/// A script that is busy has so long to notice, if it may be stopped at all; nothing of it is in the log yet.
const BUSY: Duration = Duration::from_secs(1);
/// What is left, in the end, for a last sync of the log; less where there is less time in all.
const LAST_SYNC: Duration = Duration::from_secs(1);

const CALLED_OFF_TEXT: &str = "ended while data was loading: on disk is what was there before";

/// What runs beside the main thread.
pub(super) struct Running {
    pub opening: Opening,
    pub workers: Arc<Workers>,
    pub keeper: JoinHandle<()>,
    /// Evicts what commands leave over.
    pub evictor: JoinHandle<()>,
}

/// Ends it, once the server has been asked to end, and leaves everything on disk as it was asked for.
///
/// # Errors
/// Why the server could not start, or what may be lost.
pub(super) fn end(server: &Arc<Server>, running: Running) -> Result<(), StartError> {
    let timeout = Duration::from_secs(server.params.live().shutdown_timeout_s()).max(LAST_SYNC);
    let mut until = server.shutdown.after(timeout - LAST_SYNC.min(timeout / 4));
    if server.loading.is_on() {
        until = until.min(Instant::now() + CALLED_OFF);
    }
    if server.busy.are_some() {
        until = until.min(Instant::now() + BUSY);
    }
    let step = Arc::new(Mutex::new(""));
    let (sender, ended) = sync_channel(1);
    let (at, with) = (Arc::clone(&step), Arc::clone(server));
    let thread = std::thread::Builder::new().name("ending".to_owned()).spawn(move || {
        // Nobody listens any more once the time is over.
        let _ = sender.send(end_each(&with, running, &at));
    });
    thread.map_err(|error| format!("cannot start a thread: {error}"))?;
    match ended.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Disconnected) => Err(StartError("the thread that ends the others died".to_owned())),
        Err(RecvTimeoutError::Timeout) if server.loading.is_on() => {
            tracing::info!("{CALLED_OFF_TEXT}");
            Ok(())
        }
        Err(RecvTimeoutError::Timeout) => leave(server, *step.lock()),
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
    let _ = running.evictor.join();
    if opened == Opened::CalledOff {
        tracing::info!("{CALLED_OFF_TEXT}");
        return Ok(());
    }
    *step.lock() = "the last checkpoint, or the end of the log";
    finish(server)
}

/// The time is over.
fn leave(server: &Arc<Server>, step: &'static str) -> Result<(), StartError> {
    tracing::warn!("the time for the shutdown is over: not waited for {step}");
    // What a conversion goes on writing behind that was not acknowledged.
    let written = server.engine.wal().written_lsn();
    sync_once_more(server, written);
    match lost(server, written) {
        None => Ok(()),
        Some(what) => Err(StartError(format!(
            "the shutdown took longer than server.shutdown_timeout_s and did not wait for {step}: {what}"
        ))),
    }
}

/// Has the log synced up to the record `written`, if its disk answers.
fn sync_once_more(server: &Arc<Server>, written: Lsn) {
    let (sender, synced) = sync_channel(1);
    let with = Arc::clone(server);
    let thread = std::thread::Builder::new().name("last-sync".to_owned()).spawn(move || {
        // Whether it was synced is looked at anyway.
        let _ = with.engine.wal().sync_blocking(written);
        let _ = sender.send(());
    });
    if thread.is_ok() {
        let _ = synced.recv_timeout(LAST_SYNC);
    }
}

/// What was acknowledged, up to the record `written`, and is not as durable as promised.
fn lost(server: &Server, written: Lsn) -> Option<String> {
    let loss = server.shutdown.rest().loss;
    if loss.is_some() {
        return loss;
    }
    let wal = server.engine.wal();
    // Under `always` nothing was acknowledged that is not stable; under `no` the kernel's copy is what is promised.
    let stable = wal.stable_lsn();
    let is_late = wal.fsync() == Fsync::EverySec && stable < written;
    is_late.then(|| {
        let count = written.records_since(stable);
        format!("{count} records are written to the log, but not synced")
    })
}
