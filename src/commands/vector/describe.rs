//! What is known of a vector set: VCARD, VDIM, VINFO, VISMEMBER.

use xxhash_rust::xxh3::xxh3_64;

use super::common::{check_arity, on_key, read_set};
use crate::commands::spec::flag;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const VCARD: Spec = Spec {
    flags: flag::FAST,
    summary: "How many elements a vector set has",
    syntax: "key",
    ..on_key("vcard", Handler::Read(vcard))
};

fn vcard(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VCARD", 2..=2)?;
    let set = read_set(txn, args.at(1))?;
    reply.int(set.map_or(0, |set| set.len()) as i64);
    Ok(())
}

pub(super) const VDIM: Spec = Spec {
    flags: flag::FAST,
    summary: "How many dimensions the vectors of a set have",
    syntax: "key",
    ..on_key("vdim", Handler::Read(vdim))
};

fn vdim(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VDIM", 2..=2)?;
    let set = read_set(txn, args.at(1))?.ok_or(CmdError::text("ERR key does not exist"))?;
    reply.int(i64::from(set.shape().dim));
    Ok(())
}

pub(super) const VINFO: Spec = Spec {
    flags: flag::FAST,
    summary: "What is known of a vector set",
    syntax: "key",
    ..on_key("vinfo", Handler::Read(vinfo))
};

fn vinfo(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VINFO", 2..=2)?;
    let key = args.at(1);
    let Some(set) = read_set(txn, key)? else {
        reply.null_array();
        return Ok(());
    };
    let shape = set.shape();
    reply.map(9);
    reply.simple("quant-type");
    reply.simple(shape.quant.name());
    // Redis numbers sets as they are made; here the key says which one it is, before a restart and after.
    let uid = xxh3_64(key) >> 1;
    let numbers = [
        ("hnsw-m", u64::from(shape.m)),
        ("vector-dim", u64::from(shape.dim)),
        ("projection-input-dim", u64::from(shape.input_dim.unwrap_or(0))),
        ("size", set.len()),
        ("max-level", set.max_level() as u64),
        ("attributes-count", set.attributes_count()),
        ("vset-uid", uid),
        ("hnsw-max-node-uid", set.added()),
    ];
    for (name, number) in numbers {
        reply.simple(name);
        reply.int(number as i64);
    }
    Ok(())
}

pub(super) const VISMEMBER: Spec = Spec {
    summary: "Whether an element is in a vector set",
    syntax: "key element",
    ..on_key("vismember", Handler::Read(vismember))
};

fn vismember(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VISMEMBER", 3..=3)?;
    let set = read_set(txn, args.at(1))?;
    reply.boolean(set.is_some_and(|set| set.contains(args.at(2))));
    Ok(())
}
