//! The end of a server whose clients and workers are gone: the last checkpoint, then the log's end.
//!
//! Whatever alone keeps what was acknowledged was made sure of before (`state::end`), so that nothing here may take
//! long: `ending` does not wait for it for ever.

use super::error::StartError;
use crate::state::Server;

/// Leaves everything on disk as it was asked for.
///
/// # Errors
/// One line saying what is, or may be, lost.
pub(super) fn finish(server: &Server) -> Result<(), StartError> {
    let rest = server.shutdown.rest();
    if rest.takes_checkpoint {
        last_checkpoint(server);
    }
    server.checkpoints.stop();
    server.engine.reaper().stop();
    let wal = server.engine.wal();
    let is_all_stable = wal.last_lsn() == wal.stable_lsn();
    let closed = wal.close();
    let is_lost = wal.has_strayed() && server.checkpoints.unsaved() > 0;
    if let Some(loss) = rest.loss {
        return Err(StartError(format!("ended although {loss}")));
    }
    match closed {
        // A log that has failed needs nothing more if a checkpoint has what it has not.
        Err(error) if !is_all_stable || is_lost => Err(StartError(format!("the last writes may be lost: {error}"))),
        _ => {
            tracing::info!(after_s = server.started.elapsed().as_secs(), "ended cleanly");
            Ok(())
        }
    }
}

/// Spares the next start the replay. The log has everything, so that it may fail.
fn last_checkpoint(server: &Server) {
    match server.checkpoints.checkpoint_blocking() {
        Ok(done) => tracing::info!(
            id = done.id,
            pages = done.pages,
            millis = done.millis,
            "final checkpoint"
        ),
        Err(error) => {
            tracing::warn!(%error, "the final checkpoint failed; the log has everything, and the next start reads it");
        }
    }
}
