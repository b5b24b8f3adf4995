//! The end of a server whose clients and workers are gone: the last checkpoint, then the log's end.
//!
//! Whatever alone keeps what was acknowledged was made sure of before (`state::end`). So nothing here may take longer
//! than `server.shutdown_timeout_s`, counted from the request to end: a disk that does not answer is left behind.

use std::sync::Arc;
use std::time::Duration;

use super::error::StartError;
use crate::state::Server;
use crate::wal::Wal;

/// What the log's end gets, however late it is.
const CLOSE_MIN: Duration = Duration::from_secs(1);

/// Leaves everything on disk as it was asked for.
///
/// # Errors
/// One line saying what is, or may be, lost.
pub(super) fn finish(server: &Arc<Server>) -> Result<(), StartError> {
    let patience = Duration::from_secs(server.params.live().shutdown_timeout_s());
    let rest = server.shutdown.rest();
    if rest.takes_checkpoint {
        last_checkpoint(server, server.shutdown.left_of(patience));
    }
    let left = server.shutdown.left_of(patience).max(CLOSE_MIN);
    let has_stopped = server.checkpoints.stop_within(left);
    let closed = close_log(server.engine.wal(), server.shutdown.left_of(patience).max(CLOSE_MIN));
    if has_stopped && closed.is_ok() {
        server.engine.reaper().stop();
    } else {
        // To drop it would wait for a thread that waits for a disk.
        std::mem::forget(Arc::clone(server));
    }
    closed?;
    if let Some(loss) = rest.loss {
        return Err(StartError(format!("ended although {loss}")));
    }
    tracing::info!(after_s = server.started.elapsed().as_secs(), "ended cleanly");
    Ok(())
}

/// Spares the next start the replay. The log has everything, so that it may fail.
fn last_checkpoint(server: &Server, patience: Duration) {
    match server.checkpoints.checkpoint_within(patience) {
        Some(Ok(done)) => tracing::info!(
            id = done.id,
            pages = done.pages,
            millis = done.millis,
            "final checkpoint"
        ),
        Some(Err(error)) => {
            tracing::warn!(%error, "the final checkpoint failed; the log has everything, and the next start reads it");
        }
        None => tracing::warn!(
            "the final checkpoint is given up, it takes too long; the log has everything, and the next start reads it"
        ),
    }
}

fn close_log(wal: &Wal, patience: Duration) -> Result<(), StartError> {
    let (sender, closed) = std::sync::mpsc::sync_channel(1);
    let (last, stable) = (wal.last_lsn(), wal.stable_lsn());
    let closing = wal.clone();
    let builder = std::thread::Builder::new().name("wal-close".to_owned());
    let started = builder.spawn(move || {
        // Whoever waited may have given up.
        let _ = sender.send(closing.close());
    });
    let outcome = match started {
        Ok(_) => closed.recv_timeout(patience).ok(),
        Err(_) => Some(wal.close()),
    };
    let why = match outcome {
        Some(Ok(())) => return Ok(()),
        // All that was begun is durable by other means.
        Some(Err(_)) if last == stable => return Ok(()),
        Some(Err(error)) => error.to_string(),
        None => format!("the log's disk does not answer; it was synced up to record {stable}"),
    };
    Err(StartError(format!("the last writes may be lost: {why}")))
}
