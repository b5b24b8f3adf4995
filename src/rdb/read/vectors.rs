//! Vector sets, as the module of Redis 8 writes them.
//!
//! What they have in common, then the elements, those that came last first. Each has its name, its attributes, its
//! vector and a list of numbers: its own, its level, and for each level the numbers of its neighbours and which of them
//! is farthest; at the end the vector's range and length.

use std::collections::HashMap;
use std::io::Read;

use crate::page::vectors::{DIM_MAX, LEVELS_MAX, M_MAX, M_MIN, Quant, Shape};

use super::super::code::{module, vectors as code};
use super::super::error::Reason;
use super::super::vectors::{Neighbours, PROJECTION_BYTES_MAX, VectorNode, Vectors, projection_bytes, projection_row};
use super::source::Source;

/// How far a component of a projection may be from what it should be.
const PROJECTION_ERROR_MAX: f32 = 1e-4;

fn number<R: Read>(source: &mut Source<R>) -> Result<u64, Reason> {
    match source.length()? {
        module::UNSIGNED => source.length(),
        _ => Reason::bad("a part of a vector set is no number"),
    }
}

fn text<R: Read>(source: &mut Source<R>) -> Result<Vec<u8>, Reason> {
    match source.length()? {
        module::STRING => source.string(),
        _ => Reason::bad("a part of a vector set is no string"),
    }
}

/// The value behind the module's id.
pub fn read<R: Read>(source: &mut Source<R>) -> Result<Vectors, Reason> {
    let dim = number(source)?;
    let count = number(source)?;
    let kept = number(source)?;
    let flags = number(source)?;
    let input_dim = match flags & code::HAS_PROJECTION {
        0 => None,
        _ => Some(dimensions(number(source)?)?),
    };
    let shape = Shape {
        quant: u8::try_from(kept & 0xff)
            .ok()
            .and_then(Quant::of_code)
            .ok_or(Reason::Bad("a vector set keeps vectors in an unknown way".into()))?,
        m: u32::try_from(kept >> code::M_SHIFT & 0xffff).unwrap_or(0),
        dim: dimensions(dim)?,
        input_dim,
    };
    if !(M_MIN..=M_MAX).contains(&shape.m) {
        return Reason::bad("a vector set has an impossible number of links");
    }
    if input_dim.is_some() {
        check_projection(&shape, source)?;
    }
    let mut nodes = Vec::new();
    let mut links = Links::default();
    for _ in 0..count {
        nodes.push(node(source, &shape, flags & code::HAS_ATTRIBUTES != 0, &mut links)?);
    }
    if source.length()? != module::END {
        return Reason::bad("more follows behind a vector set");
    }
    nodes.reverse();
    links.resolve(&mut nodes)?;
    let last_id = links.ids.iter().copied().max().unwrap_or(0);
    Ok(Vectors { shape, last_id, nodes })
}

fn dimensions(count: u64) -> Result<u32, Reason> {
    let dim = u32::try_from(count).ok().filter(|dim| (1..=DIM_MAX).contains(dim));
    dim.ok_or_else(|| {
        Reason::Unsupported(format!(
            "a vector set has vectors of {count} dimensions; LokiKV keeps {DIM_MAX} at most"
        ))
    })
}

/// Reads the projection, which must be the one that every set of this shape has.
fn check_projection<R: Read>(shape: &Shape, source: &mut Source<R>) -> Result<(), Reason> {
    if projection_bytes(shape) > PROJECTION_BYTES_MAX {
        return Err(Reason::Unsupported(
            "the projection of a vector set is too large".to_owned(),
        ));
    }
    let bytes = text(source)?;
    let (floats, rest) = bytes.as_chunks::<4>();
    if bytes.len() as u64 != projection_bytes(shape) || !rest.is_empty() {
        return Reason::bad("the projection of a vector set has another size than it should have");
    }
    let columns = shape.input_dim.unwrap_or(1).max(1);
    let is_near = |(bytes, expected): (&[u8; 4], f32)| {
        let difference = f32::from_le_bytes(*bytes) - expected;
        difference.abs() <= PROJECTION_ERROR_MAX
    };
    let mut rows = (0..).zip(floats.chunks(columns as usize));
    let is_known = rows.all(|(row, floats)| floats.iter().zip(projection_row(row, columns)).all(is_near));
    if is_known {
        Ok(())
    } else {
        Err(Reason::Unsupported(
            "a vector set reduces vectors (REDUCE) by another projection than that of Redis 8.2".to_owned(),
        ))
    }
}

fn node<R: Read>(
    source: &mut Source<R>,
    shape: &Shape,
    has_attributes: bool,
    links: &mut Links,
) -> Result<VectorNode, Reason> {
    let name = text(source)?;
    let attributes = if has_attributes { Some(text(source)?) } else { None };
    let vector = text(source)?;
    if vector.len() != shape.quant.vector_bytes(shape.dim) {
        return Reason::bad("a vector has another size than those of its set");
    }
    let count = number(source)?;
    let mut parameters = Parameters { left: count, source };
    links.ids.push(parameters.next()?);
    let level = parameters.next()?;
    let has_farthest = level & code::WITH_FARTHEST != 0;
    let highest = usize::try_from(level & code::LEVEL_MASK).unwrap_or(usize::MAX);
    if highest > LEVELS_MAX {
        return Reason::bad("an element of a vector set is on an impossible level");
    }
    let mut levels = Vec::with_capacity(highest + 1);
    for _ in 0..=highest {
        levels.push(parameters.neighbours(has_farthest, links)?);
    }
    let last = parameters.next()?;
    if parameters.left != 0 {
        return Reason::bad("an element of a vector set has parameters that are not known");
    }
    Ok(VectorNode {
        name,
        attributes: attributes.filter(|attributes| !attributes.is_empty()),
        vector,
        range: f32::from_bits((last >> u32::BITS) as u32),
        norm: f32::from_bits(last as u32),
        levels,
    })
}

/// The numbers of an element that have not been read.
struct Parameters<'s, R> {
    left: u64,
    source: &'s mut Source<R>,
}

impl<R: Read> Parameters<'_, R> {
    fn next(&mut self) -> Result<u64, Reason> {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return Reason::bad("an element of a vector set lacks parameters"),
        }
        number(self.source)
    }

    /// Neighbours on a level, whose places are not known yet.
    fn neighbours(&mut self, has_farthest: bool, links: &mut Links) -> Result<Neighbours, Reason> {
        let count = self.next()?;
        // How many there is room for.
        self.next()?;
        for _ in 0..count {
            let id = self.next()?;
            links.to.push(id);
        }
        links.counts.push(count as usize);
        let farthest = if has_farthest { self.next()? } else { 0 };
        Ok(Neighbours {
            places: Vec::new(),
            farthest: farthest as u32,
            distance: f32::from_bits((farthest >> u32::BITS) as u32),
        })
    }
}

/// Links by the numbers that elements have in the file.
#[derive(Default)]
struct Links {
    /// The number of each element.
    ids: Vec<u64>,
    /// How many neighbours each element has on each level.
    counts: Vec<usize>,
    /// All neighbours.
    to: Vec<u64>,
}

impl Links {
    /// Gives the neighbours their places. `nodes` are in the opposite order.
    fn resolve(&self, nodes: &mut [VectorNode]) -> Result<(), Reason> {
        let last = nodes.len().wrapping_sub(1);
        let places = self.ids.iter().enumerate();
        let places: HashMap<u64, u32> = places.map(|(at, id)| (*id, last.wrapping_sub(at) as u32)).collect();
        if places.len() < nodes.len() {
            return Reason::bad("two elements of a vector set have the same number");
        }
        let (mut counts, mut rest) = (self.counts.iter(), self.to.as_slice());
        for level in nodes.iter_mut().rev().flat_map(|node| &mut node.levels) {
            let count = counts.next().copied().unwrap_or_default();
            let (ids, behind) = rest.split_at_checked(count).unwrap_or_default();
            rest = behind;
            let found: Option<Vec<u32>> = ids.iter().map(|id| places.get(id).copied()).collect();
            level.places = found.ok_or(Reason::Bad("a link of a vector set leads nowhere".into()))?;
        }
        Ok(())
    }
}
