//! Searching for the elements that are most similar to one, or to a vector.

/// What is searched for.
#[derive(Clone, Copy, Debug)]
pub enum Query<'a> {
    /// What is similar to a vector, of as many dimensions as vectors of the set are given with.
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
