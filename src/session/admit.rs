//! Whether a call may run at all, in Redis's order of checks: authenticated, memory, log, data.

use crate::client::Client;
use crate::commands::error::CmdError;
use crate::commands::spec::{Command, flag};
use crate::engine::worker::Kit;
use crate::state::Server;

/// Why a request cannot run, and the command that it asked for, if there is such a one.
pub type Refusal = (Option<Command>, CmdError);

/// Whether the server's state lets the command run. `flags` are the call's, with what a transaction needs; `kit` is the
/// worker's, which knows whether the data has come.
#[inline]
pub fn admit(server: &Server, client: &Client, kit: &Kit, flags: u32) -> Result<(), CmdError> {
    if !client.authenticated && flags & flag::NO_AUTH == 0 {
        return Err(CmdError::text("NOAUTH Authentication required."));
    }
    if flags & flag::DENY_OOM != 0 {
        let max = server.params.live().maxmemory();
        if max != 0 && server.used_bytes() > max {
            return Err(CmdError::text(
                "OOM command not allowed when used memory > 'maxmemory'.",
            ));
        }
    }
    if flags & flag::WRITE != 0 && server.engine.refuses_writes() {
        let reason = server.engine.wal().failure();
        let reason = reason.as_deref().unwrap_or("the write-ahead log has failed");
        let text = format!(
            "MISCONF Errors writing to the AOF file: {reason}. Writes are accepted again once it can be written"
        );
        return Err(text.into());
    }
    if kit.awaits_data() && flags & flag::LOADING == 0 {
        return Err(CmdError::LOADING);
    }
    Ok(())
}
