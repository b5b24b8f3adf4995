//! A member of a sorted set, as it is read.

use crate::page::packed::Item;

/// A member with its score.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its name.
    pub name: Item<'a>,
    /// Its score.
    pub score: f64,
}
