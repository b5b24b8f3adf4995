//! String values between requests, the engine and replies, without copying large ones.
//!
//! **Invariant:** a [`Held`] value copies at most what an entry keeps inside itself; a large value is shared.

use std::ops::Range;

use super::support::expire::ExpireError;
use super::support::number::{parse_i64, parse_i64_in};
use super::{CmdError, CmdResult};
use crate::engine::txn::Txn;
use crate::page::StrRef;
use crate::page::packed::Item;
use crate::page::text::BigText;
use crate::resp::{Args, Reply};
use crate::shared::Shared;

/// Longest string that `OBJECT ENCODING` calls `embstr`; longer ones are `raw` in any case.
const EMBEDDED_BYTES_MAX: usize = 44;

/// Argument `i` as a value to store; a large one is shared with the request.
#[inline]
pub fn str_arg(args: Args<'_>, i: usize) -> StrRef<'_> {
    match args.shared(i) {
        Some(shared) => StrRef::Shared(shared),
        None => StrRef::Inline(args.get(i).unwrap_or_default()),
    }
}

/// Argument `i` as an integer.
pub fn int_arg(args: Args<'_>, i: usize) -> Result<i64, CmdError> {
    args.get(i).and_then(parse_i64).ok_or(CmdError::NotInteger)
}

/// An argument whose sign says from which end: the lowest `i64`, which has no opposite, is refused.
///
/// # Errors
/// With the texts of Redis.
pub fn symmetric(argument: &[u8]) -> Result<i64, CmdError> {
    parse_i64_in(argument, -i64::MAX, i64::MAX).map_err(|error| error.to_string().into())
}

/// A name and a number, of a map.
pub fn reply_field(reply: &mut Reply, name: &str, value: u64) {
    reply.bulk(name.as_bytes());
    reply.int(value.cast_signed());
}

/// How many, as an argument says: at least none.
pub fn count_arg(argument: &[u8]) -> Result<u64, CmdError> {
    let count = parse_i64(argument).and_then(|count| u64::try_from(count).ok());
    count.ok_or(CmdError::OutOfRange)
}

/// Answers with a value, or null. Always inlined: a value then goes from its entry to the reply in registers.
#[inline(always)]
pub fn reply_str(reply: &mut Reply, value: Option<StrRef<'_>>) {
    match value {
        None => reply.null(),
        Some(StrRef::Inline(bytes)) => reply.bulk(bytes),
        Some(large) => reply_range(reply, large, 0..large.len()),
    }
}

/// Answers with a part of a value.
#[inline(never)]
pub fn reply_range(reply: &mut Reply, value: StrRef<'_>, range: Range<usize>) {
    match value {
        StrRef::Inline(bytes) => reply.bulk(bytes.get(range).unwrap_or_default()),
        StrRef::Shared(shared) => reply.bulk_shared_range(shared, range),
        StrRef::Chunked(text) => reply_chunks(reply, text, range),
    }
}

/// Answers with a range that is there; what is linked of it counts as at least half of what the links keep.
fn reply_chunks(reply: &mut Reply, text: &BigText, range: Range<usize>) {
    let fills_its_base = text.fills_its_base(range.clone());
    let runs = text.runs(range.clone()).map(|run| {
        let is_link = fills_its_base && run.is_of_base() || run.len() >= run.whole().capacity() / 2;
        (run.whole(), run.range(), is_link)
    });
    reply.bulk_parts(range.len(), runs);
}

/// Answers with an item of a container as a string.
#[inline]
pub fn reply_item(reply: &mut Reply, item: Item<'_>) {
    item.with_bytes(|bytes| reply.bulk(bytes));
}

/// A value kept beyond its lookup, so that several can be looked at together.
pub enum Held {
    /// A copy of a small value.
    Small(Vec<u8>),
    /// A large value, shared.
    Large(Shared),
    /// One in chunks, shared.
    Chunked(BigText),
}

impl Held {
    /// The value.
    pub fn text(&self) -> StrRef<'_> {
        match self {
            Self::Small(bytes) => StrRef::Inline(bytes),
            Self::Large(shared) => StrRef::Shared(shared),
            Self::Chunked(text) => StrRef::Chunked(text),
        }
    }
}

impl From<StrRef<'_>> for Held {
    fn from(value: StrRef<'_>) -> Self {
        match value {
            StrRef::Inline(bytes) => Self::Small(bytes.to_vec()),
            StrRef::Shared(shared) => Self::Large(Shared::clone(shared)),
            StrRef::Chunked(text) => Self::Chunked(text.clone()),
        }
    }
}

/// Refuses a string that would end behind `offset + added` bytes, if that is more than a string may have.
pub fn check_length(offset: u64, added: usize, bytes_max: u64) -> CmdResult {
    match offset.checked_add(added as u64) {
        Some(total) if total <= bytes_max => Ok(()),
        _ => Err(CmdError::text(
            "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        )),
    }
}

/// Sets `key` to a string made by the server, not given by a client: `OBJECT ENCODING` calls those `raw`.
pub fn put_made(txn: &mut Txn<'_, '_>, key: &[u8], bytes: Vec<u8>, expire_at_ms: Option<u64>) {
    let is_short = bytes.len() <= EMBEDDED_BYTES_MAX;
    txn.put_str(key, StrRef::Shared(&Shared::new(bytes)), expire_at_ms);
    if is_short {
        txn.write_range(key, 0, b"");
    }
}

/// The same in the place of another value.
pub fn replace_made(txn: &mut Txn<'_, '_>, key: &[u8], bytes: Vec<u8>) {
    let is_short = bytes.len() <= EMBEDDED_BYTES_MAX;
    txn.replace_str(key, StrRef::Shared(&Shared::new(bytes)), None);
    if is_short {
        txn.write_range(key, 0, b"");
    }
}

/// The error reply to a bad expire time in `command`.
pub fn expire_error(error: ExpireError, command: &str) -> CmdError {
    match error {
        ExpireError::NotAnInteger => CmdError::NotInteger,
        ExpireError::Invalid => error.message(command).into(),
    }
}
