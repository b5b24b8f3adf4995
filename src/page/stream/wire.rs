//! A stream as bytes, in pages, the log and persisted files.
//!
//! ```text
//!   0       1
//!   +-------+--------------------+---------+-------------+-------+-------+------+--------+-------+- -
//!   | flags | number of entries, | last id | max deleted | added | nodes | node | groups | group |
//!   |   0   | one added          |         | id          |       |       |  …   |        |   …   |
//!   +-------+--------------------+---------+-------------+-------+-------+------+--------+-------+- -
//!   node:     first id, bytes (length, then as in `node.rs`)
//!   group:    name (length, bytes), last id, entries read (one added; 0: unknown),
//!             consumers: number, each: name, seen (ms)
//!             pending:   number, each: id, delivered (ms), deliveries, place of its consumer
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
use super::node::Node;
use super::pending::Pending;
use crate::page::malformed::Malformed;
use crate::page::packed::{Packed, read_varint, write_varint};

const CUT_SHORT: Malformed = Malformed::Container("a stream is cut short");

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
        let mut out = vec![0];
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
    }
    write_varint(out, group.pending_len());
    for pending in group.pending_from(StreamId::MIN) {
        write_id(out, pending.id);
        write_varint(out, pending.delivered_at_ms);
        write_varint(out, pending.deliveries);
        write_varint(out, places.get(&pending.consumer).copied().unwrap_or_default());
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

    fn group(&mut self, before: Option<&[u8]>) -> Result<Group, Malformed> {
        let name = self.name(before)?;
        let group = Group::new(name, self.id()?, self.number()?.checked_sub(1));
        let mut consumers: Vec<Consumer> = Vec::new();
        for _ in 0..self.count()? {
            let name = self.name(consumers.last().map(|consumer| &*consumer.name))?;
            consumers.push(Consumer {
                name: Arc::from(name),
                seen_at_ms: self.number()?,
                pending: 0,
            });
        }
        let mut pending: Vec<Pending> = Vec::new();
        for _ in 0..self.count()? {
            let next = Pending {
                id: self.id()?,
                delivered_at_ms: self.number()?,
                deliveries: self.number()?,
                consumer: u32::try_from(self.number()?).unwrap_or(u32::MAX),
            };
            if pending.last().is_some_and(|last| last.id >= next.id) {
                return Err(Malformed::Container("pending entries of a stream do not ascend"));
            }
            if next.consumer as usize >= consumers.len() {
                return Err(Malformed::Container("a pending entry of a stream has no consumer"));
            }
            pending.push(next);
        }
        Ok(group.with(consumers, pending))
    }
}

pub(super) fn read(packed: Packed<'_>) -> Result<BigStream, Malformed> {
    if packed.flags() != 0 {
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
        let group = reader.group(groups.last().map(Group::name))?;
        groups.push(group);
    }
    if !reader.0.is_empty() {
        return Err(Malformed::Container("there is something behind a stream"));
    }
    let stream = BigStream {
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
