//! Times counted in buckets, each a thirty-second of its size wide: no memory per request, and a small known error.

use std::time::Duration;

const BITS: u32 = 5;
const BUCKETS: usize = 64 << BITS;

/// How long requests took.
pub struct Histogram(Vec<u64>);

impl Histogram {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(vec![0; BUCKETS])
    }

    /// Counts one time.
    pub fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.0.get_mut(bucket(nanos)) {
            *count += 1;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    /// The time that `per_mille` thousandths of what was counted did not exceed.
    pub fn quantile(&self, per_mille: u64) -> Duration {
        let wanted = (self.0.iter().sum::<u64>() * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        let place = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        Duration::from_nanos(place.map_or(0, middle))
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(BITS + 1);
    let place = (u64::from(shift) << BITS) + (nanos >> shift);
    usize::try_from(place).unwrap_or(BUCKETS - 1)
}

/// A time in the middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let shift = (bucket >> BITS).saturating_sub(1);
    let low = (bucket - (shift << BITS)) as u64;
    (low << shift) + ((1 << shift) >> 1)
}
