//! How fast counters grow at present: per second, over about the last second and a half.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Counters whose growth is followed.
pub const FOLLOWED: usize = 3;

/// How far back growth is measured.
const WINDOW: Duration = Duration::from_millis(1_600);
/// Samples closer together than this are not kept.
const DISTANCE_MIN: Duration = Duration::from_millis(90);

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    totals: [u64; FOLLOWED],
}

/// See the module.
#[derive(Default)]
pub struct Rates(Mutex<VecDeque<Sample>>);

impl Rates {
    /// Notes the counters' present totals; called about ten times a second, and by whoever is about to ask.
    pub fn sample(&self, at: Instant, totals: [u64; FOLLOWED]) {
        let mut samples = self.0.lock();
        if samples
            .back()
            .is_some_and(|last| at.duration_since(last.at) < DISTANCE_MIN)
        {
            return;
        }
        samples.push_back(Sample { at, totals });
        // One sample from before the window stays, so that there is always something to compare with.
        while samples
            .get(1)
            .is_some_and(|second| at.duration_since(second.at) > WINDOW)
        {
            samples.pop_front();
        }
    }

    /// Growth per second of each counter.
    pub fn per_second(&self) -> [f64; FOLLOWED] {
        let samples = self.0.lock();
        let (Some(first), Some(last)) = (samples.front(), samples.back()) else {
            return [0.0; FOLLOWED];
        };
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        if seconds == 0.0 {
            return [0.0; FOLLOWED];
        }
        let mut rates = [0.0; FOLLOWED];
        for (rate, (new, old)) in rates.iter_mut().zip(last.totals.iter().zip(first.totals)) {
            *rate = new.saturating_sub(old) as f64 / seconds;
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_last_second_and_a_half() {
        let rates = Rates::default();
        assert_eq!(rates.per_second(), [0.0; 3]);
        let start = Instant::now();
        // A slow minute, then a thousand a second.
        rates.sample(start, [0, 0, 0]);
        for tick in 0..=30_u64 {
            let at = start + Duration::from_secs(60) + Duration::from_millis(100 * tick);
            rates.sample(at, [100 * tick, tick, 0]);
        }
        let [fast, slow, none] = rates.per_second();
        assert!((fast - 1000.0).abs() < 1.0 && (slow - 10.0).abs() < 0.1 && none == 0.0);
    }

    #[test]
    fn two_samples_far_apart_are_enough() {
        let rates = Rates::default();
        let start = Instant::now();
        rates.sample(start, [0; 3]);
        rates.sample(start + Duration::from_secs(10), [50, 0, 0]);
        assert_eq!(rates.per_second(), [5.0, 0.0, 0.0]);
    }
}
