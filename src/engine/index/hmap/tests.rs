//! Model tests with small pages, so that they split and merge all the time, against the standard library's map; and
//! what pages and directories cost.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::engine::ids::CollectionId;
use crate::engine::index::{Found, PreImageSink, ScanBudget, Visited};
use crate::page::relocation::{Moved, Relocation};
use crate::page::{Change, Mark, PageId, PageIds, StrRef, ValueRef, image, thresholds};
use crate::test_histories::each;

type Model = BTreeMap<Vec<u8>, Option<u64>>;

const SEED: u64 = 7;

/// Keeps the pre-images it is given.
#[derive(Default)]
struct Images(RefCell<Vec<PageImage>>);

impl PreImageSink for Images {
    fn take(&self, _: CollectionId, _: ShardNo, image: PageImage) {
        self.0.borrow_mut().push(image);
    }
}

struct Run {
    index: Hmap,
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
    KeyRef::new(bytes, hash_key(bytes, SEED))
}

fn key(number: usize) -> Vec<u8> {
    format!("k:{number}").into_bytes()
}

impl Run {
    fn new(seed: u64, lines_max: u32, keys: usize) -> Self {
        let mut index = Hmap::new(ShardNo::FIRST, 0, SEED);
        index.lines_max = lines_max;
        Self {
            index,
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

    /// One whose pages have their full size.
    fn full_size() -> Self {
        Self::new(1, LINES_MAX, 100)
    }

    fn below(&mut self, n: usize) -> usize {
        self.random.random_range(0..n)
    }

    /// Runs a change as one record.
    fn write<R>(&mut self, change: impl FnOnce(&mut Hmap, &PageWrite<'_>) -> R) -> R {
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

    fn put(&mut self, key: &[u8], expire_at_ms: Option<u64>) {
        let entry = Entry::new(key, ValueRef::Str(StrRef::Inline(b"v")), expire_at_ms, 0);
        let looks = self.random.random_bool(0.5);
        let old = self.write(|index, write| {
            let mut key = key_ref(key);
            key.found = index.look(key).entry.filter(|_| looks).map(|(entry, slot)| Found {
                address: entry.address(),
                slot,
            });
            index.upsert(key, write, |_| Some(entry))
        });
        assert_eq!(old.is_some(), self.model.insert(key.to_vec(), expire_at_ms).is_some());
    }

    fn delete(&mut self, key: &[u8]) {
        let removed = self.write(|index, write| index.remove(key_ref(key), write));
        assert_eq!(removed.is_some(), self.model.remove(key).is_some());
    }

    fn step(&mut self) {
        let key = key(self.below(self.keys));
        // Growing and shrinking take turns.
        let grows = (self.lsn.get() / (self.keys as u64 * 2)).is_multiple_of(2);
        match self.below(100) {
            0..60 if grows => self.put_some(&key),
            0..12 => self.put_some(&key),
            12..93 => self.delete(&key),
            93..95 => self.relocate(),
            _ => {
                let found = self.index.get(key_ref(&key)).map(|entry| entry.expire_at_ms());
                assert_eq!(found, self.model.get(&key).copied());
                assert!(self.index.look(key_ref(&key)).version <= self.lsn);
            }
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
        let expire_at_ms = (self.below(4) == 0).then(|| 1 + self.below(1_000) as u64);
        self.put(key, expire_at_ms);
    }

    /// What must be true of the pages and the directory.
    fn check(&self) {
        let index = &self.index;
        let pages: Vec<_> = index.pages_from(0).collect();
        assert_eq!(pages.len(), index.pages());
        let mut pages_at = [0; DEPTH_MAX as usize + 1];
        for page in &pages {
            let header = page.header();
            pages_at[usize::from(header.depth)] += 1;
            let first = position(index.start_of(*page), index.depth);
            let named = index
                .directory
                .iter()
                .filter(|word| word.load(Ordering::Relaxed) == page.to_word());
            assert_eq!(named.count(), 1 << (index.depth - header.depth));
            assert_eq!(index.directory[first].load(Ordering::Relaxed), page.to_word());
            let earliest = page.entries().filter_map(|entry| entry.due_at_ms()).min();
            assert!(earliest.is_none_or(|at_ms| at_ms >= header.expire_min_ms));
            assert_eq!(page.entries().count(), header.count as usize);
        }
        assert_eq!(pages_at, index.pages_at);
        assert!(index.directory.len() <= SPREAD * (index.pages + 1));
        let mut seen = Model::new();
        let flow: ControlFlow<()> = index.for_each(|entry| {
            assert!(seen.insert(entry.key().to_vec(), entry.expire_at_ms()).is_none());
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        assert!(seen == self.model);
        assert_eq!(index.entries, seen.len());
        let blocks: usize = pages.iter().map(HashPage::block_bytes).sum();
        let directory = size_of_val(&*index.directory);
        assert_eq!(index.heap_bytes(), blocks + directory + index.retired.bytes());
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
        let (mut saved, mut ids) = (Model::new(), BTreeSet::new());
        for image in &mut images {
            assert!(ids.insert(image.page_id), "a page was saved twice");
            image.content.settle();
            let mut bytes = Vec::new();
            let flow: Result<(), ()> = image.content.for_each_piece(|piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            });
            assert!(flow.is_ok());
            image::decode(&bytes, image.entries, |entry| {
                let expire_at_ms = (entry.expire_at_ms != 0).then_some(entry.expire_at_ms);
                assert!(saved.insert(entry.key.to_vec(), expire_at_ms).is_none());
                Ok::<(), crate::page::Malformed>(())
            })
            .unwrap();
        }
        assert!(saved == before, "{} saved, {} expected", saved.len(), before.len());
        let mut anchors: Vec<_> = images.iter().map(|image| (image.page_id, image.anchor)).collect();
        anchors.sort_unstable_by_key(|(_, anchor)| anchor.prefix);
        crate::engine::index::loaded::check_cover(anchors.into_iter()).unwrap();
    }

    /// Walks with SCAN's cursor while pages split and merge; what stays has to be seen.
    fn scan(&mut self) {
        let mut stays: BTreeSet<_> = self.model.keys().cloned().collect();
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        for _ in 0..10_000 {
            let mut budget = ScanBudget {
                entries: self.random.random_range(1..30),
                pages: self.random.random_range(1..4),
            };
            let next = self.index.scan(cursor, &mut budget, &mut |entry| {
                seen.insert(entry.key().to_vec());
            });
            let Some(next) = next else {
                assert!(stays.is_subset(&seen), "{} missed", stays.difference(&seen).count());
                return;
            };
            cursor = next;
            (0..self.below(12)).for_each(|_| self.step());
            stays.retain(|key| self.model.contains_key(key));
        }
        panic!("a walk without end");
    }

    fn sweep(&mut self, now_ms: u64) {
        let (mut dead, mut cursor) = (Vec::new(), Some(0));
        while let Some(at) = cursor {
            cursor = self.index.sweep(at, 3, now_ms, &mut dead);
            // Some go at once, as with the real sweep: pages merge under it.
            let found = std::mem::take(&mut dead);
            found.iter().for_each(|key| self.delete(key));
        }
        assert!(
            self.model
                .values()
                .all(|at_ms| at_ms.is_none_or(|at_ms| at_ms > now_ms))
        );
    }

    fn free_retired(&mut self) {
        if let Some(retired) = self.index.take_retired() {
            // SAFETY: nobody prefetches here.
            unsafe { retired.free() };
        }
    }
}

/// Directory entries for each page, at most.
const SPREAD: usize = 64;

#[test]
fn random_histories_match_the_model() {
    each(|seed| {
        let sizes = [(3, 300, 60), (3, 3_000, 40), (8, 3_000, 20), (LINES_MAX, 20_000, 8)];
        let mut changes = 0;
        for (lines, keys, rounds) in sizes {
            let mut run = Run::new(seed, lines, keys);
            for round in 0..rounds {
                (0..keys.min(2_000)).for_each(|_| run.step());
                match round % 4 {
                    0 => run.save(),
                    1 => run.scan(),
                    2 => run.sweep(round * 20),
                    _ => {
                        run.relocate_all();
                        run.free_retired();
                    }
                }
                run.check();
            }
            let left: Vec<_> = run.model.keys().cloned().collect();
            left.iter().for_each(|key| run.delete(key));
            run.check();
            assert_eq!(run.index.pages(), 1);
            changes += run.lsn.get();
        }
        changes
    });
}

#[test]
fn pages_follow_the_keys_that_are_left() {
    const KEYS: usize = 200_000;
    let (mut run, mut small) = (Run::full_size(), Run::full_size());
    (0..KEYS).for_each(|number| run.put(&key(number), None));
    (0..KEYS / 10).for_each(|number| small.put(&key(number), None));
    (KEYS / 10..KEYS).for_each(|number| run.delete(&key(number)));
    run.check();
    let (pages, fewest) = (run.index.pages(), small.index.pages());
    assert!(
        pages <= fewest * 3 / 2,
        "{pages} pages, {fewest} without the deleted keys"
    );
    assert!(run.index.directory.len() <= 4 * small.index.directory.len());
    run.free_retired();
    assert!(run.index.heap_bytes() <= small.index.heap_bytes() * 3 / 2);
    // No draw goes over pages without end, and none walks.
    let (mut draws, mut random) = (0, SmallRng::seed_from_u64(1));
    for _ in 0..1_000 {
        let mut draw = |n| {
            draws += 1;
            random.random_range(0..n)
        };
        assert!(run.index.random(&mut draw).is_some());
    }
    assert!(draws < 20_000, "{draws} draws for 1,000 keys");
}

#[test]
fn a_page_does_not_split_and_merge_in_turn() {
    let mut run = Run::full_size();
    let mut number = 0;
    while run.index.pages() < 2 {
        run.put(&key(number), None);
        number += 1;
    }
    // Right behind a split, and then right behind a merge.
    for target in [2, 1] {
        while run.index.pages() > target {
            number -= 1;
            run.delete(&key(number));
        }
        let come_and_go = |run: &mut Run| {
            (number..number + 16).for_each(|number| run.put(&key(number), None));
            (number..number + 16).for_each(|number| run.delete(&key(number)));
        };
        // They may need a larger page, once.
        come_and_go(&mut run);
        let resized = run.index.retired.bytes();
        (0..1_000).for_each(|_| come_and_go(&mut run));
        assert_eq!(run.index.pages(), target);
        assert_eq!(run.index.retired.bytes(), resized);
    }
}

#[test]
fn pages_are_full_to_two_thirds_while_keys_come() {
    let mut run = Run::full_size();
    let (mut shares, mut number) = (Vec::new(), 0);
    while number < 100_000 {
        (number..number + 500).for_each(|number| run.put(&key(number), None));
        number += 500;
        if number > 10_000 {
            let blocks: usize = run.index.pages_from(0).map(|page| page.block_bytes()).sum();
            shares.push((number * 8) as f64 / blocks as f64);
        }
    }
    run.check();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    assert!(mean > 0.64, "{mean:.2} of their bytes are entries' words, in the mean");
}

#[test]
fn keys_of_one_prefix_share_a_page_that_grows() {
    let forged = (0..).map(key).filter(|key| hash_key(key, SEED) >> 54 == 0);
    let keys: Vec<_> = forged.take(3_000).collect();
    let mut run = Run::full_size();
    keys.iter().for_each(|key| run.put(key, Some(5)));
    run.check();
    assert!(run.index.pages() < 20, "{} pages", run.index.pages());
    assert!(run.index.pages_from(0).any(|page| page.header().lines > LINES_MAX));
    assert!(keys.iter().all(|key| run.index.get(key_ref(key)).is_some()));
    // Read back from its image as it was.
    run.save();
    let mut random = SmallRng::seed_from_u64(1);
    assert!(run.index.random(&mut |n| random.random_range(0..n)).is_some());
    run.scan_all();
    let left: Vec<_> = run.model.keys().cloned().collect();
    left.iter().for_each(|key| run.delete(key));
    run.check();
    assert_eq!(run.index.pages(), 1);
}

#[test]
fn the_deepest_page_grows_and_is_loaded_again() {
    let mut index = Hmap::new(ShardNo::FIRST, 0, SEED);
    let deepest = Anchor {
        prefix: 0,
        depth: DEPTH_MAX,
    };
    let page = index.begin_page(PageId::FIRST, Lsn::ZERO, deepest, 5_000).unwrap();
    assert!(page.header().lines as usize * 8 > 5_000);
    drop(page);
    // As deep as pages get: there is no more to split by.
    index.depth = DEPTH_MAX;
    assert!(!index.may_split(DEPTH_MAX));
    index.depth = 0;
}

impl Run {
    /// A walk that nothing disturbs sees each key once.
    fn scan_all(&self) {
        let (mut seen, mut cursor) = (Vec::new(), Some(0));
        while let Some(at) = cursor {
            cursor = self
                .index
                .scan(at, &mut ScanBudget { entries: 50, pages: 2 }, &mut |entry| {
                    seen.push(entry.key().to_vec());
                });
        }
        seen.sort_unstable();
        assert!(seen.iter().eq(self.model.keys()));
    }
}
