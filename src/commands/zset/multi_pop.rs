//! Taking members out of the first of several sorted sets that has any: ZMPOP.

use super::common::old_zset;
use super::pop::{End, pop};
use crate::commands::spec::{Group, counted_keys, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const ZMPOP: Spec = Spec {
    since: "7.0.0",
    flags: flag::MOVABLE_KEYS,
    acl: &["sortedset"],
    keys: &[counted_keys(1, &["RW", "access", "delete"])],
    summary: "Takes the members with the lowest or highest scores out of the first of several sorted sets that has any",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
                 sorted set, and M being the number of elements popped.",
    syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    ..Spec::new("zmpop", Group::SortedSet, -4, Handler::Write(zmpop))
};

fn zmpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = Options::parse(args, 1)?;
    if !options.pop_first(txn, args, reply)? {
        reply.null_array();
    }
    Ok(())
}

/// What is to be popped.
pub(super) struct Options {
    /// The index of the first key's argument, and of the one behind the last.
    pub keys: std::ops::Range<usize>,
    end: End,
    count: u64,
}

fn positive(argument: &[u8], why: &'static str) -> Result<u64, CmdError> {
    let number = parse_i64(argument).filter(|number| *number > 0);
    number.map(|number| number as u64).ok_or(CmdError::text(why))
}

impl Options {
    /// Parses from the number of keys, at `at`, on.
    pub fn parse(args: Args<'_>, at: usize) -> Result<Self, CmdError> {
        let keys = positive(args.at(at), "ERR numkeys should be greater than 0")?;
        let end_at = usize::try_from(keys).ok().and_then(|keys| keys.checked_add(at + 1));
        let end_at = end_at.filter(|end_at| *end_at < args.len()).ok_or(CmdError::Syntax)?;
        let end = End::parse(args.at(end_at))?;
        let mut count = None;
        let mut rest = args.skip(end_at + 1).iter();
        while let Some(option) = rest.next() {
            let value = rest
                .next()
                .filter(|_| option.eq_ignore_ascii_case(b"count") && count.is_none());
            count = Some(positive(
                value.ok_or(CmdError::Syntax)?,
                "ERR count should be greater than 0",
            )?);
        }
        Ok(Self {
            keys: at + 1..end_at,
            end,
            count: count.unwrap_or(1),
        })
    }

    /// Pops from the first sorted set that there is; whether there was one.
    pub fn pop_first(&self, txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Result<bool, CmdError> {
        for key in self.keys.clone().map(|at| args.at(at)) {
            let Some(len) = old_zset(txn, key)?.map(|zset| zset.len()) else {
                continue;
            };
            let count = self.count.min(len);
            reply.array(2);
            reply.bulk(key);
            reply.array(count as usize);
            pop(txn, key, self.end, count, |member| {
                reply.array(2);
                super::pop::reply_flat(reply, member);
            })?;
            return Ok(true);
        }
        Ok(false)
    }
}
