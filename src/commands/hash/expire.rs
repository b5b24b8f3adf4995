//! Giving fields a time to die: HEXPIRE, HEXPIREAT, HPEXPIRE, HPEXPIREAT.

use super::common::{old_hash, remove};
use super::expire_options::{Condition, at_ms, fields};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::expire::{TimeBase, TimeUnit};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::hash::{Field, HashOp};
use crate::page::packed::pack;
use crate::resp::{Args, Reply};

pub(super) const HEXPIRE: Spec = Spec {
    since: "7.4.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets how many seconds fields have left to live",
    complexity: "O(N) where N is the number of specified fields",
    syntax: "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ..Spec::new("hexpire", Group::Hash, -6, Handler::Write(hexpire))
};

fn hexpire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_expiry(txn, args, HEXPIRE.name, (TimeUnit::Seconds, TimeBase::Now), reply)
}

pub(super) const HEXPIREAT: Spec = Spec {
    summary: "Sets the Unix time, in seconds, at which fields die",
    syntax: "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ..Spec {
        name: "hexpireat",
        handler: Handler::Write(hexpireat),
        ..HEXPIRE
    }
};

fn hexpireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_expiry(txn, args, HEXPIREAT.name, (TimeUnit::Seconds, TimeBase::Epoch), reply)
}

pub(super) const HPEXPIRE: Spec = Spec {
    summary: "Sets how many milliseconds fields have left to live",
    syntax: "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ..Spec {
        name: "hpexpire",
        handler: Handler::Write(hpexpire),
        ..HEXPIRE
    }
};

fn hpexpire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_expiry(txn, args, HPEXPIRE.name, (TimeUnit::Milliseconds, TimeBase::Now), reply)
}

pub(super) const HPEXPIREAT: Spec = Spec {
    summary: "Sets the Unix time, in milliseconds, at which fields die",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ..Spec {
        name: "hpexpireat",
        handler: Handler::Write(hpexpireat),
        ..HEXPIRE
    }
};

fn hpexpireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_expiry(
        txn,
        args,
        HPEXPIREAT.name,
        (TimeUnit::Milliseconds, TimeBase::Epoch),
        reply,
    )
}

/// What becomes of a field; the number is the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    NoField = -2,
    Refused = 0,
    Set = 1,
    Deleted = 2,
}

fn set_expiry(
    txn: &mut Txn<'_, '_>,
    args: Args<'_>,
    command: &str,
    time: (TimeUnit, TimeBase),
    reply: &mut Reply,
) -> CmdResult {
    let now_ms = txn.now_ms();
    let at_ms = at_ms(args.at(2), time, now_ms, command)?;
    let condition = Condition::parse(args.at(3));
    let names = fields(args, 3 + usize::from(condition.is_some()))?;
    let condition = condition.unwrap_or(Condition::Always);
    let key = args.at(1);
    let hash = old_hash(txn, key)?;
    let judge = |field: Option<Field<'_>>| match field {
        None => Outcome::NoField,
        Some(field) if !condition.allows(field.expire_at_ms, at_ms) => Outcome::Refused,
        Some(_) if at_ms <= now_ms => Outcome::Deleted,
        Some(_) => Outcome::Set,
    };
    let outcomes: Vec<Outcome> = names
        .iter()
        .map(|name| judge(hash.and_then(|hash| hash.get(name))))
        .collect();
    let of = |wanted: Outcome| {
        let both = names.iter().zip(&outcomes);
        both.filter(move |(_, outcome)| **outcome == wanted)
            .map(|(name, _)| name)
    };
    if outcomes.contains(&Outcome::Set) {
        let fields = pack(of(Outcome::Set));
        let op = HashOp::ExpireAt {
            fields: &fields,
            expire_at_ms: at_ms,
        };
        txn.apply(&Effect::Hash { key, op });
        txn.notify(Classes::HASH, "hexpire", key);
    }
    if outcomes.contains(&Outcome::Deleted) {
        remove(txn, key, of(Outcome::Deleted));
        txn.notify_taken(Classes::HASH, "hdel", key);
    }
    reply.array(outcomes.len());
    outcomes.iter().for_each(|outcome| reply.int(*outcome as i64));
    Ok(())
}
