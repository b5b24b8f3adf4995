//! Taking elements off the first of several keys that has any: what LMPOP, ZMPOP and the blocking forms have in common.

use std::ops::Range;

use super::blocking::first_of;
use super::error::CmdError;
use super::spec::{Begin, Find, KeySpec, first_key};
use super::support::number::parse_i64;
use crate::engine::txn::{Txn, WrongType};
use crate::resp::{Args, Reply};

/// The keys of a command whose last argument is a timeout, which takes from one of them.
pub const ALL_BUT_LAST: KeySpec = KeySpec {
    begin: Begin::Index(1),
    find: Find::Range {
        last: -2,
        step: 1,
        limit: 0,
    },
    ..first_key(&["RW", "access", "delete"])
};

/// What is to be popped: `numkeys key [key …] end [COUNT count]`.
pub struct MultiPop<E> {
    /// The index of the first key's argument, and of the one behind the last.
    pub keys: Range<usize>,
    /// From which end.
    pub end: E,
    count: u64,
}

fn positive(argument: &[u8], why: &'static str) -> Result<u64, CmdError> {
    let number = parse_i64(argument).filter(|number| *number > 0);
    number.map(|number| number as u64).ok_or(CmdError::text(why))
}

impl<E> MultiPop<E> {
    /// Parses from the number of keys, at `at`, on.
    ///
    /// # Errors
    /// As Redis.
    pub fn parse(args: Args<'_>, at: usize, end_of: fn(&[u8]) -> Result<E, CmdError>) -> Result<Self, CmdError> {
        let keys = positive(args.at(at), "ERR numkeys should be greater than 0")?;
        let end_at = usize::try_from(keys).ok().and_then(|keys| keys.checked_add(at + 1));
        let end_at = end_at.filter(|end_at| *end_at < args.len()).ok_or(CmdError::Syntax)?;
        let end = end_of(args.at(end_at))?;
        let mut count = None;
        let mut rest = args.skip(end_at + 1).iter();
        // Redis reads a count before it finds what comes behind it.
        while let Some(option) = rest.next() {
            let is_count = option.eq_ignore_ascii_case(b"count") && count.is_none();
            let value = rest.next().filter(|_| is_count).ok_or(CmdError::Syntax)?;
            count = Some(positive(value, "ERR count should be greater than 0")?);
        }
        Ok(Self {
            keys: at + 1..end_at,
            end,
            count: count.unwrap_or(1),
        })
    }

    /// Begins the answer with the first key that has something: its name, and an array for as many elements as are to
    /// be taken off it. Gives both.
    ///
    /// # Errors
    /// [`WrongType`] when a key before that one holds another type.
    pub fn begin<'a>(
        &self,
        txn: &mut Txn<'_, '_>,
        args: Args<'a>,
        len_of: fn(&mut Txn<'_, '_>, &[u8]) -> Result<Option<u64>, WrongType>,
        reply: &mut Reply,
    ) -> Result<Option<(&'a [u8], u64)>, WrongType> {
        let Some((key, len)) = first_of(txn, args, self.keys.clone(), len_of)? else {
            return Ok(None);
        };
        let count = self.count.min(len);
        reply.array(2);
        reply.bulk(key);
        reply.array(count as usize);
        Ok(Some((key, count)))
    }
}
