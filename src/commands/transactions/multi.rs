//! MULTI, EXEC and DISCARD.

use std::sync::atomic::Ordering;

use super::watch::forget_watches;
use super::{COMMON, QUICK};
use crate::client::{Client, Multi};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, OnError};
use crate::commands::spec::{CmdResult, Group, Handler, Spec, Support, flag};
use crate::resp::{Args, Reply};

pub(super) const MULTI: Spec = Spec {
    since: "1.2.0",
    flags: QUICK | flag::NOT_QUEUED,
    acl: &["transaction"],
    summary: "Begins a transaction: commands are queued from here on",
    while_busy: Some(|cx, _, reply| begin(cx.client, reply)),
    ..Spec::new("multi", Group::Transactions, 1, Handler::Session(multi))
};

fn multi(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    begin(cx.client, reply).map(|()| Flow::Done)
}

fn begin(client: &mut Client, reply: &mut Reply) -> CmdResult {
    if client.multi.is_some() {
        return Err(CmdError::text("ERR MULTI calls can not be nested"));
    }
    client.multi = Some(Multi::default());
    client.handle.queued.store(0, Ordering::Relaxed);
    reply.ok();
    Ok(())
}

pub(super) const EXEC: Spec = Spec {
    since: "1.2.0",
    flags: COMMON | flag::SKIP_SLOWLOG | flag::NOT_QUEUED | flag::RUNS_QUEUE | flag::ENDS_MULTI,
    acl: &["transaction"],
    summary: "Runs the queued commands as one",
    complexity: "Depends on commands in the transaction",
    syntax: "[ROLLBACK]",
    support: Support::Partial("takes `ROLLBACK`, too (D44)"),
    ..Spec::new("exec", Group::Transactions, -1, Handler::Session(exec))
};

fn exec(cx: &mut SessionCx<'_>, args: Args<'_>, _reply: &mut Reply) -> Result<Flow, CmdError> {
    let on_error = match (args.len(), args.get(1)) {
        (1, _) => OnError::GoOn,
        (2, Some(word)) if word.eq_ignore_ascii_case(b"rollback") => OnError::RollBack,
        _ => {
            discard_transaction(cx);
            return Err(CmdError::text(
                "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
            ));
        }
    };
    if cx.client.multi.is_none() {
        return Err(CmdError::text("ERR EXEC without MULTI"));
    }
    Ok(Flow::Exec(on_error))
}

pub(super) const DISCARD: Spec = Spec {
    since: "2.0.0",
    flags: QUICK | flag::NOT_QUEUED | flag::ENDS_MULTI,
    acl: &["transaction"],
    summary: "Drops the queued commands and ends the transaction",
    complexity: "O(N), when N is the number of queued commands",
    ..Spec::new("discard", Group::Transactions, 1, Handler::Session(discard))
};

fn discard(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if cx.client.multi.is_none() {
        return Err(CmdError::text("ERR DISCARD without MULTI"));
    }
    discard_transaction(cx);
    reply.ok();
    Ok(Flow::Done)
}

/// Ends a transaction, if there is one, without running it, and forgets the watches.
pub fn discard_transaction(cx: &mut SessionCx<'_>) {
    cx.client.multi = None;
    cx.client.handle.queued.store(-1, Ordering::Relaxed);
    cx.client.handle.queued_bytes.store(0, Ordering::Relaxed);
    forget_watches(&cx.server.engine, cx.client, cx.pass);
}
