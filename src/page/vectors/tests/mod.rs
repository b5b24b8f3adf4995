//! Vector sets beside a plain list of elements that is searched by looking at all of them.

mod graph;
mod history;
mod images;

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::page::Mark;
use crate::page::container::Big;
use crate::page::value::ValueRef;

pub(super) const QUANTS: [Quant; 3] = [Quant::F32, Quant::Q8, Quant::Bin];

pub(super) fn shape(quant: Quant, dim: u32, m: u32) -> Shape {
    Shape {
        quant,
        m,
        dim,
        input_dim: None,
    }
}

pub(super) fn bytes_of(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Vectors around so many centres.
pub(super) struct Clusters {
    random: SmallRng,
    centres: Vec<Vec<f32>>,
    spread: f32,
}

impl Clusters {
    pub fn new(seed: u64, count: usize, dim: usize, spread: f32) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut centre = || (0..dim).map(|_| random.random_range(-1.0..1.0)).collect();
        let centres = (0..count).map(|_| centre()).collect();
        Self {
            random,
            centres,
            spread,
        }
    }

    pub fn vector(&mut self) -> Vec<f32> {
        let centre = &self.centres[self.random.random_range(0..self.centres.len())];
        let (random, spread) = (&mut self.random, self.spread);
        let near = centre.iter().map(|value| value + random.random_range(-spread..spread));
        near.collect()
    }
}

pub(super) fn add(set: &mut VectorSet, element: &[u8], vector: &[f32], attributes: Option<&[u8]>) {
    let op = VectorOp::Add {
        element,
        vector: &bytes_of(vector),
        shape: set.shape(),
        ef: EF_ADD,
        attributes: attributes.map(serde_bytes::Bytes::new),
    };
    set.apply(&op, Mark::APART);
}

pub(super) fn remove(set: &mut VectorSet, element: &[u8]) {
    set.apply(&VectorOp::Remove { element }, Mark::APART);
}

/// A search for so many.
pub(super) fn plainly<'a>(count: usize, ef: usize) -> Search<'a> {
    Search {
        count,
        ef,
        epsilon: None,
        filter: None,
        filter_ef: 0,
        is_exact: false,
    }
}

pub(super) fn exactly<'a>(count: usize) -> Search<'a> {
    Search {
        is_exact: true,
        ..plainly(count, count)
    }
}

pub(super) fn names<'a>(found: &[Found<'a>]) -> Vec<&'a [u8]> {
    found.iter().map(|found| found.element).collect()
}

/// What must be true of each set.
pub(super) fn check_whole(set: &VectorSet) {
    assert!(set.has_sound_links());
    let packed = set.pack();
    let read = VectorSet::unpack(crate::page::Packed::new(&packed));
    check(crate::page::Packed::new(&packed)).unwrap();
    assert_eq!(read.digest(), set.digest());
    // How full a tree's nodes are is its own affair.
    let own_bytes = |set: &VectorSet| set.heap_bytes() - set.names.heap_bytes();
    assert_eq!(own_bytes(&read), own_bytes(set), "bytes are counted");
    assert_eq!(read.attributes_count(), set.attributes_count());
    assert_eq!(read.max_level(), set.max_level());
    assert_eq!(
        crate::page::digest::digest(ValueRef::Big(&Big::Vectors(set.clone()))),
        crate::page::digest::digest(ValueRef::Packed(
            crate::page::container::Kind::Vectors,
            crate::page::Packed::new(&packed)
        ))
    );
}

/// How many elements the graph does not lead to.
pub(super) fn unreachable(set: &VectorSet) -> usize {
    let mut is_reached = vec![false; set.len() as usize];
    set.flood(set.entry(), &mut is_reached);
    is_reached.iter().filter(|is_reached| !**is_reached).count()
}

/// A vector, and attributes.
type Kept = (Vec<f32>, Option<Vec<u8>>);

/// What a set should have.
#[derive(Clone, Default)]
pub(super) struct Model(pub BTreeMap<Vec<u8>, Kept>);

impl Model {
    pub fn add(&mut self, element: &[u8], vector: &[f32], attributes: Option<&[u8]>) {
        let old = self.0.remove(element);
        let attributes = match (old, attributes) {
            (Some((_, old)), None) => old,
            (Some(_), Some([])) => None,
            (_, attributes) => attributes.map(<[u8]>::to_vec),
        };
        self.0.insert(element.to_vec(), (vector.to_vec(), attributes));
    }

    pub fn check(&self, set: &VectorSet) {
        assert_eq!(set.len(), self.0.len() as u64);
        let (start, end) = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        assert!(set.range(start, end).eq(self.0.keys().map(Vec::as_slice)));
        let mut all: Vec<&[u8]> = (0..set.len()).map(|at| set.at(at).unwrap()).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(self.0.keys().map(Vec::as_slice)));
        for (element, (vector, attributes)) in &self.0 {
            assert_eq!(set.attributes(element), Some(attributes.as_deref()));
            let kept = set.vector(element).unwrap();
            let scale = vector.iter().fold(0.0_f32, |scale, value| scale.max(value.abs()));
            for (kept, given) in kept.iter().zip(vector) {
                match set.shape().quant {
                    Quant::F32 => assert!((kept - given).abs() <= scale * 1e-5, "{kept} {given}"),
                    Quant::Q8 => assert!((kept - given).abs() <= scale / 200.0, "{kept} {given}"),
                    Quant::Bin => assert_eq!(*kept > 0.0, *given > 0.0),
                }
            }
        }
        let with = self.0.values().filter(|(_, attributes)| attributes.is_some()).count();
        assert_eq!(set.attributes_count(), with as u64);
    }
}
