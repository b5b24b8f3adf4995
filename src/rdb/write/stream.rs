//! Streams: entries packed into nodes, then bounds and consumer groups, and messages of producers.

use crate::page::packed::Item;
use crate::page::stream::Limits;

use super::super::blob::listpack;
use super::super::code::{entry, kind};
use super::super::stream::{Consumer, Group, Id, Messages, Stream, StreamEntry};
use super::super::version::Version;
use super::scalar::{length, string};

/// A node is full at this many bytes or entries.
const NODE_BYTES: usize = 4096;
const NODE_ENTRIES: usize = 100;

/// The type that `version`, which holds it, has for a stream. Where it is not known when consumers last got something,
/// they did when they were last heard of, as those take it who read an older type.
pub fn kind_of(stream: &Stream, version: Version) -> u8 {
    let mut consumers = stream.groups.iter().flat_map(|group| &group.consumers);
    if stream.is_released() {
        kind::STREAM_5
    } else if stream.messages.is_some() {
        kind::STREAM_4
    } else if version.has_active_times() && consumers.any(|consumer| consumer.active_at_ms.is_some()) {
        kind::STREAM_3
    } else if version.has_listpacks() {
        kind::STREAM_2
    } else {
        kind::STREAM
    }
}

/// Appends a stream, as of the type `code`.
pub fn write(out: &mut Vec<u8>, stream: &Stream, code: u8) {
    let mut nodes = Vec::new();
    let mut count = 0;
    let mut open: Option<Node<'_>> = None;
    for entry in stream.iter() {
        if let Some(full) = open.take_if(|node| node.is_full()) {
            full.close(&mut nodes);
        }
        let node = open.get_or_insert_with(|| {
            count += 1;
            Node::new(&entry)
        });
        node.push(&entry);
    }
    if let Some(last) = open {
        last.close(&mut nodes);
    }
    length(out, count);
    out.extend(nodes);
    length(out, stream.len());
    id(out, stream.last_id);
    if code != kind::STREAM {
        id(out, stream.first_id);
        id(out, stream.max_deleted_id);
        length(out, stream.entries_added);
    }
    length(out, stream.groups.len() as u64);
    stream.groups.iter().for_each(|each| group(out, each, code));
    if matches!(code, kind::STREAM_4 | kind::STREAM_5) {
        messages(out, stream.messages.as_ref());
    }
}

fn messages(out: &mut Vec<u8>, messages: Option<&Messages>) {
    let Limits { duration_s, ids_max } = Limits::DEFAULT;
    let none = Messages {
        duration_s,
        ids_max,
        ..Messages::default()
    };
    let messages = messages.unwrap_or(&none);
    length(out, messages.duration_s);
    length(out, messages.ids_max);
    length(out, messages.producers.len() as u64);
    for (producer, ids) in &messages.producers {
        string(out, producer);
        length(out, ids.len() as u64);
        for (message, entry) in ids {
            string(out, message);
            id(out, *entry);
        }
    }
    length(out, messages.added);
    length(out, messages.duplicates);
}

fn id(out: &mut Vec<u8>, id: Id) {
    length(out, id.ms);
    length(out, id.seq);
}

/// A node that is being filled.
struct Node<'a> {
    first: Id,
    fields: Vec<Item<'a>>,
    /// The entries, without the header.
    entries: Vec<(i64, Id, Vec<Item<'a>>)>,
    bytes: usize,
}

impl<'a> Node<'a> {
    fn new(first: &StreamEntry<'a>) -> Self {
        Self {
            first: first.id,
            fields: first.pairs.iter().step_by(2).copied().collect(),
            entries: Vec::new(),
            bytes: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= NODE_BYTES || self.entries.len() >= NODE_ENTRIES
    }

    fn push(&mut self, entry: &StreamEntry<'a>) {
        let fields = || entry.pairs.iter().step_by(2);
        let same = fields().len() == self.fields.len() && fields().zip(&self.fields).all(|(one, other)| one.is(*other));
        let (flags, items) = if same {
            let values = entry.pairs.iter().skip(1).step_by(2).copied().collect();
            (entry::SAME_FIELDS, values)
        } else {
            (0, entry.pairs.clone())
        };
        self.bytes += items.iter().map(|item| item.written_bytes() + 1).sum::<usize>() + 8;
        self.entries.push((flags, entry.id, items));
    }

    fn close(self, out: &mut Vec<u8>) {
        let mut builder = listpack::Builder::new();
        builder.push_int(self.entries.len() as i64);
        builder.push_int(0);
        builder.push_int(self.fields.len() as i64);
        self.fields.iter().for_each(|field| builder.push(*field));
        builder.push_int(0);
        for (flags, id, items) in self.entries {
            let start = builder.count();
            builder.push_int(flags);
            builder.push_int(id.ms.wrapping_sub(self.first.ms) as i64);
            builder.push_int(id.seq.wrapping_sub(self.first.seq) as i64);
            if flags & entry::SAME_FIELDS == 0 {
                builder.push_int(items.len() as i64 / 2);
            }
            items.iter().for_each(|item| builder.push(*item));
            builder.push_int((builder.count() - start) as i64);
        }
        string(out, &self.first.to_bytes());
        string(out, &builder.finish());
    }
}

fn group(out: &mut Vec<u8>, group: &Group, code: u8) {
    string(out, &group.name);
    id(out, group.last_id);
    if code != kind::STREAM {
        // Unknown is minus one.
        length(out, group.entries_read.unwrap_or(u64::MAX));
    }
    length(out, group.pending.len() as u64);
    for pending in &group.pending {
        out.extend(pending.id.to_bytes());
        out.extend(pending.delivered_at_ms.to_le_bytes());
        length(out, pending.deliveries);
    }
    let (mut of_consumers, mut released) = (vec![Vec::new(); group.consumers.len()], Vec::new());
    for pending in &group.pending {
        match pending.consumer {
            None => released.push(pending.id),
            Some(place) => of_consumers
                .get_mut(place)
                .into_iter()
                .for_each(|ids: &mut Vec<Id>| ids.push(pending.id)),
        }
    }
    length(out, group.consumers.len() as u64);
    let is_known = group.consumers.iter().any(|consumer| consumer.active_at_ms.is_some());
    for (consumer, ids) in group.consumers.iter().zip(of_consumers) {
        let active_at_ms = consumer
            .active_at_ms
            .or(Some(consumer.seen_at_ms).filter(|_| !is_known));
        name_and_times(out, consumer, active_at_ms, code);
        length(out, ids.len() as u64);
        ids.iter().for_each(|id| out.extend(id.to_bytes()));
    }
    if code == kind::STREAM_5 {
        length(out, released.len() as u64);
        released.iter().for_each(|id| out.extend(id.to_bytes()));
    }
}

fn name_and_times(out: &mut Vec<u8>, consumer: &Consumer, active_at_ms: Option<u64>, code: u8) {
    string(out, &consumer.name);
    out.extend(consumer.seen_at_ms.to_le_bytes());
    if matches!(code, kind::STREAM_3 | kind::STREAM_4 | kind::STREAM_5) {
        // Never is minus one.
        out.extend(active_at_ms.unwrap_or(u64::MAX).to_le_bytes());
    }
}
