//! A stream's parts: runs of its nodes. All else, groups among it, is in the head, which is written with the entry.

use super::big::BigStream;
use super::entries::Entries;
use super::id::StreamId;
use super::node::Node;
use super::wire;
use crate::page::change::Mark;
use crate::page::malformed::Malformed;
use crate::page::packed::Packed;
use crate::page::parts::PartRef;

impl BigStream {
    /// Whether it is in parts of a collection. O(1).
    pub fn is_parted(&self) -> bool {
        self.entries.tree().is_parted()
    }

    /// Its nodes: the first id that each was made with, and its bytes.
    pub fn nodes(&self) -> impl Iterator<Item = (StreamId, &[u8])> {
        self.entries.nodes().map(|node| (node.first_id(), node.bytes()))
    }

    /// Its parts.
    pub fn parts(&self) -> Vec<PartRef> {
        self.entries.tree().parts()
    }

    /// A part, packed: a stream of nothing but these nodes.
    pub fn pack_part(&self, index: usize) -> Vec<u8> {
        let nodes: Vec<Node> = self.entries.tree().items_of(index).cloned().collect();
        let made = Self {
            last_id: nodes.last().map(Node::last_id).unwrap_or_default(),
            entries: Entries::of_nodes(nodes),
            ..Self::default()
        };
        made.pack()
    }

    /// All but the entries, packed: a stream without any.
    pub fn pack_head(&self) -> Vec<u8> {
        let head = Self {
            entries: Entries::default(),
            ..self.clone()
        };
        head.pack()
    }

    /// See [`crate::page::Big::adopt`].
    pub fn adopt(&mut self, mark: Mark<'_>) {
        self.entries.adopt(mark);
    }

    /// With these entries, in these parts: how many nodes each has.
    ///
    /// # Errors
    /// When they are not its entries.
    pub fn with_entries(self, nodes: Nodes, parts: &[(u64, PartRef)]) -> Result<Self, Malformed> {
        if nodes.0.last().is_some_and(|node| node.last_id() > self.last_id) {
            return Err(Malformed::Container("a stream has an entry behind its last id"));
        }
        Ok(Self {
            entries: Entries::of_parts(nodes.0, parts),
            ..self
        })
    }
}

/// Nodes that a stream is being made of.
#[derive(Default)]
pub struct Nodes(Vec<Node>);

impl Nodes {
    /// Takes the nodes of a part; how many they are.
    ///
    /// # Errors
    /// When they are not whole, or do not come behind those before.
    pub fn push(&mut self, packed: Packed<'_>) -> Result<u64, Malformed> {
        let part = wire::read(packed)?;
        let before = self.0.len();
        self.append(Self(part.entries.nodes().cloned().collect()))?;
        Ok((self.0.len() - before) as u64)
    }

    /// Takes the nodes that come behind.
    ///
    /// # Errors
    /// When they do not.
    pub fn append(&mut self, mut other: Self) -> Result<(), Malformed> {
        let last = self.0.last().map(Node::last_id);
        if other.0.first().is_some_and(|first| last >= Some(first.first_id())) {
            return Err(Malformed::Container("parts of a stream do not ascend"));
        }
        self.0.append(&mut other.0);
        Ok(())
    }
}
