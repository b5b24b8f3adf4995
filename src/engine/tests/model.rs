//! Random histories over several collections, compared with B-trees after each step and at the end.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{Harness, Model, START_MS};
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::test_histories::{each, seed};
use crate::wal::Lsn;

/// One database of each kind.
const DATABASES: u32 = Kind::ALL.len() as u32;

struct Run {
    harness: Harness,
    random: SmallRng,
    models: Vec<Model>,
    keys: usize,
}

impl Run {
    fn new(seed: u64, keys: usize) -> Self {
        Self {
            harness: Harness::of(&Kind::ALL),
            random: SmallRng::seed_from_u64(seed),
            models: vec![Model::new(); DATABASES as usize],
            keys,
        }
    }

    fn below(&mut self, n: usize) -> usize {
        self.random.random_range(0..n)
    }

    fn key(&mut self) -> Vec<u8> {
        let number = self.below(self.keys);
        // Keys of all shapes: empty, short, and longer than one byte can count.
        match number % 50 {
            0 if number == 0 => Vec::new(),
            7 => format!("{number}:{}", "k".repeat(300)).into_bytes(),
            _ => format!("key:{number}").into_bytes(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let len = match self.below(40) {
            0 => 4096 + self.below(3000),
            1 => self.below(5000),
            _ => self.below(60),
        };
        (0..len).map(|_| self.random.random()).collect()
    }

    fn expiry(&mut self) -> Option<u64> {
        (self.below(3) == 0).then(|| self.harness.now_ms + self.below(4000) as u64)
    }

    /// Forgets what has died.
    fn age(&mut self) {
        let now_ms = self.harness.now_ms;
        for model in &mut self.models {
            model.retain(|_, (_, expire_at_ms)| expire_at_ms.is_none_or(|at_ms| at_ms > now_ms));
        }
    }

    fn step(&mut self) {
        let database = self.below(DATABASES as usize);
        match self.below(1000) {
            0..450 => self.put(database),
            450..600 => self.delete(database),
            600..700 => self.expire(database),
            700..780 => self.write_range(database),
            780..960 => self.look(database),
            960..997 => {
                let now_ms = self.harness.now_ms + self.below(500) as u64;
                self.harness.set_clock(now_ms);
                self.age();
            }
            997 => self.flush(database),
            998 => self.swap(database),
            // A comparison walks over everything: rarely where that is much.
            _ if self.keys < 10_000 || self.below(20) == 0 => self.compare(),
            _ => {}
        }
    }

    fn put(&mut self, database: usize) {
        let (key, value, expire_at_ms) = (self.key(), self.value(), self.expiry());
        self.harness
            .put(DatabaseId::new(database as u32), &key, &value, expire_at_ms);
        if expire_at_ms.is_some_and(|at_ms| at_ms <= self.harness.now_ms) {
            self.models[database].remove(&key);
        } else {
            self.models[database].insert(key, (value, expire_at_ms));
        }
    }

    fn delete(&mut self, database: usize) {
        let key = self.key();
        let existed = self
            .harness
            .with_keys(DatabaseId::new(database as u32), &[&key], |txn| txn.delete(&key));
        assert_eq!(existed, self.models[database].remove(&key).is_some());
    }

    fn expire(&mut self, database: usize) {
        let (key, expire_at_ms) = (self.key(), self.expiry());
        self.harness
            .with_keys(DatabaseId::new(database as u32), &[&key], |txn| {
                if txn.exists(&key) {
                    txn.expire_at(&key, expire_at_ms);
                }
            });
        if let Some(entry) = self.models[database].get_mut(&key) {
            entry.1 = expire_at_ms;
        }
        self.age();
    }

    fn write_range(&mut self, database: usize) {
        let (key, offset, bytes) = (self.key(), self.below(100), self.value());
        self.harness
            .with_keys(DatabaseId::new(database as u32), &[&key], |txn| {
                if txn.exists(&key) {
                    txn.write_range(&key, offset, &bytes);
                }
            });
        if let Some((value, _)) = self.models[database].get_mut(&key) {
            let end = offset + bytes.len();
            value.resize(value.len().max(end), 0);
            value[offset..end].copy_from_slice(&bytes);
        }
    }

    fn look(&mut self, database: usize) {
        let key = self.key();
        let found = self.harness.get(DatabaseId::new(database as u32), &key);
        assert_eq!(
            found.as_ref(),
            self.models[database].get(&key),
            "{}",
            key.escape_ascii()
        );
    }

    fn flush(&mut self, database: usize) {
        let id = self.harness.collection(DatabaseId::new(database as u32)).id();
        self.harness
            .exclusive(DatabaseId::DEFAULT, |txn| txn.flush(id))
            .unwrap();
        self.models[database].clear();
    }

    fn swap(&mut self, database: usize) {
        let other = self.below(DATABASES as usize);
        self.harness
            .exclusive(DatabaseId::DEFAULT, |txn| {
                txn.swap(DatabaseId::new(database as u32), DatabaseId::new(other as u32))
            })
            .unwrap();
        self.models.swap(database, other);
    }

    fn compare(&mut self) {
        for database in 0..DATABASES {
            let content = self.harness.content(DatabaseId::new(database));
            let model = &self.models[database as usize];
            assert!(
                content == *model,
                "database {database}: {} keys, {} expected",
                content.len(),
                model.len()
            );
            // Looking has removed what was dead, so that the figures are exact.
            let totals = self.harness.collection(DatabaseId::new(database)).totals(Lsn::MAX);
            assert_eq!(totals.keys, model.len() as u64);
            let expires = model
                .values()
                .filter(|(_, expire_at_ms)| expire_at_ms.is_some())
                .count();
            assert_eq!(totals.expires, expires as u64);
        }
        self.harness.wait_for_used(self.harness.held_bytes());
    }
}

#[test]
fn random_histories_match_the_model() {
    each(|seed| {
        let lengths = [(20, 4_000), (2_000, 30_000), (60_000, 120_000)];
        for (keys, steps) in lengths {
            let mut run = Run::new(seed, keys);
            for _ in 0..steps {
                run.step();
            }
            run.compare();
        }
        lengths.iter().map(|(_, steps)| steps).sum()
    });
}

#[test]
fn memory_returns_to_zero() {
    let mut run = Run::new(seed(), 3_000);
    for step in 0..20_000 {
        run.put(step % DATABASES as usize);
    }
    let named = run
        .harness
        .exclusive(DatabaseId::DEFAULT, |txn| txn.create(None, "named", Kind::Hmap))
        .unwrap();
    for number in 0..2_000_u32 {
        run.harness.put(named.id, &number.to_le_bytes(), &[1; 5000], None);
    }
    // A very large value is dropped in the background, too.
    run.harness.put(named.id, b"large", &vec![2; 3 << 20], None);
    run.harness.with_keys(named.id, &[b"large"], |txn| txn.delete(b"large"));
    run.harness.wait_for_used(run.harness.held_bytes());
    assert!(run.harness.held_bytes() > 2_000 * 5_000);
    let id = named.collection.id();
    drop(named);
    run.harness
        .exclusive(DatabaseId::DEFAULT, |txn| txn.drop_collection(id))
        .unwrap();
    (0..DATABASES as usize).for_each(|database| run.flush(database));
    run.harness.wait_for_used(0);
}

#[test]
fn the_clock_alone_kills() {
    let mut harness = Harness::new(1);
    harness.put(DatabaseId::DEFAULT, b"k", b"v", Some(START_MS + 10));
    harness.set_clock(START_MS + 9);
    assert!(harness.get(DatabaseId::DEFAULT, b"k").is_some());
    harness.set_clock(START_MS + 10);
    assert_eq!(harness.collection(DatabaseId::DEFAULT).key_count(), 1);
    assert!(harness.get(DatabaseId::DEFAULT, b"k").is_none());
    assert_eq!(harness.collection(DatabaseId::DEFAULT).key_count(), 0);
}
