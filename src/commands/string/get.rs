//! Reading a whole value, and what else may happen to it at the same time: GET, GETDEL, GETEX, GETSET.

use super::options::{Dialect, Expiry, Options};
use crate::commands::spec::{Group, KeySpec, first_key, flag};
use crate::commands::value::{reply_str, str_arg};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn, str_of};
use crate::resp::{Args, Reply};

pub(super) const GET: Spec = Spec {
    flags: flag::FAST,
    acl: &["string"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns the string at a key",
    syntax: "key",
    ..Spec::new("get", Group::String, 2, Handler::Read(get))
};

fn get(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    reply_str(reply, txn.get_str(args.at(1))?);
    Ok(())
}

pub(super) const GETDEL: Spec = Spec {
    since: "6.2.0",
    flags: flag::FAST,
    acl: &["string"],
    keys: &[first_key(&["RW", "access", "delete"])],
    summary: "Returns the string at a key and deletes the key",
    syntax: "key",
    ..Spec::new("getdel", Group::String, 2, Handler::Write(getdel))
};

fn getdel(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    reply_str(reply, txn.get_str(key)?);
    txn.remove(key);
    Ok(())
}

pub(super) const GETEX: Spec = Spec {
    since: "6.2.0",
    flags: flag::FAST,
    acl: &["string"],
    keys: &[KeySpec {
        notes: Some("RW and UPDATE because it changes the TTL"),
        ..first_key(&["RW", "access", "update"])
    }],
    summary: "Returns the string at a key and sets or removes its expiry",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    ..Spec::new("getex", Group::String, -2, Handler::Write(getex))
};

fn getex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let options = Options::parse(args.skip(2), Dialect::GetEx)?;
    let now_ms = txn.now_ms();
    let Some(entry) = txn.get(key) else {
        reply.null();
        return Ok(());
    };
    let value = str_of(entry)?;
    // A bad time is an error only where there is a key to give it to.
    let expire_at_ms = match options.expiry {
        Expiry::At(time) => Some(time.resolve(now_ms, "getex")?),
        Expiry::Unsaid | Expiry::Keep | Expiry::Persist => None,
    };
    let expires = entry.expire_at_ms().is_some();
    reply_str(reply, Some(value));
    if expire_at_ms.is_some() || (options.expiry == Expiry::Persist && expires) {
        txn.set_expiry(key, expire_at_ms);
    }
    Ok(())
}

pub(super) const GETSET: Spec = Spec {
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["string"],
    keys: &[first_key(&["RW", "access", "update"])],
    summary: "Sets a key to a string and returns the previous one",
    syntax: "key value",
    ..Spec::new("getset", Group::String, 3, Handler::Write(getset))
};

fn getset(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    reply_str(reply, txn.get_str(key)?);
    txn.replace_str(key, str_arg(args, 2), None);
    txn.notify(Classes::STRING, "set", key);
    Ok(())
}
