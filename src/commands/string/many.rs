//! Several keys at once: MGET, MSET, MSETEX, MSETNX.

use super::options::{Condition, Dialect, Expiry, Options};
use super::set::tell_of_time;
use crate::commands::spec::{Find, Group, KeySpec, all_keys, counted_keys, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::value::{reply_str, str_arg};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn, str_of};
use crate::page::StrRef;
use crate::resp::{Args, Reply};

pub(super) const MGET: Spec = Spec {
    flags: flag::FAST,
    acl: &["string"],
    keys: &[all_keys(&["RO", "access"], 1, 1)],
    tips: &["request_policy:multi_shard"],
    summary: "Returns the strings at several keys",
    complexity: "O(N) where N is the number of keys.",
    syntax: "key [key ...]",
    ..Spec::new("mget", Group::String, -2, Handler::Read(mget))
};

fn mget(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    reply.array(args.len() - 1);
    for key in args.skip(1).iter() {
        // Another type counts as nothing here.
        reply_str(reply, txn.get(key).and_then(|entry| str_of(entry).ok()));
    }
    Ok(())
}

pub(super) const MSET: Spec = Spec {
    since: "1.0.1",
    flags: flag::DENY_OOM,
    acl: &["string"],
    keys: &[all_keys(&["OW", "update"], 1, 2)],
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    summary: "Sets several keys to strings",
    complexity: "O(N) where N is the number of keys.",
    syntax: "key value [key value ...]",
    ..Spec::new("mset", Group::String, -3, Handler::Write(mset))
};

fn mset(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_pairs(args, MSET.name)?;
    put_pairs(txn, args);
    reply.ok();
    Ok(())
}

pub(super) const MSETNX: Spec = Spec {
    since: "1.0.1",
    flags: flag::DENY_OOM,
    acl: &["string"],
    keys: &[all_keys(&["OW", "insert"], 1, 2)],
    summary: "Sets several keys to strings, all of them or, if any of the keys exists, none",
    complexity: "O(N) where N is the number of keys.",
    syntax: "key value [key value ...]",
    ..Spec::new("msetnx", Group::String, -3, Handler::Write(msetnx))
};

fn msetnx(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_pairs(args, MSETNX.name)?;
    let all_free = args.skip(1).iter().step_by(2).all(|key| txn.old(key).is_none());
    if all_free {
        put_pairs(txn, args);
    }
    reply.int(i64::from(all_free));
    Ok(())
}

fn check_pairs(args: Args<'_>, command: &str) -> CmdResult {
    if args.len().is_multiple_of(2) {
        return Err(CmdError::Arity(command.to_owned()));
    }
    Ok(())
}

/// Sets every key; of a repeated one the last value stays.
fn put_pairs(txn: &mut Txn<'_, '_>, args: Args<'_>) {
    for at in (1..args.len()).step_by(2) {
        let key = args.at(at);
        txn.replace_str(key, str_arg(args, at + 1), None);
        txn.notify(Classes::STRING, "set", key);
    }
}

pub(super) const MSETEX: Spec = Spec {
    since: "8.4.0",
    flags: flag::DENY_OOM | flag::MOVABLE_KEYS,
    acl: &["string"],
    keys: &[KeySpec {
        find: Find::Count {
            count_at: 0,
            first: 1,
            step: 2,
        },
        ..counted_keys(1, &["OW", "update"])
    }],
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    summary: "Sets several keys to strings with one expiry, all of them or none",
    complexity: "O(N) where N is the number of keys to set.",
    syntax: "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
             PXAT unix-time-milliseconds | KEEPTTL]",
    ..Spec::new("msetex", Group::String, -4, Handler::Write(msetex))
};

fn msetex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let count = parse_i64(args.at(1)).and_then(|count| i32::try_from(count).ok());
    let count = count.filter(|count| *count > 0);
    let count = count.ok_or(CmdError::text("ERR invalid numkeys value"))? as usize;
    let end = 2 + 2 * count;
    if end > args.len() {
        return Err(CmdError::text("ERR wrong number of key-value pairs"));
    }
    let options = Options::parse(args.skip(end), Dialect::MSetEx)?;
    let expire_at_ms = match options.expiry {
        Expiry::At(time) => Some(time.resolve(txn.now_ms(), MSETEX.name)?),
        Expiry::Unsaid | Expiry::Keep | Expiry::Persist => None,
    };
    let mut keys = (2..end).step_by(2).map(|at| args.at(at));
    let allowed = match options.condition {
        Condition::Missing => keys.all(|key| txn.old(key).is_none()),
        Condition::Existing => keys.all(|key| txn.old(key).is_some()),
        Condition::Always | Condition::If(..) => true,
    };
    if allowed {
        for at in (2..end).step_by(2) {
            put_timed(txn, (args.at(at), str_arg(args, at + 1)), options.expiry, expire_at_ms);
        }
    }
    reply.int(i64::from(allowed));
    Ok(())
}

/// Sets one key, to die at `expire_at_ms` unless it is to keep its time.
fn put_timed(txn: &mut Txn<'_, '_>, (key, value): (&[u8], StrRef<'_>), expiry: Expiry<'_>, expire_at_ms: Option<u64>) {
    let kept_ms = match expiry {
        Expiry::Keep => txn.old(key).and_then(|entry| entry.expire_at_ms()),
        _ => None,
    };
    txn.replace_str(key, value, expire_at_ms.or(kept_ms));
    match expire_at_ms {
        Some(at_ms) => tell_of_time(txn, key, at_ms),
        None => txn.notify(Classes::STRING, "set", key),
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Harness;

    #[test]
    fn many_with_one_expiry() {
        let mut server = Harness::new();
        for (line, reply) in [
            ("MSETEX 2 a 1 b 2 EX 100", ":1"),
            ("TTL b", ":100"),
            ("MSETEX 2 a 3 c 4 KEEPTTL", ":1"),
            ("TTL a", ":100"),
            ("TTL c", ":-1"),
            ("MSETEX 2 new 1 a 1 NX", ":0"),
            ("MSETEX 2 new 1 a 1 XX", ":0"),
            ("EXISTS new", ":0"),
            ("MSETEX 2 a 5 b 6 XX PX 5000", ":1"),
            ("MGET a b c", "*3 $1 5 $1 6 $1 4"),
            ("MSETEX 3 d 1 d 2 d 3 NX", ":1"),
            ("GET d", "$1 3"),
            ("MSETEX 1 d 1 EXAT 1", ":1"),
            ("EXISTS d", ":0"),
            ("MSETEX 0 a 1", "-ERR invalid numkeys value"),
            ("MSETEX x a 1", "-ERR invalid numkeys value"),
            ("MSETEX 9999999999 a 1", "-ERR invalid numkeys value"),
            ("MSETEX 2 a 1", "-ERR wrong number of key-value pairs"),
            ("MSETEX 2 a 1 b", "-ERR wrong number of key-value pairs"),
            ("MSETEX 2147483647 a 1", "-ERR wrong number of key-value pairs"),
            ("MSETEX 1 a 1 NX XX", "-ERR syntax error"),
            ("MSETEX 1 a 1 EX 1 PX 1", "-ERR syntax error"),
            ("MSETEX 1 a 1 GET", "-ERR syntax error"),
            ("MSETEX 1 a 1 IFEQ 1", "-ERR syntax error"),
            ("MSETEX 1 a 1 EX 0", "-ERR invalid expire time in 'msetex' command"),
        ] {
            assert_eq!(server.say(line), reply, "{line}");
        }
    }
}
