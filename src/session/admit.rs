//! Whether a call may run at all, in Redis's order of checks: rights, memory, disk, data.

use std::sync::atomic::Ordering;

use super::call::Call;
use crate::client::Client;
use crate::commands::error::CmdError;
use crate::commands::misconf;
use crate::commands::rights::{self, Moment, NO_AUTH};
use crate::commands::spec::{Command, Table, flag};
use crate::engine::worker::Kit;
use crate::pubsub::Outlet;
use crate::state::{Purpose, Server};

/// What tells others of something waits for the end of a script or a transaction that may be taken back.
const HOLDS_TOO_MUCH: CmdError = CmdError::text(
    "ERR More than 64mb of messages and keyspace events wait for the end of this script or transaction: it cannot go on",
);

/// Why a request cannot run, and the command that it asked for, if there is such a one.
pub type Refusal = (Option<Command>, CmdError);

/// Whether the state of the server and the client lets the command run. The call's flags have what a transaction needs;
/// `kit` is the worker's, which knows whether the data has come. `has_room`: memory has been made for it.
#[inline]
pub fn admit(
    (server, commands): (&Server, &Table),
    client: &mut Client,
    kit: &Kit,
    call: &Call<'_>,
    has_room: bool,
) -> Result<(), CmdError> {
    let flags = call.flags;
    // While everybody may do everything, this is all that rights cost.
    if client.open_at() != server.acl.generation() {
        check_rights((server, commands), client, call)?;
    }
    if flags & flag::DENY_OOM != 0 && !has_room && server.is_over_memory() {
        return Err(CmdError::OutOfMemory);
    }
    let keeps_nothing = server.engine.refuses_writes() || server.checkpoints.is_failing();
    if flags & (flag::WRITE | flag::TELLS_OF_DISK) != 0 && keeps_nothing {
        check_disk(server)?;
    }
    let is_loading = kit.awaits_data() && flags & flag::LOADING == 0;
    if client.subscriber.is_restrained() {
        check_listener(client, call, is_loading)?;
    }
    if is_loading {
        return Err(CmdError::LOADING);
    }
    if flags & flag::DENY_OOM != 0 {
        // Room is claimed by those that nothing else keeps from running.
        check_space(server, call, client)?;
    }
    Ok(())
}

/// Whether the client has logged in, if it must, and its user may make the call.
#[inline(never)]
pub(super) fn check_rights(place: (&Server, &Table), client: &mut Client, call: &Call<'_>) -> Result<(), CmdError> {
    let acl = &place.0.acl;
    if !client.see_rights(acl) {
        // It has been deleted; whoever has done that closes the connection.
        client.handle.kill();
        return Err(NO_AUTH);
    }
    if client.open_at() == acl.generation() {
        return Ok(());
    }
    if !client.may_run() && !call.command.has(flag::NO_AUTH) {
        return Err(NO_AUTH);
    }
    rights::check(place, client, (call.command, call.args), Moment::Request)
}

/// Whether a client that has subscriptions, or is in MONITOR, may run the command.
#[cold]
fn check_listener(client: &Client, call: &Call<'_>, is_loading: bool) -> Result<(), CmdError> {
    if client.only_listens() && !call.has(flag::WHILE_SUBSCRIBED) {
        return Err(only_listens(call.command));
    }
    let is_on_data = call.has(flag::WRITE | flag::READONLY | flag::MAY_REPLICATE);
    if client.subscriber.is_monitor() && is_on_data && !is_loading {
        // In Redis's words: there a client in MONITOR counts as a replica.
        return Err(CmdError::text("ERR Replica can't interact with the keyspace"));
    }
    Ok(())
}

#[cold]
fn only_listens(command: Command) -> CmdError {
    let text = format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        command.full_name()
    );
    text.into()
}

/// Whether there is room on the disk for what a call brings, and the transaction that it runs.
#[inline]
pub(super) fn check_space(server: &Server, call: &Call<'_>, client: &Client) -> Result<(), CmdError> {
    if server.space.refuses_writes()
        && let Some(error) = misconf::no_room(server, &[Purpose::Log, Purpose::Checkpoints])
    {
        return Err(error);
    }
    if server.space.is_tight() {
        check_room(server, call, client)?;
    }
    Ok(())
}

/// Whether enough is left on the disk when what the request brings is in the log.
#[cold]
fn check_room(server: &Server, call: &Call<'_>, client: &Client) -> Result<(), CmdError> {
    let mut bytes = call.args.iter().map(|arg| arg.len() as u64).sum::<u64>();
    let runs_queue = call.has(flag::RUNS_QUEUE);
    if runs_queue {
        bytes += client.handle.queued_bytes.load(Ordering::Relaxed);
    }
    let log_bytes = server.engine.wal().written_bytes();
    let has_room = if client.multi.is_some() && !runs_queue {
        // What is queued only writes when it runs.
        server.space.has_room_for(log_bytes, bytes)
    } else {
        server.space.claim(log_bytes, bytes)
    };
    if has_room {
        Ok(())
    } else {
        Err(misconf::no_room_for(server, bytes))
    }
}

/// Whether a script, or a transaction that may be taken back, may go on: any command may tell somebody of something.
#[inline]
pub(super) fn check_held(outlet: &Outlet) -> Result<(), CmdError> {
    if outlet.holds_too_much() {
        return Err(HOLDS_TOO_MUCH);
    }
    Ok(())
}

/// Whether what is written now would be kept.
pub(super) fn check_disk(server: &Server) -> Result<(), CmdError> {
    if server.engine.refuses_writes() {
        return Err(misconf::log_has_failed(server.engine.wal()));
    }
    if server.checkpoints.stops_writes() {
        return Err(misconf::CHECKPOINTS_FAIL);
    }
    Ok(())
}
