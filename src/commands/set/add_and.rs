//! Adding members, all or none, with an expiry: SADDEX.

use super::common::{add, old_set};
use crate::commands::error::QUOTED_BYTES_MAX;
use crate::commands::mortal::{Expiry, MEMBERS, expiry};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const SADDEX: Spec = Spec {
    since: "8.12.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Adds members to a set, all or none, with an expiry",
    complexity: "O(N) where N is the number of members being added.",
    syntax: "key [MNX | MXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | \
             KEEPTTL] MEMBERS nummembers member [member ...]",
    ..Spec::new("saddex", Group::Set, -5, Handler::Write(saddex))
};

const TWO_CONDITIONS: CmdError = CmdError::text("ERR Only one of MXX or MNX arguments can be specified");
const TWO_EXPIRIES: CmdError =
    CmdError::text("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");

struct Options<'a> {
    /// MXX: all members must be there; MNX: none may.
    wants_members: Option<bool>,
    expiry: Expiry,
    members: Args<'a>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, now_ms: u64) -> Result<Self, CmdError> {
        let (mut wants_members, mut said, mut at) = (None, Expiry::Unsaid, 2);
        loop {
            let word = args.get(at).ok_or_else(wrong_number)?;
            match word.to_ascii_lowercase().as_slice() {
                b"members" => break,
                name @ (b"mnx" | b"mxx") => {
                    if wants_members.replace(name == b"mxx").is_some() {
                        return Err(TWO_CONDITIONS);
                    }
                    at += 1;
                }
                b"ex" | b"px" | b"exat" | b"pxat" | b"keepttl" if said != Expiry::Unsaid => return Err(TWO_EXPIRIES),
                b"ex" | b"px" | b"exat" | b"pxat" if at + 1 == args.len() => return Err(wrong_number()),
                _ => match expiry(args, at, now_ms, SADDEX.name)? {
                    Some((expiry, taken)) if expiry != Expiry::Persist => (said, at) = (expiry, at + taken),
                    _ => return Err(CmdError::quoting("ERR unknown argument: ", word, QUOTED_BYTES_MAX, "")),
                },
            }
        }
        Ok(Self {
            wants_members,
            expiry: said,
            members: members(args, at)?,
        })
    }
}

fn wrong_number() -> CmdError {
    CmdError::Arity(SADDEX.name.to_owned())
}

/// What is behind `MEMBERS nummembers`, which begin at `at`.
fn members(args: Args<'_>, at: usize) -> Result<Args<'_>, CmdError> {
    let members = args.skip(at + 2);
    if members.is_empty() {
        return Err(wrong_number());
    }
    let count = args.get(at + 1).and_then(parse_i64);
    let count = count.filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.ok_or(CmdError::text("ERR invalid number of members"))?;
    if members.len() != count as usize {
        return Err(wrong_number());
    }
    Ok(members)
}

fn saddex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let options = Options::parse(args, now_ms)?;
    let (key, members) = (args.at(1), options.members);
    let set = old_set(txn, key)?;
    let expiry_of = |name: &[u8]| set.and_then(|set| set.expiry_of(name));
    let is_allowed = options
        .wants_members
        .is_none_or(|wanted| members.iter().all(|name| expiry_of(name).is_some() == wanted));
    if !is_allowed {
        reply.int(0);
        return Ok(());
    }
    let there: Vec<&[u8]> = members.iter().filter(|name| expiry_of(name).is_some()).collect();
    let timed: Vec<&[u8]> = members
        .iter()
        .filter(|name| expiry_of(name).flatten().is_some())
        .collect();
    let (is_new, is_any_new) = (set.is_none(), there.len() < members.len());
    match options.expiry {
        Expiry::At(at_ms) if at_ms <= now_ms => {
            // Those that are new were there for no time at all.
            if is_new {
                txn.notify(Classes::NEW, "new", key);
            }
            txn.notify(Classes::SET, "sadd", key);
            if there.is_empty() {
                txn.flicker(key);
                txn.notify_taken(Classes::SET, MEMBERS.removed, key);
            } else {
                MEMBERS.remove(txn, key, there.into_iter());
            }
        }
        expiry => {
            if is_any_new {
                add(txn, key, members.iter());
                txn.notify(Classes::SET, "sadd", key);
            }
            match expiry {
                Expiry::At(at_ms) => MEMBERS.expire_at(txn, key, members.iter(), at_ms),
                Expiry::Unsaid if !timed.is_empty() => MEMBERS.expire_at(txn, key, timed.into_iter(), 0),
                _ => {}
            }
        }
    }
    reply.int(1);
    Ok(())
}
