//! A vector set as the format has it: elements with their vectors as they are kept, and their links in the graph.
//!
//! **Invariant:** a link leads to an element that is there, by its place in [`Vectors::nodes`].

use crate::page::vectors::Shape;

/// Most bytes of a projection: what is written of it follows from two numbers that a client gives.
pub const PROJECTION_BYTES_MAX: u64 = 256 << 20;

/// A vector set.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// What its vectors have in common.
    pub shape: Shape,
    /// The highest number that an element ever had.
    pub last_id: u64,
    /// Its elements, in the order in which they came.
    pub nodes: Vec<VectorNode>,
}

/// An element.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorNode {
    /// Its name.
    pub name: Vec<u8>,
    /// Its attributes.
    pub attributes: Option<Vec<u8>>,
    /// The components of its vector, as a set of this shape keeps them.
    pub vector: Vec<u8>,
    /// Of components that are bytes, how great the greatest is.
    pub range: f32,
    /// The length that the vector was given with.
    pub norm: f32,
    /// Its neighbours on each level from 0 up.
    pub levels: Vec<Neighbours>,
}

/// The neighbours of an element on a level.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbours {
    /// Their places.
    pub places: Vec<u32>,
    /// Which of those is farthest.
    pub farthest: u32,
    /// How far that is: 0 for the same direction, 2 for the opposite one.
    pub distance: f32,
}

/// A row of the projection by which vectors are reduced, of so many columns. The sign of a component is that of how
/// many bits row and column have in common, so that each doubling of a row repeats it, or its negative.
pub fn projection_row(row: u32, columns: u32) -> Vec<f32> {
    let columns = columns as usize;
    let mut components = Vec::with_capacity(columns);
    components.push(1.0 / (columns as f32).sqrt());
    let mut bit = 0;
    while components.len() < columns {
        let half = components.len();
        components.extend_from_within(..half.min(columns - half));
        if row >> bit & 1 == 1 {
            components
                .iter_mut()
                .skip(half)
                .for_each(|component| *component = -*component);
        }
        bit += 1;
    }
    components
}

/// Bytes of the projection of sets of this shape.
pub fn projection_bytes(shape: &Shape) -> u64 {
    let columns = u64::from(shape.input_dim.unwrap_or(0));
    columns * u64::from(shape.dim) * size_of::<f32>() as u64
}

#[cfg(test)]
mod tests {
    use super::projection_row;

    #[test]
    fn signs_follow_the_bits_in_common() {
        for (row, columns) in [(0, 1), (5, 7), (6, 8), (u32::MAX, 100), (1 << 31, 65)] {
            let components = projection_row(row, columns);
            assert_eq!(components.len(), columns as usize);
            for (column, component) in (0..).zip(components) {
                let is_even = (row & column).count_ones().is_multiple_of(2);
                let scale = 1.0 / (columns as f32).sqrt();
                assert_eq!(component, if is_even { scale } else { -scale });
            }
        }
    }
}
