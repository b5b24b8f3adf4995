//! A stream as bytes, in pages, the log and persisted files.
//!
//! ```text
//!   0       1
//!   +-------+--------------------+---------+-------------+-------+-------+------+--------+-------+- -
//!   | flags | number of entries, | last id | max deleted | added | nodes | node | groups | group | messages if
//!   |       | one added          |         | id          |       |       |  …   |        |   …   | flagged so
//!   +-------+--------------------+---------+-------------+-------+-------+------+--------+-------+- -
//!   node:     first id, bytes (length, then as in `node.rs`)
//!   group:    name (length, bytes), last id, entries read (one added; 0: unknown),
//!             consumers: number, each: name, seen (ms), [active (ms, one added; 0: never)] if flagged so
//!             pending:   number, each: id, delivered (ms), deliveries, place of its consumer (2^32 - 1: nobody's)
//!   messages: of producers: for how long (s) and how many are known, how many were added and came twice,
//!             number, each: entry's id, producer (length, bytes), its name (length, bytes)
//! ```
//!
//! All numbers are varints; an id is two of them. The head reads as that of any packed container. Nodes are kept as
//! they are, deleted entries included, so that trimming goes on as before.
//!
//! **Invariants:** reading never panics, whatever the bytes; what [`check`] lets through is a whole stream.

use std::collections::HashMap;
use std::sync::Arc;

use super::big::BigStream;
use super::entries::Entries;
use super::group::{Consumer, Group};
use super::id::StreamId;
use super::idempotence::{Idempotence, Limits, Message};
use super::node::Node;
use super::pending::{NOBODY, Pending};
use crate::page::malformed::Malformed;
use crate::page::packed::{Packed, read_varint, write_varint};

const CUT_SHORT: Malformed = Malformed::Container("a stream is cut short");
const NO_CONSUMER: Malformed = Malformed::Container("a pending entry of a stream has no consumer");

/// Set in the flags of a stream that knows of producers' messages.
const HAS_MESSAGES: u8 = 0x80;

/// Set in the flags of a stream whose consumers tell when they were active. Of others, they were when they were seen.
const HAS_ACTIVITY: u8 = 0x40;
const FLAGS_KNOWN: u8 = HAS_MESSAGES | HAS_ACTIVITY;

/// Whether `packed` is a whole stream.
///
/// # Errors
/// What is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), Malformed> {
    read(packed).map(drop)
}

impl BigStream {
    /// From the packed form, which has been checked.
    pub fn unpack(packed: Packed<'_>) -> Self {
        let stream = read(packed);
        debug_assert!(stream.is_ok(), "{stream:?}");
        stream.unwrap_or_default()
    }

    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        let has_consumers = self.groups().iter().any(|group| group.consumers_len() > 0);
        let flag = |flag: u8, is_set: bool| if is_set { flag } else { 0 };
        let flags = flag(HAS_MESSAGES, self.idempotence.is_some()) | flag(HAS_ACTIVITY, has_consumers);
        let mut out = vec![flags];
        write_varint(&mut out, self.len() + 1);
        write_id(&mut out, self.last_id());
        write_id(&mut out, self.max_deleted_id());
        write_varint(&mut out, self.entries_added());
        write_varint(&mut out, self.nodes_len() as u64);
        for node in self.entries().nodes() {
            write_id(&mut out, node.first_id());
            write_bytes(&mut out, node.bytes());
        }
        write_varint(&mut out, self.groups().len() as u64);
        self.groups().iter().for_each(|group| write_group(&mut out, group));
        if let Some(known) = self.idempotence() {
            write_messages(&mut out, known);
        }
        out
    }
}

fn write_id(out: &mut Vec<u8>, id: StreamId) {
    write_varint(out, id.ms);
    write_varint(out, id.seq);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write_group(out: &mut Vec<u8>, group: &Group) {
    write_bytes(out, group.name());
    write_id(out, group.last_id);
    write_varint(out, group.entries_read.map_or(0, |read| read.saturating_add(1)));
    write_varint(out, group.consumers_len() as u64);
    let mut places = HashMap::new();
    for (place, (number, consumer)) in group.consumers().enumerate() {
        places.insert(number, place as u64);
        write_bytes(out, &consumer.name);
        write_varint(out, consumer.seen_at_ms);
        write_varint(out, consumer.active_at_ms.map_or(0, |active| active.saturating_add(1)));
    }
    write_varint(out, group.pending_len());
    for pending in group.pending_from(StreamId::MIN) {
        write_id(out, pending.id);
        write_varint(out, pending.delivered_at_ms);
        write_varint(out, pending.deliveries);
        write_varint(out, places.get(&pending.consumer).copied().unwrap_or(NOBODY.into()));
    }
}

fn write_messages(out: &mut Vec<u8>, known: &Idempotence) {
    let Limits { duration_s, ids_max } = known.limits();
    for number in [
        duration_s,
        ids_max,
        known.added(),
        known.duplicates(),
        known.len() as u64,
    ] {
        write_varint(out, number);
    }
    for message in known.messages() {
        write_id(out, message.id);
        write_bytes(out, message.producer);
        write_bytes(out, message.name);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Result<u64, Malformed> {
        read_varint(&mut self.0).ok_or(CUT_SHORT)
    }

    /// A number of things that take at least one byte each.
    fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.number()?;
        let count = usize::try_from(count).ok().filter(|count| *count <= self.0.len());
        count.ok_or(CUT_SHORT)
    }

    fn id(&mut self) -> Result<StreamId, Malformed> {
        Ok(StreamId::new(self.number()?, self.number()?))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let count = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A name above the one before.
    fn name(&mut self, before: Option<&[u8]>) -> Result<&'a [u8], Malformed> {
        let name = self.bytes()?;
        if before.is_some_and(|before| before >= name) {
            return Err(Malformed::Container(
                "names of a stream's groups or consumers do not ascend",
            ));
        }
        Ok(name)
    }

    fn nodes(&mut self) -> Result<Vec<Node>, Malformed> {
        let mut nodes = Vec::new();
        let mut last: Option<StreamId> = None;
        for _ in 0..self.count()? {
            let first = self.id()?;
            if last.is_some_and(|last| first <= last) {
                return Err(Malformed::Container("nodes of a stream do not ascend"));
            }
            let (node, last_id) = Node::of_bytes(first, self.bytes()?.to_vec())?;
            last = Some(last_id);
            nodes.push(node);
        }
        Ok(nodes)
    }

    fn group(&mut self, before: Option<&[u8]>, has_activity: bool) -> Result<Group, Malformed> {
        let name = self.name(before)?;
        let group = Group::new(name, self.id()?, self.number()?.checked_sub(1));
        let mut consumers: Vec<Consumer> = Vec::new();
        for _ in 0..self.count()? {
            let name = self.name(consumers.last().map(|consumer| &*consumer.name))?;
            let seen_at_ms = self.number()?;
            let active_at_ms = match has_activity {
                true => self.number()?.checked_sub(1),
                false => Some(seen_at_ms),
            };
            consumers.push(Consumer {
                name: Arc::from(name),
                seen_at_ms,
                active_at_ms,
                pending: 0,
            });
        }
        let mut pending: Vec<Pending> = Vec::new();
        for _ in 0..self.count()? {
            let next = Pending {
                id: self.id()?,
                delivered_at_ms: self.number()?,
                deliveries: self.number()?,
                consumer: u32::try_from(self.number()?).map_err(|_| NO_CONSUMER)?,
            };
            if pending.last().is_some_and(|last| last.id >= next.id) {
                return Err(Malformed::Container("pending entries of a stream do not ascend"));
            }
            if next.consumer as usize >= consumers.len() && next.consumer != NOBODY {
                return Err(NO_CONSUMER);
            }
            pending.push(next);
        }
        Ok(group.with(consumers, pending))
    }

    fn messages(&mut self) -> Result<Idempotence, Malformed> {
        let limits = Limits {
            duration_s: self.number()?,
            ids_max: self.number()?,
        };
        let mut known = Idempotence::new(limits, self.number()?, self.number()?);
        let mut last = None;
        let count = self.count()?;
        for _ in 0..count {
            let message = Message {
                id: self.id()?,
                producer: self.bytes()?,
                name: self.bytes()?,
            };
            let key = (message.id, message.producer, message.name);
            if last.replace(key).is_some_and(|last| last >= key) {
                return Err(Malformed::Container("messages of a stream's producers do not ascend"));
            }
            known.remember(message);
        }
        if known.len() != count {
            return Err(Malformed::Container(
                "a message of a stream's producers is there twice, or there are too many",
            ));
        }
        Ok(known)
    }
}

pub(super) fn read(packed: Packed<'_>) -> Result<BigStream, Malformed> {
    if packed.flags() & !FLAGS_KNOWN != 0 {
        return Err(Malformed::StreamFlags(packed.flags()));
    }
    let mut reader = Reader(packed.bytes().get(1..).unwrap_or_default());
    let length = reader.number()?;
    let (last_id, max_deleted_id, entries_added) = (reader.id()?, reader.id()?, reader.number()?);
    let nodes = reader.nodes()?;
    if nodes.last().is_some_and(|node| node.last_id() > last_id) {
        return Err(Malformed::Container("a stream has an entry behind its last id"));
    }
    let entries = Entries::of_nodes(nodes);
    if entries.len().checked_add(1) != Some(length) {
        return Err(Malformed::StreamEntries(entries.len()));
    }
    let mut groups: Vec<Group> = Vec::new();
    for _ in 0..reader.count()? {
        let has_activity = packed.flags() & HAS_ACTIVITY != 0;
        let group = reader.group(groups.last().map(Group::name), has_activity)?;
        groups.push(group);
    }
    let has_messages = packed.flags() & HAS_MESSAGES != 0;
    let known = has_messages.then(|| reader.messages()).transpose()?;
    if !reader.0.is_empty() {
        return Err(Malformed::Container("there is something behind a stream"));
    }
    let stream = BigStream {
        idempotence: known.map(Arc::new),
        entries,
        last_id,
        max_deleted_id,
        entries_added,
        ..BigStream::default()
    };
    Ok(stream.with_groups(groups))
}

/// How many entries a packed stream has.
pub fn len(packed: Packed<'_>) -> u64 {
    // One is added, so that no stream seems to be empty.
    (packed.count() as u64).saturating_sub(1)
}
