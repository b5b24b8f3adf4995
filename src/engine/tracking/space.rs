//! Where a key has one meaning: to clients that cache, a key is the same in all numbered databases, as in Redis, and
//! each named collection is for itself.

use crate::engine::ids::DatabaseId;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(pub(super) Option<DatabaseId>);

impl Space {
    /// The space that a database belongs to.
    pub fn of(database: DatabaseId) -> Self {
        Self((!database.is_numbered()).then_some(database))
    }

    /// A number that no other space has.
    pub(super) fn number(self) -> u64 {
        self.0.map_or(0, |database| u64::from(database.get()))
    }
}
