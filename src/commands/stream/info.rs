//! What is known of a stream: XINFO STREAM, GROUPS, CONSUMERS.

use super::common::{no_group, reply_entry, stream_of};
use super::id::reply_id;
use super::info_full;
use crate::commands::help::subcommand_syntax;
use crate::commands::spec::{Group as Family, key_at};
use crate::commands::value::{int_arg, reply_field};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::stream::{BigStream, Entry, StreamId};
use crate::resp::{Args, Reply};

pub(super) const STREAM: Spec = Spec {
    since: "5.0.0",
    acl: &["stream"],
    keys: &[key_at(2, &["RO", "access"])],
    summary: "What is known of a stream; FULL tells all of its groups, too",
    syntax: "key [FULL [COUNT count]]",
    ..Spec::new("stream", Family::Stream, -3, Handler::Read(stream))
};

fn stream(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    const COUNT: usize = 10;
    let now_ms = txn.now_ms();
    let stream = found(txn, args.at(2))?;
    let is = |at: usize, name: &[u8]| args.get(at).is_some_and(|option| option.eq_ignore_ascii_case(name));
    match args.len() {
        3 => short(stream, now_ms, reply),
        4 if is(3, b"full") => info_full::reply_all(stream, COUNT, now_ms, reply),
        6 if is(3, b"full") && is(4, b"count") => {
            let count = usize::try_from(int_arg(args, 5)?).unwrap_or(COUNT);
            let count = if count == 0 { usize::MAX } else { count };
            info_full::reply_all(stream, count, now_ms, reply);
        }
        _ => return Err(subcommand_syntax("xinfo", args.at(1))),
    }
    Ok(())
}

fn found<'a>(txn: &'a mut ReadTxn<'_, '_>, key: &[u8]) -> Result<&'a BigStream, CmdError> {
    let stream = txn.get(key).map(stream_of).transpose()?;
    stream.ok_or(CmdError::NoSuchKey)
}

fn short(stream: &BigStream, now_ms: u64, reply: &mut Reply) {
    reply.map(3 + counts_len(stream));
    reply_counts(stream, now_ms, reply);
    reply_field(reply, "groups", stream.groups().len() as u64);
    reply.bulk(b"first-entry");
    reply_entry_or_null(reply, stream.range(StreamId::MIN, StreamId::MAX).next());
    reply.bulk(b"last-entry");
    reply_entry_or_null(reply, stream.range_back(StreamId::MIN, StreamId::MAX).next());
}

/// How many fields both forms begin with.
pub(super) fn counts_len(stream: &BigStream) -> usize {
    if stream.idempotence().is_some() { 13 } else { 7 }
}

/// The fields that both forms begin with; those of producers' messages only where there ever were any.
pub(super) fn reply_counts(stream: &BigStream, now_ms: u64, reply: &mut Reply) {
    reply_field(reply, "length", stream.len());
    reply_field(reply, "radix-tree-keys", stream.nodes_len() as u64);
    reply_field(reply, "radix-tree-nodes", stream.radix_nodes());
    id_field(reply, "last-generated-id", stream.last_id());
    id_field(reply, "max-deleted-entry-id", stream.max_deleted_id());
    reply_field(reply, "entries-added", stream.entries_added());
    id_field(reply, "recorded-first-entry-id", stream.first_id());
    if let Some(known) = stream.idempotence() {
        reply_field(reply, "idmp-duration", known.limits().duration_s);
        reply_field(reply, "idmp-maxsize", known.limits().ids_max);
        reply_field(reply, "pids-tracked", known.producers_known(now_ms));
        reply_field(reply, "iids-tracked", (known.len() - known.stale(now_ms)) as u64);
        reply_field(reply, "iids-added", known.added());
        reply_field(reply, "iids-duplicates", known.duplicates());
    }
}

pub(super) fn id_field(reply: &mut Reply, name: &str, id: StreamId) {
    reply.bulk(name.as_bytes());
    reply_id(reply, id);
}

pub(super) fn known_field(reply: &mut Reply, name: &str, value: Option<i64>) {
    reply.bulk(name.as_bytes());
    match value {
        Some(value) => reply.int(value),
        None => reply.null(),
    }
}

fn reply_entry_or_null(reply: &mut Reply, entry: Option<Entry<'_>>) {
    match entry {
        Some(entry) => reply_entry(reply, &entry),
        None => reply.null(),
    }
}

pub(super) const GROUPS: Spec = Spec {
    since: "5.0.0",
    acl: &["stream"],
    keys: &[key_at(2, &["RO", "access"])],
    summary: "The groups of a stream",
    syntax: "key",
    ..Spec::new("groups", Family::Stream, 3, Handler::Read(groups))
};

fn groups(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let stream = found(txn, args.at(2))?;
    reply.array(stream.groups().len());
    for group in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(group.name());
        reply_field(reply, "consumers", group.consumers_len() as u64);
        reply_field(reply, "pending", group.pending_len());
        id_field(reply, "last-delivered-id", group.last_id);
        known_field(reply, "entries-read", group.entries_read.map(|read| read as i64));
        known_field(reply, "lag", stream.lag(group));
    }
    Ok(())
}

pub(super) const CONSUMERS: Spec = Spec {
    since: "5.0.0",
    acl: &["stream"],
    keys: &[key_at(2, &["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "The consumers of a group",
    syntax: "key groupname",
    ..Spec::new("consumers", Family::Stream, 4, Handler::Read(consumers))
};

fn consumers(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let (key, name) = (args.at(2), args.at(3));
    let group = found(txn, key)?.group(name).ok_or_else(|| no_group(key, name))?;
    reply.array(group.consumers_len());
    for (_, consumer) in group.consumers() {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(&consumer.name);
        reply_field(reply, "pending", consumer.pending);
        reply_field(reply, "idle", now_ms.saturating_sub(consumer.seen_at_ms));
        reply.bulk(b"inactive");
        let inactive_ms = consumer.active_at_ms.map(|active| now_ms.saturating_sub(active));
        reply.int(inactive_ms.map_or(-1, u64::cast_signed));
    }
    Ok(())
}
