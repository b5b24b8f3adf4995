//! Setting one key: SET, SETEX, PSETEX, SETNX.

use super::compare::Test;
use super::options::{Condition, Dialect, ExpireTime, Expiry, Options};
use crate::commands::spec::{Access, Group, KeySpec, first_key, flag};
use crate::commands::support::expire::TimeUnit;
use crate::commands::value::{reply_str, str_arg};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{Txn, str_of};
use crate::resp::{Args, Reply};

pub(super) const SET: Spec = Spec {
    flags: flag::DENY_OOM,
    acl: &["string"],
    keys: &[KeySpec {
        notes: Some("RW and ACCESS due to the optional `GET` argument"),
        access_of: Some(key_access),
        ..first_key(&["RW", "access", "update", "variable_flags"])
    }],
    summary: "Sets a key to a string, whatever it held before",
    syntax: "key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
             PXAT unix-time-milliseconds | KEEPTTL]",
    ..Spec::new("set", Group::String, -3, Handler::Write(set))
};

fn key_access(args: Args<'_>) -> Access {
    let reads = |option: &[u8]| option.eq_ignore_ascii_case(b"GET") || Test::parse(option).is_some();
    if args.iter().skip(3).any(reads) {
        const { Access::of(&["RW", "access", "update"]) }
    } else {
        const { Access::of(&["OW", "update"]) }
    }
}

fn set(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return set_with_options(txn, args, reply);
    }
    let key = args.at(1);
    txn.replace_str(key, str_arg(args, 2), None);
    txn.notify(Classes::STRING, "set", key);
    reply.ok();
    Ok(())
}

/// Tells that `key` has been set, and was given a time to die.
pub(super) fn tell_of_time(txn: &mut Txn<'_, '_>, key: &[u8], expire_at_ms: u64) {
    txn.notify(Classes::STRING, "set", key);
    txn.notify(Classes::GENERIC, "expire", key);
    if expire_at_ms <= txn.now_ms() {
        txn.notify(Classes::EXPIRED, "expired", key);
    }
}

fn set_with_options(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let options = Options::parse(args.skip(3), Dialect::Set)?;
    let mut expire_at_ms = match options.expiry {
        Expiry::At(time) => Some(time.resolve(txn.now_ms(), "set")?),
        Expiry::Unsaid | Expiry::Keep | Expiry::Persist => None,
    };
    if options.get {
        reply_str(reply, txn.get_str(key)?);
    }
    if options.condition != Condition::Always || options.expiry == Expiry::Keep {
        let old = txn.old(key);
        let allowed = match options.condition {
            Condition::Always => true,
            Condition::Missing => old.is_none(),
            Condition::Existing => old.is_some(),
            Condition::If(test, operand) => match old {
                Some(entry) => test.of(str_of(entry)?, operand)?,
                None => test.of_nothing(),
            },
        };
        let old = old.map(|entry| entry.expire_at_ms());
        if !allowed {
            if !options.get {
                reply.null();
            }
            return Ok(());
        }
        if options.expiry == Expiry::Keep {
            expire_at_ms = old.flatten();
        }
    }
    txn.replace_str(key, str_arg(args, 2), expire_at_ms);
    match (options.expiry, expire_at_ms) {
        (Expiry::At(_), Some(at_ms)) => tell_of_time(txn, key, at_ms),
        _ => txn.notify(Classes::STRING, "set", key),
    }
    if !options.get {
        reply.ok();
    }
    Ok(())
}

pub(super) const SETEX: Spec = Spec {
    since: "2.0.0",
    flags: flag::DENY_OOM,
    acl: &["string"],
    keys: &[first_key(&["OW", "update"])],
    summary: "Sets a key to a string that expires after some seconds",
    syntax: "key seconds value",
    ..Spec::new("setex", Group::String, 4, Handler::Write(setex))
};

fn setex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_with_time(txn, args, reply, TimeUnit::Seconds, SETEX.name)
}

pub(super) const PSETEX: Spec = Spec {
    since: "2.6.0",
    flags: flag::DENY_OOM,
    acl: &["string"],
    keys: &[first_key(&["OW", "update"])],
    summary: "Sets a key to a string that expires after some milliseconds",
    syntax: "key milliseconds value",
    ..Spec::new("psetex", Group::String, 4, Handler::Write(psetex))
};

fn psetex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_with_time(txn, args, reply, TimeUnit::Milliseconds, PSETEX.name)
}

fn set_with_time(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply, unit: TimeUnit, command: &str) -> CmdResult {
    let expire_at_ms = ExpireTime::from_now(args.at(2), unit).resolve(txn.now_ms(), command)?;
    let key = args.at(1);
    txn.replace_str(key, str_arg(args, 3), Some(expire_at_ms));
    tell_of_time(txn, key, expire_at_ms);
    reply.ok();
    Ok(())
}

pub(super) const SETNX: Spec = Spec {
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["string"],
    keys: &[first_key(&["OW", "insert"])],
    summary: "Sets a key to a string unless the key exists",
    syntax: "key value",
    ..Spec::new("setnx", Group::String, 3, Handler::Write(setnx))
};

fn setnx(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let is_free = txn.old(key).is_none();
    if is_free {
        txn.replace_str(key, str_arg(args, 2), None);
        txn.notify(Classes::STRING, "set", key);
    }
    reply.int(i64::from(is_free));
    Ok(())
}
