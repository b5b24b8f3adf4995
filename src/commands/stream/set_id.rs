//! What a stream remembers of ids: XSETID.

use super::common::{apply, old_stream};
use super::id::parse_id;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::value::int_arg;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::stream::{StreamId, StreamOp};
use crate::resp::{Args, Reply};

pub(super) const XSETID: Spec = Spec {
    since: "5.0.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets the last id of a stream, and what it counts",
    syntax: "key last-id [ENTRIESADDED entries_added] [MAXDELETEDID max_deleted_entry_id]",
    ..Spec::new("xsetid", Group::Stream, -3, Handler::Write(xsetid))
};

fn xsetid(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let last_id = parse_id(args.at(2), 0)?;
    let (added, max_deleted) = parse_options(args, last_id)?;
    let key = args.at(1);
    let stream = old_stream(txn, key)?.ok_or(CmdError::NoSuchKey)?;
    let smaller_than = |what| Err(CmdError::text(what));
    // Such an id was given before; a stream must not give it again.
    if last_id < stream.max_deleted_id() {
        return smaller_than("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
    }
    if stream.len() > 0 && last_id < stream.top_id() {
        return smaller_than("ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if added.is_some_and(|added| stream.len() > added) {
        return smaller_than("ERR The entries_added specified in XSETID is smaller than the target stream length");
    }
    let op = StreamOp::SetId {
        last_id,
        max_deleted_id: max_deleted.unwrap_or(stream.max_deleted_id()),
        entries_added: added.unwrap_or(stream.entries_added()),
    };
    apply(txn, key, op);
    txn.notify(Classes::STREAM, "xsetid", key);
    reply.ok();
    Ok(())
}

/// How many were added, and the highest id deleted, where they are given.
fn parse_options(args: Args<'_>, last_id: StreamId) -> Result<(Option<u64>, Option<StreamId>), CmdError> {
    let (mut added, mut max_deleted) = (None, None);
    for at in (3..args.len()).step_by(2) {
        let option = args.at(at);
        let value = args.get(at + 1).ok_or(CmdError::Syntax)?;
        if option.eq_ignore_ascii_case(b"entriesadded") {
            let number = u64::try_from(int_arg(args, at + 1)?);
            added = Some(number.map_err(|_| CmdError::text("ERR entries_added must be positive"))?);
        } else if option.eq_ignore_ascii_case(b"maxdeletedid") {
            let id = parse_id(value, 0)?;
            if last_id < id {
                return Err(CmdError::text(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            // The least one means none.
            max_deleted = Some(id).filter(|id| *id != StreamId::MIN);
        } else {
            return Err(CmdError::Syntax);
        }
    }
    Ok((added, max_deleted))
}
