//! Model tests: both ordered kinds, with small pages and nodes so that they split and merge all the time, against the
//! standard library's map.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::super::bcust::Bcust;
use super::super::bdef::Bdef;
use super::super::{PageWrite, PreImageSink};
use super::*;
use crate::engine::ids::CollectionId;
use crate::engine::ids::ShardNo;
use crate::page::relocation::{Moved, Relocation};
use crate::page::value::Stored;
use crate::page::{Change, Mark, StrRef, ValueRef, image, thresholds};
use crate::page::{PageId, PageIds};
use crate::test_histories::each;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

/// Keeps the pre-images it is given.
#[derive(Default)]
struct Images(RefCell<Vec<PageImage>>);

impl PreImageSink for Images {
    fn take(&self, _: CollectionId, _: ShardNo, image: PageImage) {
        self.0.borrow_mut().push(image);
    }
}

struct Run<D> {
    index: Ordered<D>,
    model: Model,
    random: SmallRng,
    page_ids: PageIds,
    images: Images,
    lsn: Lsn,
    epoch: u64,
    is_saving: bool,
    keys: usize,
    /// From where what comes next is relocated.
    relocated: u64,
    moved: Moved,
}

fn key_ref(bytes: &[u8]) -> KeyRef<'_> {
    KeyRef::new(bytes, 0)
}

fn key(number: usize) -> Vec<u8> {
    match number % 40 {
        0 if number == 0 => Vec::new(),
        7 => format!("k:{number}:{}", "long".repeat(70)).into_bytes(),
        9 => vec![255; number % 7],
        11 => vec![0; number % 9],
        _ => format!("k:{number:04}").into_bytes(),
    }
}

impl<D: Directory> Run<D> {
    fn new(seed: u64, entries_max: usize, keys: usize) -> Self {
        Self {
            index: Ordered::new(entries_max),
            model: Model::new(),
            random: SmallRng::seed_from_u64(seed),
            page_ids: PageIds::from(PageId::FIRST),
            images: Images::default(),
            lsn: Lsn::ZERO,
            epoch: 0,
            is_saving: false,
            keys,
            relocated: 0,
            moved: Moved::default(),
        }
    }

    fn below(&mut self, n: usize) -> usize {
        self.random.random_range(0..n)
    }

    fn some_key(&mut self) -> Vec<u8> {
        key(self.below(self.keys))
    }

    /// Runs a change as one record.
    fn write<R>(&mut self, change: impl FnOnce(&mut Ordered<D>, &PageWrite<'_>) -> R) -> R {
        self.lsn = self.lsn.next();
        let write = PageWrite {
            change: Change {
                mark: Mark {
                    lsn: self.lsn,
                    page_ids: Some(&self.page_ids),
                },
                thresholds: &thresholds::DEFAULT,
            },
            epoch: self.epoch,
            sink: self.is_saving.then_some(&self.images as &dyn PreImageSink),
            collection_id: CollectionId::new(0),
            shard: ShardNo::FIRST,
        };
        change(&mut self.index, &write)
    }

    fn put(&mut self, key: &[u8], value: &[u8], expire_at_ms: Option<u64>) {
        let old = self.write(|index, write| {
            index.upsert(key_ref(key), write, |_| {
                Some(Entry::new(key, ValueRef::Str(StrRef::Inline(value)), expire_at_ms, 0))
            })
        });
        let replaced = self.model.insert(key.to_vec(), (value.to_vec(), expire_at_ms));
        assert_eq!(old.is_some(), replaced.is_some());
    }

    fn delete(&mut self, key: &[u8]) {
        let removed = self.write(|index, write| index.remove(key_ref(key), write));
        assert_eq!(removed.is_some(), self.model.remove(key).is_some());
    }

    /// Deletes a run of neighbours, so that pages vanish.
    fn delete_run(&mut self) {
        let from = self.some_key();
        let len = self.below(60);
        let run: Vec<_> = self.model.range(from..).take(len).map(|(key, _)| key.clone()).collect();
        run.iter().for_each(|key| self.delete(key));
    }

    fn step(&mut self) {
        let key = self.some_key();
        // Growing and shrinking take turns.
        let grows = (self.lsn.get() / 2_000).is_multiple_of(2);
        match self.below(100) {
            0..60 if grows => self.put_some(&key),
            0..20 => self.put_some(&key),
            20..93 => self.delete(&key),
            93..95 => self.relocate(),
            95 => self.delete_run(),
            _ => self.look(&key),
        }
    }

    /// Relocates something, on and on around.
    fn relocate(&mut self) {
        let (bytes, part) = (1 + self.below(20_000), self.below(3) as u64);
        let mut relocation = Relocation::new((part, 3), &mut self.moved, bytes);
        self.relocated = self.index.relocate(self.relocated, &mut relocation).unwrap_or(0);
    }

    /// Relocates all that was not yet.
    fn relocate_all(&mut self) {
        let (mut moved, mut cursor) = (0, Some(0));
        while let Some(at) = cursor {
            let mut relocation = Relocation::new((0, 1), &mut self.moved, 5_000);
            cursor = self.index.relocate(at, &mut relocation);
            moved += relocation.entries();
        }
        assert!(moved <= self.model.len(), "each once");
        self.moved.clear();
    }

    fn put_some(&mut self, key: &[u8]) {
        let expire_at_ms = (self.below(4) == 0).then(|| self.below(1_000) as u64);
        let value = vec![b'v'; self.below(9)];
        self.put(key, &value, expire_at_ms);
    }

    fn look(&mut self, key: &[u8]) {
        let found = self.index.get(key_ref(key)).map(|entry| entry.expire_at_ms());
        assert_eq!(found, self.model.get(key).map(|(_, expire_at_ms)| *expire_at_ms));
        assert!(self.index.look(key_ref(key)).version <= self.lsn);
    }

    fn edge(&mut self) -> Edge {
        let key = self.some_key();
        match self.below(6) {
            0 => Edge::Start,
            1 => Edge::End,
            2 | 3 => Edge::Before(key),
            _ => Edge::After(key),
        }
    }

    /// Asks what only ordered kinds can tell.
    fn ask(&mut self) {
        let range = KeyRange {
            low: self.edge(),
            high: self.edge(),
        };
        let now_ms = self.below(1_100) as u64;
        let within = |key: &[u8]| {
            let (low, high) = (Edge::Before(key.to_vec()), Edge::After(key.to_vec()));
            low >= range.low && high <= range.high
        };
        let mut expected: Vec<_> = self.model.keys().filter(|key| within(key)).cloned().collect();
        for reverse in [false, true] {
            let mut seen = Vec::new();
            self.index.walk(&range, reverse, &mut |entry| {
                seen.push(entry.key().to_vec());
                ControlFlow::Continue(())
            });
            assert_eq!(seen, expected, "{range:?}");
            expected.reverse();
        }
        let alive = |(_, at_ms): &(Vec<u8>, Option<u64>)| at_ms.is_none_or(|at_ms| at_ms > now_ms);
        let live: Vec<_> = self
            .model
            .iter()
            .filter(|(_, value)| alive(value))
            .map(|(key, _)| key)
            .collect();
        let before = live.iter().filter(|key| Edge::After(key.to_vec()) <= range.low).count();
        assert_eq!(self.index.live_before(&range.low, now_ms), before, "{range:?}");
        assert_eq!(self.index.live_before(&Edge::End, now_ms), live.len());
        let n = self.random.random_range(0..=live.len());
        let nth = self.index.nth_live(n, now_ms).map(|entry| entry.key());
        assert_eq!(nth, live.get(n).map(|key| key.as_slice()));
    }

    fn check(&mut self) {
        let mut seen = Model::new();
        let mut last = None;
        let flow: ControlFlow<()> = self.index.for_each(|entry| {
            let key = entry.key().to_vec();
            assert!(last.as_ref().is_none_or(|last| *last < key), "out of order");
            last = Some(key.clone());
            let value = entry.value().as_str().unwrap().contiguous().into_owned();
            seen.insert(key, (value, entry.expire_at_ms()));
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        assert!(seen == self.model);
        let mut mortal = BTreeSet::new();
        let pages: Vec<_> = self.index.pages.in_order().collect();
        assert_eq!(pages.len(), self.index.pages());
        for (place, page) in &pages {
            assert!(!page.is_empty() || pages.len() == 1);
            assert_eq!(self.index.pages.by_id(page.header.id), Some(*place));
            mortal.extend(page.expires_from().map(|from_ms| (from_ms, *place)));
            assert!(page.len() <= self.index.entries_max);
        }
        assert_eq!(mortal, self.index.mortal);
        let blocks: usize = pages.iter().map(|(_, page)| page.block_bytes()).sum();
        assert!(self.index.heap_bytes() >= blocks);
    }

    /// Saves the index as a checkpoint does, with changes in between, and compares with the model as it was.
    fn save(&mut self) {
        let before = self.model.clone();
        self.epoch += 1;
        self.is_saving = true;
        let mut images = Vec::new();
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let (saved, next) = self.index.save_next(at, self.epoch, &|_, _| false);
            if let Some(Visited::Image(image)) = saved {
                images.push(image);
            }
            cursor = next;
            (0..self.below(20)).for_each(|_| self.step());
            images.append(&mut self.images.0.borrow_mut());
        }
        self.is_saving = false;
        let mut saved = Model::new();
        for image in &mut images {
            image.content.settle();
            let mut bytes = Vec::new();
            let flow: Result<(), ()> = image.content.for_each_piece(|piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            });
            assert!(flow.is_ok());
            image::decode(&bytes, image.entries, |entry| {
                let Stored::Whole(ValueRef::Str(text)) = entry.value else {
                    panic!("no string")
                };
                let value = text.contiguous().into_owned();
                let expire_at_ms = (entry.expire_at_ms != 0).then_some(entry.expire_at_ms);
                assert!(saved.insert(entry.key.to_vec(), (value, expire_at_ms)).is_none());
                Ok::<(), crate::page::Malformed>(())
            })
            .unwrap();
        }
        let expected: Model = before
            .into_iter()
            .map(|(key, (value, at_ms))| (key, (value, at_ms.filter(|at_ms| *at_ms != 0))))
            .collect();
        assert!(saved == expected, "{} saved, {} expected", saved.len(), expected.len());
    }

    /// Walks with SCAN's cursor while pages split and merge; what stays has to be seen.
    fn scan(&mut self) {
        let mut stays: BTreeSet<_> = self.model.keys().cloned().collect();
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        for _ in 0..10_000 {
            let count = self.random.random_range(1..30);
            let next = self
                .index
                .scan(cursor, &mut ScanBudget::of_entries(count), &mut |entry| {
                    seen.insert(entry.key().to_vec());
                });
            let Some(next) = next else {
                assert!(stays.is_subset(&seen), "{} missed", stays.difference(&seen).count());
                return;
            };
            assert!(next != 0);
            cursor = next;
            for _ in 0..self.below(12) {
                self.step();
                if self.below(40) == 0 {
                    self.delete_run();
                }
            }
            stays.retain(|key| self.model.contains_key(key));
        }
        panic!("a walk without end");
    }

    fn sweep(&mut self, now_ms: u64) {
        let (mut dead, mut cursor) = (Vec::new(), Some(0));
        while let Some(at) = cursor {
            cursor = self.index.sweep(at, 3, now_ms, &mut dead);
        }
        let expected: BTreeSet<_> = self
            .model
            .iter()
            .filter(|(_, (_, at_ms))| at_ms.is_some_and(|at_ms| at_ms <= now_ms))
            .map(|(key, _)| key.clone())
            .collect();
        assert_eq!(dead.iter().cloned().collect::<BTreeSet<_>>(), expected);
        dead.iter().for_each(|key| self.delete(key));
    }
}

fn run_all<D: Directory>(verify: impl Fn(&Ordered<D>)) {
    each(|seed| {
        let sizes = [(8, 300, 60), (8, 3_000, 40), (20, 3_000, 20), (256, 20_000, 8)];
        sizes.map(|size| history::<D>(seed, size, &verify)).iter().sum()
    });
}

/// A history of so many rounds; how many changes it had.
fn history<D: Directory>(
    seed: u64,
    (entries_max, keys, rounds): (usize, usize, u64),
    verify: &impl Fn(&Ordered<D>),
) -> u64 {
    let mut run = Run::<D>::new(seed, entries_max, keys);
    for round in 0..rounds {
        for _ in 0..keys.min(2_000) {
            run.step();
        }
        (0..20).for_each(|_| run.ask());
        match round % 4 {
            0 => run.save(),
            1 => run.scan(),
            2 => run.sweep(round * 20),
            _ => run.relocate_all(),
        }
        run.check();
        verify(&run.index);
    }
    let left: Vec<_> = run.model.keys().cloned().collect();
    left.iter().for_each(|key| run.delete(key));
    run.check();
    verify(&run.index);
    assert_eq!(run.index.pages(), 1);
    run.lsn.get()
}

#[test]
fn bdef_matches_the_model() {
    run_all::<Bdef>(|_| ());
}

#[test]
fn bcust_matches_the_model() {
    let verify = |pages: &Pages, counted: Vec<(Place, usize)>| {
        let expected: Vec<_> = pages.in_order().map(|(place, page)| (place, page.len())).collect();
        assert_eq!(counted, expected);
    };
    run_all::<Bcust<8>>(|index| verify(&index.pages, index.directory.check()));
    run_all::<Bcust>(|index| verify(&index.pages, index.directory.check()));
}

#[test]
fn keys_in_order_leave_full_pages() {
    for step in [1, -1_i64] {
        let mut run = Run::<Bcust>::new(0, ENTRIES_MAX, 0);
        for number in 0..20_000_i64 {
            let key = format!("user:{:012}", 500_000 + step * number).into_bytes();
            run.put(&key, b"v", None);
        }
        run.check();
        let full = 20_000 / run.index.pages();
        assert!(full > ENTRIES_MAX * 3 / 4, "{full} entries a page");
    }
}

#[test]
fn a_short_pair_costs_at_most_85_bytes() {
    let mut random = SmallRng::seed_from_u64(7);
    let mut run = Run::<Bcust>::new(0, ENTRIES_MAX, 0);
    let (keys, mut entry_bytes) = (100_000, 0);
    for _ in 0..keys {
        let key = format!("{:016x}", random.random::<u64>()).into_bytes();
        run.put(&key, &[b'v'; 32], None);
        entry_bytes += run.index.get(key_ref(&key)).unwrap().heap_bytes();
    }
    let each = (entry_bytes + run.index.heap_bytes()) as f64 / f64::from(keys);
    assert!(each <= 85.0, "{each:.1} bytes");
}
