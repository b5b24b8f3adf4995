//! Walking over a tree, either way.

use std::slice::Iter;

use smallvec::SmallVec;

use super::TreeItem;
use super::node::{Child, Node};

type Levels<'a, T> = SmallVec<[Iter<'a, Child<T>>; 6]>;

/// The leaf that comes after those passed; `next`: the next child, in the direction of the walk.
fn next_leaf<'a, T: TreeItem>(
    levels: &mut Levels<'a, T>,
    next: impl Fn(&mut Iter<'a, Child<T>>) -> Option<&'a Child<T>>,
) -> Option<Iter<'a, T>> {
    let mut node = loop {
        match next(levels.last_mut()?) {
            Some(child) => break &child.node,
            None => drop(levels.pop()),
        }
    };
    loop {
        match node {
            Node::Leaf(items) => return Some(items.iter()),
            Node::Inner(children) => {
                let mut rest = children.iter();
                node = &next(&mut rest)?.node;
                levels.push(rest);
            }
        }
    }
}

/// Items towards the back.
pub struct Forward<'a, T: TreeItem> {
    levels: Levels<'a, T>,
    leaf: Iter<'a, T>,
}

impl<'a, T: TreeItem> Forward<'a, T> {
    pub(super) fn new(root: &'a Node<T>, index: usize) -> Self {
        let (mut node, mut index, mut levels) = (root, index, Levels::new());
        loop {
            match node {
                Node::Leaf(items) => {
                    let leaf = items.get(index..).unwrap_or_default().iter();
                    return Self { levels, leaf };
                }
                Node::Inner(children) => {
                    let mut rest = children.iter();
                    let mut found = None;
                    for child in rest.by_ref() {
                        if index < child.count {
                            found = Some(child);
                            break;
                        }
                        index -= child.count;
                    }
                    levels.push(rest);
                    let Some(child) = found else {
                        return Self {
                            levels: Levels::new(),
                            leaf: [].iter(),
                        };
                    };
                    node = &child.node;
                }
            }
        }
    }
}

impl<'a, T: TreeItem> Iterator for Forward<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(item) = self.leaf.next() {
                return Some(item);
            }
            self.leaf = next_leaf(&mut self.levels, Iter::next)?;
        }
    }
}

/// Items towards the front.
pub struct Backward<'a, T: TreeItem> {
    levels: Levels<'a, T>,
    leaf: Iter<'a, T>,
}

impl<'a, T: TreeItem> Backward<'a, T> {
    pub(super) fn empty() -> Self {
        Self {
            levels: Levels::new(),
            leaf: [].iter(),
        }
    }

    /// From `index`, which there is.
    pub(super) fn new(root: &'a Node<T>, index: usize) -> Self {
        let (mut node, mut index, mut levels) = (root, index, Levels::new());
        loop {
            match node {
                Node::Leaf(items) => {
                    let leaf = items.get(..=index).unwrap_or_default().iter();
                    return Self { levels, leaf };
                }
                Node::Inner(children) => {
                    let mut at = 0;
                    for child in children.iter() {
                        if index < child.count {
                            break;
                        }
                        index -= child.count;
                        at += 1;
                    }
                    levels.push(children.get(..at).unwrap_or_default().iter());
                    let Some(child) = children.get(at) else {
                        return Self::empty();
                    };
                    node = &child.node;
                }
            }
        }
    }
}

impl<'a, T: TreeItem> Iterator for Backward<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(item) = self.leaf.next_back() {
                return Some(item);
            }
            self.leaf = next_leaf(&mut self.levels, Iter::next_back)?;
        }
    }
}
