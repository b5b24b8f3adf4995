//! What one can subscribe to.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicKind {
    /// A channel.
    Channel,
    /// All channels whose names fit a glob pattern.
    Pattern,
    /// A channel of the sharded kind, which patterns do not see.
    Shard,
}

impl TopicKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::Shard];

    /// Its place among them.
    pub const fn index(self) -> usize {
        match self {
            Self::Channel => 0,
            Self::Pattern => 1,
            Self::Shard => 2,
        }
    }
}

/// The number of a topic, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicId(pub(super) u64);

/// A channel or pattern that somebody has subscribed to.
#[derive(Debug)]
pub struct Topic {
    /// Its number.
    pub id: TopicId,
    /// What it is.
    pub kind: TopicKind,
    /// Its name.
    pub name: Box<[u8]>,
}

/// A topic that is found by its name, among those of its kind.
#[derive(Clone)]
pub(super) struct ByName(pub Arc<Topic>);

impl Borrow<[u8]> for ByName {
    fn borrow(&self) -> &[u8] {
        &self.0.name
    }
}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ByName {}
