//! Vector sets, from and to the engine's.

use crate::page::Malformed;
use crate::page::vectors::{Node, Raw, Restore, VectorSet};

use super::super::error::Reason;
use super::super::vectors::{Neighbours, PROJECTION_BYTES_MAX, VectorNode, Vectors, projection_bytes};

/// The packed form of a set, which has been checked.
pub(super) fn pack(vectors: &Vectors) -> Result<Vec<u8>, Malformed> {
    if !vectors.shape.is_valid() {
        return Err(Malformed::Container("a vector set of an impossible shape"));
    }
    let mut restore = Restore::new(vectors.shape);
    for node in &vectors.nodes {
        restore.push(&Node {
            element: &node.name,
            attributes: node.attributes.as_deref(),
            raw: Raw {
                bytes: &node.vector,
                range: node.range,
                norm: node.norm,
            },
            links: node.levels.iter().map(|level| level.places.as_slice()).collect(),
        })?;
    }
    Ok(restore.finish(vectors.last_id).pack())
}

/// As the format has it.
///
/// # Errors
/// The projection by which it reduces vectors is too large to be written.
pub(super) fn object(set: &VectorSet) -> Result<Vectors, Reason> {
    let shape = set.shape();
    if projection_bytes(&shape) > PROJECTION_BYTES_MAX {
        return Err(Reason::Unsupported(format!(
            "in Redis's format the projection of the vector set takes {} bytes, which is too much",
            projection_bytes(&shape)
        )));
    }
    let nodes = set.nodes().map(|node| VectorNode {
        name: node.element.to_vec(),
        attributes: node.attributes.map(<[u8]>::to_vec),
        vector: node.raw.bytes.to_vec(),
        range: node.raw.range,
        norm: node.raw.norm,
        levels: levels(set, &node),
    });
    Ok(Vectors {
        shape,
        last_id: set.added(),
        nodes: nodes.collect(),
    })
}

fn levels(set: &VectorSet, node: &Node<'_>) -> Vec<Neighbours> {
    let scored = set.links(node.element).unwrap_or_default();
    let levels = node.links.iter().zip(&scored);
    let level = |(places, scored): (&&[u32], &Vec<(&[u8], f64)>)| {
        let scores = scored.iter().map(|(_, score)| *score).enumerate();
        let farthest = scores.min_by(|(_, one), (_, other)| one.total_cmp(other));
        let (farthest, score) = farthest.unwrap_or((0, 1.0));
        Neighbours {
            places: places.to_vec(),
            farthest: farthest as u32,
            distance: (2.0 * (1.0 - score)) as f32,
        }
    };
    levels.map(level).collect()
}
