//! SAVE, BGSAVE, BGREWRITEAOF and LASTSAVE: Redis's names for taking a checkpoint, and when the last one was.
//!
//! A checkpoint both persists everything and lets the log before it go, so that it is what SAVE and what a log rewrite
//! are for.

use std::sync::Arc;

use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting, late_ok};
use crate::commands::spec::{Group, Handler, Maintenance, Spec, Support, flag};
use crate::resp::{Args, Reply};

const FLAGS: u32 = flag::ADMIN | flag::NO_SCRIPT | flag::NO_ASYNC_LOADING;
const MAPPED: Support = Support::Partial("takes a checkpoint (D4)");

pub(super) const SAVE: Spec = Spec {
    flags: FLAGS | flag::NO_MULTI,
    summary: "Takes a checkpoint and answers when it is on disk",
    complexity: "O(N) where N is the total number of keys in all databases",
    support: MAPPED,
    ..Spec::new("save", Group::Server, 1, Handler::Maintenance(Maintenance::new(save)))
};

fn save(cx: &mut MaintenanceCx<'_>, _args: Args<'_>, _reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    if checkpoints.is_running() {
        return Err(CmdError::text("ERR Background save already in progress"));
    }
    Ok(Flow::Later(Box::pin(async move {
        checkpoints
            .checkpoint()
            .await
            .map_err(|error| format!("ERR checkpoint failed: {error}"))?;
        let late: LateReply = Box::new(late_ok);
        Ok(late)
    })))
}

pub(super) const BGSAVE: Spec = Spec {
    flags: FLAGS,
    summary: "Begins a checkpoint",
    syntax: "[SCHEDULE]",
    support: MAPPED,
    ..Spec::new("bgsave", Group::Server, -1, Handler::Session(bgsave))
};

fn bgsave(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    match (args.len(), args.get(1)) {
        (1, _) => {}
        (2, Some(word)) if word.eq_ignore_ascii_case(b"schedule") => {}
        _ => return Err(CmdError::Syntax),
    }
    if cx.server.checkpoints.is_running() {
        return Err(CmdError::text("ERR Background save already in progress"));
    }
    cx.server.checkpoints.start_background();
    reply.simple("Background saving started");
    Ok(Flow::Done)
}

pub(super) const BGREWRITEAOF: Spec = Spec {
    flags: FLAGS,
    summary: "Begins a checkpoint, after which the log before it can go",
    support: MAPPED,
    ..Spec::new("bgrewriteaof", Group::Server, 1, Handler::Session(bgrewriteaof))
};

fn bgrewriteaof(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if cx.server.checkpoints.is_running() {
        return Err(CmdError::text(
            "ERR Background append only file rewriting already in progress",
        ));
    }
    cx.server.checkpoints.start_background();
    reply.simple("Background append only file rewriting started");
    Ok(Flow::Done)
}

pub(super) const LASTSAVE: Spec = Spec {
    flags: flag::LOADING | flag::STALE | flag::FAST,
    acl: &["admin", "dangerous"],
    tips: &["nondeterministic_output"],
    summary: "Returns when the last checkpoint was taken, Unix seconds",
    ..Spec::new("lastsave", Group::Server, 1, Handler::Session(lastsave))
};

fn lastsave(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    // As in Redis, a server that has not saved yet names its start.
    let at_s = match cx.server.checkpoints.last_save_s() {
        0 => cx.server.started_s,
        at_s => at_s,
    };
    reply.int(at_s.cast_signed());
    Ok(Flow::Done)
}
