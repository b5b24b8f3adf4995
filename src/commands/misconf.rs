//! `MISCONF`: why changes are refused for the time being. Redis's texts where it has one.
//!
//! **Invariant:** no other file spells them.

use std::fmt::Display;

use super::error::CmdError;
use crate::state::{Purpose, Server};
use crate::wal::Wal;

/// Checkpoints fail, and nothing else would keep what is written.
pub const CHECKPOINTS_FAIL: CmdError = CmdError::text(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
     Commands that may modify the data set are disabled, because this instance is configured to report errors \
     during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). \
     Please check the Redis logs for details about the RDB error.",
);

/// Why a script that says of itself that it writes may not run, if it may not.
#[cold]
pub fn no_scripts(server: &Server) -> Option<CmdError> {
    const BLOCKED: &str = "Writable scripts are blocked. Use 'no-writes' flag for read only scripts.";
    if server.engine.refuses_writes() {
        let why = server.engine.wal().failure();
        let why = why.as_deref().unwrap_or("the write-ahead log has failed");
        let text = format!(
            "MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. \
             {BLOCKED} AOF error: {why}"
        );
        return Some(text.into());
    }
    server.checkpoints.stops_writes().then(|| {
        let text = format!(
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. {BLOCKED}"
        );
        text.into()
    })
}

/// Something did not reach the log.
pub fn not_logged(why: &dyn Display) -> CmdError {
    format!("MISCONF Errors writing to the AOF file: {why}").into()
}

/// The log has failed.
#[cold]
pub fn log_has_failed(wal: &Wal) -> CmdError {
    let why = wal.failure();
    let why = why.as_deref().unwrap_or("the write-ahead log has failed");
    not_logged(&format_args!("{why}. Writes are accepted again once it can be written"))
}

/// A request brings more than may be written to the log's disk.
pub fn no_room_for(server: &Server, bytes: u64) -> CmdError {
    let rooms = server.space.rooms();
    let room = rooms.iter().find(|room| room.purpose == Purpose::Log);
    let (free, path) = room.map_or((0, String::new()), |room| {
        (room.free_bytes.unwrap_or_default(), room.path.display().to_string())
    });
    let bytes_min = server.params.live().free_bytes_min();
    let text = format!(
        "MISCONF With {bytes} bytes more, less than storage.free_bytes_min = {bytes_min} would be free in {path}, where \
         {free} were free a moment ago. Commands that add so much are refused until there are more"
    );
    text.into()
}

/// There is too little room where a folder for one of `purposes` is.
#[cold]
pub fn no_room(server: &Server, purposes: &[Purpose]) -> Option<CmdError> {
    let room = server.space.lacking(purposes)?;
    let (free, path) = (room.free_bytes.unwrap_or_default(), room.path.display());
    let bytes_min = server.params.live().free_bytes_min();
    let text = format!(
        "MISCONF Only {free} bytes are free in {path}, where storage.free_bytes_min = {bytes_min} stay free. Commands that \
         add data are refused until there are more; deleting and taking a checkpoint are possible"
    );
    Some(text.into())
}
