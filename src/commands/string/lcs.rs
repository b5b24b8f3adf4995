//! LCS: what two strings have in common.

use crate::commands::spec::{Access, Begin, Find, Group, KeySpec};
use crate::commands::support::lcs::{LcsError, Match, check_lengths, lcs_len, lcs_matches, lcs_text};
use crate::commands::support::number::parse_i64;
use crate::commands::value::Held;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, str_of};
use crate::resp::{Args, Reply};

pub(super) const LCS: Spec = Spec {
    since: "7.0.0",
    acl: &["string"],
    keys: &[KeySpec {
        access: Access::of(&["RO", "access"]),
        begin: Begin::Index(1),
        find: Find::Range {
            last: 1,
            step: 1,
            limit: 0,
        },
        notes: None,
        access_of: None,
    }],
    summary: "Finds the longest common subsequence of two strings",
    complexity: "O(N*M) where N and M are the lengths of the two strings",
    syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    ..Spec::new("lcs", Group::String, -3, Handler::Read(lcs))
};

#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    match_len_min: usize,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CmdError> {
        let mut options = Self::default();
        let mut rest = args.iter();
        while let Some(word) = rest.next() {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            if is(b"IDX") {
                options.idx = true;
            } else if is(b"LEN") {
                options.len = true;
            } else if is(b"WITHMATCHLEN") {
                options.with_match_len = true;
            } else if is(b"MINMATCHLEN") {
                let text = rest.next().ok_or(CmdError::Syntax)?;
                let len_min = parse_i64(text).ok_or(CmdError::NotInteger)?;
                options.match_len_min = usize::try_from(len_min).unwrap_or(0);
            } else {
                return Err(CmdError::Syntax);
            }
        }
        if options.idx && options.len {
            return Err(CmdError::text(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

fn lcs(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    // Both are looked up, also where the first is of another type.
    let (a, b) = (hold(txn, args.at(1)), hold(txn, args.at(2)));
    let (a, b) = (a?, b?);
    let options = Options::parse(args.skip(3))?;
    let (a, b, bytes_max) = (a.text(), b.text(), txn.string_bytes_max());
    // Before long strings are put together for it.
    check_lengths(a.len(), b.len(), bytes_max).map_err(refusal)?;
    let (a, b) = (&*a.contiguous(), &*b.contiguous());
    if options.len {
        reply.int(lcs_len(a, b, bytes_max).map_err(refusal)?.cast_signed());
    } else if options.idx {
        let matches = lcs_matches(a, b, 0, bytes_max).map_err(refusal)?;
        reply_matches(&matches, &options, reply);
    } else {
        reply.bulk(&lcs_text(a, b, bytes_max).map_err(refusal)?);
    }
    Ok(())
}

fn hold(txn: &mut ReadTxn<'_, '_>, key: &[u8]) -> Result<Held, CmdError> {
    let Some(entry) = txn.get(key) else {
        return Ok(Held::Small(Vec::new()));
    };
    let text = str_of(entry).map_err(|_| CmdError::text("ERR The specified keys must contain string values"))?;
    Ok(text.into())
}

fn refusal(error: LcsError) -> CmdError {
    CmdError::text(error.message())
}

fn reply_matches(matches: &[Match], options: &Options, reply: &mut Reply) {
    reply.map(2);
    reply.bulk(b"matches");
    let shown = || matches.iter().filter(|found| found.len() >= options.match_len_min);
    reply.array(shown().count());
    for found in shown() {
        reply.array(if options.with_match_len { 3 } else { 2 });
        for (first, last) in [found.a, found.b] {
            reply.array(2);
            reply.int(first as i64);
            reply.int(last as i64);
        }
        if options.with_match_len {
            reply.int(found.len() as i64);
        }
    }
    reply.bulk(b"len");
    reply.int(matches.iter().map(Match::len).sum::<usize>() as i64);
}
