//! Giving elements a time to die.

use std::collections::HashMap;

use super::Family;
use super::options::{Condition, at_ms, counted};
use crate::commands::CmdResult;
use crate::commands::support::expire::{TimeBase, TimeUnit};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

/// What becomes of an element; the number is the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    NotThere = -2,
    Refused = 0,
    Set = 1,
    Deleted = 2,
}

/// `key time [NX | XX | GT | LT] <word> number name …`, the time being given in this way.
///
/// # Errors
/// What is wrong with the arguments, or the type.
pub fn set_expiry(
    family: &Family,
    txn: &mut Txn<'_, '_>,
    args: Args<'_>,
    command: &str,
    time: (TimeUnit, TimeBase),
    reply: &mut Reply,
) -> CmdResult {
    let (key, now_ms) = (args.at(1), txn.now_ms());
    let mortal = family.old(txn, key)?;
    let at_ms = at_ms(args.at(2), time, now_ms, command)?;
    let condition = Condition::parse(args.at(3));
    let names = counted(family, args, 3 + usize::from(condition.is_some()), family.no_count)?;
    let condition = condition.unwrap_or(Condition::Always);
    let judge = |expiry: Option<Option<u64>>| match expiry {
        None => Outcome::NotThere,
        Some(expiry) if !condition.allows(expiry, at_ms) => Outcome::Refused,
        Some(_) if at_ms <= now_ms => Outcome::Deleted,
        Some(_) => Outcome::Set,
    };
    // A name that comes twice is judged by what it was made the first time.
    let mut made: HashMap<&[u8], Outcome> = HashMap::new();
    let outcomes: Vec<Outcome> = names
        .iter()
        .map(|name| {
            let expiry = match made.get(name) {
                Some(Outcome::Set) => Some(Some(at_ms)),
                Some(Outcome::Deleted) => None,
                _ => mortal.and_then(|mortal| mortal.expiry_of(name)),
            };
            let outcome = judge(expiry);
            if names.len() > 1 && matches!(outcome, Outcome::Set | Outcome::Deleted) {
                made.insert(name, outcome);
            }
            outcome
        })
        .collect();
    let of = |wanted: Outcome| {
        let both = names.iter().zip(&outcomes);
        both.filter(move |(_, outcome)| **outcome == wanted)
            .map(|(name, _)| name)
    };
    if outcomes.contains(&Outcome::Set) {
        family.expire_at(txn, key, of(Outcome::Set), at_ms);
    }
    if outcomes.contains(&Outcome::Deleted) {
        family.remove(txn, key, of(Outcome::Deleted));
    }
    reply.array(outcomes.len());
    outcomes.iter().for_each(|outcome| reply.int(*outcome as i64));
    Ok(())
}
