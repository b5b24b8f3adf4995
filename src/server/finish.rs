//! The end of a server whose clients and workers are gone: the last checkpoint, then the log's end.

use super::error::StartError;
use crate::state::Server;

/// Leaves everything on disk as it was asked for.
///
/// # Errors
/// One line saying what may be lost.
pub(super) fn finish(server: &Server) -> Result<(), StartError> {
    let wants = server.params.live().checkpoint_on_shutdown();
    if server.shutdown.save().unwrap_or(wants) {
        match server.checkpoints.checkpoint_blocking() {
            Ok(done) => tracing::info!(
                id = done.id,
                pages = done.pages,
                millis = done.millis,
                "final checkpoint"
            ),
            Err(error) => tracing::error!(%error, "the final checkpoint failed; the log has everything"),
        }
    }
    server.checkpoints.stop();
    server.engine.reaper().stop();
    server
        .engine
        .wal()
        .close()
        .map_err(|error| StartError(format!("the last writes may be lost: {error}")))?;
    tracing::info!(after_s = server.started.elapsed().as_secs(), "ended cleanly");
    Ok(())
}
