//! Asking when keys die: `EXPIRETIME`, `PEXPIRETIME`, `PTTL`, `TTL`.

use crate::commands::spec::{CmdResult, Group, Handler, KeySpec, Spec, first_key, flag};
use crate::commands::support::expire::{expire_time_seconds, ttl_ms, ttl_seconds};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

const KEYS: &[KeySpec] = &[first_key(&["RO", "access"])];
const NO_KEY: i64 = -2;
const NO_EXPIRY: i64 = -1;

/// `EXPIRETIME key`
pub const EXPIRETIME: Spec = Spec {
    since: "7.0.0",
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: KEYS,
    summary: "Tells the Unix time, in seconds, at which a key dies",
    syntax: "key",
    ..Spec::new("expiretime", Group::Generic, 2, Handler::Read(expiretime))
};

/// `PEXPIRETIME key`
pub const PEXPIRETIME: Spec = Spec {
    since: "7.0.0",
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: KEYS,
    summary: "Tells the Unix time, in milliseconds, at which a key dies",
    syntax: "key",
    ..Spec::new("pexpiretime", Group::Generic, 2, Handler::Read(pexpiretime))
};

/// `PTTL key`
pub const PTTL: Spec = Spec {
    since: "2.6.0",
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: KEYS,
    tips: &["nondeterministic_output"],
    summary: "Tells how many milliseconds a key has left to live",
    syntax: "key",
    ..Spec::new("pttl", Group::Generic, 2, Handler::Read(pttl))
};

/// `TTL key`
pub const TTL: Spec = Spec {
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: KEYS,
    tips: &["nondeterministic_output"],
    summary: "Tells how many seconds a key has left to live",
    syntax: "key",
    ..Spec::new("ttl", Group::Generic, 2, Handler::Read(ttl))
};

fn ttl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms() as i64;
    answer(txn, args, reply, |at_ms| ttl_seconds(ttl_ms(at_ms, now_ms)))
}

fn pttl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms() as i64;
    answer(txn, args, reply, |at_ms| ttl_ms(at_ms, now_ms))
}

fn expiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, reply, expire_time_seconds)
}

fn pexpiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, reply, |at_ms| at_ms)
}

fn answer(
    txn: &mut ReadTxn<'_, '_>,
    args: Args<'_>,
    reply: &mut Reply,
    of_expiry: impl FnOnce(i64) -> i64,
) -> CmdResult {
    let answer = match txn.inspect(args.at(1)).map(|entry| entry.expire_at_ms()) {
        None => NO_KEY,
        Some(None) => NO_EXPIRY,
        Some(Some(at_ms)) => of_expiry(at_ms as i64),
    };
    reply.int(answer);
    Ok(())
}
