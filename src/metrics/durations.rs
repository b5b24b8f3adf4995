//! How long calls took, as finely as Redis tells it: to two significant digits, from 1 ns to 1 s.
//!
//! The cells are those of an HdrHistogram with two digits: each of the first 256 nanoseconds has one, and from there on
//! each power of two has 128. (The crate of that name wants `&mut` to count; here one thread counts while any other
//! reads.)
//!
//! **Invariants**
//! - A block of cells is allocated when the first call falls into it: what a command takes is a KiB for each power of
//!   two that its calls have lasted, 24 KiB at most, per thread.
//! - Every cell has a single writer.

use std::sync::OnceLock;

use super::counters::Count;

/// Cells of a block.
const CELLS: usize = 128;
const CELLS_LOG2: u32 = 7;
/// The first holds what is below 128 ns, and each of the others a power of two.
const BLOCKS: usize = 24;
/// What takes longer counts as this.
const NANOS_MAX: u64 = 1_000_000_000;
/// The first power of two, of nanoseconds, up to which [`Distribution::by_power_of_two`] counts.
const FIRST_POWER: u32 = 10;

type Block = Box<[Count; CELLS]>;

/// See the module.
#[derive(Default, Debug)]
pub struct Durations {
    blocks: [OnceLock<Block>; BLOCKS],
}

/// The block and the cell for a duration.
#[inline]
fn place(nanos: u64) -> (usize, usize) {
    let nanos = nanos.clamp(1, NANOS_MAX);
    let power = nanos.ilog2().max(CELLS_LOG2);
    let cell = (nanos >> (power - CELLS_LOG2)) as usize;
    match cell.checked_sub(CELLS) {
        Some(cell) => ((power - CELLS_LOG2) as usize + 1, cell),
        None => (0, cell),
    }
}

/// The shortest and the longest duration of a cell, nanoseconds.
fn bounds(index: usize) -> (u64, u64) {
    let (block, cell) = (index / CELLS, (index % CELLS) as u64);
    match block.checked_sub(1) {
        None => (cell, cell),
        Some(shift) => {
            let cell = cell + CELLS as u64;
            (cell << shift, ((cell + 1) << shift) - 1)
        }
    }
}

impl Durations {
    /// Counts `calls` calls that took `nanos` each.
    #[inline]
    pub fn record(&self, nanos: u64, calls: u64) {
        let (block, cell) = place(nanos);
        let Some(block) = self.blocks.get(block) else { return };
        let block = block.get_or_init(|| Box::new(std::array::from_fn(|_| Count::default())));
        if let Some(count) = block.get(cell) {
            count.add(calls);
        }
    }

    /// Adds what was counted here to `sum`.
    pub fn add_to(&self, sum: &mut Distribution) {
        let known = self.blocks.iter().enumerate();
        for (at, block) in known.filter_map(|(at, block)| Some((at, block.get()?))) {
            let end = (at + 1) * CELLS;
            if sum.cells.len() < end {
                sum.cells.resize(end, 0);
            }
            for (cell, count) in sum.cells.iter_mut().skip(at * CELLS).zip(block.iter()) {
                let calls = count.get();
                *cell += calls;
                sum.calls += calls;
            }
        }
    }

    /// All that was counted.
    pub(super) fn counts(&self) -> impl Iterator<Item = &Count> {
        self.blocks
            .iter()
            .filter_map(OnceLock::get)
            .flat_map(|block| block.iter())
    }
}

/// The durations of calls, summed up over threads.
#[derive(Clone, Default, Debug)]
pub struct Distribution {
    /// Calls in all.
    calls: u64,
    cells: Vec<u64>,
}

impl Distribution {
    /// Calls in all.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The duration, nanoseconds, that `percent` of the calls did not exceed; 0 where there are none. For 0 percent the
    /// shortest, as in Redis.
    pub fn percentile_nanos(&self, percent: f64) -> u64 {
        let wanted = (percent.clamp(0.0, 100.0) / 100.0 * self.calls as f64 + 0.5) as u64;
        let mut sum = 0;
        let found = self.cells.iter().position(|calls| {
            sum += calls;
            sum >= wanted.max(1)
        });
        let (shortest, longest) = found.map_or((0, 0), bounds);
        if percent == 0.0 { shortest } else { longest }
    }

    /// How many calls took at most so many nanoseconds: for each power of two from 1024 on, to the end of its cell,
    /// which adds some, and for the end.
    pub fn by_power_of_two(&self) -> Vec<(u64, u64)> {
        let last = CELLS * BLOCKS - 1;
        let powers = (FIRST_POWER..=NANOS_MAX.ilog2()).map(|power| {
            let (block, cell) = place(1 << power);
            block * CELLS + cell
        });
        let (mut sum, mut from, mut shown) = (0, 0, Vec::new());
        for end in powers.chain([last]) {
            let added: u64 = self.cells.iter().take(end + 1).skip(from).sum();
            from = end + 1;
            sum += added;
            if added > 0 {
                shown.push((bounds(end).1, sum));
            }
        }
        shown
    }

    /// How many calls took less than 2^n microseconds and no less than half of that, for each n, to the cell; the last
    /// has all that took longer.
    pub fn by_power_of_two_us<const N: usize>(&self) -> [u64; N] {
        let mut counts = [0; N];
        for (index, calls) in self.cells.iter().enumerate().filter(|(_, calls)| **calls > 0) {
            let micros = bounds(index).0 / 1000;
            let power = (u64::BITS - micros.leading_zeros()) as usize;
            if let Some(count) = counts.get_mut(power.min(N - 1)) {
                *count += calls;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(nanos: &[u64]) -> Distribution {
        let (durations, mut sum) = (Durations::default(), Distribution::default());
        nanos.iter().for_each(|nanos| durations.record(*nanos, 1));
        durations.add_to(&mut sum);
        sum
    }

    #[test]
    fn cells_follow_one_another_and_are_fine() {
        let mut next = 0;
        for index in 0..CELLS * BLOCKS {
            let (shortest, longest) = bounds(index);
            assert_eq!(shortest, next);
            assert!(
                (longest - shortest) as f64 <= shortest as f64 / 128.0,
                "{shortest} to {longest}"
            );
            for nanos in [shortest, longest] {
                if (1..=NANOS_MAX).contains(&nanos) {
                    let (block, cell) = place(nanos);
                    assert_eq!(block * CELLS + cell, index, "{nanos}");
                }
            }
            next = longest + 1;
        }
        assert!(next > NANOS_MAX);
    }

    #[test]
    fn what_is_out_of_bounds_counts_at_their_ends() {
        let sum = of(&[0, u64::MAX]);
        assert_eq!(sum.calls(), 2);
        assert_eq!(sum.percentile_nanos(50.0), 1);
        assert!(sum.percentile_nanos(100.0) >= NANOS_MAX);
        assert_eq!(sum.by_power_of_two(), [(1031, 1), (1_073_741_823, 2)]);
    }

    /// What Redis 8.2 answers after two calls of 300.1 and 600.2 ms, and one of 32 µs.
    #[test]
    fn figures_are_those_of_redis() {
        let sum = of(&[600_200_000, 300_100_000]);
        assert_eq!(sum.percentile_nanos(50.0), 301_989_887);
        assert_eq!(sum.percentile_nanos(0.0), 299_892_736);
        for percent in [99.0, 99.9, 100.0] {
            assert_eq!(sum.percentile_nanos(percent), 603_979_775);
        }
        assert_eq!(sum.by_power_of_two(), [(541_065_215, 1), (1_073_741_823, 2)]);
        let sum = of(&[32_000]);
        assert_eq!(sum.percentile_nanos(100.0), 32_127);
        assert_eq!(sum.by_power_of_two(), [(33_023, 1)]);
    }

    #[test]
    fn none_have_no_percentile_and_sums_add_up() {
        let durations = [Durations::default(), Durations::default()];
        let mut sum = Distribution::default();
        assert_eq!((sum.percentile_nanos(50.0), sum.by_power_of_two()), (0, Vec::new()));
        for (thread, nanos) in [(0, 5), (1, 7), (1, 5_000), (0, 7)] {
            durations[thread].record(nanos, 1);
        }
        durations.iter().for_each(|durations| durations.add_to(&mut sum));
        assert_eq!((sum.calls(), sum.percentile_nanos(50.0)), (4, 7));
        assert_eq!(sum.by_power_of_two_us(), [3, 0, 0, 1, 0]);
        assert_eq!(sum.by_power_of_two_us(), [3, 1]);
    }

    #[test]
    fn memory_is_taken_where_calls_fall() {
        let durations = Durations::default();
        for nanos in 1_000..1_024 {
            durations.record(nanos, 3);
        }
        assert_eq!(durations.counts().count(), CELLS);
    }
}
