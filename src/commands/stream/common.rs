//! What the commands on streams have in common.

use super::id;
use crate::commands::error::{CmdError, shown};
use crate::commands::value::reply_item;
use crate::engine::effect::Effect;
use crate::engine::txn::{Txn, WrongType};
use crate::page::entry::EntryRef;
use crate::page::stream::{self, BigStream, Entry, Group, StreamOp};
use crate::resp::Reply;

/// What a consumer is told as that comes into being, however it does.
pub(super) const MADE_CONSUMER: &str = "xgroup-createconsumer";

/// So old may be what is told of when a consumer that got nothing was last seen: each renewal is a record of the log.
const SEEN_RESOLUTION_MS: u64 = 1_000;

/// Whether it is to be noted that a consumer asked for something: it is new, or it was seen long ago.
pub(super) fn is_long_unseen(group: &Group, consumer: &[u8], now_ms: u64) -> bool {
    let known = group
        .consumer(consumer)
        .and_then(|number| group.consumer_of_number(number));
    // Also one that was seen in a future that was none: clocks are put back.
    known.is_none_or(|known| known.seen_at_ms.abs_diff(now_ms) >= SEEN_RESOLUTION_MS)
}

/// The stream that an entry holds.
pub(super) fn stream_of(entry: EntryRef<'_>) -> Result<&BigStream, WrongType> {
    stream::stream_of(entry.value()).ok_or(WrongType)
}

/// The stream at `key` before this command changes it.
pub(super) fn old_stream<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<&'a BigStream>, WrongType> {
    txn.old(key).map(stream_of).transpose()
}

/// The stream at `key`, counted as a use of the key.
pub(super) fn read_stream<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<&'a BigStream>, WrongType> {
    txn.get(key).map(stream_of).transpose()
}

pub(super) fn apply(txn: &mut Txn<'_, '_>, key: &[u8], op: StreamOp<'_>) {
    txn.apply(&Effect::Stream { key, op });
}

/// There is no such key, or it has no such group.
pub(super) fn no_key_or_group(key: &[u8], group: &[u8], after: &str) -> CmdError {
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
pub(super) fn no_group(key: &[u8], group: &[u8]) -> CmdError {
    quoting(&[
        b"NOGROUP No such consumer group '",
        group,
        b"' for key name '",
        key,
        b"'",
    ])
}

/// Parts of a text; what a client gave ends at a NUL.
pub(super) fn quoting(parts: &[&[u8]]) -> CmdError {
    let parts: Vec<&[u8]> = parts.iter().map(|part| shown(part, usize::MAX)).collect();
    CmdError::Quoting(parts.concat())
}

/// Answers with an entry: its id, its fields and values.
pub(super) fn reply_entry(reply: &mut Reply, entry: &Entry<'_>) {
    reply.array(2);
    id::reply_id(reply, entry.id);
    reply_fields(reply, entry);
}

/// Answers with the fields and values of an entry.
pub(super) fn reply_fields(reply: &mut Reply, entry: &Entry<'_>) {
    reply.array(entry.len() * 2);
    entry.for_each(|item| reply_item(reply, item));
}

/// Answers with entries; how many there were.
pub(super) fn reply_entries<'a>(reply: &mut Reply, entries: impl Iterator<Item = Entry<'a>>) -> usize {
    let array = reply.deferred_array();
    let mut count = 0;
    for entry in entries {
        reply_entry(reply, &entry);
        count += 1;
    }
    reply.finish_array(array, count);
    count
}
