//! Sets out of sets: difference, intersection, union.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::common::set_of;
use crate::commands::CmdError;
use crate::engine::txn::ReadTxn;
use crate::page::packed::Item;
use crate::page::set::{HeldSet, SetRef};

/// What to make of several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// What the first has and none of the others.
    Difference,
    /// What all have.
    Intersection,
    /// What any has.
    Union,
}

/// The sets at keys, in order; nothing where there is none.
///
/// # Errors
/// When one of the keys holds something else.
pub(super) fn held<'k>(
    txn: &mut ReadTxn<'_, '_>,
    keys: impl Iterator<Item = &'k [u8]>,
) -> Result<Vec<Option<HeldSet>>, CmdError> {
    let mut sets = Vec::new();
    for key in keys {
        let set = txn.get(key).map(set_of).transpose()?;
        sets.push(set.map(|set| set.hold()));
    }
    Ok(sets)
}

impl Operation {
    /// What it is told as where its result is stored.
    pub fn stored(self) -> &'static str {
        match self {
            Self::Difference => "sdiffstore",
            Self::Intersection => "sinterstore",
            Self::Union => "sunionstore",
        }
    }

    /// Gives the members of the result to `visit`, each once, until it breaks.
    pub fn run<'s>(self, sets: &'s [Option<HeldSet>], visit: &mut dyn FnMut(Item<'s>) -> ControlFlow<()>) {
        let there: Vec<SetRef<'s>> = sets.iter().flatten().map(HeldSet::view).collect();
        let _ = match self {
            Self::Intersection if there.len() < sets.len() => ControlFlow::Continue(()),
            Self::Intersection => intersect(there, visit),
            Self::Union => unite(&there, visit),
            Self::Difference => match sets.first() {
                Some(Some(first)) => subtract(first.view(), there.get(1..).unwrap_or_default(), visit),
                _ => ControlFlow::Continue(()),
            },
        };
    }
}

fn has(set: &SetRef<'_>, member: Item<'_>) -> bool {
    member.with_bytes(|bytes| set.contains(bytes))
}

/// From the smallest to the largest, so that few members are looked up, and most of them once.
fn intersect<'s>(mut sets: Vec<SetRef<'s>>, visit: &mut dyn FnMut(Item<'s>) -> ControlFlow<()>) -> ControlFlow<()> {
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else {
        return ControlFlow::Continue(());
    };
    smallest.for_each(|member| {
        if others.iter().all(|set| has(set, member)) {
            return visit(member);
        }
        ControlFlow::Continue(())
    })
}

fn subtract<'s>(
    first: SetRef<'s>,
    others: &[SetRef<'s>],
    visit: &mut dyn FnMut(Item<'s>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    first.for_each(|member| {
        if others.iter().any(|set| has(set, member)) {
            return ControlFlow::Continue(());
        }
        visit(member)
    })
}

fn unite<'s>(sets: &[SetRef<'s>], visit: &mut dyn FnMut(Item<'s>) -> ControlFlow<()>) -> ControlFlow<()> {
    let mut seen = HashSet::new();
    for (at, set) in sets.iter().enumerate() {
        let is_last = at + 1 == sets.len();
        set.for_each(|member| {
            let bytes = member.bytes();
            if seen.contains(&bytes) {
                return ControlFlow::Continue(());
            }
            if !is_last {
                seen.insert(bytes);
            }
            visit(member)
        })?;
    }
    ControlFlow::Continue(())
}
