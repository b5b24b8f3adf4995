//! Taking elements off the first of several lists that has any: LMPOP.

use super::common::{End, old_list, pop};
use crate::commands::spec::{Group, counted_keys, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::value::reply_item;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const LMPOP: Spec = Spec {
    since: "7.0.0",
    flags: flag::MOVABLE_KEYS,
    acl: &["list"],
    keys: &[counted_keys(1, &["RW", "access", "delete"])],
    summary: "Takes elements off an end of the first of several lists that has any",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    ..Spec::new("lmpop", Group::List, -4, Handler::Write(lmpop))
};

fn lmpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
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

impl Options {
    /// Parses from the number of keys, at `at`, on.
    pub fn parse(args: Args<'_>, at: usize) -> Result<Self, CmdError> {
        let positive = |argument: &[u8], why: &'static str| {
            let number = parse_i64(argument).filter(|number| *number > 0);
            number.map(|number| number as u64).ok_or(CmdError::text(why))
        };
        let keys = positive(args.at(at), "ERR numkeys should be greater than 0")?;
        let end_at = usize::try_from(keys).ok().and_then(|keys| keys.checked_add(at + 1));
        let end_at = end_at.filter(|end_at| *end_at < args.len()).ok_or(CmdError::Syntax)?;
        let end = End::parse(args.at(end_at))?;
        let rest = args.skip(end_at + 1);
        let count = match (rest.get(0), rest.get(1), rest.len()) {
            (None, ..) => 1,
            (Some(option), Some(count), 2) if option.eq_ignore_ascii_case(b"count") => {
                positive(count, "ERR count should be greater than 0")?
            }
            // Redis reads a count before it finds what comes behind it.
            (Some(option), Some(count), _) if option.eq_ignore_ascii_case(b"count") => {
                positive(count, "ERR count should be greater than 0")?;
                return Err(CmdError::Syntax);
            }
            _ => return Err(CmdError::Syntax),
        };
        Ok(Self {
            keys: at + 1..end_at,
            end,
            count,
        })
    }

    /// Pops from the first list that has something; whether there was one.
    pub fn pop_first(&self, txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Result<bool, CmdError> {
        for key in self.keys.clone().map(|at| args.at(at)) {
            let Some(len) = old_list(txn, key)?.map(|list| list.len()) else {
                continue;
            };
            reply.array(2);
            reply.bulk(key);
            reply.array(self.count.min(len) as usize);
            pop(txn, key, self.end, self.count, |item| reply_item(reply, item))?;
            return Ok(true);
        }
        Ok(false)
    }
}
