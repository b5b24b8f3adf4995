//! Reading fields: HEXISTS, HGET, HGETALL, HKEYS, HLEN, HMGET, HSTRLEN, HVALS.

use super::common::{for_each_alive, read_hash};
use crate::commands::spec::{Group, KeySpec, first_key, flag};
use crate::commands::value::reply_item;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, WrongType};
use crate::page::hash::Field;
use crate::resp::{Args, Reply};

const LOOKED_AT: &[KeySpec] = &[first_key(&["RO", "access"])];

pub(super) const HGET: Spec = Spec {
    since: "2.0.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: LOOKED_AT,
    summary: "Returns the value of a field",
    syntax: "key field",
    ..Spec::new("hget", Group::Hash, 3, Handler::Read(hget))
};

fn hget(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    reply_field(field(txn, args)?, reply);
    Ok(())
}

/// The field that arguments 1 and 2 name, if it is alive.
fn field<'a>(txn: &'a mut ReadTxn<'_, '_>, args: Args<'_>) -> Result<Option<Field<'a>>, WrongType> {
    let now_ms = txn.now_ms();
    let hash = read_hash(txn, args.at(1))?;
    let field = hash.and_then(|hash| hash.get(args.at(2)));
    Ok(field.filter(|field| field.is_alive(now_ms)))
}

pub(super) fn reply_field(field: Option<Field<'_>>, reply: &mut Reply) {
    match field {
        Some(field) => reply_item(reply, field.value),
        None => reply.null(),
    }
}

pub(super) const HEXISTS: Spec = Spec {
    since: "2.0.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RO"])],
    summary: "Tells whether a hash has a field",
    syntax: "key field",
    ..Spec::new("hexists", Group::Hash, 3, Handler::Read(hexists))
};

fn hexists(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    reply.int(i64::from(field(txn, args)?.is_some()));
    Ok(())
}

pub(super) const HSTRLEN: Spec = Spec {
    since: "3.2.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RO"])],
    summary: "Returns the length of the value of a field",
    syntax: "key field",
    ..Spec::new("hstrlen", Group::Hash, 3, Handler::Read(hstrlen))
};

fn hstrlen(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let len = field(txn, args)?.map_or(0, |field| field.value.bytes_len());
    reply.int(len as i64);
    Ok(())
}

pub(super) const HMGET: Spec = Spec {
    since: "2.0.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: LOOKED_AT,
    summary: "Returns the values of several fields",
    complexity: "O(N) where N is the number of fields being requested.",
    syntax: "key field [field ...]",
    ..Spec::new("hmget", Group::Hash, -3, Handler::Read(hmget))
};

fn hmget(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let hash = read_hash(txn, args.at(1))?;
    let names = args.skip(2);
    reply.array(names.len());
    for name in names.iter() {
        let field = hash.and_then(|hash| hash.get(name));
        reply_field(field.filter(|field| field.is_alive(now_ms)), reply);
    }
    Ok(())
}

pub(super) const HLEN: Spec = Spec {
    since: "2.0.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RO"])],
    summary: "Returns how many fields a hash has, dead ones that nobody has removed yet included",
    syntax: "key",
    ..Spec::new("hlen", Group::Hash, 2, Handler::Read(hlen))
};

fn hlen(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let hash = read_hash(txn, args.at(1))?;
    reply.int(hash.map_or(0, |hash| hash.len() as i64));
    Ok(())
}

pub(super) const HGETALL: Spec = Spec {
    since: "2.0.0",
    acl: &["hash"],
    keys: LOOKED_AT,
    tips: &["nondeterministic_output_order"],
    summary: "Returns all fields with their values",
    complexity: "O(N) where N is the size of the hash.",
    syntax: "key",
    ..Spec::new("hgetall", Group::Hash, 2, Handler::Read(hgetall))
};

fn hgetall(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let Some(hash) = read_hash(txn, args.at(1))? else {
        reply.map(0);
        return Ok(());
    };
    let header = reply.deferred_map();
    let mut count = 0;
    for_each_alive(hash, now_ms, |field| {
        reply_item(reply, field.name);
        reply_item(reply, field.value);
        count += 1;
    });
    reply.finish_map(header, count);
    Ok(())
}

pub(super) const HKEYS: Spec = Spec {
    summary: "Returns the names of all fields",
    ..Spec {
        name: "hkeys",
        handler: Handler::Read(hkeys),
        ..HGETALL
    }
};

fn hkeys(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    all(txn, args, reply, |field, reply| reply_item(reply, field.name))
}

pub(super) const HVALS: Spec = Spec {
    summary: "Returns the values of all fields",
    ..Spec {
        name: "hvals",
        handler: Handler::Read(hvals),
        ..HGETALL
    }
};

fn hvals(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    all(txn, args, reply, |field, reply| reply_item(reply, field.value))
}

fn all(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply, write: fn(Field<'_>, &mut Reply)) -> CmdResult {
    let now_ms = txn.now_ms();
    let Some(hash) = read_hash(txn, args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    let header = reply.deferred_array();
    let mut count = 0;
    for_each_alive(hash, now_ms, |field| {
        write(field, reply);
        count += 1;
    });
    reply.finish_array(header, count);
    Ok(())
}
