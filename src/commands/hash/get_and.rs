//! Reading or setting fields and what else may happen to them at the same time: HGETDEL, HGETEX, HSETEX.

use super::common::{old_hash, remove, set};
use super::expire_options::{Expiry, expiry, fields};
use super::get::reply_field;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::hash::HashOp;
use crate::page::packed::pack;
use crate::resp::{Args, Reply};

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
    let names = fields(args, 2, 1)?;
    let key = args.at(1);
    let found = reply_fields(txn, key, names, reply)?;
    if !found.is_empty() {
        remove(txn, key, found.into_iter());
        txn.notify_taken(Classes::HASH, "hdel", key);
    }
    Ok(())
}

/// Answers with the values of fields; which of them are there.
fn reply_fields<'a>(
    txn: &mut Txn<'_, '_>,
    key: &[u8],
    names: Args<'a>,
    reply: &mut Reply,
) -> Result<Vec<&'a [u8]>, CmdError> {
    let hash = old_hash(txn, key)?;
    reply.array(names.len());
    let mut found = Vec::new();
    for name in names.iter() {
        let field = hash.and_then(|hash| hash.get(name));
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
    keys: &[first_key(&["RW", "access", "update"])],
    summary: "Returns the values of fields and sets or removes their expiry",
    complexity: "O(N) where N is the number of specified fields",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS \
             numfields field [field ...]",
    ..Spec::new("hgetex", Group::Hash, -5, Handler::Write(hgetex))
};

fn hgetex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let (expiry, taken) = expiry(args, 2, now_ms, HGETEX.name)?.unwrap_or((Expiry::Unsaid, 0));
    if expiry == Expiry::Keep {
        return Err(CmdError::Syntax);
    }
    let names = fields(args, 2 + taken, 1)?;
    let key = args.at(1);
    let found = reply_fields(txn, key, names, reply)?;
    if found.is_empty() {
        return Ok(());
    }
    match expiry {
        Expiry::At(at_ms) if at_ms <= now_ms => {
            remove(txn, key, found.into_iter());
            txn.notify_taken(Classes::HASH, "hdel", key);
        }
        Expiry::At(at_ms) => {
            expire_at(txn, key, &found, at_ms);
            txn.notify(Classes::HASH, "hexpire", key);
        }
        Expiry::Persist if is_any_timed(txn, key, &found)? => {
            expire_at(txn, key, &found, 0);
            txn.notify(Classes::HASH, "hpersist", key);
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

fn expire_at(txn: &mut Txn<'_, '_>, key: &[u8], names: &[&[u8]], expire_at_ms: u64) {
    let fields = pack(names.iter().copied());
    let op = HashOp::ExpireAt {
        fields: &fields,
        expire_at_ms,
    };
    txn.apply(&Effect::Hash { key, op });
}

pub(super) const HSETEX: Spec = Spec {
    since: "8.0.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets fields to values, all or none, with an expiry",
    complexity: "O(N) where N is the number of fields being set.",
    syntax: "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | \
             KEEPTTL] FIELDS numfields field value [field value ...]",
    ..Spec::new("hsetex", Group::Hash, -6, Handler::Write(hsetex))
};

struct SetOptions<'a> {
    /// FXX: all fields must be there; FNX: none may.
    wants_existing: Option<bool>,
    expiry: Expiry,
    pairs: Args<'a>,
}

impl<'a> SetOptions<'a> {
    fn parse(args: Args<'a>, now_ms: u64) -> Result<Self, CmdError> {
        let (mut wants_existing, mut said, mut at) = (None, Expiry::Unsaid, 2);
        loop {
            let word = args.get(at).ok_or(CmdError::Syntax)?;
            let condition = match word.to_ascii_lowercase().as_slice() {
                b"fnx" => Some(false),
                b"fxx" => Some(true),
                _ => None,
            };
            if condition.is_some() && wants_existing.is_none() {
                (wants_existing, at) = (condition, at + 1);
                continue;
            }
            match expiry(args, at, now_ms, HSETEX.name)? {
                Some((Expiry::Persist, _)) => return Err(CmdError::Syntax),
                Some((expiry, taken)) if said == Expiry::Unsaid => (said, at) = (expiry, at + taken),
                Some(_) => return Err(CmdError::Syntax),
                None => break,
            }
        }
        Ok(Self {
            wants_existing,
            expiry: said,
            pairs: fields(args, at, 2)?,
        })
    }
}

fn hsetex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let options = SetOptions::parse(args, now_ms)?;
    let key = args.at(1);
    let hash = old_hash(txn, key)?;
    let names: Vec<&[u8]> = options.pairs.iter().step_by(2).collect();
    let is_there = |name: &&[u8]| hash.is_some_and(|hash| hash.get(name).is_some());
    let allowed = match options.wants_existing {
        None => true,
        Some(existing) => names.iter().all(|name| is_there(name) == existing),
    };
    if !allowed {
        reply.int(0);
        return Ok(());
    }
    match options.expiry {
        Expiry::At(at_ms) if at_ms <= now_ms => {
            let gone: Vec<&[u8]> = names.into_iter().filter(|name| is_there(name)).collect();
            let is_new = hash.is_none();
            if !gone.is_empty() {
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
            expire_at(txn, key, &names, at_ms);
            txn.notify(Classes::HASH, "hset", key);
            txn.notify(Classes::HASH, "hexpire", key);
        }
        expiry => {
            set(txn, key, options.pairs.iter(), expiry == Expiry::Keep);
            txn.notify(Classes::HASH, "hset", key);
        }
    }
    reply.int(1);
    Ok(())
}
