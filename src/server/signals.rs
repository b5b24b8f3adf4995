//! SIGTERM and SIGINT end the server as `server.shutdown_on_sigterm` and `shutdown_on_sigint` say, unless data would be
//! lost: then it goes on, as Redis does, and can be asked again. SIGHUP has the log's file opened again, where it has
//! one; a terminal that is closed, which sends it, ends nothing.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::config::stop;
use crate::logging;
use crate::state::{self, Server, Way};

/// Waits for signals, beside whatever else this thread does.
pub(super) fn end_on_signal(server: Arc<Server>) -> std::io::Result<JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::task::spawn_local(async move {
        let live = server.params.live();
        loop {
            let (name, bits) = tokio::select! {
                _ = terminate.recv() => ("SIGTERM", live.stop_on_sigterm()),
                _ = interrupt.recv() => ("SIGINT", live.stop_on_sigint()),
                _ = hangup.recv() => {
                    reopen_log();
                    continue;
                }
            };
            tracing::info!(signal = name, "asked to end");
            if state::end(&server, way(bits)).await.is_ok() {
                return;
            }
        }
    }))
}

fn reopen_log() {
    match logging::reopen() {
        Ok(true) => tracing::info!("the log's file was opened again"),
        Ok(false) => {}
        Err(error) => tracing::error!("SIGHUP: {error}; the log goes on in the file that was open"),
    }
}

fn way(bits: u8) -> Way {
    let has = |bit| bits & bit != 0;
    Way {
        save: has(stop::SAVE | stop::NO_SAVE).then_some(has(stop::SAVE)),
        is_forced: has(stop::FORCE),
    }
}
