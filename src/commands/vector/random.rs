//! Drawing elements: VRANDMEMBER.

use std::collections::HashMap;

use super::common::{check_arity, on_key, read_set};
use crate::commands::chance::{Form, Pick, Urn, Wanted, answer};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::vectors::VectorSet;
use crate::resp::{Args, Reply, parse_i64};

pub(super) const VRANDMEMBER: Spec = Spec {
    summary: "One or more elements of a vector set, drawn at random",
    complexity: "O(N) where N is the absolute value of the count argument.",
    syntax: "key [count]",
    ..on_key("vrandmember", Handler::Read(vrandmember))
};

impl<'a> Urn for &'a VectorSet {
    type Item = &'a [u8];

    fn one(self, pick: Pick<'_>) -> Option<Self::Item> {
        let len = usize::try_from(self.len()).unwrap_or(usize::MAX);
        (len > 0).then(|| self.at(pick(len) as u64)).flatten()
    }

    /// Draws without putting back: what was drawn is exchanged for the last that is left, in a table of exchanges.
    fn sample(self, count: usize, pick: Pick<'_>) -> Vec<Self::Item> {
        let len = usize::try_from(self.len()).unwrap_or(usize::MAX);
        let mut exchanged: HashMap<usize, usize> = HashMap::new();
        let left = (1..=len).rev().take(count);
        let drawn = left.filter_map(|left| {
            let (place, last) = (pick(left), left - 1);
            let of = |exchanged: &HashMap<usize, usize>, at| exchanged.get(&at).copied().unwrap_or(at);
            let (found, moved) = (of(&exchanged, place), of(&exchanged, last));
            exchanged.insert(place, moved);
            self.at(found as u64)
        });
        drawn.collect()
    }

    fn is_walked(self) -> bool {
        false
    }
}

fn vrandmember(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VRANDMEMBER", 2..=3)?;
    let wanted = match args.get(2) {
        None => Wanted::One,
        Some(count) => match parse_i64(count).ok_or(CmdError::text("ERR COUNT value is not an integer"))? {
            count @ 0.. => Wanted::Different(count.unsigned_abs()),
            count => Wanted::Repeated(count.unsigned_abs()),
        },
    };
    if wanted == Wanted::Different(0) {
        // As in Redis, whatever is at the key.
        reply.array(0);
        return Ok(());
    }
    let form = Form {
        header: |reply, count, _| reply.array(count),
        element: |reply, element, _| reply.bulk(element),
        is_full: false,
    };
    let mut dice = txn.dice();
    answer(read_set(txn, args.at(1))?, wanted, &mut dice, &form, reply)
}
