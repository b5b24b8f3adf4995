//! Measures the counted tree: time per operation and memory per item, of pointers to a score and a member.
//!
//! `cargo run --release --example tree_cost -- [ITEMS]`

use std::cmp::Ordering;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use lokikv::page::prefetch::prefetch_ref;
use lokikv::page::tree::{Tree, TreeItem};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 42;

/// A member of a sorted set.
struct Member {
    score: f64,
    name: [u8; 16],
}

/// An item of eight bytes: comparing goes to the member.
#[derive(Clone)]
struct Pointer(Arc<Member>);

/// An item of sixteen bytes: comparing rarely goes to the member.
#[derive(Clone)]
struct Scored {
    score: f64,
    member: Arc<Member>,
}

/// What both kinds of item can do here.
trait Sorted: TreeItem {
    const NAME: &'static str;
    fn new(member: &Arc<Member>) -> Self;
    fn order(&self, score: f64, name: &[u8; 16]) -> Ordering;
}

impl TreeItem for Pointer {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        0
    }

    fn prefetch(&self) {
        prefetch_ref(&raw const *self.0);
    }
}

impl Sorted for Pointer {
    const NAME: &'static str = "pointers, 8 bytes";

    fn new(member: &Arc<Member>) -> Self {
        Self(Arc::clone(member))
    }

    fn order(&self, score: f64, name: &[u8; 16]) -> Ordering {
        self.0.score.total_cmp(&score).then_with(|| self.0.name.cmp(name))
    }
}

impl TreeItem for Scored {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Sorted for Scored {
    const NAME: &'static str = "score and pointer, 16 bytes";

    fn new(member: &Arc<Member>) -> Self {
        Self {
            score: member.score,
            member: Arc::clone(member),
        }
    }

    fn order(&self, score: f64, name: &[u8; 16]) -> Ordering {
        self.score.total_cmp(&score).then_with(|| self.member.name.cmp(name))
    }
}

/// Memory of the process that is in use, from the kernel's own count.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|field| field.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

/// CPU time of this thread so far: on a busy machine the clock on the wall measures the others.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live, writable timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn report(name: &str, count: usize, took: Duration) {
    println!("  {name:<42} {:>9.1} ns", took.as_nanos() as f64 / count as f64);
}

fn time<X: Copy, T>(name: &str, inputs: &[X], mut operation: impl FnMut(X) -> T) {
    let start = cpu_time();
    for input in inputs {
        black_box(operation(*input));
    }
    report(name, inputs.len(), cpu_time() - start);
}

fn members(count: usize, random: &mut SmallRng) -> Vec<Arc<Member>> {
    let make = |number: usize| {
        let mut name = *b"member:000000000";
        let mut rest = number;
        for digit in name.iter_mut().rev().take(9) {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let score = f64::from(random.random_range(0..1_000_000_u32));
        Arc::new(Member { score, name })
    };
    (0..count).map(make).collect()
}

fn insert<S: Sorted>(tree: &mut Tree<S>, member: &Arc<Member>) -> bool {
    let (score, name) = (member.score, member.name);
    tree.insert_by(|other| other.order(score, &name), S::new(member))
        .is_ok()
}

fn remove<S: Sorted>(tree: &mut Tree<S>, member: &Member) -> bool {
    let (score, name) = (member.score, member.name);
    tree.remove_by(|other| other.order(score, &name)).is_some()
}

/// What a look at a member costs that is in no cache: each look waits for the one before.
fn reference(order: &[Arc<Member>]) {
    let (mut at, start) = (0, cpu_time());
    for _ in order {
        let Some(member) = order.get(at) else { break };
        at = (at + 1 + (member.score as usize & 1)) % order.len();
        at = black_box(at);
    }
    report("a look at a member (reference)", order.len(), cpu_time() - start);
}

fn memory<S: Sorted>(order: &[Arc<Member>]) {
    let before = resident_bytes();
    let mut tree: Tree<S> = Tree::new();
    order.iter().for_each(|member| assert!(insert(&mut tree, member)));
    let resident = resident_bytes().saturating_sub(before) as f64 / order.len() as f64;
    let counted = tree.heap_bytes() as f64 / order.len() as f64;
    println!(
        "{}: {counted:.1} bytes an item counted, {resident:.1} resident",
        S::NAME
    );
    // So that the next measurement finds no memory to use again.
    std::mem::forget(tree);
}

fn measure<S: Sorted>(order: &[Arc<Member>], random: &mut SmallRng) {
    println!("{}", S::NAME);
    let count = order.len();
    let mut shuffled: Vec<&Arc<Member>> = order.iter().collect();
    let mut tree: Tree<S> = Tree::new();
    time("insert by comparison, random order", &shuffled, |member| {
        insert(&mut tree, member)
    });
    shuffled.shuffle(random);
    // Whoever looks has the key at hand.
    let keys: Vec<(f64, [u8; 16])> = shuffled.iter().map(|member| (member.score, member.name)).collect();
    time("find and rank", &keys, |(score, name)| {
        tree.find(|other| other.order(score, &name))
    });
    let indexes: Vec<usize> = (0..count).map(|_| random.random_range(0..count)).collect();
    time("get by index", &indexes, |index| {
        tree.get(index).map(|item| item as *const S)
    });
    let start = cpu_time();
    black_box(tree.iter().fold(0, |sum, item| sum ^ item as *const S as usize));
    report("iterate, an item", count, cpu_time() - start);
    ends(&mut tree, order);
    clones(&mut tree, &shuffled, random);
    shuffled.shuffle(random);
    let half = shuffled.get(..count / 2).unwrap_or_default();
    time("remove by comparison, half of them", half, |member| {
        remove(&mut tree, member)
    });
    println!(
        "  {:<42} {:>9.1} bytes counted",
        "memory of an item that is left",
        tree.heap_bytes() as f64 / tree.len() as f64
    );
    time("insert by comparison, again", half, |member| insert(&mut tree, member));
    let start = cpu_time();
    tree.remove_range(count / 10, count / 10);
    println!(
        "  {:<42} {:>9.2} ms",
        "remove a range of a tenth",
        (cpu_time() - start).as_secs_f64() * 1e3
    );
    let start = cpu_time();
    let rebuilt: Tree<S> = order.iter().map(S::new).collect();
    report("build at once, an item", count, cpu_time() - start);
    let start = cpu_time();
    drop(rebuilt);
    report("drop, an item", count, cpu_time() - start);
}

fn ends<S: Sorted>(tree: &mut Tree<S>, order: &[Arc<Member>]) {
    // One member for all: what is measured is the tree.
    let some: Vec<&Arc<Member>> = order.iter().take(1).cycle().take(1_000_000).collect();
    time("push at the back", &some, |member| {
        tree.insert(tree.len(), S::new(member))
    });
    time("pop at the back", &some, |_| tree.pop_last());
    time("push at the front", &some, |member| tree.insert(0, S::new(member)));
    time("pop at the front", &some, |_| tree.pop_first());
}

/// What changes cost when another shares all nodes.
fn clones<S: Sorted>(tree: &mut Tree<S>, members: &[&Arc<Member>], random: &mut SmallRng) {
    let start = cpu_time();
    let clone = tree.clone();
    report("clone", 1, cpu_time() - start);
    let mut some: Vec<&Arc<Member>> = members.to_vec();
    some.shuffle(random);
    some.truncate(1000);
    let change = |tree: &mut Tree<S>, member: &Arc<Member>| {
        remove(tree, member);
        insert(tree, member);
    };
    time("remove and insert, first 1000 after a clone", &some, |member| {
        change(tree, member)
    });
    drop(clone);
    time("remove and insert, unique again", &some, |member| change(tree, member));
}

fn main() {
    let count = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut order = members(count, &mut random);
    order.shuffle(&mut random);
    memory::<Pointer>(&order);
    memory::<Scored>(&order);
    reference(&order);
    measure::<Pointer>(&order, &mut random);
    measure::<Scored>(&order, &mut random);
}
