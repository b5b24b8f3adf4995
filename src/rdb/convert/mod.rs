//! Between [`Object`] and the engine's values.
//!
//! **Invariants**
//! - A value that comes out for the engine is whole: its packed form has been checked, duplicates included.
//! - Elements that have died do not take part; a container that is left with nothing is none.
//! - No version of the format that is known here has sets or sorted sets whose members die: such a one is refused, so
//!   that no member comes to live for ever unnoticed.

mod stream;
mod vectors;

use std::cmp::Ordering;

use crate::page::container::{Big, Kind};
use crate::page::packed::{Builder, FLAG_TIMED, FLAG_WIDE, Item, Packed, time_of};
use crate::page::stream::BigStream;
use crate::page::thresholds::Thresholds;
use crate::page::vectors::VectorSet;
use crate::page::{StrRef, ValueRef};
use crate::shared::Shared;

use super::error::Reason;
use super::object::{Elements, Hash, Object};

/// A value that the engine can take.
#[derive(Debug)]
pub enum Stored {
    /// A string.
    Str(Shared),
    /// A container, packed, of any size.
    Packed(Kind, Vec<u8>),
}

impl Stored {
    /// For an effect or an entry.
    pub fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Str(text) => ValueRef::Str(StrRef::Shared(text)),
            Self::Packed(kind, packed) => ValueRef::Packed(*kind, Packed::new(packed)),
        }
    }
}

/// What the engine is to keep for `object`; `None` when nothing of it is alive at `now_ms`.
///
/// # Errors
/// What the value has twice, or else cannot be.
pub fn stored(object: Object, thresholds: &Thresholds, now_ms: u64) -> Result<Option<Stored>, Reason> {
    let (kind, packed) = match object {
        Object::String(bytes) => return Ok(Some(Stored::Str(Shared::new(bytes)))),
        Object::List(elements) => (Kind::List, pack(0, elements.iter())),
        Object::Set(members) => (Kind::Set, set(&members, thresholds)),
        Object::Zset(members) => (Kind::Zset, zset(&members, thresholds)),
        Object::Hash(fields) => (Kind::Hash, hash(&fields, thresholds, now_ms)),
        Object::Stream(entries) => (Kind::Stream, stream::pack(&entries, thresholds)),
        Object::Vectors(set) => {
            let packed = vectors::pack(&set).map_err(|what| Reason::Bad(what.to_string().into()));
            (Kind::Vectors, packed?)
        }
    };
    let whole = Packed::new(&packed);
    if whole.count() == 0 {
        return Ok(None);
    }
    kind.check(whole).map_err(|what| Reason::Bad(what.to_string().into()))?;
    Ok(Some(Stored::Packed(kind, packed)))
}

fn pack<'a>(flags: u8, items: impl Iterator<Item = Item<'a>>) -> Vec<u8> {
    let mut builder = Builder::new(flags);
    items.for_each(|item| builder.push(item));
    builder.finish()
}

fn wide(is_wide: bool) -> u8 {
    if is_wide { FLAG_WIDE } else { 0 }
}

fn set(members: &Elements, thresholds: &Thresholds) -> Vec<u8> {
    let integers = members.iter().all(|member| matches!(member, Item::Int(_)));
    let fits = integers && thresholds.intset_fits(members.len());
    pack(wide(!fits), members.iter())
}

/// Scores come first, and in order.
fn zset(elements: &Elements, thresholds: &Thresholds) -> Vec<u8> {
    let mut items = elements.iter();
    let pairs = std::iter::from_fn(|| Some((items.next()?, items.next()?.number()?)));
    let mut pairs: Vec<(Item<'_>, f64)> = pairs.collect();
    pairs.sort_unstable_by(|one, other| {
        let by_score = one.1.partial_cmp(&other.1).unwrap_or(Ordering::Equal);
        by_score.then_with(|| other.0.with_bytes(|bytes| one.0.cmp_bytes(bytes)))
    });
    let fits = thresholds.zset_fits(pairs.len() as u64)
        && pairs
            .iter()
            .all(|(member, _)| thresholds.zset_item_fits(member.bytes_len()));
    let items = pairs.iter().flat_map(|(member, score)| [Item::of_f64(*score), *member]);
    pack(wide(!fits), items)
}

fn hash(fields: &Hash, thresholds: &Thresholds, now_ms: u64) -> Vec<u8> {
    let alive = || {
        fields
            .iter()
            .filter(|(_, _, at_ms)| at_ms.is_none_or(|at_ms| at_ms > now_ms))
    };
    let is_timed = alive().any(|(_, _, at_ms)| at_ms.is_some());
    let fits_item = |item: Item<'_>| thresholds.hash_item_fits(item.bytes_len());
    let mut fits = true;
    let mut builder = Builder::default();
    for (field, value, at_ms) in alive() {
        fits &= fits_item(field) && fits_item(value);
        builder.push(field);
        builder.push(value);
        if is_timed {
            builder.push(Item::Int(at_ms.unwrap_or_default() as i64));
        }
    }
    let width = if is_timed { 3 } else { 2 };
    fits &= thresholds.hash_fits(builder.count() / width);
    let flags = wide(!fits) | if is_timed { FLAG_TIMED } else { 0 };
    builder.with_flags(flags).finish()
}

/// What `value` is at `now_ms`; `None` when nothing of it is alive.
///
/// # Errors
/// What it is that the format does not know.
pub fn object_of(value: ValueRef<'_>, now_ms: u64) -> Result<Option<Object>, Reason> {
    let object = match value {
        ValueRef::Str(text) => Object::String(text.contiguous().into_owned()),
        ValueRef::Packed(kind, packed) => container(kind, packed, now_ms)?,
        ValueRef::Big(Big::Vectors(set)) => Object::Vectors(Box::new(vectors::object(set)?)),
        ValueRef::Big(Big::Stream(big)) => Object::Stream(Box::new(stream::object(big))),
        ValueRef::Big(big) => container(big.kind(), Packed::new(&big.pack()), now_ms)?,
    };
    Ok(Some(object).filter(|object| !object.is_void()))
}

/// Whether a member that dies then, 0 for never, is alive.
///
/// # Errors
/// It is, but not for ever.
fn is_alive(at_ms: Item<'_>, now_ms: u64) -> Result<bool, Reason> {
    match time_of(Some(at_ms)) {
        0 => Ok(true),
        at_ms if at_ms <= now_ms => Ok(false),
        _ => Err(Reason::Unsupported(
            "it has members that expire, for which Redis's format has no form that is known here (SPERSIST and ZPERSIST \
             let them live for ever)"
                .to_owned(),
        )),
    }
}

fn container(kind: Kind, packed: Packed<'_>, now_ms: u64) -> Result<Object, Reason> {
    let mut items = packed.items();
    Ok(match kind {
        Kind::List => Object::List(items.collect()),
        Kind::Set if packed.is_timed() => {
            let mut elements = Elements::default();
            while let (Some(member), Some(at_ms)) = (items.next(), items.next()) {
                if is_alive(at_ms, now_ms)? {
                    elements.push(member);
                }
            }
            Object::Set(elements)
        }
        Kind::Set => Object::Set(items.collect()),
        Kind::Zset => {
            let (mut elements, is_timed) = (Elements::default(), packed.is_timed());
            while let (Some(score), Some(member)) = (items.next(), items.next()) {
                if is_timed && !is_alive(items.next().unwrap_or(Item::Int(0)), now_ms)? {
                    continue;
                }
                elements.push(member);
                elements.push(score);
            }
            Object::Zset(elements)
        }
        Kind::Hash => {
            let is_timed = packed.is_timed();
            let mut fields = Hash::new(is_timed);
            while let (Some(field), Some(value)) = (items.next(), items.next()) {
                let at_ms = match is_timed.then(|| items.next()).flatten() {
                    Some(Item::Int(at_ms)) if at_ms != 0 => Some(at_ms as u64),
                    _ => None,
                };
                if at_ms.is_none_or(|at_ms| at_ms > now_ms) {
                    fields.push(field, value, at_ms);
                }
            }
            Object::Hash(fields)
        }
        Kind::Stream => Object::Stream(Box::new(stream::object(&BigStream::unpack(packed)))),
        Kind::Vectors => Object::Vectors(Box::new(vectors::object(&VectorSet::unpack(packed))?)),
    })
}
