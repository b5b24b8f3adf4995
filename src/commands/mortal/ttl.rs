//! When elements die, and letting them live for ever.

use std::collections::HashSet;

use super::Family;
use super::options::counted;
use crate::commands::CmdResult;
use crate::commands::support::expire::TimeUnit;
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

const NOT_THERE: i64 = -2;
const NO_EXPIRY: i64 = -1;

/// Milliseconds in a unit, a part of a second being one.
fn in_unit(ms: u64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Seconds => ms.div_ceil(1000) as i64,
        TimeUnit::Milliseconds => ms as i64,
    }
}

/// `key <word> number name …`: how long they have left to live.
///
/// # Errors
/// What is wrong with the arguments, or the type.
pub fn time_left(
    family: &Family,
    txn: &mut ReadTxn<'_, '_>,
    args: Args<'_>,
    unit: TimeUnit,
    reply: &mut Reply,
) -> CmdResult {
    let now_ms = txn.now_ms();
    answer(family, txn, args, reply, |at_ms| {
        in_unit(at_ms.saturating_sub(now_ms), unit)
    })
}

/// `key <word> number name …`: when they die.
///
/// # Errors
/// What is wrong with the arguments, or the type.
pub fn expire_time(
    family: &Family,
    txn: &mut ReadTxn<'_, '_>,
    args: Args<'_>,
    unit: TimeUnit,
    reply: &mut Reply,
) -> CmdResult {
    answer(family, txn, args, reply, |at_ms| in_unit(at_ms, unit))
}

fn answer(
    family: &Family,
    txn: &mut ReadTxn<'_, '_>,
    args: Args<'_>,
    reply: &mut Reply,
    of_expiry: impl Fn(u64) -> i64,
) -> CmdResult {
    let now_ms = txn.now_ms();
    let mortal = txn.get(args.at(1)).map(|entry| family.of(entry)).transpose()?;
    let names = counted(family, args, 2, family.no_number)?;
    reply.array(names.len());
    for name in names.iter() {
        let expiry = mortal.and_then(|mortal| mortal.expiry_of(name));
        reply.int(match expiry {
            Some(None) => NO_EXPIRY,
            Some(Some(at_ms)) if at_ms > now_ms => of_expiry(at_ms),
            None | Some(Some(_)) => NOT_THERE,
        });
    }
    Ok(())
}

/// `key <word> number name …`: they live for ever.
///
/// # Errors
/// What is wrong with the arguments, or the type.
pub fn persist(family: &Family, txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let mortal = family.old(txn, key)?;
    let names = counted(family, args, 2, family.no_number)?;
    // A name that comes twice lives for ever the second time.
    let mut seen = HashSet::new();
    let expiry_of = |name| {
        let expiry = mortal.and_then(|mortal| mortal.expiry_of(name))?;
        Some(expiry.filter(|_| names.len() == 1 || seen.insert(name)))
    };
    let expiries: Vec<Option<Option<u64>>> = names.iter().map(expiry_of).collect();
    let both = names.iter().zip(&expiries);
    let timed = both
        .filter(|(_, expiry)| matches!(expiry, Some(Some(_))))
        .map(|(name, _)| name);
    if timed.clone().next().is_some() {
        family.expire_at(txn, key, timed, 0);
    }
    reply.array(expiries.len());
    for expiry in expiries {
        reply.int(match expiry {
            None => NOT_THERE,
            Some(None) => NO_EXPIRY,
            Some(Some(_)) => 1,
        });
    }
    Ok(())
}
