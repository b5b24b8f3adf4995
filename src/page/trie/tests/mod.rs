//! The trie against the standard library's map, under good hashes and bad ones.

mod walk;

use std::collections::HashMap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::node::{LEAF_MAX, LEVEL_MAX, Leaf, MERGE_MAX, Node, span_min, tag_of, width_of};
use super::{Item, KeyHash, Keyed, Seeded, Trie};

/// Hashes as they should be, and as they should not.
#[derive(Clone, Copy, Debug)]
enum Hashes {
    Good(u64),
    /// All keys collide.
    Constant(u64),
    /// Only these bits differ.
    Masked(u64, u64),
}

impl KeyHash for Hashes {
    fn hash(&self, key: &[u8]) -> u64 {
        match self {
            Self::Good(seed) => Seeded(*seed).hash(key),
            Self::Constant(hash) => *hash,
            Self::Masked(seed, mask) => Seeded(*seed).hash(key) & mask,
        }
    }
}

fn hashes(seed: u64) -> [Hashes; 7] {
    [
        Hashes::Good(seed),
        Hashes::Constant(0),
        Hashes::Constant(u64::MAX),
        Hashes::Masked(seed, 0b111),
        Hashes::Masked(seed, 0xF000_0000_0000_000F),
        Hashes::Masked(seed, 0x0000_0FF0_0000_0000),
        Hashes::Masked(seed, 0xC000_0000_0000_0000),
    ]
}

type Tested = Trie<Item, Hashes>;
type Model = HashMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn random() -> SmallRng {
    let seed = rand::random();
    println!("seed {seed}");
    SmallRng::seed_from_u64(seed)
}

/// Fewer rounds where each is interpreted.
fn rounds(count: usize) -> usize {
    if cfg!(miri) { count / 100 } else { count }
}

fn key(number: usize) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

/// Checks every invariant of the nodes below; returns items and bytes.
fn recount(node: &Node<Item>, hasher: Hashes, level: u32, begin: u128, width: u128) -> (usize, usize) {
    match node {
        Node::Leaf(leaf) => {
            let tag_level = level.saturating_sub(1);
            for item in leaf.firsts() {
                let hash = hasher.hash(item.key());
                assert!((begin..begin + width).contains(&u128::from(hash)));
                assert_eq!(item.tag(), tag_of(hash, tag_level));
            }
            assert!(leaf.len() <= LEAF_MAX || width == 1, "{} items in a leaf", leaf.len());
            let items: usize = leaf.firsts().iter().map(Keyed::heap_bytes).sum();
            (leaf.len(), items + leaf.heap_bytes())
        }
        Node::Inner(inner) => {
            assert!(level <= LEVEL_MAX && inner.len() > 1);
            assert_eq!(inner.extra().count_ones() as usize, inner.len());
            let (mut items, mut bytes, mut leaf_before) = (0, inner.heap_bytes(), None);
            for slot in (0..64).filter(|slot| inner.extra() & (1 << slot) != 0) {
                let place = inner.place_of(slot);
                let child = &inner.firsts()[place.at];
                assert!(place.start == slot && place.span.is_power_of_two() && slot % place.span == 0);
                assert!(place.span >= span_min(level));
                let is_leaf = matches!(child, Node::Leaf(_));
                assert!(is_leaf || place.span == 1);
                let (child_begin, child_width) = (begin + width_of(slot, level), width_of(place.span, level));
                let (child_items, child_bytes) = recount(child, hasher, level + 1, child_begin, child_width);
                assert_eq!(inner.seconds()[place.at], child_items as u64);
                if let Some((before, before_span, before_items)) = leaf_before.filter(|_| is_leaf) {
                    let are_pair = before_span == place.span && before ^ place.span == slot;
                    assert!(!are_pair || before_items + child_items > MERGE_MAX);
                }
                leaf_before = is_leaf.then_some((slot, place.span, child_items));
                items += child_items;
                bytes += child_bytes;
            }
            assert!(items > MERGE_MAX);
            (items, bytes)
        }
    }
}

fn check_nodes(trie: &Tested) {
    assert_eq!(
        recount(&trie.root, trie.hasher, 0, 0, width_of(64, 0)),
        (trie.len(), trie.heap_bytes())
    );
}

fn contents(item: &Item) -> (Vec<u8>, (Vec<u8>, Option<u64>)) {
    let value = item.value().unwrap_or_default().to_vec();
    (item.key().to_vec(), (value, item.number()))
}

fn check(trie: &Tested, model: &Model) {
    check_nodes(trie);
    assert_eq!((trie.len(), trie.is_empty()), (model.len(), model.is_empty()));
    assert_eq!(trie.iter().len(), model.len());
    assert_eq!(&trie.iter().map(contents).collect::<Model>(), model);
    for key in model.keys() {
        assert_eq!(trie.get(key).map(Item::key), Some(&key[..]));
    }
}

/// One random change to both.
fn change(trie: &mut Tested, model: &mut Model, keys: usize, growth: f64, random: &mut SmallRng) {
    let key = key(random.random_range(0..keys));
    let value = vec![b'v'; random.random_range(0..40)];
    let number = random.random_bool(0.3).then(|| random.random());
    let change = |item: &mut Item| {
        item.set_value(&value);
        item.set_number(number);
    };
    if random.random_bool(0.3) {
        let changed = trie.update(&key, change);
        let old = model.get_mut(&key);
        assert_eq!(changed.is_some(), old.is_some());
        if let Some(old) = old {
            *old = (value, number);
        }
    } else if random.random_bool(growth / 2.0) {
        let make = || Item::new(&key, Some(&value), number);
        let is_new = trie.upsert_hashed(trie.hash_of(&key), &key, change, make);
        assert_eq!(is_new, model.insert(key, (value, number)).is_none());
    } else if random.random_bool(growth / (2.0 - growth)) {
        let replaced = trie.insert(Item::new(&key, Some(&value), number));
        assert_eq!(
            replaced.map(|item| contents(&item).1),
            model.insert(key, (value, number))
        );
    } else {
        let removed = trie.remove(&key);
        assert_eq!(removed.map(|item| contents(&item).1), model.remove(&key));
    }
}

#[test]
fn does_what_a_map_does_and_clones_stay_as_they_were() {
    let mut random = random();
    for hasher in hashes(random.random()) {
        println!("{hasher:?}");
        let good = matches!(hasher, Hashes::Good(_));
        let (mut trie, mut model) = (Tested::with_hasher(hasher), Model::new());
        let mut clones = Vec::new();
        for growth in [0.9, 0.2, 0.7, 0.5, 0.05] {
            for _ in 0..4 {
                for _ in 0..rounds(if good { 3000 } else { 500 }) {
                    change(
                        &mut trie,
                        &mut model,
                        if good { 6000 } else { 500 },
                        growth,
                        &mut random,
                    );
                }
                check(&trie, &model);
                clones.push((trie.clone(), model.clone()));
            }
            if random.random_bool(0.5) {
                // Some go on from an older state, and some clones go away before others.
                (trie, model) = clones.swap_remove(random.random_range(0..clones.len()));
            }
        }
        for (clone, model) in &clones {
            check(clone, model);
        }
        for key in model.keys() {
            assert!(trie.remove(key).is_some());
        }
        check(&trie, &Model::new());
        assert!(trie.heap_bytes() <= 384, "{} bytes for nothing", trie.heap_bytes());
    }
}

#[test]
fn building_is_inserting() {
    let mut random = random();
    for hasher in hashes(random.random()) {
        for len in [0, 1, LEAF_MAX, LEAF_MAX + 1, 1000, rounds(30_000)] {
            let len = if matches!(hasher, Hashes::Good(_)) {
                len
            } else {
                len.min(1000)
            };
            let keys = (0..len).map(|_| random.random_range(0..len * 2)).collect::<Vec<_>>();
            let items = keys
                .iter()
                .enumerate()
                .map(|(order, number)| Item::new(&key(*number), Some(&key(order)), None));
            let mut trie = Tested::build_with_hasher(hasher, items.clone());
            let mut model = items.map(|item| contents(&item)).collect::<Model>();
            check(&trie, &model);
            for _ in 0..100 {
                change(&mut trie, &mut model, len * 2 + 1, 0.5, &mut random);
            }
            check(&trie, &model);
        }
    }
}

#[test]
fn runs_are_built_as_one() {
    let hasher = Hashes::Good(7);
    for len in [0, 10, rounds(3000), rounds(60_000)] {
        let items = (0..len).map(|number| Item::new(&key(number), Some(&key(number)), None));
        let mut all: Vec<_> = items.map(|item| (hasher.hash(item.key()), item)).collect();
        all.sort_by_key(|(hash, _)| *hash);
        let (bytes, model) = (
            all.iter().map(|(_, item)| item.heap_bytes()).sum(),
            all.iter().map(|(_, item)| contents(item)).collect::<Model>(),
        );
        for ends in [
            vec![],
            vec![1, 1],
            vec![len / 2 + 20],
            vec![len / 2 - len / 20, len - len / 3],
            vec![0, len],
        ] {
            for threads in [1, 2, 4] {
                let mut rest = all.clone();
                let mut runs: Vec<_> = ends
                    .iter()
                    .rev()
                    .map(|end| rest.split_off((*end).min(rest.len())))
                    .collect();
                runs.push(rest);
                runs.reverse();
                check(&Tested::of_hashed(hasher, runs, bytes, threads), &model);
            }
        }
    }
}

#[test]
fn a_miss_copies_nothing_and_a_change_only_its_path() {
    let items = (0..5000).map(|number| Item::new(&key(number), Some(b"value"), None));
    let mut trie = Tested::build_with_hasher(Hashes::Good(1), items);
    let clone = trie.clone();
    let root = |trie: &Tested| match &trie.root {
        Node::Inner(inner) => inner.firsts().as_ptr(),
        Node::Leaf(leaf) => leaf.firsts().as_ptr().cast(),
    };
    assert!(trie.remove(b"none").is_none() && trie.update(b"none", |_| ()).is_none());
    assert_eq!(root(&trie), root(&clone));
    trie.update(&key(7), |item| item.set_value(b"other"));
    assert_eq!(clone.get(&key(7)).and_then(Item::value), Some(&b"value"[..]));
    let leaves = |trie: &Tested| {
        leaves(&trie.root)
            .iter()
            .map(|leaf| leaf.firsts().as_ptr())
            .collect::<Vec<_>>()
    };
    let different = leaves(&trie)
        .iter()
        .zip(leaves(&clone))
        .filter(|(one, other)| **one != *other)
        .count();
    assert_eq!(different, 1);
}

fn leaves(node: &Node<Item>) -> Vec<&Leaf<Item>> {
    match node {
        Node::Leaf(leaf) => vec![leaf],
        Node::Inner(inner) => inner.firsts().iter().flat_map(leaves).collect(),
    }
}

#[test]
fn other_seeds_give_other_orders() {
    let order = |seed| {
        let trie = Trie::build(seed, (0..200).map(|number| Item::new(&key(number), None, None)));
        trie.iter().map(|item| item.key().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn debug_shows_sizes_not_contents() {
    let mut trie = Trie::new(1);
    trie.insert(Item::new(b"member", None, None));
    let text = format!("{trie:?}");
    assert!(text.contains("len: 1") && !text.contains("member"), "{text}");
}
