//! `COLLECTION PERSIST`: one collection to files of its own.

use std::sync::Arc;

use super::{FLAGS, by_name, error};
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::misconf;
use crate::commands::spec::{Databases, Group, Handler, Maintenance, Spec};
use crate::engine::ids::DatabaseId;
use crate::resp::{Args, Reply};
use crate::state::{Purpose, Server};

/// `COLLECTION PERSIST name`
pub const PERSIST: Spec = Spec {
    databases: Databases::At(&[2]),
    since: "0.1.0",
    flags: FLAGS,
    acl: &["keyspace"],
    summary: "Writes a collection to files of its own, which LOAD_HMAP reads",
    complexity: "O(N) where N is the number of keys.",
    syntax: "name",
    ..Spec::new(
        "persist",
        Group::Collection,
        3,
        Handler::Maintenance(Maintenance::new(persist)),
    )
};

fn persist(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let slot = by_name(cx.server, args.at(2))?;
    Ok(persist_then(cx.server, slot.name.to_string(), Reply::ok))
}

/// The collection that `PERSIST name` may mean beside a key: `default`, or one that somebody made.
pub fn persistable(server: &Server, name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let registry = server.engine.registry();
    let slot = registry.by_name(name)?;
    (slot.id == DatabaseId::DEFAULT || !slot.id.is_numbered()).then(|| slot.name.to_string())
}

/// Persists a collection, then writes the reply.
pub fn persist_then(server: &Server, name: String, write: impl FnOnce(&mut Reply) + 'static) -> Flow<Waiting> {
    let checkpoints = Arc::clone(&server.checkpoints);
    let refusal = misconf::no_room(server, &[Purpose::Persisted]);
    Flow::Later(Box::pin(async move {
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        checkpoints.persist(&name).await.map_err(error)?;
        let late: LateReply = Box::new(move |_, reply| write(reply));
        Ok(late)
    }))
}
