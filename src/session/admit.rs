//! Whether a request may run at all, in Redis's order of checks: known, arity, authenticated, memory, log, pause.

use std::sync::atomic::Ordering;

use crate::commands::context::{Client, Server};
use crate::commands::error::{CmdError, QUOTED_BYTES_MAX, shown};
use crate::commands::spec::{Handler, flag};
use crate::commands::table::{self, Command};
use crate::page::value::KEY_BYTES_MAX;
use crate::resp::Args;

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
    if args.has_longer_than(KEY_BYTES_MAX) && has_long_key(command, args, KEY_BYTES_MAX) {
        return Err((Some(command), CmdError::text("ERR a key is longer than 1 GiB")));
    }
    Ok(command)
}

/// Whether a key among the arguments has more than `max` bytes.
fn has_long_key(command: Command, args: Args<'_>, max: usize) -> bool {
    let keys = command.spec.key_indices_or_all(args);
    keys.into_iter()
        .any(|at| args.get(at).is_some_and(|key| key.len() > max))
}

fn unknown(args: Args<'_>) -> CmdError {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(shown(args.get(0).unwrap_or_default(), QUOTED_BYTES_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let mut quoted = Vec::new();
    for arg in args.iter().skip(1) {
        if quoted.len() >= QUOTED_BYTES_MAX {
            break;
        }
        quoted.push(b'\'');
        let room = QUOTED_BYTES_MAX + 1 - quoted.len();
        quoted.extend_from_slice(shown(arg, room));
        quoted.extend_from_slice(b"' ");
    }
    text.append(&mut quoted);
    CmdError::Quoting(text)
}

fn unknown_subcommand(container: Command, name: &[u8]) -> CmdError {
    let hint = format!("'. Try {} HELP.", container.spec.name.to_uppercase());
    CmdError::quoting("ERR unknown subcommand '", name, QUOTED_BYTES_MAX, &hint)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    #[test]
    fn keys_have_a_length_that_values_may_have_and_more() {
        for (words, is_long) in [
            (&["SET", "key", "a long value"][..], false),
            (&["SET", "longkey", "v"], true),
            (&["MSET", "key", "a long value", "longkey", "v"], true),
            (&["ZUNION", "1", "key"], false),
            (&["ZUNION", "9223372036854775807", "longkey"], true),
        ] {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            let request = OwnedRequest::from_slices(&words);
            let command = table::lookup(request.args().at(0)).unwrap();
            assert_eq!(has_long_key(command, request.args(), 6), is_long, "{words:?}");
        }
    }
}
