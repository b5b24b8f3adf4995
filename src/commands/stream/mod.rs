//! Commands on streams.

mod add;
mod autoclaim;
mod claim;
mod consumers;
mod delete;
mod group;
mod id;
mod info;
mod info_full;
mod pending;
mod range;
mod read;
mod read_group;
mod set_id;
#[cfg(test)]
mod tests;
mod trim;

use super::error::{CmdError, shown};
use super::help::help_spec;
use super::spec::assert_sorted;
use super::spec::{Group, Handler, Spec};
use super::value::reply_item;
use crate::engine::effect::Effect;
use crate::engine::txn::{Txn, WrongType};
use crate::page::entry::EntryRef;
use crate::page::stream::{self, BigStream, Entry, StreamOp};
use crate::resp::Reply;

/// The family.
pub const COMMANDS: &[Spec] = &[
    delete::XACK,
    add::XADD,
    autoclaim::XAUTOCLAIM,
    claim::XCLAIM,
    delete::XDEL,
    XGROUP,
    XINFO,
    range::XLEN,
    pending::XPENDING,
    range::XRANGE,
    read::XREAD,
    read_group::XREADGROUP,
    range::XREVRANGE,
    set_id::XSETID,
    trim::XTRIM,
];

const _: () = assert_sorted(COMMANDS);

const XGROUP: Spec = Spec {
    since: "5.0.0",
    summary: "Consumer groups of streams",
    complexity: "Depends on subcommand.",
    subcommands: XGROUP_SUBCOMMANDS,
    ..Spec::new("xgroup", Group::Stream, -2, Handler::Container)
};

const XGROUP_SUBCOMMANDS: &[Spec] = &[
    group::CREATE,
    consumers::CREATECONSUMER,
    consumers::DELCONSUMER,
    group::DESTROY,
    help_spec(Group::Stream, "5.0.0", &["stream"]),
    group::SETID,
];

const _: () = assert_sorted(XGROUP_SUBCOMMANDS);

const XINFO: Spec = Spec {
    since: "5.0.0",
    summary: "What is known of a stream",
    complexity: "Depends on subcommand.",
    subcommands: XINFO_SUBCOMMANDS,
    ..Spec::new("xinfo", Group::Stream, -2, Handler::Container)
};

const XINFO_SUBCOMMANDS: &[Spec] = &[
    info::CONSUMERS,
    info::GROUPS,
    help_spec(Group::Stream, "5.0.0", &["stream"]),
    info::STREAM,
];

const _: () = assert_sorted(XINFO_SUBCOMMANDS);

/// The stream that an entry holds.
fn stream_of(entry: EntryRef<'_>) -> Result<&BigStream, WrongType> {
    stream::stream_of(entry.value()).ok_or(WrongType)
}

/// The stream at `key` before this command changes it.
fn old_stream<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<&'a BigStream>, WrongType> {
    txn.old(key).map(stream_of).transpose()
}

fn apply(txn: &mut Txn<'_, '_>, key: &[u8], op: StreamOp<'_>) {
    txn.apply(&Effect::Stream { key, op });
}

/// There is no such key, or it has no such group.
fn no_key_or_group(key: &[u8], group: &[u8], after: &str) -> CmdError {
    quoting(&[
        b"NOGROUP No such key '",
        key,
        b"' or consumer group '",
        group,
        b"'",
        after.as_bytes(),
    ])
}

/// There is no such group.
fn no_group(key: &[u8], group: &[u8]) -> CmdError {
    quoting(&[
        b"NOGROUP No such consumer group '",
        group,
        b"' for key name '",
        key,
        b"'",
    ])
}

/// Parts of a text; what a client gave ends at a NUL.
fn quoting(parts: &[&[u8]]) -> CmdError {
    let parts: Vec<&[u8]> = parts.iter().map(|part| shown(part, usize::MAX)).collect();
    CmdError::Quoting(parts.concat())
}

/// Answers with an entry: its id, its fields and values.
fn reply_entry(reply: &mut Reply, entry: &Entry<'_>) {
    reply.array(2);
    id::reply_id(reply, entry.id);
    reply.array(entry.len() * 2);
    entry.for_each(|item| reply_item(reply, item));
}

/// Answers with entries; how many there were.
fn reply_entries<'a>(reply: &mut Reply, entries: impl Iterator<Item = Entry<'a>>) -> usize {
    let array = reply.deferred_array();
    let mut count = 0;
    for entry in entries {
        reply_entry(reply, &entry);
        count += 1;
    }
    reply.finish_array(array, count);
    count
}
