//! How an effect changes a shard: the one way in which data changes, live and on replay.
//!
//! **Invariant:** [`apply`] depends on logged data only: the shard, the effect and the encoding thresholds, which an
//! effect of their own changes (the access clock is not data, nor are names of pages and parts). So replay of a history
//! gives the same data.

use super::collection::{Shard, ShardState};
use super::effect::Effect;
use super::index::{KeyRef, PageWrite};
use crate::page::container::{Figures, Form, Kind, Next};
use crate::page::entry::{Entry, EntryMut};
use crate::page::text::{BigText, CHUNKED_BYTES_MIN};
use crate::page::{Access, Mark, Packed, Stamp, StrRef, ValueRef, hash, list, set, stream, vectors, zset};
use crate::shared::Shared;

/// What applying an effect left behind.
#[derive(Default)]
pub struct Applied {
    /// Change of the heap bytes in use; the bytes of `retired` are subtracted already.
    pub bytes: i64,
    /// By how many elements (fields, members, entries) the key's container has grown.
    pub elements: i64,
    /// The entry that went; dropping it may be slow when it is large.
    pub retired: Option<Entry>,
}

/// Applies an effect on a key to its shard.
#[inline]
pub fn apply(
    shard: &Shard,
    state: &mut ShardState,
    key: KeyRef<'_>,
    effect: &Effect<'_>,
    write: &PageWrite<'_>,
    stamp: Stamp,
) -> Applied {
    let index_bytes = state.index.heap_bytes();
    let mut tally = Tally::default();
    let retired = match *effect {
        Effect::Put {
            expire_at_ms, value, ..
        } => {
            let names = Some(write.change.mark);
            set(state, key, (value, expire_at_ms, names), (write, stamp), &mut tally)
        }
        Effect::Copy {
            expire_at_ms,
            value: Some(value),
            takes_parts,
            ..
        } => {
            let names = (!takes_parts).then_some(write.change.mark);
            set(state, key, (value, expire_at_ms, names), (write, stamp), &mut tally)
        }
        Effect::Delete { .. } | Effect::Copy { value: None, .. } => {
            let removed = state.index.remove(key, write);
            tally.take(removed.as_ref());
            removed
        }
        Effect::ExpireAt { expire_at_ms, .. } => {
            let expire_at_ms = (expire_at_ms != 0).then_some(expire_at_ms);
            // Dropped at once: a large value belongs to the entry that took its stead, too.
            drop(state.index.upsert(key, write, |entry| {
                move_expiry(entry?, key.bytes, expire_at_ms, stamp, &mut tally)
            }));
            None
        }
        Effect::StrRange { offset, bytes, .. } => change_string(state, key, (offset, bytes), write, &mut tally),
        ref on_container => change_container(state, key, on_container, (write, stamp), &mut tally),
    };
    tally.enter(shard, state, index_bytes, retired)
}

/// Puts back the entry that `key` had before effects that are taken back, or has it gone again: not a change that is
/// logged, but as one to its page.
pub fn restore(
    shard: &Shard,
    state: &mut ShardState,
    key: KeyRef<'_>,
    old: Option<Entry>,
    write: &PageWrite<'_>,
) -> Applied {
    let index_bytes = state.index.heap_bytes();
    let mut tally = Tally::default();
    let retired = match old {
        Some(old) => {
            tally.add(&old);
            state.index.upsert(key, write, |entry| {
                if let Some(entry) = entry {
                    tally.take(Some(entry));
                }
                Some(old)
            })
        }
        None => {
            let removed = state.index.remove(key, write);
            tally.take(removed.as_ref());
            removed
        }
    };
    tally.enter(shard, state, index_bytes, retired)
}

/// Differences an effect makes to a shard's figures.
#[derive(Default)]
struct Tally {
    elements: i64,
    keys: i64,
    expires: i64,
    timed: i64,
    bytes: i64,
}

impl Tally {
    fn count(&mut self, entry: &Entry, sign: i64) {
        self.keys += sign;
        self.expires += sign * i64::from(entry.expire_at_ms().is_some());
        self.timed += sign * i64::from(entry.is_timed());
        self.bytes += sign * entry.heap_bytes() as i64;
    }

    /// A big container has changed.
    fn change(&mut self, before: Figures, after: Figures) {
        self.bytes += after.bytes as i64 - before.bytes as i64;
        self.elements += after.elements as i64 - before.elements as i64;
        self.timed += i64::from(after.is_timed) - i64::from(before.is_timed);
    }

    fn take(&mut self, entry: Option<&Entry>) {
        if let Some(entry) = entry {
            self.count(entry, -1);
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.count(entry, 1);
    }

    /// Enters the differences, and that of the index since it had `index_bytes`.
    #[inline(always)]
    fn enter(self, shard: &Shard, state: &mut ShardState, index_bytes: usize, retired: Option<Entry>) -> Applied {
        let index_growth = state.index.heap_bytes() as i64 - index_bytes as i64;
        if index_growth != 0 {
            shard.publish(state);
        }
        state.keys = state.keys.wrapping_add_signed(self.keys);
        state.expires = state.expires.wrapping_add_signed(self.expires);
        state.timed = state.timed.wrapping_add_signed(self.timed);
        state.entry_bytes = state.entry_bytes.wrapping_add_signed(self.bytes);
        shard.show_entries(state);
        Applied {
            bytes: self.bytes + index_growth,
            elements: self.elements,
            retired,
        }
    }
}

/// Gives `key` a value. `names`: with what its parts are marked; `None`: they keep the names that they have.
// Of two callers, the hottest changes there are: a call of its own takes 1 % more instructions for a SET.
#[inline(always)]
fn set(
    state: &mut ShardState,
    key: KeyRef<'_>,
    (value, expire_at_ms, names): (ValueRef<'_>, u64, Option<Mark<'_>>),
    (write, stamp): (&PageWrite<'_>, Stamp),
    tally: &mut Tally,
) -> Option<Entry> {
    let expire_at_ms = (expire_at_ms != 0).then_some(expire_at_ms);
    state.index.upsert(key, write, |entry| {
        let mut access = stamp.fresh;
        if let Some(entry) = entry {
            access = stamp.over(entry.access());
            tally.take(Some(entry));
            if entry.try_overwrite(value, expire_at_ms) {
                entry.set_access(access);
                tally.add(entry);
                return None;
            }
        }
        let mut fresh = Entry::new(key.bytes, value, expire_at_ms, access);
        if let Some(mark) = names {
            fresh.adopt(mark);
        }
        tally.add(&fresh);
        Some(fresh)
    })
}

/// An entry with a value from elsewhere, whose parts are those of this collection from now on.
fn adopted(mut entry: Entry, mark: Mark<'_>) -> Entry {
    entry.adopt(mark);
    entry
}

/// Sets when an entry dies, in place or in an entry that takes its stead.
fn move_expiry(
    entry: &mut EntryMut<'_>,
    key: &[u8],
    expire_at_ms: Option<u64>,
    stamp: Stamp,
    tally: &mut Tally,
) -> Option<Entry> {
    let access = stamp.over(entry.access());
    tally.take(Some(entry));
    if entry.try_set_expiry(expire_at_ms) {
        entry.set_access(access);
        tally.add(entry);
        return None;
    }
    let mut moved = Entry::new(key, entry.value(), expire_at_ms, access);
    if entry.is_raw() {
        moved.set_raw();
    }
    tally.add(&moved);
    Some(moved)
}

/// Writes bytes at an offset of the string that `key` holds.
fn change_string(
    state: &mut ShardState,
    key: KeyRef<'_>,
    (offset, bytes): (u64, &[u8]),
    write: &PageWrite<'_>,
    tally: &mut Tally,
) -> Option<Entry> {
    let mut gone = None;
    let retired = state.index.upsert(key, write, |entry| {
        let entry = entry?;
        tally.take(Some(entry));
        let written = write_range(entry, offset as usize, bytes, write.change.mark);
        tally.add(written.replacement.as_ref().unwrap_or(entry));
        gone = written.gone;
        written.replacement
    });
    // What a string has let go of is dropped as an entry is: elsewhere, if that may be slow.
    retired.or_else(|| gone.map(|gone| Entry::new(b"", ValueRef::Str(StrRef::Shared(&gone)), None, 0)))
}

/// Does what an effect says to the container that `key` holds.
#[inline]
fn change_container(
    state: &mut ShardState,
    key: KeyRef<'_>,
    effect: &Effect<'_>,
    (write, stamp): (&PageWrite<'_>, Stamp),
    tally: &mut Tally,
) -> Option<Entry> {
    match effect {
        Effect::List { op, .. } => {
            let change = |form: Form<'_>| list::apply(form, op, &write.change);
            on_container(state, key, (write, stamp), tally, Kind::List, change)
        }
        Effect::Set { op, .. } => {
            let change = |form: Form<'_>| set::apply(form, op, &write.change);
            on_container(state, key, (write, stamp), tally, Kind::Set, change)
        }
        Effect::Zset { op, .. } => {
            let change = |form: Form<'_>| zset::apply(form, op, &write.change);
            on_container(state, key, (write, stamp), tally, Kind::Zset, change)
        }
        Effect::Hash { op, .. } => {
            let change = |form: Form<'_>| hash::apply(form, op, &write.change);
            on_container(state, key, (write, stamp), tally, Kind::Hash, change)
        }
        Effect::Stream { op, .. } => {
            let change = |form: Form<'_>| stream::apply(form, op, &write.change);
            on_container(state, key, (write, stamp), tally, Kind::Stream, change)
        }
        Effect::Vectors { op, .. } => {
            let change = |form: Form<'_>| vectors::apply(form, op, &write.change);
            on_container(state, key, (write, stamp), tally, Kind::Vectors, change)
        }
        Effect::Put { .. }
        | Effect::Copy { .. }
        | Effect::Delete { .. }
        | Effect::ExpireAt { .. }
        | Effect::StrRange { .. }
        | Effect::CollectionCreate { .. }
        | Effect::CollectionDrop
        | Effect::CollectionRename { .. }
        | Effect::CollectionFlush
        | Effect::CollectionSwap { .. }
        | Effect::CollectionLoad { .. }
        | Effect::CollectionPublish { .. }
        | Effect::CollectionConfigure { .. }
        | Effect::EncodingChanged { .. }
        | Effect::LibraryPut { .. }
        | Effect::LibraryDelete { .. }
        | Effect::LibrariesFlush => {
            debug_assert!(
                false,
                "not an effect on a container; those on collections go to the registry"
            );
            None
        }
    }
}

/// Does a container's operation to what `key` holds; a container that it leaves with nothing goes with its key.
fn on_container(
    state: &mut ShardState,
    key: KeyRef<'_>,
    (write, stamp): (&PageWrite<'_>, Stamp),
    tally: &mut Tally,
    kind: Kind,
    change: impl FnOnce(Form<'_>) -> Next,
) -> Option<Entry> {
    let (mut is_empty, mark) = (false, write.change.mark);
    let retired = state.index.upsert(key, write, |entry| {
        let Some(entry) = entry else {
            let fresh = entry_of(change(Form::Absent), key.bytes, kind, None, (mark, stamp.fresh))?;
            tally.add(&fresh);
            tally.elements += elements(&fresh);
            return Some(fresh);
        };
        if let Some(big) = entry.big_mut() {
            // In place, whatever the operation is.
            let before = big.figures();
            is_empty = matches!(change(Form::Big(big)), Next::Remove);
            tally.change(before, big.figures());
            return None;
        }
        let ValueRef::Packed(has_kind, packed) = entry.value() else {
            // A string is no container: handlers have refused it.
            return None;
        };
        let next = change(Form::Packed(has_kind, packed));
        tally.take(Some(entry));
        tally.elements -= elements(entry);
        is_empty = matches!(next, Next::Remove);
        let access = stamp.over(entry.access());
        let replacement = replace_container(entry, next, key.bytes, kind, (mark, access));
        let now = replacement.as_ref().unwrap_or(entry);
        tally.add(now);
        tally.elements += if is_empty { 0 } else { elements(now) };
        replacement
    });
    if !is_empty {
        return retired;
    }
    let removed = state.index.remove(key, write);
    tally.take(removed.as_ref());
    removed
}

/// How many elements a container has.
fn elements(entry: &Entry) -> i64 {
    entry.value().len() as i64
}

/// Brings what an operation made of a container into its entry, or into one that takes its stead.
fn replace_container(
    entry: &mut EntryMut<'_>,
    next: Next,
    key: &[u8],
    kind: Kind,
    (mark, access): (Mark<'_>, Access),
) -> Option<Entry> {
    let expire_at_ms = entry.expire_at_ms();
    if let Next::Packed(packed) = &next
        && entry.try_overwrite(ValueRef::Packed(kind, Packed::new(packed)), expire_at_ms)
    {
        entry.set_access(access);
        return None;
    }
    entry_of(next, key, kind, expire_at_ms, (mark, access))
}

fn entry_of(
    next: Next,
    key: &[u8],
    kind: Kind,
    expire_at_ms: Option<u64>,
    (mark, access): (Mark<'_>, Access),
) -> Option<Entry> {
    let made = |value| Some(adopted(Entry::new(key, value, expire_at_ms, access), mark));
    match next {
        Next::Keep | Next::Remove => None,
        Next::Packed(packed) => made(ValueRef::Packed(kind, Packed::new(&packed))),
        Next::Big(big) => made(ValueRef::Big(&big)),
    }
}

/// Makes `text`, which is not long, at least `end` bytes long, with zeroes.
fn lengthen(text: &mut Vec<u8>, end: usize) {
    if text.len() >= end {
        return;
    }
    if text.capacity() < end {
        text.reserve_exact(2 * end - text.len());
    }
    text.resize(end, 0);
}

/// What a write of a part of a string left behind.
struct Written {
    /// What takes the entry's stead.
    replacement: Option<Entry>,
    /// The string's former allocation.
    gone: Option<Shared>,
}

impl Written {
    const IN_PLACE: Self = Self {
        replacement: None,
        gone: None,
    };
}

/// Writes `bytes` at `offset` of a string entry: in place where it fits, else into an entry that takes its stead. A
/// long string becomes chunks.
fn write_range(entry: &mut EntryMut<'_>, offset: usize, bytes: &[u8], mark: Mark<'_>) -> Written {
    let Some(len) = entry.value().as_str().map(|old| old.len()) else {
        return Written::IN_PLACE;
    };
    let end = offset + bytes.len();
    if len.max(end) > CHUNKED_BYTES_MIN {
        return write_chunks(entry, offset, bytes, mark);
    }
    if let Some(shared) = entry.shared_mut() {
        let text = Shared::make_mut(shared);
        lengthen(text, end);
        if let Some(target) = text.get_mut(offset..end) {
            target.copy_from_slice(bytes);
        }
    } else if let Some(target) = entry.inline_mut().and_then(|text| text.get_mut(offset..end)) {
        target.copy_from_slice(bytes);
    } else {
        let mut text = Vec::with_capacity(end);
        text.extend_from_slice(entry.inline_mut().unwrap_or_default());
        text.resize(end, 0);
        text.splice(offset..end, bytes.iter().copied());
        let shared = Shared::new(text);
        return Written {
            replacement: Some(grown(entry, StrRef::Shared(&shared))),
            gone: None,
        };
    }
    entry.set_raw();
    Written::IN_PLACE
}

/// Writes `bytes` at `offset` of a string that is long, or becomes so.
fn write_chunks(entry: &mut EntryMut<'_>, offset: usize, bytes: &[u8], mark: Mark<'_>) -> Written {
    // What has grown so long until now may have as much room again: it is copied.
    entry.chunk(|shared| {
        let mut text = BigText::of(&shared);
        text.adopt(mark);
        text
    });
    if let Some(text) = entry.text_mut() {
        let gone = text.write(offset, bytes, mark);
        entry.set_raw();
        return Written {
            replacement: None,
            gone,
        };
    }
    let mut text = BigText::of(entry.inline_mut().unwrap_or_default());
    text.adopt(mark);
    text.write(offset, bytes, mark);
    Written {
        replacement: Some(grown(entry, StrRef::Chunked(&text))),
        gone: None,
    }
}

/// The entry with another string, which has been changed in part.
fn grown(entry: &Entry, text: StrRef<'_>) -> Entry {
    let mut grown = Entry::new(entry.key(), ValueRef::Str(text), entry.expire_at_ms(), entry.access());
    grown.set_raw();
    grown
}
