//! `math.random` as Redis has it: the generator of 48 bits known as drand48. Scripts go on where others stopped.

/// Its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) struct Random(u64);

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;

impl Default for Random {
    /// As it is at the start.
    fn default() -> Self {
        Self(0x1234_ABCD_330E)
    }
}

impl Random {
    /// The generator as `math.randomseed` leaves it.
    pub(in crate::script) const fn seeded(seed: u32) -> Self {
        Self((seed as u64) << 16 | 0x330E)
    }

    /// The next number, of 31 bits.
    pub(in crate::script) const fn draw(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        (self.0 >> 17) as u32
    }
}

/// The largest number that is drawn, and one more where [`Random::draw`] is brought to below 1.
pub(in crate::script) const DRAWN_MAX: u32 = 0x7FFF_FFFF;
