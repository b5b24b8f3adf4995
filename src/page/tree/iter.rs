//! Walking over a tree, either way.

use std::slice::Iter;

use smallvec::SmallVec;

use super::TreeItem;
use super::node::{Child, Node};

type Levels<'a, T> = SmallVec<[Iter<'a, Child<T>>; 6]>;

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

    fn next_leaf(&mut self) -> Option<()> {
        let mut node = loop {
            match self.levels.last_mut()?.next() {
                Some(child) => break &child.node,
                None => drop(self.levels.pop()),
            }
        };
        loop {
            match node {
                Node::Leaf(items) => {
                    self.leaf = items.iter();
                    return Some(());
                }
                Node::Inner(children) => {
                    let mut rest = children.iter();
                    node = &rest.next()?.node;
                    self.levels.push(rest);
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
            self.next_leaf()?;
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

    fn next_leaf(&mut self) -> Option<()> {
        let mut node = loop {
            match self.levels.last_mut()?.next_back() {
                Some(child) => break &child.node,
                None => drop(self.levels.pop()),
            }
        };
        loop {
            match node {
                Node::Leaf(items) => {
                    self.leaf = items.iter();
                    return Some(());
                }
                Node::Inner(children) => {
                    let mut rest = children.iter();
                    node = &rest.next_back()?.node;
                    self.levels.push(rest);
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
            self.next_leaf()?;
        }
    }
}
