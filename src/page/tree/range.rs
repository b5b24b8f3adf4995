//! Removal of many items at once.
//!
//! Whole nodes are dropped, the two at the range's ends are cut; then the seam is mended from the root down, so that
//! small nodes find neighbours, and up again.

use triomphe::Arc;

use super::balance::mend_child;
use super::node::{Children, Node, Nodes, unseparate_first};
use super::path::Edge;
use super::{Tree, TreeItem};

impl<T: TreeItem> Tree<T> {
    /// Takes so many items from `index` on out. O(log n), and dropping what was taken out.
    pub fn remove_range(&mut self, index: usize, len: usize) {
        let index = index.min(self.count);
        let len = len.min(self.count - index);
        if len == 0 {
            return;
        }
        if len == self.count {
            *self = Self::new();
            return;
        }
        let mut gone = Gone::default();
        cut(&mut self.root, index, index + len, &mut gone);
        self.count -= len;
        self.weight -= gone.weight;
        self.item_bytes -= gone.item_bytes;
        self.nodes.leaves -= gone.nodes.leaves;
        self.nodes.inners -= gone.nodes.inners;
        self.lower();
        mend(&mut self.root, index, Edge::ROOT, &mut self.nodes);
        self.lower();
    }
}

/// What has been taken out.
#[derive(Default)]
struct Gone {
    weight: u64,
    item_bytes: usize,
    nodes: Nodes,
}

impl Gone {
    /// Notes all that is below `node`, but for the weight.
    fn note<T: TreeItem>(&mut self, node: &Node<T>) {
        match node {
            Node::Leaf(items) => {
                self.nodes.leaves += 1;
                self.item_bytes += items.iter().map(TreeItem::heap_bytes).sum::<usize>();
            }
            Node::Inner(children) => {
                self.nodes.inners += 1;
                children.iter().for_each(|child| self.note(&child.node));
            }
        }
    }
}

/// Takes the items in `from..to` out, which are some but not all of those below `node`.
fn cut<T: TreeItem>(node: &mut Node<T>, from: usize, to: usize, gone: &mut Gone) {
    match node {
        Node::Leaf(items) => {
            for item in Arc::make_mut(items).drain(from..to) {
                gone.weight += item.weight();
                gone.item_bytes += item.heap_bytes();
            }
        }
        Node::Inner(children) => {
            let (children, mut start) = (Arc::make_mut(children), 0);
            children.retain(|child| {
                let end = start + child.count;
                let (first, behind) = (from.clamp(start, end) - start, to.clamp(start, end) - start);
                start = end;
                if first == behind {
                    return true;
                }
                if behind - first == child.count {
                    gone.weight += child.weight;
                    gone.note(&child.node);
                    return false;
                }
                let weight_before = gone.weight;
                cut(&mut child.node, first, behind, gone);
                child.count -= behind - first;
                child.weight -= gone.weight - weight_before;
                if first == 0 {
                    child.separate();
                }
                true
            });
            unseparate_first(children);
        }
    }
}

/// Sees to the nodes on both sides of the place before item `seam`.
fn mend<T: TreeItem>(node: &mut Node<T>, seam: usize, edge: Edge, nodes: &mut Nodes) {
    let Node::Inner(children) = node else { return };
    let children = Arc::make_mut(children);
    settle(children, seam, edge, nodes);
    let (mut start, width) = (0, children.len());
    for (at, child) in children.iter_mut().enumerate() {
        let end = start + child.count;
        if (start..=end).contains(&seam) {
            mend(&mut child.node, seam - start, edge.of(at, width), nodes);
        }
        start = end;
    }
    settle(children, seam, edge, nodes);
}

/// Mends those of the children at `seam` that need it, until none does.
fn settle<T: TreeItem>(children: &mut Children<T>, seam: usize, edge: Edge, nodes: &mut Nodes) {
    let (mut at, mut start) = (0, 0);
    while let Some(child) = children.get(at) {
        let end = start + child.count;
        let here = edge.of(at, children.len());
        if (start..=end).contains(&seam) && mend_child(children, at, here, nodes) {
            (at, start) = (0, 0);
        } else {
            (at, start) = (at + 1, end);
        }
    }
}
