//! `KDELRANGE`: many keys deleted by their range.

use super::{ACL, bound, must_be_ordered};
use crate::commands::error::CmdError;
use crate::commands::spec::{Access, CmdResult, Group, Handler, Spec};
use crate::commands::support::number::parse_i64;
use crate::engine::ranges::RangeTxn;
use crate::resp::{Args, Reply};

/// `KDELRANGE min max [PREFIX prefix] [LIMIT count]`
pub const KDELRANGE: Spec = Spec {
    unnamed: Access::of(&["RM", "delete"]),
    since: "0.1.0",
    acl: ACL,
    summary: "Deletes the keys of an ordered collection between two bounds, or the first of them, and counts them; \
              others run between batches of 1024 keys, each of which is deleted as one",
    complexity: "O(log(N)+M) with N being the number of keys and M those deleted.",
    syntax: "min max [PREFIX prefix] [LIMIT count]",
    ..Spec::new("kdelrange", Group::Collection, -3, Handler::Range(kdelrange))
};

#[derive(Default)]
struct Options<'a> {
    prefix: Option<&'a [u8]>,
    limit: Option<usize>,
}

impl<'a> Options<'a> {
    fn parse(options: Args<'a>) -> Result<Self, CmdError> {
        let mut parsed = Self::default();
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            let value = rest.next().ok_or(CmdError::Syntax)?;
            match option.to_ascii_lowercase().as_slice() {
                b"prefix" => parsed.prefix = Some(value),
                b"limit" => {
                    let limit = parse_i64(value).ok_or(CmdError::NotInteger)?;
                    // As elsewhere, a negative count means all.
                    parsed.limit = usize::try_from(limit).ok().or(Some(usize::MAX));
                }
                _ => return Err(CmdError::Syntax),
            }
        }
        Ok(parsed)
    }
}

fn kdelrange(txn: &mut RangeTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let Options { prefix, limit } = Options::parse(args.skip(3))?;
    must_be_ordered(txn, "KDELRANGE")?;
    let range = bound::range(args.at(1), args.at(2), prefix);
    let deleted = txn.delete_range(range, limit.unwrap_or(usize::MAX));
    reply.int(deleted as i64);
    Ok(())
}
