//! `CHECKPOINT`: all data to disk now, and the checkpoints that are kept as snapshots; `COLLECTION PERSIST`.
//!
//! **Invariant:** files are touched by the checkpointer's thread, never by a worker.

mod hold;
mod persist;
mod snapshots;

use std::sync::Arc;

use super::restore;
use super::select::by_name;
use crate::checkpoint::CheckpointError;
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting, late_ok};
use crate::commands::help::help_spec;
use crate::commands::spec::assert_sorted;
use crate::commands::spec::{Group, Handler, Maintenance, Spec, flag};
use crate::resp::{Args, Reply};

pub use persist::{PERSIST, persist_then, persistable};

/// What all of them need.
const FLAGS: u32 = flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI;

const COMPLEXITY: &str =
    "O(N) where N is the number of pages, of which those changed since the last checkpoint are written.";

/// `CHECKPOINT`
pub const CHECKPOINT: Spec = Spec {
    since: "0.1.0",
    flags: FLAGS,
    summary: "Takes a checkpoint of all collections; replies once it is committed",
    complexity: COMPLEXITY,
    subcommands: SUBCOMMANDS,
    ..Spec::new(
        "checkpoint",
        Group::Collection,
        -1,
        Handler::Maintenance(Maintenance::new(checkpoint)),
    )
};

/// `CHECKPOINT NOW`
const NOW: Spec = Spec {
    since: "0.1.0",
    flags: FLAGS,
    summary: "Takes a checkpoint of all collections, as CHECKPOINT alone does",
    complexity: COMPLEXITY,
    ..Spec::new(
        "now",
        Group::Collection,
        2,
        Handler::Maintenance(Maintenance::new(checkpoint)),
    )
};

const SUBCOMMANDS: &[Spec] = &[
    snapshots::DELETE,
    snapshots::DIFF,
    help_spec(Group::Collection, "0.1.0", &[]),
    hold::HOLD,
    snapshots::INFO,
    snapshots::LIST,
    NOW,
    snapshots::PIN,
    hold::RELEASE,
    hold::RENEW,
    restore::RESTORE,
    snapshots::UNPIN,
    snapshots::VERIFY,
];
const _: () = assert_sorted(SUBCOMMANDS);

fn checkpoint(cx: &mut MaintenanceCx<'_>, _: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    Ok(Flow::Later(Box::pin(async move {
        checkpoints.checkpoint().await.map_err(error)?;
        Ok(Box::new(late_ok) as LateReply)
    })))
}

/// A failure of the checkpointer as an error reply.
pub(super) fn error(error: CheckpointError) -> CmdError {
    format!("ERR {error}").into()
}
