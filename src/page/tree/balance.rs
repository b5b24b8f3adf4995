//! What neighbouring nodes do for each other: take items from a full one before it is split, join or share when one has
//! become small.

use smallvec::{Array, SmallVec};
use triomphe::Arc;

use super::TreeItem;
use super::node::{Child, Children, LEAF_MAX, Node, Nodes, unseparate_first};
use super::path::Edge;

/// A neighbour with less room than this does not help a full leaf.
const ROOM_MIN: usize = LEAF_MAX / 8;

/// Before an item comes in at `below` of leaf `at` that is full: moves some of that leaf's items to a neighbour which
/// has room. Where the item goes to then, if that has happened.
pub(super) fn make_room<T: TreeItem>(
    children: &mut Children<T>,
    at: usize,
    below: &[u8],
    edge: Edge,
) -> Option<(usize, [u8; 1])> {
    let [within] = below else { return None };
    let within = usize::from(*within);
    let width = children.len();
    let here = edge.of(at, width);
    let is_end = here.first && within == 0 || here.last && within == LEAF_MAX;
    if is_end || children.get(at)?.count < LEAF_MAX {
        return None;
    }
    let room = |at: Option<usize>| {
        let child = at.and_then(|at| children.get(at))?;
        // One that is shared would have to be copied.
        let is_free = matches!(&child.node, Node::Leaf(items) if items.is_unique());
        (is_free && child.count + ROOM_MIN <= LEAF_MAX).then(|| LEAF_MAX - child.count)
    };
    let (before, behind) = (room(at.checked_sub(1)), room(Some(at + 1)));
    let front = if before > behind { at - 1 } else { at };
    let moved = before.max(behind)?.div_ceil(2);
    let Some([one, two]) = children.get_mut(front..front + 2) else {
        return None;
    };
    let (one_was, wanted) = match front == at {
        true => (0, one.count - moved),
        false => (one.count, one.count + moved),
    };
    share(one, two, wanted);
    // The place among the items of both.
    let place = one_was + within;
    Some(match place.checked_sub(wanted) {
        Some(within) if within > 0 => (front + 1, [within as u8]),
        _ => (front, [place as u8]),
    })
}

/// Sees to child `at` if it has become small: empty, it goes; else it is joined with a neighbour if both fit one node,
/// or takes from it. At an end of the tree it may be small, so that what is worked off or built up there is not moved
/// about. Whether anything was done.
pub(super) fn mend_child<T: TreeItem>(children: &mut Children<T>, at: usize, edge: Edge, nodes: &mut Nodes) -> bool {
    let Some(child) = children.get(at) else { return false };
    let (width, (min, max)) = (child.width(), child.width_bounds());
    if width == 0 {
        nodes.gone(&children.remove(at).node);
        unseparate_first(children);
        return true;
    }
    if width >= min {
        return false;
    }
    let width_of = |at: Option<usize>| Some(children.get(at?)?.width());
    let (before, behind) = (width_of(at.checked_sub(1)), width_of(Some(at + 1)));
    let (front, other) = match (before, behind) {
        (Some(before), Some(behind)) if before > behind => (at, behind),
        (Some(before), _) => (at - 1, before),
        (None, Some(behind)) => (at, behind),
        (None, None) => return false,
    };
    let sum = width + other;
    if sum > max && edge.any() {
        return false;
    }
    if let Some([one, two]) = children.get_mut(front..front + 2) {
        share(one, two, if sum <= max { sum } else { sum / 2 });
    }
    if sum <= max {
        nodes.gone(&children.remove(front + 1).node);
    }
    true
}

/// Moves what stands about the boundary of two neighbours so that the first is `wanted` wide.
fn share<T: TreeItem>(one: &mut Child<T>, two: &mut Child<T>, wanted: usize) {
    match (&mut one.node, &mut two.node) {
        (Node::Leaf(one), Node::Leaf(two)) => shift(Arc::make_mut(one), Arc::make_mut(two), wanted),
        (Node::Inner(one), Node::Inner(two)) => {
            let (one, two) = (Arc::make_mut(one), Arc::make_mut(two));
            // It may come to stand behind another.
            two.first_mut().into_iter().for_each(Child::separate);
            shift(one, two, wanted);
            unseparate_first(two);
        }
        _ => debug_assert!(false, "leaves are equally deep"),
    }
    one.refresh();
    two.refresh();
    two.separate();
}

fn shift<A: Array>(one: &mut SmallVec<A>, two: &mut SmallVec<A>, wanted: usize) {
    match wanted.checked_sub(one.len()) {
        Some(missing) => one.extend(two.drain(..missing)),
        None => two.insert_many(0, one.drain(wanted..)),
    }
}
