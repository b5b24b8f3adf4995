//! PFADD, PFCOUNT, PFMERGE, and LokiKV's ADDHLL and HLLCOUNT.
//!
//! **Invariant:** what is logged is what changed: two bytes a register of a dense value, and from the first to the last
//! byte that differs of a sparse one.

use std::borrow::Cow;

use super::hll::{
    CACHE_OFFSET, Encoding, HEADER_BYTES, HllError, STALE, STALE_CACHE_OFFSET, Union, add, cached_count, check_header,
    count, dense_patch, empty, invalidate_cache, set_cached_count,
};
use crate::commands::spec::{Access, Begin, Find, Group, KeySpec, all_keys, first_key, flag};
use crate::commands::value::put_made;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{Txn, str_of};
use crate::page::StrRef;
use crate::resp::{Args, Reply};

impl From<HllError> for CmdError {
    fn from(error: HllError) -> Self {
        Self::text(error.message())
    }
}

/// The encoding and the bytes of a value. One that is no HyperLogLog may be long, and is not put together to be
/// refused.
pub(super) fn hll_of(text: StrRef<'_>) -> Result<(Encoding, Cow<'_, [u8]>), HllError> {
    let encoding = check_header(&text.part(0..HEADER_BYTES), text.len())?;
    Ok((encoding, text.contiguous()))
}

pub(super) const PFADD: Spec = Spec {
    since: "2.8.9",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["hyperloglog"],
    keys: &[first_key(&["RW", "insert"])],
    summary: "Adds elements to a HyperLogLog, which is created if it is missing",
    complexity: "O(1) to add every element.",
    syntax: "key [element [element ...]]",
    ..Spec::new("pfadd", Group::HyperLogLog, -2, Handler::Write(pfadd))
};

pub(super) const ADDHLL: Spec = Spec {
    since: "0.1.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["hyperloglog"],
    keys: &[first_key(&["RW", "insert"])],
    summary: "Adds elements to a HyperLogLog, as PFADD does",
    complexity: "O(1) to add every element.",
    syntax: "key element [element ...]",
    ..Spec::new("addhll", Group::Collection, -3, Handler::Write(pfadd))
};

fn pfadd(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (key, elements) = (args.at(1), args.skip(2));
    let sparse_bytes_max = txn.hll_sparse_bytes_max();
    let changed = match txn.old_str(key)? {
        None => {
            let mut bytes = empty();
            add_all(&mut bytes, elements, sparse_bytes_max)?;
            invalidate_cache(&mut bytes);
            put_made(txn, key, bytes, None);
            true
        }
        Some(text) => match hll_of(text)? {
            (Encoding::Dense, _) => add_dense(txn, key, elements)?,
            (Encoding::Sparse, bytes) => {
                let mut bytes = bytes.into_owned();
                let changed = add_all(&mut bytes, elements, sparse_bytes_max)?;
                if changed {
                    store(txn, key, bytes)?;
                }
                changed
            }
        },
    };
    if changed {
        txn.notify(Classes::STRING, "pfadd", key);
    }
    reply.int(i64::from(changed));
    Ok(())
}

fn add_all(bytes: &mut Vec<u8>, elements: Args<'_>, sparse_bytes_max: usize) -> Result<bool, HllError> {
    let mut changed = false;
    for element in elements.iter() {
        changed |= add(bytes, element, sparse_bytes_max)?;
    }
    Ok(changed)
}

fn add_dense(txn: &mut Txn<'_, '_>, key: &[u8], elements: Args<'_>) -> Result<bool, CmdError> {
    let mut changed = false;
    for element in elements.iter() {
        let patch = txn
            .old_str(key)?
            .and_then(|text| dense_patch(&text.contiguous(), element));
        if let Some(patch) = patch {
            changed = true;
            txn.write_range(key, patch.offset, patch.bytes.get(..patch.len).unwrap_or_default());
        }
    }
    let last = txn.old_str(key)?.and_then(|text| text.byte(STALE_CACHE_OFFSET));
    if let Some(last) = last.filter(|last| changed && last & STALE == 0) {
        txn.write_range(key, STALE_CACHE_OFFSET, &[last | STALE]);
    }
    Ok(changed)
}

/// Makes the existing value at `key` these bytes, writing no more than differs; the expiry stays.
pub(super) fn store(txn: &mut Txn<'_, '_>, key: &[u8], bytes: Vec<u8>) -> CmdResult {
    let Some(entry) = txn.old(key) else {
        put_made(txn, key, bytes, None);
        return Ok(());
    };
    let (old, expire_at_ms) = (str_of(entry)?.contiguous(), entry.expire_at_ms());
    if bytes.len() < old.len() {
        put_made(txn, key, bytes, expire_at_ms);
        return Ok(());
    }
    let differs = |(old, new): (&u8, &u8)| old != new;
    let pairs = || old.iter().zip(&bytes);
    let first = pairs().position(differs).unwrap_or(old.len());
    let end = if bytes.len() > old.len() {
        bytes.len()
    } else {
        pairs().rposition(differs).map_or(first, |last| last + 1)
    };
    if let Some(part) = bytes.get(first..end).filter(|part| !part.is_empty()) {
        txn.write_range(key, first, part);
    }
    Ok(())
}

pub(super) const PFCOUNT: Spec = Spec {
    since: "2.8.9",
    flags: flag::READONLY | flag::MAY_REPLICATE,
    acl: &["hyperloglog"],
    keys: &[KeySpec {
        notes: Some("RW because it may change the internal representation of the key, and propagate to replicas"),
        ..all_keys(&["RW", "access"], 1, 1)
    }],
    summary: "Estimates how many different elements were added to a HyperLogLog, or to several together",
    complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the \
                 number of keys, and much bigger constant times, when called with multiple keys.",
    syntax: "key [key ...]",
    ..Spec::new("pfcount", Group::HyperLogLog, -2, Handler::Write(pfcount))
};

pub(super) const HLLCOUNT: Spec = Spec {
    since: "0.1.0",
    summary: "Estimates how many different elements were added to a HyperLogLog, as PFCOUNT does",
    group: Group::Collection,
    name: "hllcount",
    ..PFCOUNT
};

fn pfcount(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let total = if args.len() == 2 {
        count_one(txn, args.at(1))?
    } else {
        union_of(txn, args.skip(1))?.count()
    };
    reply.int(total.cast_signed());
    Ok(())
}

fn count_one(txn: &mut Txn<'_, '_>, key: &[u8]) -> Result<u64, CmdError> {
    let Some(text) = txn.get_str(key)? else { return Ok(0) };
    let (_, bytes) = hll_of(text)?;
    let total = count(&bytes)?;
    // As in Redis the count is kept in the value, for the next time.
    if cached_count(&bytes).is_none() && !txn.is_frozen() {
        let mut header = [0; HEADER_BYTES];
        set_cached_count(&mut header, total);
        txn.write_range(key, CACHE_OFFSET, header.get(CACHE_OFFSET..).unwrap_or_default());
    }
    Ok(total)
}

pub(super) const PFMERGE: Spec = Spec {
    since: "2.8.9",
    flags: flag::DENY_OOM,
    acl: &["hyperloglog"],
    keys: &[
        first_key(&["RW", "access", "insert"]),
        KeySpec {
            access: Access::of(&["RO", "access"]),
            begin: Begin::Index(2),
            find: Find::Range {
                last: -1,
                step: 1,
                limit: 0,
            },
            notes: None,
            access_of: None,
        },
    ],
    summary: "Merges HyperLogLogs into one, which counts what any of them counted",
    complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
    syntax: "destkey [sourcekey [sourcekey ...]]",
    ..Spec::new("pfmerge", Group::HyperLogLog, -2, Handler::Write(pfmerge))
};

fn pfmerge(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let target = args.at(1);
    let union = union_of(txn, args.skip(1))?;
    let mut merged = txn
        .old_str(target)?
        .map_or_else(empty, |text| text.contiguous().into_owned());
    union.store(&mut merged, txn.hll_sparse_bytes_max())?;
    store(txn, target, merged)?;
    txn.notify(Classes::STRING, "pfadd", target);
    reply.ok();
    Ok(())
}

/// The union of the values at `keys`, missing ones left out. The first key whose value is none gives the error.
fn union_of(txn: &mut Txn<'_, '_>, keys: Args<'_>) -> Result<Union, CmdError> {
    let mut union = Union::default();
    for key in keys.iter() {
        if let Some(text) = txn.get_str(key)? {
            union.add(&hll_of(text)?.1)?;
        }
    }
    Ok(union)
}
