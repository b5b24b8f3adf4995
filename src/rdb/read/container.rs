//! Values that are not streams, in every encoding they have had.
//!
//! **Invariant:** a score is never NaN.

use std::io::Read;

use crate::page::packed::Item;

use super::super::blob::listpack::Listpack;
use super::super::blob::ziplist::Ziplist;
use super::super::blob::{intset, zipmap};
use super::super::code::{kind, node};
use super::super::error::Reason;
use super::super::object::{Elements, Hash, Object};
use super::super::version::Version;
use super::scalar::parse_double;
use super::source::Source;
use super::{module, stream};

/// Latest time, in Unix milliseconds, at which a field can expire.
const EXPIRES_AT_MS_MAX: u64 = 0xffff_ffff_ffff;

/// The value of the type `code`, as `version` has it.
pub fn object<R: Read>(source: &mut Source<R>, code: u8, version: Version) -> Result<Object, Reason> {
    Ok(match code {
        kind::HASH_TIMED_VALKEY if version.is_valkey() => Object::Hash(valkeys_timed_hash(source)?),
        _ if version.is_valkey() && code > kind::HASH_TIMED_VALKEY => return Err(unknown(code)),
        kind::STRING => Object::String(source.string()?),
        kind::LIST => Object::List(strings(source)?),
        kind::SET => Object::Set(strings(source)?),
        kind::ZSET => Object::Zset(scored(source, Source::double_text)?),
        kind::ZSET_2 => Object::Zset(scored(source, Source::double)?),
        kind::HASH => Object::Hash(hash(source)?),
        kind::HASH_TIMED | kind::HASH_TIMED_OLD => Object::Hash(timed_hash(source, code)?),
        kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => Object::List(quicklist(source, code)?),
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 | kind::STREAM_4 | kind::STREAM_5 => {
            Object::Stream(Box::new(stream::read(source, code)?))
        }
        kind::MODULE => module::value(source)?,
        kind::MODULE_OLD => return Err(module::unsupported(source.length()?)),
        kind::HASH_ZIPMAP..=kind::HASH_ZIPLIST | kind::HASH_LISTPACK | kind::ZSET_LISTPACK | kind::SET_LISTPACK => {
            compact(&source.string()?, code)?
        }
        kind::HASH_LISTPACK_TIMED | kind::HASH_LISTPACK_TIMED_OLD => {
            if code == kind::HASH_LISTPACK_TIMED {
                // The earliest of the times that follow.
                source.array::<8>()?;
            }
            Object::Hash(timed_listpack(&source.string()?)?)
        }
        kind::ARRAY..=kind::RATE_LIMITER => {
            let what = kind::name(code);
            return Err(Reason::Unsupported(format!(
                "LokiKV has no values of this type ({what})"
            )));
        }
        _ => return Err(unknown(code)),
    })
}

fn unknown(code: u8) -> Reason {
    Reason::Bad(format!("a value of the unknown type {code}").into())
}

fn strings<R: Read>(source: &mut Source<R>) -> Result<Elements, Reason> {
    let mut elements = Elements::default();
    let mut text = Vec::new();
    for _ in 0..source.length()? {
        source.string_into(&mut text)?;
        elements.push_bytes(&text);
    }
    Ok(elements)
}

fn push_score(elements: &mut Elements, score: f64) -> Result<(), Reason> {
    if score.is_nan() {
        return Reason::bad("a score is not a number");
    }
    elements.push(Item::of_f64(score));
    Ok(())
}

fn scored<R: Read>(
    source: &mut Source<R>,
    score: fn(&mut Source<R>) -> Result<f64, Reason>,
) -> Result<Elements, Reason> {
    let mut elements = Elements::default();
    let mut member = Vec::new();
    for _ in 0..source.length()? {
        source.string_into(&mut member)?;
        elements.push_bytes(&member);
        push_score(&mut elements, score(source)?)?;
    }
    Ok(elements)
}

fn hash<R: Read>(source: &mut Source<R>) -> Result<Hash, Reason> {
    let mut hash = Hash::new(false);
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..source.length()? {
        source.string_into(&mut field)?;
        source.string_into(&mut value)?;
        hash.push(Item::of(&field), Item::of(&value), None);
    }
    Ok(hash)
}

fn expiry(at_ms: u64) -> Result<Option<u64>, Reason> {
    if at_ms > EXPIRES_AT_MS_MAX {
        return Reason::bad("a field expires at an impossible time");
    }
    Ok((at_ms != 0).then_some(at_ms))
}

fn timed_hash<R: Read>(source: &mut Source<R>, code: u8) -> Result<Hash, Reason> {
    let earliest_ms = match code {
        kind::HASH_TIMED => source.milliseconds()?.unwrap_or_default(),
        // Before times were relative to the earliest: as if that were one.
        _ => 1,
    };
    let mut hash = Hash::new(true);
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..source.length()? {
        // Zero for none, so that the earliest itself is a one.
        let relative_ms = source.length()?;
        let at_ms = match relative_ms {
            0 => 0,
            relative => earliest_ms.saturating_add(relative - 1),
        };
        source.string_into(&mut field)?;
        source.string_into(&mut value)?;
        hash.push(Item::of(&field), Item::of(&value), expiry(at_ms)?);
    }
    Ok(hash)
}

/// Field, value, and when it expires, each in full.
fn valkeys_timed_hash<R: Read>(source: &mut Source<R>) -> Result<Hash, Reason> {
    let mut hash = Hash::new(true);
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..source.length()? {
        source.string_into(&mut field)?;
        source.string_into(&mut value)?;
        // Negative: never.
        let at_ms = source.milliseconds()?.map_or(Ok(None), expiry)?;
        hash.push(Item::of(&field), Item::of(&value), at_ms);
    }
    Ok(hash)
}

fn timed_listpack(blob: &[u8]) -> Result<Hash, Reason> {
    let mut hash = Hash::new(true);
    let mut items = Listpack::new(blob)?;
    while let Some(field) = items.next() {
        let (field, value) = (field?, items.expect()?);
        let at_ms = u64::try_from(items.expect_int()?).unwrap_or(u64::MAX);
        hash.push(field, value, expiry(at_ms)?);
    }
    Ok(hash)
}

fn quicklist<R: Read>(source: &mut Source<R>, code: u8) -> Result<Elements, Reason> {
    let mut elements = Elements::default();
    let mut blob = Vec::new();
    for _ in 0..source.length()? {
        let container = match code {
            kind::LIST_QUICKLIST_2 => source.length()?,
            _ => node::PACKED,
        };
        source.string_into(&mut blob)?;
        match (container, code) {
            (node::PLAIN, _) => elements.push_bytes(&blob),
            (node::PACKED, kind::LIST_QUICKLIST) => push_all(&mut elements, Ziplist::new(&blob)?)?,
            (node::PACKED, _) => push_all(&mut elements, Listpack::new(&blob)?)?,
            _ => return Reason::bad("a node of a list is of an unknown kind"),
        }
    }
    Ok(elements)
}

fn push_all<'a>(elements: &mut Elements, items: impl Iterator<Item = Result<Item<'a>, Reason>>) -> Result<(), Reason> {
    for item in items {
        elements.push(item?);
    }
    Ok(())
}

/// A container that is one string.
fn compact(blob: &[u8], code: u8) -> Result<Object, Reason> {
    Ok(match code {
        kind::LIST_ZIPLIST => Object::List(all(Ziplist::new(blob)?)?),
        kind::SET_LISTPACK => Object::Set(all(Listpack::new(blob)?)?),
        kind::ZSET_ZIPLIST => Object::Zset(pairs_scored(Ziplist::new(blob)?)?),
        kind::ZSET_LISTPACK => Object::Zset(pairs_scored(Listpack::new(blob)?)?),
        kind::HASH_ZIPLIST => Object::Hash(pairs_hash(Ziplist::new(blob)?)?),
        kind::HASH_LISTPACK => Object::Hash(pairs_hash(Listpack::new(blob)?)?),
        kind::SET_INTSET => {
            let mut elements = Elements::default();
            intset::read(blob, |member| elements.push(Item::Int(member)))?;
            Object::Set(elements)
        }
        _ => {
            let mut hash = Hash::new(false);
            zipmap::read(blob, |field, value| hash.push(field, value, None))?;
            Object::Hash(hash)
        }
    })
}

fn all<'a>(items: impl Iterator<Item = Result<Item<'a>, Reason>>) -> Result<Elements, Reason> {
    let mut elements = Elements::default();
    push_all(&mut elements, items)?;
    Ok(elements)
}

/// Calls `visit` with items two by two.
fn pairs<'a>(
    mut items: impl Iterator<Item = Result<Item<'a>, Reason>>,
    mut visit: impl FnMut(Item<'a>, Item<'a>) -> Result<(), Reason>,
) -> Result<(), Reason> {
    while let Some(first) = items.next() {
        let Some(second) = items.next() else {
            return Reason::bad("a compact encoding has half a pair");
        };
        visit(first?, second?)?;
    }
    Ok(())
}

fn pairs_hash<'a>(items: impl Iterator<Item = Result<Item<'a>, Reason>>) -> Result<Hash, Reason> {
    let mut hash = Hash::new(false);
    pairs(items, |field, value| {
        hash.push(field, value, None);
        Ok(())
    })?;
    Ok(hash)
}

fn pairs_scored<'a>(items: impl Iterator<Item = Result<Item<'a>, Reason>>) -> Result<Elements, Reason> {
    let mut elements = Elements::default();
    pairs(items, |member, score| {
        elements.push(member);
        let score = match score {
            Item::Bytes(text) => parse_double(text)?,
            Item::Int(value) => value as f64,
            Item::Double(value) => value,
        };
        push_score(&mut elements, score)
    })?;
    Ok(elements)
}
