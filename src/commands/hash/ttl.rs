//! When fields die, and letting them live for ever: HEXPIRETIME, HPERSIST, HPEXPIRETIME, HPTTL, HTTL.

use super::common::{old_hash, read_hash};
use super::expire_options::fields;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::hash::HashOp;
use crate::page::packed::pack;
use crate::resp::{Args, Reply};

const NO_FIELD: i64 = -2;
const NO_EXPIRY: i64 = -1;

pub(super) const HTTL: Spec = Spec {
    since: "7.4.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Tells how many seconds fields have left to live",
    complexity: "O(N) where N is the number of specified fields",
    syntax: "key FIELDS numfields field [field ...]",
    ..Spec::new("httl", Group::Hash, -5, Handler::Read(httl))
};

fn httl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    answer(txn, args, reply, |at_ms| at_ms.saturating_sub(now_ms).div_ceil(1000))
}

pub(super) const HPTTL: Spec = Spec {
    summary: "Tells how many milliseconds fields have left to live",
    ..Spec {
        name: "hpttl",
        handler: Handler::Read(hpttl),
        ..HTTL
    }
};

fn hpttl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    answer(txn, args, reply, |at_ms| at_ms.saturating_sub(now_ms))
}

pub(super) const HEXPIRETIME: Spec = Spec {
    tips: &[],
    summary: "Tells the Unix time, in seconds, at which fields die",
    ..Spec {
        name: "hexpiretime",
        handler: Handler::Read(hexpiretime),
        ..HTTL
    }
};

fn hexpiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, reply, |at_ms| at_ms.div_ceil(1000))
}

pub(super) const HPEXPIRETIME: Spec = Spec {
    tips: &[],
    summary: "Tells the Unix time, in milliseconds, at which fields die",
    ..Spec {
        name: "hpexpiretime",
        handler: Handler::Read(hpexpiretime),
        ..HTTL
    }
};

fn hpexpiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, reply, |at_ms| at_ms)
}

fn answer(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply, of_expiry: impl Fn(u64) -> u64) -> CmdResult {
    let now_ms = txn.now_ms();
    let hash = read_hash(txn, args.at(1))?;
    let names = fields(args, 2)?;
    reply.array(names.len());
    for name in names.iter() {
        let field = hash
            .and_then(|hash| hash.get(name))
            .filter(|field| field.is_alive(now_ms));
        reply.int(match field.map(|field| field.expire_at_ms) {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(at_ms)) => of_expiry(at_ms) as i64,
        });
    }
    Ok(())
}

pub(super) const HPERSIST: Spec = Spec {
    since: "7.4.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Lets fields live for ever",
    complexity: "O(N) where N is the number of specified fields",
    syntax: "key FIELDS numfields field [field ...]",
    ..Spec::new("hpersist", Group::Hash, -5, Handler::Write(hpersist))
};

fn hpersist(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let names = fields(args, 2)?;
    let key = args.at(1);
    let hash = old_hash(txn, key)?;
    let expiry_of = |name| hash.and_then(|hash| hash.get(name)).map(|field| field.expire_at_ms);
    let expiries: Vec<Option<Option<u64>>> = names.iter().map(expiry_of).collect();
    let both = names.iter().zip(&expiries);
    let timed: Vec<&[u8]> = both
        .filter(|(_, expiry)| matches!(expiry, Some(Some(_))))
        .map(|(name, _)| name)
        .collect();
    if !timed.is_empty() {
        let fields = pack(timed);
        let op = HashOp::ExpireAt {
            fields: &fields,
            expire_at_ms: 0,
        };
        txn.apply(&Effect::Hash { key, op });
        txn.notify(Classes::HASH, "hpersist", key);
    }
    reply.array(expiries.len());
    for expiry in expiries {
        reply.int(match expiry {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(_)) => 1,
        });
    }
    Ok(())
}
