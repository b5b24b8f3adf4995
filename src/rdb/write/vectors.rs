//! Vector sets, as the module of Redis 8.2 writes them.

use super::super::code::{module, vectors as code};
use super::super::vectors::{VectorNode, Vectors, projection_bytes, projection_row};
use super::scalar::{length, string};

fn number(out: &mut Vec<u8>, number: u64) {
    length(out, module::UNSIGNED);
    length(out, number);
}

fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, module::STRING);
    string(out, bytes);
}

/// Appends the value.
pub fn write(out: &mut Vec<u8>, vectors: &Vectors) {
    let shape = &vectors.shape;
    length(out, code::MODULE_ID);
    number(out, u64::from(shape.dim));
    number(out, vectors.nodes.len() as u64);
    number(out, shape.quant as u64 | u64::from(shape.m) << code::M_SHIFT);
    let has_attributes = vectors.nodes.iter().any(|node| node.attributes.is_some());
    let flags = [
        (shape.input_dim.is_some(), code::HAS_PROJECTION),
        (has_attributes, code::HAS_ATTRIBUTES),
    ];
    number(
        out,
        flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum(),
    );
    if let Some(columns) = shape.input_dim {
        number(out, u64::from(columns));
        let mut rows = Vec::with_capacity(projection_bytes(shape) as usize);
        for row in 0..shape.dim {
            rows.extend(projection_row(row, columns).into_iter().flat_map(f32::to_le_bytes));
        }
        text(out, &rows);
    }
    let last = vectors.nodes.len().saturating_sub(1);
    for (place, node) in vectors.nodes.iter().enumerate().rev() {
        text(out, &node.name);
        if has_attributes {
            text(out, node.attributes.as_deref().unwrap_or_default());
        }
        text(out, &node.vector);
        let id = |place: u32| id(place as usize, last, vectors.last_id);
        let parameters = parameters(node, id(place as u32), id, shape.m);
        number(out, parameters.len() as u64);
        parameters.iter().for_each(|parameter| number(out, *parameter));
    }
    length(out, module::END);
}

/// The number of the element at a place: that of the last one is the highest that there ever was.
fn id(place: usize, last: usize, last_id: u64) -> u64 {
    if place == last {
        last_id.max(place as u64 + 1)
    } else {
        place as u64 + 1
    }
}

fn parameters(node: &VectorNode, id: u64, id_of: impl Fn(u32) -> u64, m: u32) -> Vec<u64> {
    let level = node.levels.len().saturating_sub(1) as u64;
    let mut parameters = vec![id, level | code::WITH_FARTHEST];
    for (level, neighbours) in node.levels.iter().enumerate() {
        let room = u64::from(if level == 0 { 2 * m } else { m });
        let count = neighbours.places.len() as u64;
        parameters.extend([count, room.max(count)]);
        parameters.extend(neighbours.places.iter().map(|place| id_of(*place)));
        parameters.push(pair(neighbours.distance.to_bits(), neighbours.farthest));
    }
    parameters.push(pair(node.range.to_bits(), node.norm.to_bits()));
    parameters
}

fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << u32::BITS | u64::from(low)
}
