//! When a key was last used, and how often: one word in its entry, which is no data and not kept on disk.
//!
//! ```text
//!   31                                 8 7              0
//!   +-----------------------------------+----------------+
//!   | seconds, of which 24 bits are kept| low byte       |
//!   +-----------------------------------+----------------+
//! ```
//!
//! The low byte is a fraction of the second where keys are evicted by when they were used, a logarithmic counter of
//! uses where they are evicted by how often, and the counter of a new key elsewhere. So a policy that changes finds the
//! seconds in their place, whatever was there before.
//!
//! **Invariant:** what wraps around, after 194 days, is only ever compared with the present.

/// Bits of the low byte.
const LOW_BITS: u32 = 8;
const LOW_MASK: u32 = (1 << LOW_BITS) - 1;
const SECONDS_MASK: u32 = u32::MAX >> LOW_BITS;
/// Clocks of two threads differ, and clocks are put back: a use that is later than the present by less than this, a day, is
/// one at the present.
const AHEAD_MAX: u32 = 86_400 << LOW_BITS;

/// The counter of a new key, so that it is not evicted at once.
pub const COUNTER_FRESH: u8 = 5;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access(u32);

impl From<u32> for Access {
    fn from(word: u32) -> Self {
        Self(word)
    }
}

impl Access {
    /// A use at `now_ms` (Unix), as exactly as can be.
    #[inline]
    pub fn exact(now_ms: u64) -> Self {
        Self(ticks(now_ms) as u32)
    }

    /// A use within the second of `now_ms`, of a key whose counter says `counter`.
    #[inline]
    pub fn counted(now_ms: u64, counter: u8) -> Self {
        Self(((now_ms / 1000) as u32) << LOW_BITS | u32::from(counter))
    }

    /// The same of a key that is not counted.
    #[inline]
    pub fn in_second(now_ms: u64) -> Self {
        Self::counted(now_ms, COUNTER_FRESH)
    }

    /// The earliest time, Unix milliseconds, at which a use leaves what one at `now_ms` does.
    pub fn earliest_alike(now_ms: u64) -> u64 {
        now_ms % ((u64::from(SECONDS_MASK) + 1) * 1000)
    }

    /// The same access `idle_s` seconds earlier.
    pub fn before(self, idle_s: u32) -> Self {
        Self(self.0.wrapping_sub(idle_s.min(SECONDS_MASK) << LOW_BITS))
    }

    /// The word itself.
    #[inline]
    pub fn word(self) -> u32 {
        self.0
    }

    /// The second, of which 24 bits are known.
    #[inline]
    pub fn second(self) -> u32 {
        self.0 >> LOW_BITS
    }

    /// The counter, as it was at that time.
    pub fn counter(self) -> u8 {
        (self.0 & LOW_MASK) as u8
    }

    /// How many seconds have begun since.
    pub fn idle_s(self, now_ms: u64) -> u32 {
        let idle_s = ((now_ms / 1000) as u32).wrapping_sub(self.second()) & SECONDS_MASK;
        if idle_s > SECONDS_MASK - (AHEAD_MAX >> LOW_BITS) {
            0
        } else {
            idle_s
        }
    }

    /// When that was, in units of 1/256 s since 1970; seen at `now_ms`.
    pub fn used_at(self, now_ms: u64) -> u64 {
        let now = ticks(now_ms);
        let idle = (now as u32).wrapping_sub(self.0);
        if idle > u32::MAX - AHEAD_MAX {
            now
        } else {
            now.saturating_sub(u64::from(idle))
        }
    }
}

#[inline]
fn ticks(now_ms: u64) -> u64 {
    (now_ms << LOW_BITS) / 1000
}

/// How the counter of uses rises and falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    /// The higher it is, the more uses it takes for the next step.
    pub log_factor: u32,
    /// After so many minutes without use the counter falls by one; 0: never.
    pub decay_min: u32,
}

impl Frequency {
    /// The counter as it is by now.
    pub fn counter(self, access: Access, now_ms: u64) -> u8 {
        let now_s = now_ms / 1000;
        let last_s = now_s.saturating_sub(u64::from(access.idle_s(now_ms)));
        let minutes = now_s / 60 - last_s / 60;
        let steps = minutes.checked_div(u64::from(self.decay_min)).unwrap_or(0);
        access.counter().saturating_sub(steps.min(255) as u8)
    }

    /// The access after one more use. `random(n)` gives a number below `n`.
    pub fn used(self, access: Access, now_ms: u64, random: impl FnOnce(usize) -> usize) -> Access {
        let counter = self.counter(access, now_ms);
        let above = usize::from(counter.saturating_sub(COUNTER_FRESH));
        let rises = random(above * self.log_factor as usize + 1) == 0;
        Access::counted(now_ms, counter.saturating_add(u8::from(rises)))
    }
}

/// What a change makes of when, and how often, its key counts as used.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Of a new key, or a changed one.
    pub fresh: Access,
    /// A key that is there keeps what it has.
    pub keeps: bool,
}

impl Stamp {
    /// Each change is a use.
    pub fn of(fresh: Access) -> Self {
        Self { fresh, keeps: false }
    }

    /// That of a key that had `old`.
    #[inline]
    pub fn over(self, old: Access) -> Access {
        if self.keeps { old } else { self.fresh }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_796_000_000_500;

    #[test]
    fn idle_times_are_those_of_whole_seconds() {
        for access in [
            Access::exact(NOW_MS),
            Access::counted(NOW_MS, 200),
            Access::in_second(NOW_MS),
        ] {
            assert_eq!(access.idle_s(NOW_MS), 0);
            assert_eq!(access.idle_s(NOW_MS + 499), 0);
            assert_eq!(access.idle_s(NOW_MS + 500), 1);
            assert_eq!(access.idle_s(NOW_MS + 100_000_000), 100_000);
            assert_eq!(access.before(77).idle_s(NOW_MS), 77);
            // Another thread's clock is ahead.
            assert_eq!(access.idle_s(NOW_MS - 3_000), 0);
        }
        assert_eq!(Access::exact(NOW_MS).before(u32::MAX).idle_s(NOW_MS + 500), 0);
    }

    #[test]
    fn an_exact_access_is_ordered_within_a_second() {
        let at = |ms| Access::exact(NOW_MS + ms).used_at(NOW_MS + 90_000);
        assert!(at(0) < at(4) && at(4) < at(400) && at(400) < at(80_000));
        assert_eq!(at(100_000), at(90_000), "later than now is now");
        let wrapped = u64::from(u32::MAX) * 1000 / 256;
        assert!(Access::exact(wrapped - 50).used_at(wrapped + 50) < Access::exact(wrapped + 20).used_at(wrapped + 50));
    }

    #[test]
    fn counters_rise_ever_more_slowly() {
        let uses = |log_factor, uses: u32| {
            let frequency = Frequency {
                log_factor,
                decay_min: 1,
            };
            let mut access = Access::counted(NOW_MS, COUNTER_FRESH);
            for _ in 0..uses {
                access = frequency.used(access, NOW_MS, |n| rand::random_range(0..n));
            }
            access.counter()
        };
        assert_eq!(uses(0, 3), COUNTER_FRESH + 3);
        assert_eq!(uses(0, 1_000), 255);
        // The table that Redis documents: 10 after 100 uses, 18 after 1,000, 142 after 100,000.
        let mean = |runs: u32, count| (0..runs).map(|_| u32::from(uses(10, count))).sum::<u32>() / runs;
        assert!((8..=12).contains(&mean(400, 100)));
        assert!((16..=20).contains(&mean(400, 1_000)));
        assert!((138..=155).contains(&mean(10, 100_000)));
    }

    #[test]
    fn counters_fall_with_each_minute_that_begins() {
        let (minute, begun) = (60_000, 1_796_000_040_000);
        let frequency = |decay_min| Frequency {
            log_factor: 10,
            decay_min,
        };
        let access = Access::counted(begun + 59_000, 20);
        for (decay_min, now_ms, counter) in [
            (1, begun + 59_999, 20),
            (1, begun + minute, 19),
            (1, begun + 10 * minute, 10),
            (1, begun + 50 * minute, 0),
            (3, begun + 2 * minute, 20),
            (3, begun + 3 * minute, 19),
            (0, begun + 50 * minute, 20),
        ] {
            assert_eq!(
                frequency(decay_min).counter(access, now_ms),
                counter,
                "{decay_min} {now_ms}"
            );
        }
    }
}
