//! Fields by chance: HRANDFIELD.

use std::collections::HashSet;

use super::{for_each_alive, hash_of};
use crate::commands::spec::{Group, first_key};
use crate::commands::support::number::parse_i64_in;
use crate::commands::value::reply_item;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::hash::{Field, HashRef};
use crate::resp::{Args, Proto, Reply};

pub(super) const HRANDFIELD: Spec = Spec {
    since: "6.2.0",
    acl: &["hash"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Returns fields by chance: one, so many different ones, or (negative) so many that may repeat",
    complexity: "O(N) where N is the number of fields returned",
    syntax: "key [count [WITHVALUES]]",
    ..Spec::new("hrandfield", Group::Hash, -2, Handler::Read(hrandfield))
};

/// Where more than one in so many is wanted, all are looked at and the others left out.
const SAMPLE_SHARE: u64 = 3;

fn hrandfield(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let mut dice = txn.dice();
    if args.len() == 2 {
        let hash = txn.get(args.at(1)).map(hash_of).transpose()?;
        match hash.and_then(|hash| pick(hash, now_ms, &mut |n| dice.below(n))) {
            Some(field) => reply_item(reply, field.name),
            None => reply.null(),
        }
        return Ok(());
    }
    let (count, with_values) = parse(args)?;
    let Some(hash) = txn.get(args.at(1)).map(hash_of).transpose()? else {
        reply.array(0);
        return Ok(());
    };
    let mut random = |n| dice.below(n);
    let fields = if count < 0 {
        repeated(hash, count.unsigned_abs(), now_ms, &mut random)
    } else {
        distinct(hash, count as u64, now_ms, &mut random)
    };
    answer(&fields, with_values, reply);
    Ok(())
}

fn parse(args: Args<'_>) -> Result<(i64, bool), CmdError> {
    let count = parse_i64_in(args.at(2), -i64::MAX, i64::MAX).map_err(|error| error.to_string())?;
    let with_values = args.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"withvalues"));
    if args.len() > 4 || args.len() == 4 && !with_values {
        return Err(CmdError::Syntax);
    }
    if with_values && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(CmdError::text("ERR value is out of range"));
    }
    Ok((count, with_values))
}

/// Any living field, each with the same chance.
fn pick<'a>(hash: HashRef<'a>, now_ms: u64, random: &mut dyn FnMut(usize) -> usize) -> Option<Field<'a>> {
    if !hash.may_have_dead(now_ms) {
        return hash.random(random);
    }
    let alive = alive(hash, now_ms);
    alive.get(random(alive.len())).copied()
}

fn alive(hash: HashRef<'_>, now_ms: u64) -> Vec<Field<'_>> {
    let mut alive = Vec::new();
    for_each_alive(hash, now_ms, |field| alive.push(field));
    alive
}

fn repeated<'a>(hash: HashRef<'a>, count: u64, now_ms: u64, random: &mut dyn FnMut(usize) -> usize) -> Vec<Field<'a>> {
    if matches!(hash, HashRef::Packed(_)) || hash.may_have_dead(now_ms) {
        let alive = alive(hash, now_ms);
        let picked = (0..count).map_while(|_| alive.get(random(alive.len())).copied());
        return picked.collect();
    }
    (0..count).map_while(|_| hash.random(random)).collect()
}

fn distinct<'a>(hash: HashRef<'a>, count: u64, now_ms: u64, random: &mut dyn FnMut(usize) -> usize) -> Vec<Field<'a>> {
    let is_sparse = count.saturating_mul(SAMPLE_SHARE) < hash.len();
    if is_sparse && matches!(hash, HashRef::Big(_)) && !hash.may_have_dead(now_ms) {
        let (mut seen, mut fields) = (HashSet::new(), Vec::new());
        while (fields.len() as u64) < count {
            let Some(field) = hash.random(random) else { break };
            if seen.insert(field.name.bytes()) {
                fields.push(field);
            }
        }
        return fields;
    }
    let mut fields = alive(hash, now_ms);
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(fields.len());
    if count < fields.len() {
        for at in 0..count {
            let other = at + random(fields.len() - at);
            fields.swap(at, other);
        }
        fields.truncate(count);
    }
    fields
}

fn answer(fields: &[Field<'_>], with_values: bool, reply: &mut Reply) {
    let nested = with_values && reply.proto() == Proto::Resp3;
    reply.array(if with_values && !nested {
        fields.len() * 2
    } else {
        fields.len()
    });
    for field in fields {
        if nested {
            reply.array(2);
        }
        reply_item(reply, field.name);
        if with_values {
            reply_item(reply, field.value);
        }
    }
}
