//! The list type: its operations as effects carry them, and how both forms do them.
//!
//! A packed list is its elements in order. A big one is a tree of chunks of such bytes.

mod big;
mod packed_form;
#[cfg(test)]
mod tests;
mod view;

use serde::{Deserialize, Serialize};

use super::container::{Big, Form, Kind, Next};
use super::packed::{Builder, Item, Packed};
use super::thresholds::Thresholds;
use packed_form::{Edit, written};

pub use big::BigList;
pub use view::ListRef;

/// A change to a list. Indices count from the front.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum ListOp<'a> {
    /// Elements are added at an end, one after another; the list is made if there is none.
    Push {
        /// At the front, or at the back.
        front: bool,
        /// The elements, packed.
        #[serde(borrow, with = "serde_bytes")]
        elements: &'a [u8],
    },
    /// So many elements leave at an end.
    Pop {
        /// At the front, or at the back.
        front: bool,
        /// How many.
        count: u64,
    },
    /// One element leaves at an end and comes in at an end.
    Rotate {
        /// It leaves at the front, or at the back.
        from_front: bool,
        /// It comes in at the front, or at the back.
        to_front: bool,
    },
    /// An element is another one.
    Set {
        /// Which.
        index: u64,
        /// The new one.
        #[serde(borrow, with = "serde_bytes")]
        element: &'a [u8],
    },
    /// An element comes in before the one that is at `index`; at the length, behind the last.
    Insert {
        /// Where.
        index: u64,
        /// The new one.
        #[serde(borrow, with = "serde_bytes")]
        element: &'a [u8],
    },
    /// Only a run of elements stays.
    Trim {
        /// The first that stays.
        start: u64,
        /// How many stay.
        len: u64,
    },
    /// Elements that are equal to one leave.
    Remove {
        /// At most so many; 0 = all.
        count: u64,
        /// Counted from the front, or from the back.
        front: bool,
        /// The element.
        #[serde(borrow, with = "serde_bytes")]
        element: &'a [u8],
    },
}

/// Does `op` to what a key holds.
pub fn apply(form: Form<'_>, op: &ListOp<'_>, _thresholds: &Thresholds) -> Next {
    match form {
        Form::Absent => match *op {
            ListOp::Push { front, elements } => push_packed(&Edit::of(Packed::new(EMPTY)), front, elements),
            _ => Next::Keep,
        },
        Form::Packed(Kind::List, packed) => apply_packed(packed, op),
        Form::Big(Big::List(list)) => {
            list.apply(op);
            if list.len() == 0 { Next::Remove } else { Next::Keep }
        }
        Form::Packed(..) | Form::Big(_) => Next::Keep,
    }
}

/// A packed list without elements.
const EMPTY: &[u8] = &[0, 0];

fn push_packed(edit: &Edit<'_>, front: bool, elements: &[u8]) -> Next {
    let added = Packed::new(elements);
    let at = if front { 0 } else { edit.count() };
    if !front {
        return Next::Packed(edit.splice(at..at, (added.count(), added.items().rest())));
    }
    // The last one pushed is the first one in the list.
    let mut items: Vec<Item<'_>> = added.items().collect();
    items.reverse();
    let mut bytes = Vec::with_capacity(elements.len());
    items.iter().for_each(|item| item.write(&mut bytes));
    Next::Packed(edit.splice(at..at, (items.len(), &bytes)))
}

fn apply_packed(packed: Packed<'_>, op: &ListOp<'_>) -> Next {
    let edit = Edit::of(packed);
    let count = edit.count();
    let changed = match *op {
        ListOp::Push { front, elements } => return push_packed(&edit, front, elements),
        ListOp::Pop { front, count: gone } => {
            let gone = count.min(usize::try_from(gone).unwrap_or(usize::MAX));
            let range = if front { 0..gone } else { count - gone..count };
            edit.splice(range, (0, &[]))
        }
        ListOp::Rotate { from_front, to_front } if from_front != to_front && count > 1 => {
            let from = if from_front { 0 } else { count - 1 };
            let moved = packed.items().nth(from).map(written).unwrap_or_default();
            let rest = edit.splice(from..from + 1, (0, &[]));
            let rest = Edit::of(Packed::new(&rest));
            let to = if to_front { 0 } else { rest.count() };
            rest.splice(to..to, (1, &moved))
        }
        ListOp::Set { index, element } if index < count as u64 => {
            let index = index as usize;
            edit.splice(index..index + 1, (1, &written(Item::of(element))))
        }
        ListOp::Insert { index, element } if index <= count as u64 => {
            let index = index as usize;
            edit.splice(index..index, (1, &written(Item::of(element))))
        }
        ListOp::Trim { start, len } => {
            let start = (start.min(count as u64)) as usize;
            let end = start
                .saturating_add(usize::try_from(len).unwrap_or(usize::MAX))
                .min(count);
            let shorter = edit.splice(end..count, (0, &[]));
            Edit::of(Packed::new(&shorter)).splice(0..start, (0, &[]))
        }
        ListOp::Remove { count, front, element } => remove_packed(packed, count, front, element),
        ListOp::Rotate { .. } | ListOp::Set { .. } | ListOp::Insert { .. } => return Next::Keep,
    };
    if Packed::new(&changed).count() == 0 {
        return Next::Remove;
    }
    Next::Packed(changed)
}

fn remove_packed(packed: Packed<'_>, count: u64, front: bool, element: &[u8]) -> Vec<u8> {
    let element = Item::of(element);
    let equal = packed.items().filter(|item| item.is(element)).count() as u64;
    let gone = if count == 0 { equal } else { equal.min(count) };
    // Of the equal ones, those from here on, so many of them.
    let first = if front { 0 } else { equal - gone };
    let mut kept = Builder::new(packed.flags());
    let mut seen = 0;
    for item in packed.items() {
        let goes = item.is(element) && {
            seen += 1;
            (first + 1..=first + gone).contains(&seen)
        };
        if !goes {
            kept.push(item);
        }
    }
    kept.finish()
}

/// Whether `packed` is a whole list.
///
/// # Errors
/// A sentence saying what is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), String> {
    packed.check()?;
    if packed.items().any(|item| matches!(item, Item::Double(_))) {
        return Err("a list has an element that is no string".to_owned());
    }
    if packed.count() == 0 {
        return Err("a list is empty".to_owned());
    }
    Ok(())
}

/// How many elements a packed list has.
pub fn len(packed: Packed<'_>) -> u64 {
    packed.count() as u64
}
