//! What is answered while a script runs for long, and how it is ended.

use crate::commands::error::CmdError;
use crate::commands::spec::CmdResult;
use crate::resp::Reply;
use crate::state::{NotKilled, Server};

const SCRIPT: CmdError =
    CmdError::text("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
const FUNCTION: CmdError =
    CmdError::text("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.");

/// Why a command has to wait, if a script is busy.
pub fn busy_with(server: &Server) -> Option<CmdError> {
    let oldest = server.busy.oldest()?;
    Some(if oldest.is_function { FUNCTION } else { SCRIPT })
}

/// What a request is told that has waited for one: it may have ended just now.
pub fn busy_or_was(server: &Server) -> CmdError {
    busy_with(server).unwrap_or(SCRIPT)
}

/// Ends the functions that are busy, or the other scripts.
pub(super) fn end_scripts(server: &Server, functions: bool, reply: &mut Reply) -> CmdResult {
    server.busy.kill(functions).map_err(|why| match why {
        NotKilled::NotBusy => CmdError::text("NOTBUSY No scripts in execution right now."),
        NotKilled::IsOther if functions => SCRIPT,
        NotKilled::IsOther => FUNCTION,
    })?;
    reply.ok();
    Ok(())
}
