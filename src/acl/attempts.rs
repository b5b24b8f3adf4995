//! Slows logins down per address, once some have failed.
//!
//! Each address has a few failures free, of which one is forgiven every second. Beyond those its logins, right or
//! wrong, have their turns one behind another, further and further apart. A turn that would be too far off is refused.
//! Who is in already is not concerned.
//!
//! **Invariant:** the table has at most [`ADDRESSES_MAX`] addresses, so that attempts from many take bounded memory:
//! the one that has been quiet for longest goes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Failures that cost nothing.
const FREE: u32 = 20;
/// One failure is forgiven after so long.
const FORGIVEN_AFTER: Duration = Duration::from_secs(1);
/// How far turns are apart at first; each failure doubles it.
const GAP_FIRST: Duration = Duration::from_millis(25);
/// How far they are apart at most.
const GAP_MAX: Duration = Duration::from_secs(1);
/// Turns that are further off are refused.
const WAIT_MAX: Duration = Duration::from_secs(8);
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 4096;

/// When a login is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At once.
    Now,
    /// Its answer may be given after this long.
    After(Duration),
    /// Not at all: too many are waiting.
    Never,
}

struct Address {
    failures: u32,
    /// Since when failures are forgiven.
    since: Instant,
    /// When the next turn is.
    next: Instant,
}

/// See the module.
#[derive(Default)]
pub struct Attempts {
    addresses: Mutex<HashMap<Box<str>, Address>>,
}

impl Attempts {
    /// The turn of a login from an address.
    pub fn turn(&self, address: &str, now: Instant) -> Turn {
        let mut addresses = self.addresses.lock();
        let Some(known) = addresses.get_mut(host(address)) else {
            return Turn::Now;
        };
        known.forgive(now);
        let Some(beyond) = known.failures.checked_sub(FREE) else {
            return Turn::Now;
        };
        let gap = GAP_FIRST.saturating_mul(1 << beyond.min(16)).min(GAP_MAX);
        let turn = known.next.max(now) + gap;
        let wait = turn.saturating_duration_since(now);
        if wait > WAIT_MAX {
            return Turn::Never;
        }
        known.next = turn;
        Turn::After(wait)
    }

    /// A login from an address has failed.
    pub fn note_failure(&self, address: &str, now: Instant) {
        let mut addresses = self.addresses.lock();
        let host = host(address);
        if !addresses.contains_key(host) && addresses.len() >= ADDRESSES_MAX {
            let quiet = addresses.iter().min_by_key(|(_, known)| known.since.max(known.next));
            if let Some(quiet) = quiet.map(|(host, _)| host.clone()) {
                addresses.remove(&quiet);
            }
        }
        let known = addresses.entry(host.into()).or_insert(Address {
            failures: 0,
            since: now,
            next: now,
        });
        known.forgive(now);
        known.failures = known.failures.saturating_add(1).min(2 * FREE);
    }
}

impl Address {
    fn forgive(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.since).as_secs() / FORGIVEN_AFTER.as_secs();
        if seconds > 0 {
            self.failures = self.failures.saturating_sub(u32::try_from(seconds).unwrap_or(u32::MAX));
            self.since = now;
        }
    }
}

/// An address without its port.
fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_failures_are_free_and_others_have_their_turns() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        assert_eq!(attempts.turn("a:1", now), Turn::Now);
        for _ in 0..FREE {
            assert_eq!(attempts.turn("a:1", now), Turn::Now);
            attempts.note_failure("a:1", now);
        }
        assert_eq!(attempts.turn("a:2", now), Turn::After(GAP_FIRST));
        // Those that come at the same time wait behind it.
        assert_eq!(attempts.turn("a:3", now), Turn::After(2 * GAP_FIRST));
        attempts.note_failure("a:3", now);
        assert_eq!(attempts.turn("a:3", now), Turn::After(4 * GAP_FIRST));
        assert_eq!(attempts.turn("b:3", now), Turn::Now);
        for _ in 0..100 {
            attempts.note_failure("a:1", now);
        }
        let turns: Vec<Turn> = (0..10).map(|_| attempts.turn("a:1", now)).collect();
        assert!(turns.contains(&Turn::Never), "{turns:?}");
    }

    #[test]
    fn failures_are_forgiven() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        (0..100).for_each(|_| attempts.note_failure("[::1]:5", now));
        assert_ne!(attempts.turn("[::1]:6", now), Turn::Now);
        assert_ne!(attempts.turn("[::1]:6", now + Duration::from_secs(19)), Turn::Now);
        assert_eq!(attempts.turn("[::1]:6", now + Duration::from_secs(60)), Turn::Now);
    }

    #[test]
    fn the_table_is_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        (0..100).for_each(|_| attempts.note_failure("busy:1", now + Duration::from_secs(1)));
        for n in 0..ADDRESSES_MAX + 10 {
            attempts.note_failure(&format!("{n}:1"), now);
        }
        assert_eq!(attempts.addresses.lock().len(), ADDRESSES_MAX);
        assert_ne!(attempts.turn("busy:2", now + Duration::from_secs(1)), Turn::Now);
    }
}
