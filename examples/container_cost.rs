//! Measures big containers' structures: time per operation and memory per element.
//!
//! `cargo run --release --example container_cost -- [ELEMENTS]`

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use lokikv::page::trie::{Item, Trie};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 42;

/// CPU time so far: on a busy machine, the clock on the wall tells of others.
fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live, writable timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Memory of the process that is in use, from the kernel's own count.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|field| field.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

/// Element number `number`, 16 bytes.
fn key(number: u64) -> [u8; 16] {
    let mut bytes = *b"member:000000000";
    let mut rest = number;
    for digit in bytes.iter_mut().rev().take(9) {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    bytes
}

fn report(name: &str, count: usize, took: Duration) {
    println!("{name:<44} {:>8.0} ns", took.as_nanos() as f64 / count as f64);
}

fn time<T>(name: &str, numbers: &[u64], mut operation: impl FnMut(u64) -> T) {
    let start = now();
    for number in numbers {
        black_box(operation(*number));
    }
    report(name, numbers.len(), now() - start);
}

fn memory(name: &str, order: &[u64], value: Option<&[u8]>, number: Option<u64>) {
    let before = resident_bytes();
    let mut trie = Trie::new(SEED);
    for element in order {
        trie.insert(Item::new(&key(*element), value, number));
    }
    let count = order.len() as f64;
    let resident = resident_bytes().saturating_sub(before) as f64 / count;
    println!(
        "{name:<44} {resident:>8.1} bytes resident, {:.1} counted",
        trie.heap_bytes() as f64 / count
    );
    // So that the next measurement finds no memory to use again.
    std::mem::forget(trie);
}

fn operations(order: &[u64], random: &mut SmallRng) {
    let mut shuffled = order.to_vec();
    shuffled.shuffle(random);
    compare(order, &shuffled);
    let value = [b'v'; 32];
    let mut trie = Trie::new(SEED);
    time("insert, random order", order, |number| {
        trie.insert(Item::new(&key(number), Some(&value), None))
    });
    time("get", &shuffled, |number| {
        trie.get(&key(number)).map(|item| item.value().map(<[u8]>::len))
    });
    time("get, absent", &shuffled, |number| {
        trie.contains(&key(number + 500_000_000))
    });
    time("update, in place", &shuffled, |number| {
        trie.update(&key(number), |item| item.set_value(&[b'w'; 32]))
    });
    time("insert over an equal key", &shuffled, |number| {
        trie.insert(Item::new(&key(number), Some(&value), None))
    });
    time("random element", &shuffled, |_| {
        trie.random(&mut |below| random.random_range(0..below)).is_some()
    });
    let start = now();
    report("iterate", trie.len(), {
        black_box(trie.iter().map(|item| item.key().len()).sum::<usize>());
        now() - start
    });
    let start = now();
    let (mut cursor, mut calls) = (0, 0);
    loop {
        cursor = trie.scan(cursor, 10, |item| {
            black_box(item.key().len());
        });
        calls += 1;
        if cursor == 0 {
            break;
        }
    }
    report("scan of 10", calls, now() - start);
    after_clone(&mut trie, &shuffled);
    time("remove", &shuffled, |number| trie.remove(&key(number)));
    assert!(trie.is_empty());
    let items: Vec<_> = order
        .iter()
        .map(|number| Item::new(&key(*number), Some(&value), None))
        .collect();
    let start = now();
    let built = Trie::build(SEED, items);
    report("build at once", built.len(), now() - start);
    let start = now();
    drop(built);
    report("drop", order.len(), now() - start);
}

/// What one cache miss costs here, and the same map with keys and values in boxes: what the figures compare with.
fn compare(order: &[u64], shuffled: &[u64]) {
    let mut next = vec![[0_u64; 8]; order.len()];
    let mut last = 0;
    for number in order {
        if let Some(place) = next.get_mut(last as usize) {
            *place = [*number; 8];
        }
        last = *number;
    }
    let mut at = 0;
    time("one cache miss", order, |_| {
        at = next.get(at as usize).map_or(0, |line| line[0])
    });
    let mut map = HashMap::<Box<[u8]>, Box<[u8]>>::new();
    time("HashMap of boxes: insert", order, |number| {
        map.insert(Box::from(key(number)), Box::from([b'v'; 32]))
    });
    time("HashMap of boxes: get", shuffled, |number| {
        map.get(&key(number)[..]).and_then(|value| value.first().copied())
    });
}

/// What sharing costs those who change first.
fn after_clone(trie: &mut Trie<Item>, shuffled: &[u64]) {
    let start = now();
    let clone = trie.clone();
    report("clone", 1, now() - start);
    for (name, part) in ["first 1000 updates after a clone", "next 1000", "next 1000"]
        .iter()
        .zip(shuffled.chunks(1000))
    {
        let mut worst = Duration::ZERO;
        let start = now();
        for number in part {
            let one = now();
            trie.update(&key(*number), |item| item.set_value(&[b'w'; 32]));
            worst = worst.max(now() - one);
        }
        report(name, part.len(), now() - start);
        println!("{:<44} {:>8} ns", "  the slowest", worst.as_nanos());
    }
    drop(clone);
}

fn main() {
    let count = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut order: Vec<u64> = (0..count).collect();
    order.shuffle(&mut random);
    println!("{count} elements of 16 bytes; values of 32 bytes");
    memory("member", &order, None, None);
    memory("member and number", &order, None, Some(1));
    memory("field and value", &order, Some(&[b'v'; 32]), None);
    operations(&order, &mut random);
}
