//! How many nodes Redis's radix tree of a stream would have, which `XINFO STREAM` tells.

use super::big::BigStream;
use super::id::StreamId;
use super::node::Node;

impl BigStream {
    /// See the module. O(nodes).
    pub fn radix_nodes(&self) -> u64 {
        let keys: Vec<[u8; StreamId::BYTES]> = self
            .entries()
            .nodes()
            .map(Node::first_id)
            .map(StreamId::to_bytes)
            .collect();
        if keys.is_empty() { 1 } else { nodes(&keys, 0) }
    }
}

/// Nodes of the part of the tree that has these keys, which agree in their first `depth` bytes: one for a run of bytes
/// that all have, one that branches, one for an end.
fn nodes(keys: &[[u8; StreamId::BYTES]], depth: usize) -> u64 {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return 0;
    };
    let same = first.iter().zip(last).take_while(|(one, other)| one == other).count();
    let run = u64::from(same > depth);
    if same == StreamId::BYTES {
        return run + 1;
    }
    let byte = |key: &[u8; StreamId::BYTES]| key.get(same).copied();
    let branches = keys.chunk_by(|one, other| byte(one) == byte(other));
    run + 1 + branches.map(|keys| nodes(keys, same + 1)).sum::<u64>()
}
