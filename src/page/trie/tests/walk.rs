//! Scans, random picks and samples.

use std::collections::{BTreeMap, HashMap, HashSet};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{Hashes, Tested, check_nodes, hashes, key, random, rounds};
use crate::page::trie::{Item, KeyHash};

#[test]
fn a_scan_visits_what_stays_exactly_once_whatever_comes_and_goes() {
    let mut random = random();
    for hasher in hashes(random.random()) {
        println!("{hasher:?}");
        let good = matches!(hasher, Hashes::Good(_));
        let stays = rounds(if good { 4000 } else { 300 });
        let mut trie = Tested::with_hasher(hasher);
        for number in 0..stays {
            trie.insert(Item::new(&key(number), None, None));
        }
        for (count, burst) in [(0, 0), (1, 0), (1, 20), (10, 300), (100, 5000), (1_000_000, 10)] {
            let mut seen = HashMap::<Vec<u8>, usize>::new();
            let (mut cursor, mut calls, mut grows) = (0, 0, true);
            loop {
                let mut visits = BTreeMap::<u64, usize>::new();
                let next = trie.scan(cursor, count, |item| {
                    *visits.entry(hasher.hash(item.key()) >> 1).or_default() += 1;
                    *seen.entry(item.key().to_vec()).or_default() += 1;
                });
                assert!(next <= i64::MAX as u64, "clients may keep it in a signed integer");
                assert!(visits.keys().all(|at| *at >= cursor && (next == 0 || *at < next)));
                let without_last: usize = visits.values().rev().skip(1).sum();
                assert!(
                    without_last < count.max(1),
                    "more than the count, and not of one cursor"
                );
                if burst == 0 && next != 0 {
                    assert!(visits.values().sum::<usize>() >= count);
                }
                calls += 1;
                if next == 0 {
                    break;
                }
                assert!(next > cursor);
                cursor = next;
                // Others come in bursts, so that leaves ahead and behind split and merge.
                for _ in 0..random.random_range(0..=burst) {
                    let other = key(stays + random.random_range(0..stays * 2));
                    if grows {
                        trie.insert(Item::new(&other, None, None));
                    } else {
                        trie.remove(&other);
                    }
                }
                grows = random.random_bool(0.5);
            }
            for number in 0..stays {
                assert_eq!(seen.get(&key(number)), Some(&1), "count {count}, burst {burst}");
            }
            if good && count == 10 && burst == 0 {
                assert!(calls >= stays / 10);
            }
            check_nodes(&trie);
        }
    }
}

#[test]
fn any_cursor_is_harmless() {
    let mut trie = Tested::with_hasher(Hashes::Good(3));
    assert_eq!(trie.scan(12345, 10, |_| unreachable!("it is empty")), 0);
    for number in 0..1000 {
        trie.insert(Item::new(&key(number), None, None));
    }
    for cursor in [1, 1 << 62, u64::MAX >> 1, 1 << 63, u64::MAX - 1, u64::MAX] {
        let ahead = trie
            .iter()
            .filter(|item| trie.hasher.hash(item.key()) >> 1 >= cursor)
            .count();
        let mut seen = 0;
        assert_eq!(trie.scan(cursor, usize::MAX, |_| seen += 1), 0);
        assert_eq!(seen, ahead);
    }
}

/// Chi-square of counts that should all be `expected`.
fn chi_square(counts: impl Iterator<Item = usize>, expected: f64) -> f64 {
    counts.map(|count| (count as f64 - expected).powi(2) / expected).sum()
}

#[test]
fn random_items_are_uniform() {
    // A fixed seed: with another, one run in some thousands would fail.
    let mut random = SmallRng::seed_from_u64(4);
    // Removals leave leaves of very different sizes.
    let mut trie = Tested::with_hasher(Hashes::Good(5));
    assert!(trie.random(&mut |_| unreachable!("it is empty")).is_none());
    for number in 0..2000 {
        trie.insert(Item::new(&key(number), None, None));
    }
    let upper: Vec<_> = trie
        .iter()
        .map(|item| item.key().to_vec())
        .skip(300)
        .take(1000)
        .collect();
    for key in upper {
        trie.remove(&key);
    }
    let (len, draws) = (trie.len(), rounds(200_000));
    let mut counts = HashMap::<Vec<u8>, usize>::new();
    for _ in 0..draws {
        let item = trie.random(&mut |below| random.random_range(0..below)).unwrap();
        *counts.entry(item.key().to_vec()).or_default() += 1;
    }
    if !cfg!(miri) {
        assert_eq!(counts.len(), len);
        let chi = chi_square(counts.into_values(), draws as f64 / len as f64);
        // 999 degrees of freedom: mean 999, deviation 45.
        assert!((820.0..1180.0).contains(&chi), "{chi}");
    }
    let walked: Vec<_> = trie.iter().map(Item::key).collect();
    assert!((0..len).all(|index| trie.nth(index).map(Item::key) == walked.get(index).copied()));
    assert!(trie.nth(len).is_none());
}

#[test]
fn samples_are_distinct_and_uniform() {
    let mut random = SmallRng::seed_from_u64(6);
    let items = (0..400).map(|number| Item::new(&key(number), None, None));
    let trie = Tested::build_with_hasher(Hashes::Good(7), items);
    // The last three are walked for, the others looked up.
    for (count, draws) in [
        (0, 1),
        (1, 20_000),
        (7, 4000),
        (99, 400),
        (100, 400),
        (300, 400),
        (400, 2),
        (1000, 2),
    ] {
        let mut counts = HashMap::<Vec<u8>, usize>::new();
        for _ in 0..rounds(draws * 100) / 100 {
            let chosen = trie.sample(count, &mut |below| random.random_range(0..below));
            let distinct: HashSet<_> = chosen.iter().map(|item| item.key()).collect();
            assert_eq!((chosen.len(), distinct.len()), (count.min(400), count.min(400)));
            for item in chosen {
                *counts.entry(item.key().to_vec()).or_default() += 1;
            }
        }
        if (1..400).contains(&count) && !cfg!(miri) {
            let expected = (count * draws) as f64 / 400.0;
            let chi = chi_square(
                (0..400).map(|number| counts.get(&key(number)).copied().unwrap_or(0)),
                expected,
            );
            // The larger the part, the less the counts vary: by what is left out.
            let scaled = chi / (1.0 - count as f64 / 400.0);
            assert!((280.0..520.0).contains(&scaled), "{count}: {scaled}");
        }
    }
    assert!(
        Tested::with_hasher(Hashes::Good(1))
            .sample(3, &mut |_| unreachable!("it is empty"))
            .is_empty()
    );
}
