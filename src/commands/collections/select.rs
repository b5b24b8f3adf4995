//! Which collection a client works on: `COLLECTION USE | CURRENT`.

use super::name;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Databases, Group, Handler, Spec, flag};
use crate::engine::ids::DatabaseId;
use crate::engine::registry::Slot;
use crate::resp::{Args, Reply};
use crate::state::Server;

/// `COLLECTION CURRENT`
pub const CURRENT: Spec = Spec {
    databases: Databases::None,
    since: "0.1.0",
    flags: flag::FAST | flag::STALE,
    acl: &["connection"],
    summary: "Tells the name of the selected collection",
    ..Spec::new("current", Group::Collection, 2, Handler::Session(current))
};

/// `COLLECTION USE name`
pub const USE: Spec = Spec {
    databases: Databases::At(&[2]),
    since: "0.1.0",
    flags: flag::FAST | flag::STALE,
    acl: &["connection"],
    summary: "Selects a collection for this connection",
    syntax: "name",
    ..Spec::new("use", Group::Collection, 3, Handler::Session(use_second))
};

/// The client's slot.
///
/// # Errors
/// When the collection has been dropped since it was selected.
pub fn selected(cx: &SessionCx<'_>) -> Result<Slot, CmdError> {
    let slot = cx.server.engine.registry().slot(cx.client.database).cloned();
    slot.ok_or(CmdError::text(
        "NOCOLLECTION the selected collection has been dropped, select another one",
    ))
}

/// The slot of this name.
pub(super) fn by_name(server: &Server, argument: &[u8]) -> Result<Slot, CmdError> {
    let name = name::existing(argument)?;
    let slot = server.engine.registry().by_name(name).cloned();
    // Database 0 is called `default`; its number is understood, too.
    let slot = slot.or_else(|| {
        (name == "0")
            .then(|| server.engine.registry().slot(DatabaseId::DEFAULT).cloned())
            .flatten()
    });
    slot.ok_or_else(|| name::no_such(argument))
}

/// Replies with the name of the client's collection.
pub(super) fn current(cx: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.bulk(selected(cx)?.name.as_bytes());
    Ok(Flow::Done)
}

fn use_second(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    use_named(cx, args.at(2), reply)
}

/// Selects the collection of this name.
pub(super) fn use_named(cx: &mut SessionCx<'_>, name: &[u8], reply: &mut Reply) -> Result<Flow, CmdError> {
    let slot = by_name(cx.server, name)?;
    cx.client.select(slot.id);
    reply.ok();
    Ok(Flow::Done)
}
