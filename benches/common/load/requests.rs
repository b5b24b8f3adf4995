//! The bytes of requests: built once, their keys' digits written over each time.

/// Digits of a key that vary.
pub const DIGITS: usize = 6;

/// What is asked again and again, each time of another key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// One request, or several that belong together.
    pub bytes: Vec<u8>,
    /// How many replies they get.
    pub replies: usize,
    /// The key in it, which ends with [`DIGITS`] digits; wherever it stands others take its place.
    pub key: Vec<u8>,
    /// How many keys there are.
    pub keys: u64,
}

/// A pipeline of requests.
pub struct Requests {
    bytes: Vec<u8>,
    /// Where the digits of each key are.
    places: Vec<usize>,
    replies: usize,
    keys: u64,
    random: u64,
}

impl Requests {
    /// `pipeline` requests, as far as whole units of them go.
    pub fn new(unit: &Unit, pipeline: usize, seed: u64) -> Self {
        let units = (pipeline / unit.replies.max(1)).max(1);
        let bytes = unit.bytes.repeat(units);
        let before = unit.key.len().saturating_sub(DIGITS);
        let places = memchr::memmem::find_iter(&bytes, &unit.key).map(|at| at + before);
        Self {
            places: if unit.key.is_empty() {
                Vec::new()
            } else {
                places.collect()
            },
            bytes,
            replies: units * unit.replies,
            keys: unit.keys,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        }
    }

    /// How many replies a pipeline gets.
    pub fn replies(&self) -> usize {
        self.replies
    }

    /// The next pipeline, with other keys.
    pub fn next(&mut self) -> &[u8] {
        for &place in &self.places {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let mut index = (u128::from(self.random) * u128::from(self.keys)) >> 64;
            let digits = self.bytes.get_mut(place..place + DIGITS).unwrap_or_default();
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (index % 10) as u8;
                index /= 10;
            }
        }
        &self.bytes
    }
}
