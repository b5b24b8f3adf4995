//! Which keys are evicted: of each kind of collection, under each policy.

use std::sync::Arc;

use super::{Harness, START_MS};
use crate::engine::eviction::{Among, Policy};
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::engine::settings::Settings;
use crate::page::Access;
use crate::page::access::Frequency;

const DB: DatabaseId = DatabaseId::DEFAULT;
const KINDS: [Kind; 3] = [Kind::Hmap, Kind::Bdef, Kind::Bcust];
const SAMPLES: u32 = 5;
const FREQUENCY: Frequency = Frequency {
    log_factor: 0,
    decay_min: 1,
};

impl Harness {
    fn under(kinds: &[Kind], policy: Policy) -> Self {
        let harness = Self::of(kinds);
        harness.engine.eviction().configure(policy, SAMPLES, FREQUENCY);
        harness
    }

    /// Evicts so many keys, or as many as may go; how many did.
    fn evict(&mut self, count: usize) -> usize {
        let engine = Arc::clone(&self.engine);
        let _pass = self.worker.enter(&engine);
        (0..count)
            .take_while(|_| self.worker.evict(&engine, Among::All))
            .count()
    }

    fn put_numbered(&mut self, count: u32) {
        for number in 0..count {
            self.put(DB, format!("{number:06}").as_bytes(), b"v", None);
        }
    }

    /// The numbers of the keys that are left.
    fn left(&mut self) -> Vec<u32> {
        let keys = self.content(DB).into_keys();
        keys.map(|key| String::from_utf8(key).unwrap().parse().unwrap())
            .collect()
    }

    fn configure(&mut self, database: DatabaseId, settings: Settings) {
        let id = self.collection(database).id();
        self.exclusive(DB, |txn| txn.configure(id, settings)).unwrap();
    }
}

#[test]
fn the_oldest_go_first_in_every_kind_of_collection() {
    for kind in KINDS {
        for policy in [Policy::AllkeysLru, Policy::AllkeysLrm] {
            let mut harness = Harness::under(&[kind], policy);
            for number in 0..4_000_u32 {
                harness.set_clock(START_MS + u64::from(number) * 10);
                harness.put(DB, format!("{number:06}").as_bytes(), b"v", None);
            }
            assert_eq!(harness.evict(2_000), 2_000);
            let young = harness.left().into_iter().filter(|number| *number >= 2_000).count();
            assert!(
                young > 1_750,
                "{kind:?} {policy:?}: {young} of the 2,000 youngest are left"
            );
        }
    }
}

#[test]
fn reads_keep_a_key_only_where_they_count() {
    for (policy, counts) in [
        (Policy::AllkeysLru, true),
        (Policy::AllkeysLfu, true),
        (Policy::AllkeysLrm, false),
    ] {
        let mut harness = Harness::under(&[Kind::Hmap], policy);
        harness.put_numbered(2_000);
        harness.set_clock(START_MS + 60);
        for number in 2_000..4_000_u32 {
            harness.put(DB, format!("{number:06}").as_bytes(), b"v", None);
        }
        harness.set_clock(START_MS + 120);
        for number in 0..2_000_u32 {
            assert!(harness.get(DB, format!("{number:06}").as_bytes()).is_some());
        }
        assert_eq!(harness.evict(1_500), 1_500);
        let read = harness.left().into_iter().filter(|number| *number < 2_000).count();
        assert!(
            if counts { read > 1_900 } else { read < 700 },
            "{policy:?}: {read} of those that were read are left"
        );
    }
}

#[test]
fn the_few_that_may_go_are_found_among_many() {
    for kind in KINDS {
        for policy in [
            Policy::VolatileLru,
            Policy::VolatileTtl,
            Policy::VolatileRandom,
            Policy::VolatileLfu,
        ] {
            let mut harness = Harness::under(&[kind], policy);
            harness.put_numbered(20_000);
            for number in [3_u64, 7_777, 19_990] {
                let key = format!("{number:06}");
                harness.put(DB, key.as_bytes(), b"v", Some(START_MS + 1_000_000 + number));
            }
            let before = harness.engine.meter().used_bytes();
            assert_eq!(harness.evict(2), 2, "{kind:?} {policy:?}");
            assert_eq!(harness.evict(2), 1, "{kind:?} {policy:?}: the others never die");
            assert_eq!(harness.left().len(), 19_997);
            assert!(harness.engine.meter().used_bytes() < before);
            assert_eq!(harness.held_bytes(), harness.engine.meter().used_bytes());
        }
    }
}

#[test]
fn those_that_die_first_go_first() {
    const ROUNDS: usize = 24;
    for kind in KINDS {
        let mut well_chosen = 0;
        for _ in 0..ROUNDS {
            let mut harness = Harness::under(&[kind], Policy::VolatileTtl);
            harness.put_numbered(1_000);
            for number in [3_u64, 777, 990] {
                let key = format!("{number:06}");
                harness.put(DB, key.as_bytes(), b"v", Some(START_MS + 1_000_000 + number));
            }
            assert_eq!(harness.evict(2), 2);
            well_chosen += usize::from(harness.get(DB, b"000990").is_some());
        }
        // Samples may miss one. By chance the last would stay in a third of the rounds.
        assert!(well_chosen >= ROUNDS * 2 / 3, "{kind:?}: {well_chosen} of {ROUNDS}");
    }
}

#[test]
fn all_can_be_evicted_and_are_counted() {
    for kind in KINDS {
        for policy in Policy::ALL.into_iter().filter(|policy| policy.evicts()) {
            let mut harness = Harness::under(&[kind, Kind::Hmap], policy);
            for number in 0..500_u32 {
                let at_ms = Some(START_MS + 1_000_000);
                harness.put(DB, &number.to_le_bytes(), b"v", at_ms);
                harness.put(DatabaseId::new(1), &number.to_le_bytes(), b"v", at_ms);
            }
            assert_eq!(harness.evict(2_000), 1_000, "{kind:?} {policy:?}");
            assert_eq!(harness.engine.count(|counters| counters.evicted.get()), 1_000);
            assert_eq!(harness.collection(DB).counts().evicted, 500);
            assert_eq!(harness.evict(1), 0);
            harness.put(DB, b"one more", b"v", Some(START_MS + 1_000_000));
            harness.set_clock(harness.now_ms + 1);
            assert_eq!(harness.evict(1), 1);
        }
    }
    let mut harness = Harness::under(&[Kind::Hmap], Policy::NoEviction);
    harness.put_numbered(10);
    assert_eq!(harness.evict(1), 0);
}

#[test]
fn collections_lose_keys_in_proportion_and_some_none() {
    let mut harness = Harness::under(&[Kind::Hmap; 3], Policy::AllkeysRandom);
    let [_, small, safe] = [0, 1, 2].map(DatabaseId::new);
    for number in 0..9_000_u32 {
        harness.put(DB, &number.to_le_bytes(), b"v", None);
        if number % 9 == 0 {
            harness.put(small, &number.to_le_bytes(), b"v", None);
            harness.put(safe, &number.to_le_bytes(), b"v", None);
        }
    }
    // Some of these are candidates by now.
    assert_eq!(harness.evict(100), 100);
    let before = harness.collection(safe).key_count();
    let settings = Settings {
        policy: Some(Policy::NoEviction),
        ..Settings::default()
    };
    harness.configure(safe, settings);
    assert_eq!(harness.evict(5_000), 5_000);
    assert_eq!(harness.collection(safe).key_count(), before);
    let share = harness.collection(small).key_count();
    assert!(
        (350..650).contains(&share),
        "{share} of 1,000 are left, where half should be"
    );
    harness.evict(usize::MAX);
    assert_eq!(harness.collection(safe).key_count(), before);
    assert_eq!(
        harness.collection(DB).key_count() + harness.collection(small).key_count(),
        0
    );
}

#[test]
fn one_collection_alone_gives_what_is_its_own() {
    let mut harness = Harness::under(&[Kind::Hmap; 2], Policy::NoEviction);
    let cache = DatabaseId::new(1);
    for number in 0..1_000_u32 {
        harness.put(DB, &number.to_le_bytes(), b"v", None);
        harness.put(cache, &number.to_le_bytes(), b"v", None);
    }
    let evict_in = |harness: &mut Harness, database| {
        let (engine, collection) = (Arc::clone(&harness.engine), harness.collection(database));
        let _pass = harness.worker.enter(&engine);
        harness.worker.evict(&engine, Among::One(&collection))
    };
    assert!(!evict_in(&mut harness, cache), "it has no policy that evicts");
    let settings = Settings {
        policy: Some(Policy::AllkeysLfu),
        ..Settings::default()
    };
    harness.configure(cache, settings);
    for _ in 0..1_000 {
        assert!(evict_in(&mut harness, cache));
    }
    assert!(!evict_in(&mut harness, cache) && !evict_in(&mut harness, DB));
    assert_eq!(harness.collection(DB).key_count(), 1_000);
}

#[test]
fn what_is_dead_goes_as_such() {
    let mut harness = Harness::under(&[Kind::Hmap], Policy::VolatileRandom);
    harness.put(DB, b"dead", b"v", Some(START_MS + 10));
    harness.set_clock(START_MS + 20);
    assert_eq!(harness.evict(1), 1);
    let count = |pick: fn(&crate::metrics::Counters) -> u64| harness.engine.count(pick);
    assert_eq!((count(|all| all.evicted.get()), count(|all| all.expired.get())), (0, 1));
}

#[test]
fn a_change_of_the_policy_finds_the_seconds_in_their_place() {
    let mut harness = Harness::under(&[Kind::Hmap], Policy::AllkeysLfu);
    let idle_s = |harness: &mut Harness, key: &[u8]| {
        let now_ms = harness.now_ms;
        harness.with_keys(DB, &[key], |txn| txn.peek(key).unwrap().access().idle_s(now_ms))
    };
    harness.put(DB, b"k", b"v", None);
    for policy in Policy::ALL {
        harness.engine.eviction().configure(policy, SAMPLES, FREQUENCY);
        harness.set_clock(harness.now_ms + 100_000);
        assert_eq!(idle_s(&mut harness, b"k"), 100, "{policy:?}");
        harness.put(DB, b"k", b"v", None);
        harness.get(DB, b"k");
        assert_eq!(idle_s(&mut harness, b"k"), 0, "{policy:?}");
    }
    harness.with_keys(DB, &[b"k"], |txn| txn.set_access(b"k", Access::in_second(START_MS)));
    assert_eq!(idle_s(&mut harness, b"k"), 1_000);
}
