//! Streams: nodes (each a listpack of entries under the id of its first), bounds, consumer groups.
//!
//! **Invariants**
//! - Entries come in the order of their ids, each id once; a pending entry has exactly one consumer, as Redis requires,
//!   or was given back.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use crate::page::packed::Item;
use crate::page::stream::Limits;

use super::super::blob::listpack::Listpack;
use super::super::code::{entry, kind};
use super::super::error::Reason;
use super::super::stream::{Consumer, Group, Id, Messages, Pending, Stream};
use super::source::Source;

/// Reads a stream of the type `code`.
pub fn read<R: Read>(source: &mut Source<R>, code: u8) -> Result<Stream, Reason> {
    let mut stream = Stream::default();
    let mut last = None;
    let mut blob = Vec::new();
    for _ in 0..source.length()? {
        let first = node_id(source)?;
        source.string_into(&mut blob)?;
        node(first, &blob, &mut last, &mut stream)?;
    }
    if source.length()? != stream.len() {
        return Reason::bad("a stream has another number of entries than it says");
    }
    stream.last_id = id(source)?;
    if last > Some(stream.last_id) {
        return Reason::bad("a stream has entries beyond its last id");
    }
    let first = stream.iter().next().map(|entry| entry.id);
    stream.first_id = first.unwrap_or_default();
    stream.entries_added = stream.len();
    if code != kind::STREAM {
        // The first id again, which may be stale when the stream is empty.
        id(source)?;
        stream.max_deleted_id = id(source)?;
        stream.entries_added = source.length()?;
        if stream.entries_added < stream.len() {
            return Reason::bad("a stream has more entries than were ever added");
        }
    }
    for _ in 0..source.length()? {
        let group = group(source, code, &stream)?;
        if stream.groups.iter().any(|other| other.name == group.name) {
            return Reason::bad("a stream has a consumer group twice");
        }
        stream.groups.push(group);
    }
    if matches!(code, kind::STREAM_4 | kind::STREAM_5) {
        stream.messages = Some(messages(source)?).filter(|messages| !is_untouched(messages));
    }
    Ok(stream)
}

/// Whether a stream is as one that never had messages of producers: newer servers write so of every stream.
fn is_untouched(messages: &Messages) -> bool {
    let Limits { duration_s, ids_max } = Limits::DEFAULT;
    let untouched = Messages {
        duration_s,
        ids_max,
        ..Messages::default()
    };
    *messages == untouched
}

fn messages<R: Read>(source: &mut Source<R>) -> Result<Messages, Reason> {
    let mut messages = Messages {
        duration_s: source.length()?,
        ids_max: source.length()?,
        ..Messages::default()
    };
    let mut names = HashSet::new();
    for _ in 0..source.length()? {
        let producer = source.string()?;
        let mut ids = Vec::new();
        for _ in 0..source.length()? {
            let message = source.string()?;
            if !names.insert((producer.clone(), message.clone())) {
                return Reason::bad("a message of a stream's producer is there twice");
            }
            ids.push((message, id(source)?));
        }
        messages.producers.push((producer, ids));
    }
    messages.added = source.length()?;
    messages.duplicates = source.length()?;
    Ok(messages)
}

fn id<R: Read>(source: &mut Source<R>) -> Result<Id, Reason> {
    Ok(Id {
        ms: source.length()?,
        seq: source.length()?,
    })
}

fn node_id<R: Read>(source: &mut Source<R>) -> Result<Id, Reason> {
    let mut bytes = Vec::new();
    source.string_into(&mut bytes)?;
    match <[u8; 16]>::try_from(bytes) {
        Ok(bytes) => Ok(Id::of_bytes(bytes)),
        Err(_) => Reason::bad("a node of a stream has no proper id"),
    }
}

/// Adds the entries of one node to `stream`.
fn node(first: Id, blob: &[u8], last: &mut Option<Id>, stream: &mut Stream) -> Result<(), Reason> {
    let mut items = Listpack::new(blob)?;
    let (live, deleted) = (items.expect_int()?, items.expect_int()?);
    let shared = fields(&mut items)?;
    if items.expect_int()? != 0 {
        return Reason::bad("a node of a stream has no end behind its fields");
    }
    let mut seen = [0_i64; 2];
    let mut pairs = Vec::new();
    while let Some(flags) = items.next() {
        let Item::Int(flags) = flags? else {
            return Reason::bad("an entry of a stream has no flags");
        };
        if flags & !(entry::DELETED | entry::SAME_FIELDS) != 0 {
            return Reason::bad("an entry of a stream has unknown flags");
        }
        let id = Id {
            ms: first.ms.wrapping_add_signed(items.expect_int()?),
            seq: first.seq.wrapping_add_signed(items.expect_int()?),
        };
        let parts = read_pairs(&mut items, flags, &shared, &mut pairs)?;
        if items.expect_int()? != parts {
            return Reason::bad("an entry of a stream has another length behind it");
        }
        let is_deleted = flags & entry::DELETED != 0;
        if let Some(count) = seen.get_mut(usize::from(is_deleted)) {
            *count += 1;
        }
        if is_deleted {
            continue;
        }
        if last.is_some_and(|last| last >= id) || id == Id::default() {
            return Reason::bad("entries of a stream are out of order");
        }
        *last = Some(id);
        stream.push(id, &pairs);
    }
    if seen != [live, deleted] {
        return Reason::bad("a node of a stream has another number of entries than it says");
    }
    Ok(())
}

fn fields<'a>(items: &mut Listpack<'a>) -> Result<Vec<Item<'a>>, Reason> {
    let count = items.expect_int()?;
    // Not reserved: the listpack has as many only if they are there.
    (0..count).map(|_| items.expect()).collect()
}

/// Reads fields and values; the result is of how many parts the entry says that it consists.
fn read_pairs<'a>(
    items: &mut Listpack<'a>,
    flags: i64,
    shared: &[Item<'a>],
    pairs: &mut Vec<Item<'a>>,
) -> Result<i64, Reason> {
    pairs.clear();
    if flags & entry::SAME_FIELDS != 0 {
        for field in shared {
            pairs.extend([*field, items.expect()?]);
        }
        return Ok(shared.len() as i64 + 3);
    }
    let count = items.expect_int()?;
    if count < 0 {
        return Reason::bad("an entry of a stream has a negative number of fields");
    }
    for _ in 0..count {
        pairs.extend([items.expect()?, items.expect()?]);
    }
    Ok(2 * count + 4)
}

fn group<R: Read>(source: &mut Source<R>, code: u8, stream: &Stream) -> Result<Group, Reason> {
    let name = source.string()?;
    let last_id = id(source)?;
    let entries_read = match code {
        kind::STREAM => guess_entries_read(stream, last_id),
        _ => Some(source.length()?).filter(|count| *count <= i64::MAX as u64),
    };
    let mut pending = BTreeMap::new();
    for _ in 0..source.length()? {
        let id = Id::of_bytes(source.array()?);
        let delivered_at_ms = source.milliseconds()?.unwrap_or_default();
        if pending.insert(id, (delivered_at_ms, source.length()?, None)).is_some() {
            return Reason::bad("an entry is pending twice in a consumer group");
        }
    }
    let consumers = consumers(source, code, &mut pending)?;
    let released = released(source, code, &pending)?;
    let mut all = Vec::with_capacity(pending.len());
    for (id, (delivered_at_ms, deliveries, consumer)) in pending {
        if consumer.is_none() && !released.contains(&id) {
            return Reason::bad("an entry of a consumer group is pending with nobody");
        }
        all.push(Pending {
            id,
            consumer,
            // Whoever gave it back, it has waited for ever.
            delivered_at_ms: if consumer.is_some() { delivered_at_ms } else { 0 },
            deliveries,
        });
    }
    Ok(Group {
        name,
        last_id,
        entries_read,
        consumers,
        pending: all,
    })
}

/// The pending entries that were given back.
fn released<R: Read>(source: &mut Source<R>, code: u8, pending: &PendingById) -> Result<HashSet<Id>, Reason> {
    let mut released = HashSet::new();
    if code == kind::STREAM_5 {
        for _ in 0..source.length()? {
            let id = Id::of_bytes(source.array()?);
            let is_free = matches!(pending.get(&id), Some((_, _, None)));
            if !is_free || !released.insert(id) {
                return Reason::bad("an entry was given back that is not pending, or is a consumer's");
            }
        }
    }
    Ok(released)
}

/// Pending entries: when and how often delivered, and to whom, once that is known.
type PendingById = BTreeMap<Id, (u64, u64, Option<usize>)>;

fn consumers<R: Read>(source: &mut Source<R>, code: u8, pending: &mut PendingById) -> Result<Vec<Consumer>, Reason> {
    let mut consumers: Vec<Consumer> = Vec::new();
    let mut names = HashSet::new();
    for _ in 0..source.length()? {
        let name = source.string()?;
        let seen_at_ms = source.milliseconds()?;
        let active_at_ms = match code {
            kind::STREAM_3 | kind::STREAM_4 | kind::STREAM_5 => source.milliseconds()?,
            _ => seen_at_ms,
        };
        for _ in 0..source.length()? {
            match pending.get_mut(&Id::of_bytes(source.array()?)) {
                Some((_, _, owner @ None)) => *owner = Some(consumers.len()),
                _ => return Reason::bad("a consumer has an entry that is not pending in its group, or another's"),
            }
        }
        if !names.insert(name.clone()) {
            return Reason::bad("a consumer group has a consumer twice");
        }
        consumers.push(Consumer {
            name,
            seen_at_ms: seen_at_ms.unwrap_or_default(),
            active_at_ms,
        });
    }
    Ok(consumers)
}

/// How many entries a group has read, as far as its last id tells: formats before Redis 7 do not say.
fn guess_entries_read(stream: &Stream, last_id: Id) -> Option<u64> {
    if stream.is_empty() || last_id == stream.last_id {
        Some(stream.entries_added)
    } else if last_id < stream.first_id {
        Some(0)
    } else if last_id == stream.first_id {
        Some(1)
    } else {
        None
    }
}
