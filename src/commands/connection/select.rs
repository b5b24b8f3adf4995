//! SELECT: a database by its number, or a collection by its name.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Databases, Group, Handler, Spec, Support, flag};
use crate::commands::support::number::parse_i64;
use crate::engine::ids::DatabaseId;
use crate::resp::{Args, Reply};

pub(super) const SELECT: Spec = Spec {
    databases: Databases::At(&[1]),
    flags: flag::LOADING | flag::STALE | flag::FAST,
    acl: &["connection"],
    summary: "Changes the database that the connection works on",
    syntax: "index",
    support: Support::Partial("takes a collection's name, too (D1)"),
    ..Spec::new("select", Group::Connection, 2, Handler::Session(select))
};

fn select(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let database = match parse_i64(args.at(1)) {
        Some(number) if i32::try_from(number).is_err() => return Err(CmdError::text(NO_INDEX)),
        Some(number) => numbered(cx, number),
        None => named(cx, args.at(1)),
    };
    let database = database.map_err(|error| told_of_loading(cx, error))?;
    cx.client.select(database);
    reply.ok();
    Ok(Flow::Done)
}

const NO_INDEX: &str = "ERR value is out of range, value must between -2147483648 and 2147483647";

/// What is not there may be among what is still to be loaded.
fn told_of_loading(cx: &SessionCx<'_>, error: CmdError) -> CmdError {
    if cx.kit.awaits_data() { CmdError::LOADING } else { error }
}

fn numbered(cx: &SessionCx<'_>, number: i64) -> Result<DatabaseId, CmdError> {
    u32::try_from(number)
        .ok()
        .map(DatabaseId::new)
        .filter(|id| cx.server.engine.registry().slot(*id).is_some())
        .ok_or(CmdError::text("ERR DB index is out of range"))
}

fn named(cx: &SessionCx<'_>, name: &[u8]) -> Result<DatabaseId, CmdError> {
    let registry = cx.server.engine.registry();
    let slot = std::str::from_utf8(name).ok().and_then(|name| registry.by_name(name));
    slot.map(|slot| slot.id).ok_or_else(|| {
        let name = String::from_utf8_lossy(name.get(..128).unwrap_or(name));
        format!("ERR value is not an integer or out of range, and no collection is named '{name}'").into()
    })
}
