//! Whether a request may run at all, in Redis's order of checks: known, arity, authenticated, memory, log, pause.

use std::sync::atomic::Ordering;

use crate::commands::context::{Client, Server};
use crate::commands::error::CmdError;
use crate::commands::spec::{Handler, flag};
use crate::commands::table::{self, Command};
use crate::resp::Args;

/// Longest part of an unknown command's name and arguments that the error quotes, bytes.
const QUOTED_BYTES_MAX: usize = 128;

/// Why a request cannot run, and the command that it asked for, if there is such a one.
pub type Refusal = (Option<Command>, CmdError);

/// Finds the command, down to its subcommand, and checks the number of arguments.
pub fn identify(found: Option<Command>, args: Args<'_>) -> Result<Command, Refusal> {
    let command = found.ok_or_else(|| (None, unknown(args)))?;
    let command = match (command.spec.subcommands, args.get(1)) {
        ([_, ..], Some(name)) => {
            table::lookup_subcommand(command, name).ok_or_else(|| (None, unknown_subcommand(command, name)))?
        }
        _ => command,
    };
    if matches!(command.spec.handler, Handler::Container) || !command.spec.accepts(args.len()) {
        return Err((Some(command), CmdError::Arity(command.full_name())));
    }
    Ok(command)
}

fn unknown(args: Args<'_>) -> CmdError {
    let quote = |bytes: &[u8], room: usize| String::from_utf8_lossy(bytes.get(..room).unwrap_or(bytes)).into_owned();
    let name = quote(args.get(0).unwrap_or_default(), QUOTED_BYTES_MAX);
    let mut quoted = String::new();
    for arg in args.iter().skip(1) {
        if quoted.len() >= QUOTED_BYTES_MAX {
            break;
        }
        quoted.push_str(&format!("'{}' ", quote(arg, QUOTED_BYTES_MAX - quoted.len())));
    }
    format!("ERR unknown command '{name}', with args beginning with: {quoted}").into()
}

fn unknown_subcommand(container: Command, name: &[u8]) -> CmdError {
    let name = String::from_utf8_lossy(name.get(..QUOTED_BYTES_MAX).unwrap_or(name)).into_owned();
    let container = container.spec.name.to_uppercase();
    format!("ERR unknown subcommand '{name}'. Try {container} HELP.").into()
}

/// Whether the server's state lets the command run. `flags` are the command's, or the union of a transaction's.
#[inline]
pub fn admit(server: &Server, client: &Client, flags: u32) -> Result<(), CmdError> {
    if !client.authenticated && flags & flag::NO_AUTH == 0 {
        return Err(CmdError::text("NOAUTH Authentication required."));
    }
    if flags & flag::DENY_OOM != 0 {
        let max = server.params.live().maxmemory.load(Ordering::Relaxed);
        if max != 0 && server.engine.meter().used_bytes() > max {
            return Err(CmdError::text(
                "OOM command not allowed when used memory > 'maxmemory'.",
            ));
        }
    }
    if flags & flag::WRITE != 0 && server.engine.refuses_writes() {
        let reason = server.engine.wal().failure();
        let reason = reason.as_deref().unwrap_or("the write-ahead log has failed");
        return Err(format!("MISCONF Errors writing to the AOF file: {reason}").into());
    }
    Ok(())
}
