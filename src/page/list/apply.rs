//! How an operation is done to whatever a key holds.

use super::op::ListOp;
use super::packed_form::{Edit, written};
use crate::page::Change;
use crate::page::container::{Big, Form, Kind, Next};
use crate::page::packed::{Builder, Item, Packed};

/// Does `op` to what a key holds.
pub fn apply(form: Form<'_>, op: &ListOp<'_>, change: &Change<'_>) -> Next {
    match form {
        Form::Absent => match *op {
            ListOp::Push { front, elements } => push_packed(&Edit::of(Packed::new(EMPTY)), front, elements),
            _ => Next::Keep,
        },
        Form::Packed(Kind::List, packed) => apply_packed(packed, op),
        Form::Big(Big::List(list)) => {
            list.apply(op, change);
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
