//! `CHECKPOINT`, `COLLECTION PERSIST`: data to disk now, the reply when it is there.

use std::sync::Arc;

use super::restore;
use super::select::by_name;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply};
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::engine::effect::NAMED_FIRST;
use crate::resp::{Args, Reply};

/// `CHECKPOINT`
pub const CHECKPOINT: Spec = Spec {
    since: "0.1.0",
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI,
    summary: "Takes a checkpoint of all collections; replies once it is committed",
    complexity: "O(N) where N is the number of pages that changed since the last checkpoint.",
    subcommands: CHECKPOINT_SUBCOMMANDS,
    ..Spec::new("checkpoint", Group::Collection, 1, Handler::Session(checkpoint))
};

const CHECKPOINT_SUBCOMMANDS: &[Spec] = &[restore::RESTORE];

/// `COLLECTION PERSIST name`
pub const PERSIST: Spec = Spec {
    since: "0.1.0",
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI,
    acl: &["keyspace"],
    summary: "Writes a collection to files of its own, which LOAD_HMAP reads",
    complexity: "O(N) where N is the number of keys.",
    syntax: "name",
    ..Spec::new("persist", Group::Collection, 3, Handler::Session(persist))
};

fn checkpoint(cx: &mut SessionCx<'_>, _: Args<'_>, _: &mut Reply) -> Result<Flow, CmdError> {
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    Ok(Flow::Wait(Box::pin(async move {
        checkpoints.checkpoint().await.map_err(error)?;
        Ok(Box::new(Reply::ok) as LateReply)
    })))
}

fn persist(cx: &mut SessionCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow, CmdError> {
    let slot = by_name(cx, args.at(2))?;
    Ok(persist_then(cx, slot.name.to_string(), Reply::ok))
}

/// The collection that `PERSIST name` may mean beside a key: `default`, or one that somebody made.
pub fn persistable(cx: &SessionCx<'_>, name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let registry = cx.server.engine.registry();
    let slot = registry.by_name(name)?;
    (slot.id == 0 || slot.id >= NAMED_FIRST).then(|| slot.name.to_string())
}

/// Persists a collection, then writes the reply.
pub fn persist_then(cx: &SessionCx<'_>, name: String, write: impl FnOnce(&mut Reply) + 'static) -> Flow {
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    Flow::Wait(Box::pin(async move {
        checkpoints.persist(&name).await.map_err(error)?;
        Ok(Box::new(write) as LateReply)
    }))
}

/// A failure of the checkpointer as an error reply.
pub(super) fn error(reason: String) -> CmdError {
    format!("ERR {reason}").into()
}
