//! Building a trie from many items at once: sorted by hash, each node is made once, in its final place. Threads can
//! share the work: each builds the children of some slots of the root.

use std::collections::VecDeque;
use std::vec::IntoIter;

use super::node::{Inner, LEAF_MAX, LEVEL_MAX, Leaf, Node, SLOTS, slot_of, span_min, tag_of};
use super::{KeyHash, Keyed, Trie};

type Hashed<T> = (u64, T);

/// For fewer items no thread is begun.
const SHARED_MIN: usize = 50_000;

impl<T: Keyed, H: KeyHash> Trie<T, H> {
    /// As [`Trie::build`], hashing so.
    pub fn build_with_hasher(hasher: H, items: impl IntoIterator<Item = T>) -> Self {
        let mut item_bytes = 0;
        let hashed = items.into_iter().map(|item| {
            item_bytes += item.heap_bytes();
            (hasher.hash(item.key()), item)
        });
        let runs = vec![hashed.collect()];
        Self::of_hashed(hasher, runs, item_bytes, 1)
    }

    /// The same of items with their hashes, in runs of which each has greater hashes than those before, and with so
    /// many bytes of heap, by so many threads.
    pub(super) fn of_hashed(hasher: H, mut runs: Vec<Vec<Hashed<T>>>, mut item_bytes: usize, threads: usize) -> Self {
        for run in &mut runs {
            // Stable: of items with equal keys, the last one comes last.
            run.sort_by(|(one_hash, one), (other_hash, other)| {
                one_hash.cmp(other_hash).then_with(|| one.key().cmp(other.key()))
            });
            run.dedup_by(|later, earlier| {
                let is_same = later.0 == earlier.0 && later.1.key() == earlier.1.key();
                if is_same {
                    item_bytes -= earlier.1.heap_bytes();
                    std::mem::swap(later, earlier);
                }
                is_same
            });
        }
        let hashed = Runs(runs.into_iter().map(Vec::into_iter).collect());
        let len = hashed.len();
        let (root, bytes) = if len <= LEAF_MAX {
            let mut builder = Builder::of(hashed);
            (Node::Leaf(builder.leaf(len, 0)), builder.bytes)
        } else {
            let (children, below) = root_children(hashed, 0, SLOTS, threads);
            let inner = inner_of(children);
            let bytes = below + inner.heap_bytes();
            (Node::Inner(inner), bytes)
        };
        Self {
            root,
            len,
            bytes: bytes + item_bytes,
            hasher,
        }
    }
}

/// Items in the order of their hashes, in runs one after another.
struct Runs<T>(VecDeque<IntoIter<Hashed<T>>>);

impl<T> Runs<T> {
    fn len(&self) -> usize {
        self.0.iter().map(IntoIter::len).sum()
    }

    /// How many of the next `len` items are in slots before `middle` of a node of this level, which has all of them.
    fn before(&self, len: usize, level: u32, middle: u32) -> usize {
        let (mut before, mut rest) = (0, len);
        for run in &self.0 {
            let next = run.as_slice();
            let next = next.get(..rest).unwrap_or(next);
            let lower = next.partition_point(|(hash, _)| slot_of(*hash, level) < middle);
            before += lower;
            rest -= next.len();
            if lower < next.len() || rest == 0 {
                break;
            }
        }
        before
    }

    /// Keeps the first `count` items; returns the others.
    fn split_off(&mut self, count: usize) -> Self {
        let (mut kept, mut rest) = (VecDeque::new(), count);
        while let Some(run) = self.0.pop_front() {
            if run.len() > rest {
                let (lower, upper) = divided(run, rest);
                kept.push_back(lower);
                self.0.push_front(upper);
                break;
            }
            rest -= run.len();
            kept.push_back(run);
        }
        Self(std::mem::replace(&mut self.0, kept))
    }
}

impl<T> Iterator for Runs<T> {
    type Item = Hashed<T>;

    #[inline]
    fn next(&mut self) -> Option<Hashed<T>> {
        loop {
            if let Some(item) = self.0.front_mut()?.next() {
                return Some(item);
            }
            self.0.pop_front();
        }
    }
}

/// The first `count` items of a run, and the others; the fewer of them move.
fn divided<I>(mut run: IntoIter<I>, count: usize) -> (IntoIter<I>, IntoIter<I>) {
    let behind = run.len() - count;
    if count < behind {
        let lower: Vec<I> = run.by_ref().take(count).collect();
        return (lower.into_iter(), run);
    }
    let mut upper: Vec<I> = run.by_ref().rev().take(behind).collect();
    upper.reverse();
    (run, upper.into_iter())
}

/// A node in its place below an inner node.
struct Child<T> {
    /// Its first slot.
    start: u32,
    node: Node<T>,
    /// How many items are under it.
    len: u64,
}

fn inner_of<T: Keyed>(children: Vec<Child<T>>) -> Inner<T> {
    let mut inner = Inner::new(0, children.len());
    for child in children {
        *inner.parts_mut().extra |= 1 << child.start;
        inner.push(child.node, child.len);
    }
    inner
}

/// The root's children in these slots, of these items, and the bytes of their nodes.
fn root_children<T: Keyed>(mut items: Runs<T>, start: u32, span: u32, threads: usize) -> (Vec<Child<T>>, usize) {
    let len = items.len();
    if threads <= 1 || len < SHARED_MIN || span == span_min(0) {
        let (mut builder, mut children) = (Builder::of(items), Vec::new());
        builder.fill(&mut children, len, 0, start, span);
        return (children, builder.bytes);
    }
    let middle = start + span / 2;
    let upper = items.split_off(items.before(len, 0, middle));
    let others = threads / 2;
    std::thread::scope(|scope| {
        let upper = scope.spawn(move || root_children(upper, middle, span / 2, others));
        let (mut children, mut bytes) = root_children(items, start, span / 2, threads - others);
        // A panic has ended the process.
        if let Ok((above, above_bytes)) = upper.join() {
            children.extend(above);
            bytes += above_bytes;
        }
        (children, bytes)
    })
}

/// Takes items in the order of their hashes, without a look at their memory, which would be slow to come.
struct Builder<T> {
    items: Runs<T>,
    /// Of nodes.
    bytes: usize,
}

impl<T: Keyed> Builder<T> {
    fn of(items: Runs<T>) -> Self {
        Self { items, bytes: 0 }
    }

    /// A leaf of the next `len` items under a node of this level.
    fn leaf(&mut self, len: usize, level: u32) -> Leaf<T> {
        let mut leaf = Leaf::new((), len.max(LEAF_MAX));
        for (hash, mut item) in self.items.by_ref().take(len) {
            item.set_tag(tag_of(hash, level));
            leaf.push(item, ());
        }
        self.bytes += leaf.heap_bytes();
        leaf
    }

    /// An inner node of the next `len` items.
    fn inner(&mut self, len: usize, level: u32) -> Inner<T> {
        let mut children = Vec::new();
        self.fill(&mut children, len, level, 0, SLOTS);
        let inner = inner_of(children);
        self.bytes += inner.heap_bytes();
        inner
    }

    /// The children in `span` slots from `start` on of a node of this level, of the next `len` items.
    fn fill(&mut self, children: &mut Vec<Child<T>>, len: usize, level: u32, start: u32, span: u32) {
        let is_single = span == span_min(level);
        if len > LEAF_MAX && !is_single {
            let middle = start + span / 2;
            let lower = self.items.before(len, level, middle);
            self.fill(children, lower, level, start, span / 2);
            self.fill(children, len - lower, level, middle, span / 2);
            return;
        }
        let node = if len > LEAF_MAX && level < LEVEL_MAX {
            Node::Inner(self.inner(len, level + 1))
        } else {
            Node::Leaf(self.leaf(len, level))
        };
        let len = len as u64;
        children.push(Child { start, node, len });
    }
}
