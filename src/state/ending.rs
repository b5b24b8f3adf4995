//! Whether the server may end: not while that would lose something that was acknowledged. The table of all cases is in
//! ARCHITECTURE.md.
//!
//! **Invariants**
//! - Clients are served until it is known that nothing is lost, so that the end can still be refused.
//! - Where only a checkpoint keeps what was written, nothing is written behind it: writes wait for the end.
//! - No step waits for a disk that does not answer for longer than `server.shutdown_timeout_s`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Server;
use super::pause::Held;
use super::shutdown::{Rest, Way};

/// A disk gets at least so much time to answer.
const PATIENCE_MIN: Duration = Duration::from_secs(1);
/// How often it is looked whether the log has failed meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Why the server goes on.
#[derive(Debug)]
pub enum Refused {
    /// Something would be lost, or could not be done.
    Loss(String),
    /// `SHUTDOWN ABORT`.
    CalledOff,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(why) => out.write_str(why),
            Self::CalledOff => out.write_str("the shutdown was called off"),
        }
    }
}

impl std::error::Error for Refused {}

/// Ends the server, if nothing is lost by that.
///
/// # Errors
/// Why it goes on instead.
pub async fn end(server: &Arc<Server>, way: Way) -> Result<(), Refused> {
    let _turn = server.shutdown.turn.lock().await;
    if server.shutdown.is_requested() {
        return Ok(());
    }
    let outcome = server.shutdown.preparing(prepare(server, way)).await;
    match outcome.unwrap_or(Err(Refused::CalledOff)) {
        Ok((rest, held)) => {
            // Not before: where it was called off after all, writes go on.
            if let Some(held) = held {
                held.for_good();
            }
            server.shutdown.request(rest);
            Ok(())
        }
        Err(refused) => {
            tracing::error!("the server does not end: {refused}");
            Err(refused)
        }
    }
}

/// Ends the server without saving anything, although a script is busy: `SHUTDOWN NOSAVE`.
pub fn end_beside_script(server: &Server) {
    note_what_is_let_go(server);
    server.shutdown.request(Rest::default());
}

/// What is left to do, and what holds writes back since they would not be kept.
type Prepared<'a> = (Rest, Option<Held<'a>>);

async fn prepare(server: &Server, way: Way) -> Result<Prepared<'_>, Refused> {
    if server.loading.is_on() {
        // There is nothing to save that is not on disk.
        return Ok(Prepared::default());
    }
    let live = server.params.live();
    let (wal, wants) = (server.engine.wal(), way.save.unwrap_or(live.checkpoint_on_shutdown()));
    if way.save == Some(false) {
        note_what_is_let_go(server);
        return Ok(Prepared::default());
    }
    let patience = Duration::from_secs(live.shutdown_timeout_s()).max(PATIENCE_MIN);
    let log_has_all = if wal.is_enabled() {
        sync_log(server, patience).await
    } else {
        Ok(false)
    };
    let is_asked_for = way.save == Some(true);
    match log_has_all {
        Ok(true) if !is_asked_for => Ok((
            Rest {
                takes_checkpoint: wants,
                loss: None,
            },
            None,
        )),
        Ok(false) if !wants && !wal.is_enabled() => {
            note_what_is_let_go(server);
            Ok(Prepared::default())
        }
        Err(why) if !way.is_forced => Err(Refused::Loss(why)),
        Err(why) => Ok((
            Rest {
                takes_checkpoint: false,
                loss: Some(why),
            },
            None,
        )),
        Ok(log_has_all) => save(server, way, patience, log_has_all).await,
    }
}

/// Whether the log has everything on the disk, or has failed; an error if that cannot be found out.
async fn sync_log(server: &Server, patience: Duration) -> Result<bool, String> {
    let wal = server.engine.wal();
    let until = Instant::now() + patience;
    let (stable, asked) = (wal.make_stable(wal.last_lsn()), wal.ask_to_look());
    let mut synced = std::pin::pin!(async {
        let outcome = stable.await;
        while !wal.has_looked(asked) && !wal.is_failed() {
            tokio::time::sleep(LOOK).await;
        }
        outcome.is_ok() && !wal.is_failed()
    });
    while !wal.is_failed() {
        // A busy script has a record that it has not finished: it is taken back, and not waited for.
        server.busy.end_all();
        match tokio::time::timeout(LOOK, &mut synced).await {
            Ok(has_all) => return Ok(has_all),
            Err(_) if Instant::now() >= until => {
                return Err(format!("the log could not be synced within {} s", patience.as_secs()));
            }
            Err(_) => {}
        }
    }
    Ok(false)
}

/// Takes the checkpoint that is asked for, or that alone keeps what was written.
async fn save(server: &Server, way: Way, patience: Duration, log_has_all: bool) -> Result<Prepared<'_>, Refused> {
    let held = (!log_has_all).then(|| server.pause.before_the_end());
    let why = match server.checkpoints.checkpoint_while_it_moves(patience).await {
        Some(Ok(done)) => {
            tracing::info!(
                id = done.id,
                pages = done.pages,
                millis = done.millis,
                "final checkpoint"
            );
            return Ok((Rest::default(), held));
        }
        Some(Err(error)) => error.to_string(),
        None => format!("nothing could be written for {} s", patience.as_secs()),
    };
    let loss = match (log_has_all, unkept(server)) {
        (true, _) | (false, 0) => None,
        (false, count) => Some(format!("{count} changes are on no disk")),
    };
    let why = match &loss {
        Some(loss) => format!("the last checkpoint failed, and {loss}: {why}"),
        None => format!("the last checkpoint failed: {why}"),
    };
    let must_be_taken = loss.is_some() || way.save == Some(true);
    if must_be_taken && !way.is_forced {
        return Err(Refused::Loss(why));
    }
    tracing::error!("{why}");
    let rest = Rest {
        takes_checkpoint: false,
        loss,
    };
    Ok((rest, held))
}

/// How many records neither the log nor a checkpoint has for good.
fn unkept(server: &Server) -> u64 {
    let (wal, unsaved) = (server.engine.wal(), server.checkpoints.unsaved());
    if wal.is_enabled() && !wal.has_strayed() {
        unsaved.min(wal.last_lsn().records_since(wal.stable_lsn()))
    } else {
        unsaved
    }
}

/// Ending without a checkpoint is what was asked for; it is told what that means.
fn note_what_is_let_go(server: &Server) {
    let count = server.checkpoints.unsaved();
    if !server.engine.wal().is_enabled() && count > 0 {
        tracing::warn!("{count} changes since the last checkpoint are let go, as asked");
    }
}
