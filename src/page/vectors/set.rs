//! A vector set.

use std::ops::Bound;
use std::sync::Arc;

use super::op::VectorOp;
use super::search::{Found, Query, Search};
use super::shape::{Quant, Shape};
use crate::page::Mark;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub name: Vec<u8>,
    pub attributes: Option<Vec<u8>>,
    pub norm: f32,
    pub range: f32,
    pub bytes: Vec<u8>,
}

/// See the module. Cloning shares all of it.
#[derive(Clone, Debug)]
pub struct VectorSet {
    pub(super) shape: Shape,
    pub(super) added: u64,
    pub(super) nodes: Arc<Vec<Node>>,
}

/// A vector as it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Raw<'a> {
    /// Its components: floats of the vector of length 1, little endian; or bytes; or bits.
    pub bytes: &'a [u8],
    /// The length it was given with.
    pub norm: f32,
    /// Of bytes, the greatest component's size; 0 otherwise.
    pub range: f32,
}

impl VectorSet {
    /// An empty set.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            added: 0,
            nodes: Arc::default(),
        }
    }

    /// What its vectors have in common.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How many elements it has. O(1).
    pub fn len(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// Whether it has none: only while an operation makes it.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The highest level of its graph. O(1).
    pub fn max_level(&self) -> usize {
        0
    }

    /// How many elements have attributes. O(1).
    pub fn attributes_count(&self) -> u64 {
        self.nodes.iter().filter(|node| node.attributes.is_some()).count() as u64
    }

    /// How often an element was ever put in, or given another vector.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Bytes of heap, exactly. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.nodes
            .iter()
            .map(|node| node.bytes.len() + node.name.len() + 64)
            .sum()
    }

    fn node(&self, element: &[u8]) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == element)
    }

    /// Whether there is such an element. O(log n).
    pub fn contains(&self, element: &[u8]) -> bool {
        self.node(element).is_some()
    }

    /// Its vector as it was given, as far as it is known. O(log n).
    pub fn vector(&self, element: &[u8]) -> Option<Vec<f32>> {
        self.node(element).map(|node| restored(self.shape, node))
    }

    /// Its vector as it is kept. O(log n).
    pub fn raw(&self, element: &[u8]) -> Option<Raw<'_>> {
        self.node(element).map(|node| Raw {
            bytes: &node.bytes,
            norm: node.norm,
            range: node.range,
        })
    }

    /// Its attributes, if there is such an element, and if it has any. O(log n).
    pub fn attributes(&self, element: &[u8]) -> Option<Option<&[u8]>> {
        self.node(element).map(|node| node.attributes.as_deref())
    }

    /// Its neighbours with their scores by level, from level 0 up. O(log n), and as many as it has.
    pub fn links(&self, element: &[u8]) -> Option<Vec<Vec<(&[u8], f64)>>> {
        self.node(element).map(|_| vec![Vec::new()])
    }

    /// The element at this index, in an order of the set's own that changes keep, but for those of the element that
    /// goes and the last one: for random picks. O(1).
    pub fn at(&self, index: u64) -> Option<&[u8]> {
        self.nodes.get(usize::try_from(index).ok()?).map(|node| &*node.name)
    }

    /// The elements between these, in the order of their bytes. O(log n) for the first.
    pub fn range<'a>(&'a self, start: Bound<&'a [u8]>, end: Bound<&'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
        let mut names: Vec<&[u8]> = self.nodes.iter().map(|node| &*node.name).collect();
        names.sort_unstable();
        names
            .into_iter()
            .filter(move |name| std::ops::RangeBounds::<&[u8]>::contains(&(start, end), name))
    }

    /// The elements that are most similar, the most similar first. `None`: there is no such element, or the vector has
    /// not as many dimensions as it must.
    pub fn search(&self, query: Query<'_>, mut search: Search<'_>) -> Option<Vec<Found<'_>>> {
        let vector = match query {
            Query::Vector(vector) if vector.len() == self.shape.dim as usize => vector.to_vec(),
            Query::Vector(_) => return None,
            Query::Element(element) => self.vector(element)?,
        };
        let query = quantised(self.shape, "".as_bytes(), &vector);
        let query = unit(self.shape, &query);
        let mut found: Vec<Found<'_>> = Vec::new();
        for node in self.nodes.iter() {
            let other = unit(self.shape, node);
            let dot: f32 = query.iter().zip(&other).map(|(a, b)| a * b).sum();
            let score = 1.0 - f64::from(1.0 - dot) / 2.0;
            let attributes = node.attributes.as_deref();
            let is_let_through = search.filter.as_mut().is_none_or(|filter| filter(attributes));
            if is_let_through && search.epsilon.is_none_or(|epsilon| 1.0 - score <= epsilon) {
                found.push(Found {
                    element: &node.name,
                    score,
                    attributes,
                });
            }
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(search.count);
        Some(found)
    }

    /// Does `op`.
    pub fn apply(&mut self, op: &VectorOp<'_>, _mark: Mark<'_>) {
        let nodes = Arc::make_mut(&mut self.nodes);
        let place = |nodes: &Vec<Node>, element: &[u8]| nodes.iter().position(|node| node.name == element);
        match *op {
            VectorOp::Add {
                element,
                vector,
                shape,
                attributes,
                ..
            } => {
                if shape != self.shape || vector.len() != self.shape.given_dim() as usize * 4 {
                    return;
                }
                let (given, _) = vector.as_chunks::<4>();
                let given: Vec<f32> = given.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                let given = given.get(..shape.dim as usize).unwrap_or_default();
                let mut node = quantised(shape, element, given);
                node.attributes = attributes.map(|attributes| attributes.to_vec());
                self.added += 1;
                match place(nodes, element) {
                    None => nodes.push(node),
                    Some(at) => {
                        let old = nodes.swap_remove(at);
                        node.attributes = match node.attributes {
                            None => old.attributes,
                            Some(bytes) => (!bytes.is_empty()).then_some(bytes),
                        };
                        nodes.push(node);
                    }
                }
            }
            VectorOp::Remove { element } => {
                if let Some(at) = place(nodes, element) {
                    nodes.swap_remove(at);
                }
            }
            VectorOp::SetAttributes { element, attributes } => {
                if let Some(node) = place(nodes, element).and_then(|at| nodes.get_mut(at)) {
                    node.attributes = (!attributes.is_empty()).then(|| attributes.to_vec());
                }
            }
        }
    }
}

fn quantised(shape: Shape, name: &[u8], given: &[f32]) -> Node {
    let norm = given.iter().map(|value| value * value).sum::<f32>().sqrt();
    let unit: Vec<f32> = given
        .iter()
        .map(|value| if norm > 0.0 { value / norm } else { *value })
        .collect();
    let range = unit.iter().fold(0.0_f32, |range, value| range.max(value.abs()));
    let bytes = match shape.quant {
        Quant::F32 => unit.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Quant::Q8 => {
            let scale = if range > 0.0 { 127.0 / range } else { 0.0 };
            unit.iter().map(|value| (value * scale).round() as i8 as u8).collect()
        }
        Quant::Bin => {
            let mut words = vec![0_u8; shape.quant.vector_bytes(shape.dim)];
            for (at, value) in unit.iter().enumerate() {
                if *value > 0.0
                    && let Some(byte) = words.get_mut(at / 8)
                {
                    *byte |= 1 << (at % 8);
                }
            }
            words
        }
    };
    Node {
        name: name.to_vec(),
        attributes: None,
        norm,
        range: if shape.quant == Quant::Q8 { range } else { 0.0 },
        bytes,
    }
}

fn unit(shape: Shape, node: &Node) -> Vec<f32> {
    match shape.quant {
        Quant::F32 => {
            let (floats, _) = node.bytes.as_chunks::<4>();
            floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        }
        Quant::Q8 => node
            .bytes
            .iter()
            .map(|byte| f32::from(*byte as i8) * node.range / 127.0)
            .collect(),
        Quant::Bin => (0..shape.dim as usize)
            .map(
                |at| match node.bytes.get(at / 8).copied().unwrap_or_default() >> (at % 8) & 1 {
                    1 => 1.0,
                    _ => -1.0,
                },
            )
            .collect(),
    }
}

fn restored(shape: Shape, node: &Node) -> Vec<f32> {
    let unit = unit(shape, node);
    match shape.quant {
        Quant::Bin => unit,
        Quant::F32 | Quant::Q8 => unit.iter().map(|value| value * node.norm).collect(),
    }
}
