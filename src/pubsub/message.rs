//! A message as it is sent: encoded once for all.
//!
//! **Invariant:** what is kept of a message lacks the first byte, the only one in which RESP2 (an array) and RESP3 (a
//! push) differ. MONITOR's lines are the same in both, and kept whole.

use std::sync::Arc;

use super::topic::{Topic, TopicKind};
use crate::resp::{Proto, Reply};
use crate::shared::Shared;

/// What subscribers of `topic` are sent when `payload` is published on `channel`.
pub(super) fn encode(topic: &Topic, channel: &[u8], payload: &[u8]) -> Shared {
    let mut bytes = Vec::with_capacity(64 + channel.len() + payload.len() + topic.name.len());
    match topic.kind {
        TopicKind::Channel => bytes.extend_from_slice(b"3\r\n$7\r\nmessage\r\n"),
        TopicKind::Shard => bytes.extend_from_slice(b"3\r\n$8\r\nsmessage\r\n"),
        TopicKind::Pattern => {
            bytes.extend_from_slice(b"4\r\n$8\r\npmessage\r\n");
            put_bulk(&mut bytes, &topic.name);
        }
    }
    put_bulk(&mut bytes, channel);
    put_bulk(&mut bytes, payload);
    Arc::new(bytes)
}

fn put_bulk(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.push(b'$');
    bytes.extend_from_slice(itoa::Buffer::new().format(text.len()).as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(text);
    bytes.extend_from_slice(b"\r\n");
}

/// Writes lines to the buffer of a client in MONITOR, where they count as replies.
pub fn put_lines(reply: &mut Reply, lines: &Shared) {
    reply.raw_shared(lines);
}

/// Writes a message to a subscriber's buffer, whichever replies it wants.
pub fn put_message(reply: &mut Reply, message: &Shared) {
    reply.whatever_is_wanted(|reply| {
        let kind: &[u8] = match reply.proto() {
            Proto::Resp2 => b"*",
            Proto::Resp3 => b">",
        };
        reply.raw(kind);
        reply.raw_shared(message);
    });
}
