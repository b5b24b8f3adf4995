//! Vectors to fill sets with and to search for, the same in each run.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Where vectors lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// In any direction.
    Random,
    /// Around centres.
    Clustered,
}

/// Centres, and how far from them vectors are, as a part of how far centres are from zero.
const CENTRES: usize = 200;
const SPREAD: f32 = 0.3;

/// Vectors as they are sent.
pub struct Data {
    /// Those of the elements.
    pub elements: Vec<Vec<u8>>,
    /// Those that are searched for.
    pub searches: Vec<Vec<u8>>,
}

impl Data {
    /// So many of so many dimensions.
    pub fn new(spread: Spread, (elements, searches): (usize, usize), dimensions: usize) -> Self {
        let mut random = SmallRng::seed_from_u64(1);
        let centres: Vec<Vec<f32>> = (0..CENTRES)
            .map(|_| directions(&mut random, dimensions).collect())
            .collect();
        let mut some = |count: usize| -> Vec<Vec<u8>> {
            let vector = |random: &mut SmallRng| -> Vec<u8> {
                let at = random.random_range(0..CENTRES);
                let own: Vec<f32> = directions(random, dimensions).collect();
                let centre = centres.get(at).into_iter().flatten().copied();
                let values: Vec<f32> = match spread {
                    Spread::Random => own,
                    Spread::Clustered => centre.zip(own).map(|(centre, own)| centre + SPREAD * own).collect(),
                };
                values.iter().flat_map(|value| value.to_le_bytes()).collect()
            };
            (0..count).map(|_| vector(&mut random)).collect()
        };
        Self {
            elements: some(elements),
            searches: some(searches),
        }
    }
}

/// Numbers around zero, roughly of a normal distribution, so that no direction has more vectors than others.
fn directions(random: &mut SmallRng, count: usize) -> impl Iterator<Item = f32> {
    (0..count).map(|_| (0..12).map(|_| random.random_range(-0.5_f32..0.5)).sum())
}
