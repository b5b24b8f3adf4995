//! Reading fields and what else may happen to them at the same time: HGETDEL, HGETEX.

use std::collections::HashSet;

use super::common::{old_hash, remove};
use super::get::reply_field;
use crate::commands::mortal::{Expiry, FIELDS, counted, expiry};
use crate::commands::spec::{Group, KeySpec, first_key, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

const NO_COUNT: &str = "ERR Number of fields must be a positive integer";

pub(super) const HGETDEL: Spec = Spec {
    since: "8.0.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "access", "delete"])],
    summary: "Returns the values of fields and removes them",
    complexity: "O(N) where N is the number of specified fields",
    syntax: "key FIELDS numfields field [field ...]",
    ..Spec::new("hgetdel", Group::Hash, -5, Handler::Write(hgetdel))
};

fn hgetdel(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    old_hash(txn, key)?;
    let names = counted(&FIELDS, args, 2, NO_COUNT)?;
    let found = reply_fields(txn, key, names, true, reply)?;
    if !found.is_empty() {
        remove(txn, key, found.into_iter());
        txn.notify_taken(Classes::HASH, "hdel", key);
    }
    Ok(())
}

/// Answers with the values of fields; which of them are there. If they are to go, one that is named twice has gone
/// by the second time.
fn reply_fields<'a>(
    txn: &mut Txn<'_, '_>,
    key: &[u8],
    names: Args<'a>,
    they_go: bool,
    reply: &mut Reply,
) -> Result<Vec<&'a [u8]>, CmdError> {
    let hash = old_hash(txn, key)?;
    reply.array(names.len());
    let (mut found, mut gone) = (Vec::new(), HashSet::new());
    for name in names.iter() {
        let has_gone = they_go && !gone.insert(name);
        let field = hash.and_then(|hash| hash.get(name)).filter(|_| !has_gone);
        if field.is_some() {
            found.push(name);
        }
        reply_field(field, reply);
    }
    Ok(found)
}

pub(super) const HGETEX: Spec = Spec {
    since: "8.0.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[KeySpec {
        notes: Some("RW and UPDATE because it changes the TTL"),
        ..first_key(&["RW", "access", "update"])
    }],
    summary: "Returns the values of fields and sets or removes their expiry",
    complexity: "O(N) where N is the number of specified fields",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS \
             numfields field [field ...]",
    ..Spec::new("hgetex", Group::Hash, -5, Handler::Write(hgetex))
};

fn hgetex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let key = args.at(1);
    old_hash(txn, key)?;
    let said = expiry(args, 2, now_ms, HGETEX.name)?;
    let (expiry, taken) = said
        .filter(|(expiry, _)| *expiry != Expiry::Keep)
        .unwrap_or((Expiry::Unsaid, 0));
    let names = counted(&FIELDS, args, 2 + taken, NO_COUNT)?;
    let they_go = matches!(expiry, Expiry::At(at_ms) if at_ms <= now_ms);
    let found = reply_fields(txn, key, names, they_go, reply)?;
    if found.is_empty() {
        return Ok(());
    }
    match expiry {
        Expiry::At(at_ms) if at_ms <= now_ms => {
            remove(txn, key, found.into_iter());
            txn.notify_taken(Classes::HASH, "hdel", key);
        }
        Expiry::At(at_ms) => {
            FIELDS.expire_at(txn, key, found.iter().copied(), at_ms);
        }
        Expiry::Persist if is_any_timed(txn, key, &found)? => {
            FIELDS.expire_at(txn, key, found.iter().copied(), 0);
        }
        Expiry::Persist => {}
        Expiry::Unsaid | Expiry::Keep => {}
    }
    Ok(())
}

/// Whether one of these fields is to die.
fn is_any_timed(txn: &mut Txn<'_, '_>, key: &[u8], names: &[&[u8]]) -> Result<bool, CmdError> {
    let Some(hash) = old_hash(txn, key)? else {
        return Ok(false);
    };
    let is_timed = |name: &&[u8]| hash.get(name).is_some_and(|field| field.expire_at_ms.is_some());
    Ok(names.iter().any(is_timed))
}
