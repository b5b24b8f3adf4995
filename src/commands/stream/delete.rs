//! Taking out by id: XDEL from a stream, XACK from what is pending in a group.

use std::collections::HashSet;

use super::common::{apply, old_stream, read_stream};
use super::id::{packed_ids, parse_ids};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::stream::StreamOp;
use crate::resp::{Args, Reply};

pub(super) const XDEL: Spec = Spec {
    since: "5.0.0",
    flags: flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "delete"])],
    summary: "Deletes entries of a stream by their ids",
    complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
    syntax: "key id [id ...]",
    ..Spec::new("xdel", Group::Stream, -3, Handler::Write(xdel))
};

fn xdel(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let Some(stream) = old_stream(txn, key)? else {
        reply.int(0);
        return Ok(());
    };
    let mut ids = parse_ids(args.skip(2))?;
    let mut seen = HashSet::new();
    ids.retain(|id| stream.entry(*id).is_some() && seen.insert(id.to_bytes()));
    if !ids.is_empty() {
        let ids = packed_ids(&ids);
        apply(txn, key, StreamOp::Delete { ids: &ids });
        txn.notify(Classes::STREAM, "xdel", key);
    }
    reply.int(ids.len() as i64);
    Ok(())
}

pub(super) const XACK: Spec = Spec {
    since: "5.0.0",
    flags: flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Tells that entries have been processed, so that they are no longer pending",
    complexity: "O(1) for each message ID processed.",
    syntax: "key group id [id ...]",
    ..Spec::new("xack", Group::Stream, -4, Handler::Write(xack))
};

fn xack(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (key, name) = (args.at(1), args.at(2));
    let Some(group) = read_stream(txn, key)?.and_then(|stream| stream.group(name)) else {
        reply.int(0);
        return Ok(());
    };
    let mut ids = parse_ids(args.skip(3))?;
    let mut seen = HashSet::new();
    ids.retain(|id| group.pending(*id).is_some() && seen.insert(id.to_bytes()));
    if !ids.is_empty() {
        let ids = packed_ids(&ids);
        apply(txn, key, StreamOp::Acknowledge { group: name, ids: &ids });
    }
    reply.int(ids.len() as i64);
    Ok(())
}
