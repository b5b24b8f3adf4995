//! Setting fields, all or none, with an expiry: HSETEX.

use super::common::{old_hash, remove, set};
use crate::commands::error::QUOTED_BYTES_MAX;
use crate::commands::mortal::{Expiry, FIELDS, expiry};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const HSETEX: Spec = Spec {
    since: "8.0.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets fields to values, all or none, with an expiry",
    complexity: "O(N) where N is the number of fields being set.",
    syntax: "key [NX | XX] [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
             PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]",
    ..Spec::new("hsetex", Group::Hash, -6, Handler::Write(hsetex))
};

const TWO_CONDITIONS: CmdError = CmdError::text("ERR Only one of FXX or FNX arguments can be specified");
const TWO_EXPIRIES: CmdError =
    CmdError::text("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");

struct Options<'a> {
    /// XX: the hash must be there; NX: it may not.
    wants_hash: Option<bool>,
    /// FXX: all fields must be there; FNX: none may.
    wants_fields: Option<bool>,
    expiry: Expiry,
    pairs: Args<'a>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, now_ms: u64) -> Result<Self, CmdError> {
        let (mut wants_hash, mut wants_fields, mut said) = (None, None, Expiry::Unsaid);
        let mut at = 2;
        loop {
            let word = args.get(at).ok_or_else(wrong_number)?;
            match word.to_ascii_lowercase().as_slice() {
                b"fields" => break,
                name @ (b"nx" | b"xx") => {
                    let wants = name == b"xx";
                    if wants_hash.replace(wants).is_some_and(|wanted| wanted != wants) {
                        return Err(CmdError::Syntax);
                    }
                    at += 1;
                }
                name @ (b"fnx" | b"fxx") => {
                    if wants_fields.replace(name == b"fxx").is_some() {
                        return Err(TWO_CONDITIONS);
                    }
                    at += 1;
                }
                b"ex" | b"px" | b"exat" | b"pxat" | b"keepttl" if said != Expiry::Unsaid => return Err(TWO_EXPIRIES),
                b"ex" | b"px" | b"exat" | b"pxat" if at + 1 == args.len() => return Err(wrong_number()),
                _ => match expiry(args, at, now_ms, HSETEX.name)? {
                    Some((expiry, taken)) if expiry != Expiry::Persist => (said, at) = (expiry, at + taken),
                    _ => return Err(CmdError::quoting("ERR unknown argument: ", word, QUOTED_BYTES_MAX, "")),
                },
            }
        }
        Ok(Self {
            wants_hash,
            wants_fields,
            expiry: said,
            pairs: pairs(args, at)?,
        })
    }

    /// Whether the hash, which has all or none of the fields, is as it must be.
    fn allow(&self, is_hash: bool, mut are_there: impl Iterator<Item = bool>) -> bool {
        self.wants_hash.is_none_or(|wanted| wanted == is_hash)
            && self
                .wants_fields
                .is_none_or(|wanted| are_there.all(|is_there| is_there == wanted))
    }
}

fn wrong_number() -> CmdError {
    CmdError::Arity(HSETEX.name.to_owned())
}

/// Fields with their values behind `FIELDS numfields`, which begin at `at`.
fn pairs(args: Args<'_>, at: usize) -> Result<Args<'_>, CmdError> {
    let pairs = args.skip(at + 2);
    if pairs.len() < 2 {
        return Err(wrong_number());
    }
    let count = args.get(at + 1).and_then(parse_i64);
    let count = count.filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.ok_or(CmdError::text("ERR invalid number of fields"))?;
    if pairs.len() != 2 * count as usize {
        return Err(wrong_number());
    }
    Ok(pairs)
}

fn hsetex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let options = Options::parse(args, now_ms)?;
    let key = args.at(1);
    let hash = old_hash(txn, key)?;
    let names: Vec<&[u8]> = options.pairs.iter().step_by(2).collect();
    let is_there = |name: &&[u8]| hash.is_some_and(|hash| hash.get(name).is_some());
    if !options.allow(hash.is_some(), names.iter().map(is_there)) {
        reply.int(0);
        return Ok(());
    }
    match options.expiry {
        Expiry::At(at_ms) if at_ms <= now_ms => {
            let gone: Vec<&[u8]> = names.into_iter().filter(|name| is_there(name)).collect();
            let is_new = hash.is_none();
            if gone.is_empty() {
                txn.flicker(key);
            } else {
                remove(txn, key, gone.into_iter());
            }
            // The fields were there for no time at all.
            if is_new {
                txn.notify(Classes::NEW, "new", key);
            }
            txn.notify(Classes::HASH, "hset", key);
            txn.notify_taken(Classes::HASH, "hdel", key);
        }
        Expiry::At(at_ms) => {
            set(txn, key, options.pairs.iter(), false);
            txn.notify(Classes::HASH, "hset", key);
            FIELDS.expire_at(txn, key, names.into_iter(), at_ms);
        }
        expiry => {
            set(txn, key, options.pairs.iter(), expiry == Expiry::Keep);
            txn.notify(Classes::HASH, "hset", key);
        }
    }
    reply.int(1);
    Ok(())
}
