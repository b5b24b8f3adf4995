//! Which keys take most of the processor's time and of the network, while somebody asks for that (HOTKEYS).
//!
//! Each metric keeps a bounded number of keys; a new one takes the place of the least, and begins with what that had,
//! so that a key which is hot is never missed for long, and what is told of a key is at least what it took ("space
//! saving").
//!
//! **Invariants:** while nothing is tracked, a call costs one look at a flag. What is kept never has more than
//! `KEPT_PER_ASKED` keys for each that is asked for, none longer than [`KEY_BYTES_MAX`].

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

/// Longer keys are not kept.
pub const KEY_BYTES_MAX: usize = 4 * 1024;
const KEPT_PER_ASKED: usize = 10;

/// What is tracked, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// The processor's time.
    pub cpu: bool,
    /// Bytes of requests and replies.
    pub net: bool,
    /// How many keys are asked for.
    pub count: usize,
    /// For how long at most.
    pub duration_ms: Option<u64>,
    /// One call of so many is looked at.
    pub sample_ratio: u64,
    /// When it began, Unix milliseconds.
    pub since_ms: u64,
    /// What the process had used then.
    pub used: Used,
}

/// What the process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The processor's time in the program, milliseconds.
    pub user_ms: u64,
    /// The same in the system.
    pub system_ms: u64,
    /// Bytes received and sent.
    pub net_bytes: u64,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whether it goes on.
    pub is_active: bool,
    /// What was asked for.
    pub tracking: Tracking,
    /// For how long it went on.
    pub took_ms: u64,
    /// What the process had used at the end, if it has ended.
    pub used: Option<Used>,
    /// Microseconds of all calls with keys.
    pub all_us: u64,
    /// Bytes of those.
    pub all_bytes: u64,
    /// Keys with their microseconds, most first.
    pub by_cpu: Vec<(Box<[u8]>, u64)>,
    /// Keys with their bytes, most first.
    pub by_net: Vec<(Box<[u8]>, u64)>,
}

/// See the module.
#[derive(Default)]
pub struct HotKeys {
    is_on: AtomicBool,
    sample_ratio: AtomicU64,
    all_ns: AtomicU64,
    all_bytes: AtomicU64,
    tracked: Mutex<Option<Tracked>>,
}

struct Tracked {
    tracking: Tracking,
    /// When it ended, and what the process had used then, if anybody looked.
    ended: Option<(u64, Option<Used>)>,
    by_cpu: Top,
    by_net: Top,
}

impl HotKeys {
    /// Whether anything is tracked.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// Begins; whether it could: not while it goes on already.
    pub fn start(&self, tracking: Tracking) -> bool {
        let mut tracked = self.tracked.lock();
        self.end_if_over(&mut tracked, tracking.since_ms);
        if self.is_on() {
            return false;
        }
        let room = tracking.count.saturating_mul(KEPT_PER_ASKED);
        *tracked = Some(Tracked {
            tracking,
            ended: None,
            by_cpu: Top::new(room),
            by_net: Top::new(room),
        });
        self.sample_ratio.store(tracking.sample_ratio.max(1), Relaxed);
        self.all_ns.store(0, Relaxed);
        self.all_bytes.store(0, Relaxed);
        self.is_on.store(true, Relaxed);
        true
    }

    /// Ends; whether it went on, or had.
    pub fn stop(&self, now_ms: u64, used: Used) -> bool {
        let mut tracked = self.tracked.lock();
        self.end_if_over(&mut tracked, now_ms);
        let Some(tracked) = &mut *tracked else { return false };
        tracked.ended.get_or_insert((now_ms, Some(used)));
        self.is_on.store(false, Relaxed);
        true
    }

    /// Forgets what was found; whether it could: not while it goes on.
    pub fn reset(&self, now_ms: u64) -> bool {
        let mut tracked = self.tracked.lock();
        self.end_if_over(&mut tracked, now_ms);
        if self.is_on() {
            return false;
        }
        *tracked = None;
        true
    }

    /// What was found so far.
    pub fn found(&self, now_ms: u64) -> Option<Found> {
        let mut tracked = self.tracked.lock();
        self.end_if_over(&mut tracked, now_ms);
        let tracked = tracked.as_ref()?;
        let tracking = tracked.tracking;
        let until_ms = tracked.ended.map_or(now_ms, |(at_ms, _)| at_ms);
        let in_us = |nanoseconds: u64| nanoseconds / 1000;
        Some(Found {
            is_active: tracked.ended.is_none(),
            tracking,
            took_ms: until_ms.saturating_sub(tracking.since_ms),
            used: tracked.ended.and_then(|(_, used)| used),
            all_us: in_us(self.all_ns.load(Relaxed)),
            all_bytes: self.all_bytes.load(Relaxed),
            by_cpu: tracked.by_cpu.first(tracking.count, in_us),
            by_net: tracked.by_net.first(tracking.count, |bytes| bytes),
        })
    }

    /// Notes a call on keys, to whom what it took counts in even shares.
    pub fn note<'k>(&self, keys: impl Iterator<Item = &'k [u8]> + Clone, took: Duration, bytes: u64, now_ms: u64) {
        let count = keys.clone().count() as u64;
        if count == 0 {
            return;
        }
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.all_ns.fetch_add(took_ns, Relaxed);
        self.all_bytes.fetch_add(bytes, Relaxed);
        let ratio = self.sample_ratio.load(Relaxed);
        if ratio > 1 && rand::random_range(0..ratio) != 0 {
            return;
        }
        let mut tracked = self.tracked.lock();
        self.end_if_over(&mut tracked, now_ms);
        let Some(tracked) = tracked.as_mut().filter(|tracked| tracked.ended.is_none()) else {
            return;
        };
        for key in keys.filter(|key| key.len() <= KEY_BYTES_MAX) {
            if tracked.tracking.cpu {
                tracked.by_cpu.add(key, took_ns / count);
            }
            if tracked.tracking.net {
                tracked.by_net.add(key, bytes / count);
            }
        }
    }

    fn end_if_over(&self, tracked: &mut Option<Tracked>, now_ms: u64) {
        let Some(tracked) = tracked.as_mut().filter(|tracked| tracked.ended.is_none()) else {
            return;
        };
        let Tracking {
            since_ms, duration_ms, ..
        } = tracked.tracking;
        if let Some(end_ms) = duration_ms.map(|duration_ms| since_ms.saturating_add(duration_ms))
            && end_ms <= now_ms
        {
            tracked.ended = Some((end_ms, None));
            self.is_on.store(false, Relaxed);
        }
    }
}

/// The keys that have most, about.
struct Top {
    room: usize,
    numbers: HashMap<Box<[u8]>, usize>,
    /// By number.
    kept: Vec<(Box<[u8]>, u64)>,
    /// What each number's key has, least first.
    order: BTreeSet<(u64, usize)>,
}

impl Top {
    fn new(room: usize) -> Self {
        Self {
            room: room.max(1),
            numbers: HashMap::new(),
            kept: Vec::new(),
            order: BTreeSet::new(),
        }
    }

    fn add(&mut self, key: &[u8], more: u64) {
        if let Some(number) = self.numbers.get(key).copied() {
            self.raise(number, more);
            return;
        }
        if self.kept.len() < self.room {
            let number = self.kept.len();
            self.numbers.insert(key.into(), number);
            self.kept.push((key.into(), more));
            self.order.insert((more, number));
            return;
        }
        let Some((_, number)) = self.order.first().copied() else {
            return;
        };
        if let Some((name, _)) = self.kept.get_mut(number) {
            self.numbers.remove(name);
            *name = key.into();
        }
        self.numbers.insert(key.into(), number);
        self.raise(number, more);
    }

    fn raise(&mut self, number: usize, more: u64) {
        if let Some((_, had)) = self.kept.get_mut(number) {
            self.order.remove(&(*had, number));
            *had = had.saturating_add(more);
            self.order.insert((*had, number));
        }
    }

    /// The first `count` that have some of what `told` makes of it.
    fn first(&self, count: usize, told: impl Fn(u64) -> u64) -> Vec<(Box<[u8]>, u64)> {
        let kept = self.order.iter().rev().filter_map(|(_, number)| self.kept.get(*number));
        let told = kept.map(|(key, had)| (key.clone(), told(*had)));
        told.take_while(|(_, had)| *had > 0).take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracking(count: usize, duration_ms: Option<u64>, sample_ratio: u64) -> Tracking {
        Tracking {
            cpu: true,
            net: true,
            count,
            duration_ms,
            sample_ratio,
            since_ms: 1_000,
            used: Used::default(),
        }
    }

    #[test]
    fn hot_keys_are_found_amid_many_and_none_is_told_less_than_it_took() {
        let hot = HotKeys::default();
        assert!(hot.start(tracking(3, None, 1)));
        assert!(!hot.start(tracking(3, None, 1)));
        for round in 0..2_000_u64 {
            let cold = round.to_string();
            hot.note([cold.as_bytes()].into_iter(), Duration::from_micros(1), 1, 1_000);
            for (key, bytes) in [(&b"a"[..], 30), (b"b", 20), (b"c", 10)] {
                hot.note([key].into_iter(), Duration::from_micros(bytes), bytes, 1_000);
            }
        }
        let found = hot.found(4_000).unwrap();
        assert!(found.is_active);
        assert_eq!(
            (found.took_ms, found.all_bytes, found.all_us),
            (3_000, 122_000, 122_000)
        );
        for (kept, least) in [
            (&found.by_cpu, [60_000, 40_000, 20_000]),
            (&found.by_net, [60_000, 40_000, 20_000]),
        ] {
            let names: Vec<&[u8]> = kept.iter().map(|(key, _)| &**key).collect();
            assert_eq!(names, [b"a", b"b", b"c"]);
            assert!(
                kept.iter()
                    .zip(least)
                    .all(|((_, had), least)| *had >= least && *had < least + 5_000)
            );
        }
        assert!(!hot.reset(4_000));
        assert!(hot.stop(4_000, Used::default()));
        hot.note([&b"late"[..]].into_iter(), Duration::from_secs(1), 1_000_000, 5_000);
        let found = hot.found(9_000).unwrap();
        assert!(!found.is_active && found.took_ms == 3_000 && *found.by_net[0].0 == *b"a");
        assert!(hot.reset(9_000) && hot.found(9_000).is_none());
        assert!(!hot.stop(9_000, Used::default()));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let hot = HotKeys::default();
        hot.start(tracking(2, None, 1));
        for number in 0..10_000_u64 {
            let key = number.to_string();
            hot.note([key.as_bytes(), b"both"].into_iter(), Duration::ZERO, 10, 1_000);
        }
        let long = vec![b'x'; KEY_BYTES_MAX + 1];
        hot.note([&*long].into_iter(), Duration::ZERO, u64::MAX / 2, 1_000);
        let tracked = hot.tracked.lock();
        let kept = &tracked.as_ref().unwrap().by_net;
        assert_eq!((kept.kept.len(), kept.numbers.len(), kept.order.len()), (20, 20, 20));
        assert_eq!(*kept.first(1, |bytes| bytes)[0].0, *b"both");
    }

    #[test]
    fn it_ends_by_itself_and_looks_at_some_calls() {
        let hot = HotKeys::default();
        hot.start(tracking(1, Some(500), 4));
        for _ in 0..4_000 {
            hot.note([&b"k"[..]].into_iter(), Duration::from_nanos(1_000), 4, 1_499);
        }
        hot.note([&b"k"[..]].into_iter(), Duration::ZERO, 4, 1_500);
        // That call was looked at, or it was not.
        let found = hot.found(1_500).unwrap();
        assert!(!found.is_active && !hot.is_on() && found.took_ms == 500);
        let (_, bytes) = found.by_net[0];
        assert!((2_000..8_000).contains(&bytes), "{bytes}");
        assert!((16_000..=16_004).contains(&found.all_bytes));
        assert!(hot.start(tracking(1, None, 1)));
    }
}
