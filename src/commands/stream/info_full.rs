//! XINFO STREAM … FULL: entries, groups, consumers, and what is pending.

use super::common::reply_entries;
use super::id::reply_id;
use super::info::{counts_len, id_field, known_field, reply_counts};
use crate::commands::value::reply_field;
use crate::page::stream::{BigStream, Group, StreamId};
use crate::resp::Reply;

/// Answers with up to `count` of everything.
pub(super) fn reply_all(stream: &BigStream, count: usize, now_ms: u64, reply: &mut Reply) {
    reply.map(2 + counts_len(stream));
    reply_counts(stream, now_ms, reply);
    reply.bulk(b"entries");
    reply_entries(reply, stream.range(StreamId::MIN, StreamId::MAX).take(count));
    reply.bulk(b"groups");
    reply.array(stream.groups().len());
    for group in stream.groups() {
        reply_group(stream, group, count, reply);
    }
}

fn reply_group(stream: &BigStream, group: &Group, count: usize, reply: &mut Reply) {
    let released = Some(group.released_len()).filter(|released| *released > 0);
    reply.map(7 + usize::from(released.is_some()));
    reply.bulk(b"name");
    reply.bulk(group.name());
    id_field(reply, "last-delivered-id", group.last_id);
    known_field(reply, "entries-read", group.entries_read.map(|read| read as i64));
    known_field(reply, "lag", stream.lag(group));
    reply_field(reply, "pel-count", group.pending_len());
    reply.bulk(b"pending");
    let array = reply.deferred_array();
    let mut shown = 0;
    for pending in group.pending_from(StreamId::MIN).take(count) {
        reply.array(4);
        reply_id(reply, pending.id);
        reply.bulk(group.consumer_name(pending.consumer));
        reply.int(pending.delivered_at_ms as i64);
        reply.int(pending.deliveries as i64);
        shown += 1;
    }
    reply.finish_array(array, shown);
    reply.bulk(b"consumers");
    reply.array(group.consumers_len());
    for (number, consumer) in group.consumers() {
        reply.map(5);
        reply.bulk(b"name");
        reply.bulk(&consumer.name);
        reply_field(reply, "seen-time", consumer.seen_at_ms);
        reply.bulk(b"active-time");
        reply.int(consumer.active_at_ms.map_or(-1, u64::cast_signed));
        reply_field(reply, "pel-count", consumer.pending);
        reply.bulk(b"pending");
        let array = reply.deferred_array();
        let mut shown = 0;
        for pending in group.pending_of(number, StreamId::MIN).take(count) {
            reply.array(3);
            reply_id(reply, pending.id);
            reply.int(pending.delivered_at_ms as i64);
            reply.int(pending.deliveries as i64);
            shown += 1;
        }
        reply.finish_array(array, shown);
    }
    if let Some(released) = released {
        reply_field(reply, "nacked-count", released);
    }
}
