//! Searching for the elements that are most similar to one, or to a vector.

use super::scratch::{Near, Scratch};
use super::set::{VectorSet, score_of};
use super::vector::{record_of, record_of_kept};
use super::walk::Judge;

/// What is searched for.
#[derive(Clone, Copy, Debug)]
pub enum Query<'a> {
    /// What is similar to a vector, of as many dimensions as vectors of the set are given with, or kept with.
    Vector(&'a [f32]),
    /// What is similar to an element.
    Element(&'a [u8]),
}

/// Judges an element by its attributes.
pub type Filter<'a> = &'a mut dyn FnMut(Option<&[u8]>) -> bool;

/// How to search.
pub struct Search<'a> {
    /// At most so many elements.
    pub count: usize,
    /// How many candidates are kept; no fewer than `count` are.
    pub ef: usize,
    /// Only what is at most so far from the query, in the terms of scores: `1 - score <= epsilon`.
    pub epsilon: Option<f64>,
    /// Only elements that it lets through.
    pub filter: Option<Filter<'a>>,
    /// How many elements a search with a filter looks at; 0: as many as it takes.
    pub filter_ef: usize,
    /// Looks at all elements, not by the graph.
    pub is_exact: bool,
}

/// An element that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found<'a> {
    /// Its name.
    pub element: &'a [u8],
    /// How similar it is: 1 for the same direction, 0 for the opposite one.
    pub score: f64,
    /// Its attributes.
    pub attributes: Option<&'a [u8]>,
}

impl VectorSet {
    /// The elements that are most similar, the most similar first. `None`: there is no such element, or the vector has
    /// not as many dimensions as it must.
    ///
    /// By the graph it computes some `ef` times the number of links distances, with a filter at most `filter_ef` times
    /// that; and as many as there are elements where it is exact.
    pub fn search(&self, query: Query<'_>, mut search: Search<'_>) -> Option<Vec<Found<'_>>> {
        let record = match query {
            // As they are kept, though those that are added with as many dimensions would be reduced to as many others.
            Query::Vector(vector) if vector.len() == self.frame.shape.dim as usize => {
                record_of_kept(&self.frame.shape, vector.to_vec())
            }
            Query::Vector(vector) => record_of(&self.frame.shape, vector.iter().copied())?,
            // As if its vector were given again: one that is kept in bytes has not quite the length 1.
            Query::Element(element) => record_of_kept(&self.frame.shape, self.vector(element)?),
        };
        if self.is_empty() {
            return Some(Vec::new());
        }
        let epsilon = search.epsilon;
        let attributes = |slot| self.item(slot).and_then(|item| item.value());
        let mut passes = search
            .filter
            .take()
            .map(|filter| move |slot: u32| filter(attributes(slot)));
        let passes = passes.as_mut().map(|passes| passes as &mut dyn FnMut(u32) -> bool);
        let near = if search.is_exact {
            self.all(&record, search.count, passes)
        } else {
            self.walk(&record, &search, passes)
        };
        let found = near.into_iter().take(search.count).filter_map(|near| {
            let item = self.item(near.slot())?;
            Some(Found {
                element: item.key(),
                score: score_of(near.distance()),
                attributes: item.value(),
            })
        });
        let found = found.take_while(|found| epsilon.is_none_or(|epsilon| 1.0 - found.score <= epsilon));
        Some(found.collect())
    }

    fn walk(&self, record: &[u8], search: &Search<'_>, passes: Option<&mut dyn FnMut(u32) -> bool>) -> Vec<Near> {
        let ef = search.ef.max(search.count).min(self.names.len()).max(1);
        let judge = passes.map(|passes| Judge {
            passes,
            looks_max: match search.filter_ef {
                0 => usize::MAX,
                filter_ef => filter_ef,
            },
        });
        let from = self.approach(record, 1);
        Scratch::with(|scratch| self.nearest(record, from, (0, ef), judge, scratch))
    }

    /// The nearest of all elements.
    fn all(&self, record: &[u8], count: usize, mut passes: Option<&mut dyn FnMut(u32) -> bool>) -> Vec<Near> {
        let mut passes = |slot| passes.as_mut().is_none_or(|passes| passes(slot));
        Scratch::with(|scratch| {
            let nearest = &mut scratch.nearest;
            nearest.clear();
            for slot in 0..self.slots() {
                let near = self.near(record, slot);
                let is_full = nearest.len() >= count;
                let is_near = !is_full || nearest.peek().is_some_and(|farthest| near < *farthest);
                if is_near && passes(slot) {
                    nearest.push(near);
                    if is_full {
                        nearest.pop();
                    }
                }
            }
            let mut found: Vec<Near> = nearest.drain().collect();
            found.sort_unstable();
            found
        })
    }
}
