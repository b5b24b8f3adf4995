//! What checkpoints of big containers cost: one of each type with 5,000,000 elements, and a string of 256 MiB, or `--
//! ELEMENTS STRING_MIB`. First all is written; then what has changed, one change in each, and 1 % of the elements in a
//! run; then `PERSIST` and a copy, and a recovery.
//!
//! A run of a hash, a set or a sorted set is one in the order in which they are kept, as a scan gives it.

#[path = "common/mod.rs"]
mod common;

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Instant;

use common::{Outcome, forget_peak, memory_mb, timed};
use lokikv::checkpoint::{CheckpointOptions, CheckpointSettings, Checkpointer, CopyRequest, Origin, Target};
use lokikv::engine::Engine;
use lokikv::engine::effect::Effect;
use lokikv::engine::ids::DatabaseId;
use lokikv::engine::keyspace::ExclusiveTxn;
use lokikv::engine::scope::Scope;
use lokikv::engine::txn::Txn;
use lokikv::engine::worker::Worker;
use lokikv::page::hash::{HashOp, HashRef};
use lokikv::page::list::ListOp;
use lokikv::page::packed::pack;
use lokikv::page::set::{SetOp, SetRef};
use lokikv::page::stream::{StreamId, StreamOp};
use lokikv::page::zset::{ZsetOp, ZsetRef, pack_pairs};
use lokikv::recovery::{RecoverOptions, recover};
use lokikv::storage::{Disk, RealDisk};
use lokikv::wal::{Lsn, Wal, WalOptions};

/// As in the binary: allocation is much of what recovery costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Elements of one change while all is filled.
const BATCH: u64 = 200;
const CHUNK_BYTES: usize = 64 << 10;

struct Bench {
    engine: Arc<Engine>,
    worker: Worker,
    checkpointer: Checkpointer,
}

impl Bench {
    fn apply(&mut self, effect: &Effect<'_>) -> Outcome<()> {
        let key = effect.key().ok_or("an effect on a key")?;
        let slot = self.engine.registry().slot(DatabaseId::DEFAULT).cloned();
        let collection = slot.ok_or("the collection")?.collection;
        let pass = self.worker.enter(&self.engine);
        let mut scope = Scope::for_key(&self.engine, &mut self.worker, &collection, collection.key(key));
        Txn::new(&mut scope, &collection, true).apply(effect);
        drop((scope, pass));
        self.worker.submit();
        while self.engine.wal().over_pending() {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Puts these elements into the container of each type.
    fn put(&mut self, elements: Range<u64>, word: &str) -> Outcome<()> {
        let names: Vec<Vec<u8>> = elements.clone().map(name).collect();
        let plain = pack(names.iter().map(Vec::as_slice));
        let pairs = pack(names.iter().flat_map(|name| [name.as_slice(), word.as_bytes()]));
        let score = |number: u64| (number.wrapping_mul(0x9e37_79b9) % 1_000_003) as f64 + word.len() as f64;
        let scored = pack_pairs(elements.clone().map(score).zip(names.iter().map(Vec::as_slice)));
        let keeps_expiry = false;
        self.apply(&Effect::Hash {
            key: b"hash",
            op: HashOp::Set {
                pairs: &pairs,
                keeps_expiry,
            },
        })?;
        self.apply(&Effect::Set {
            key: b"set",
            op: SetOp::Add { members: &plain },
        })?;
        self.apply(&Effect::Zset {
            key: b"zset",
            op: ZsetOp::Add { members: &scored },
        })
    }

    /// Appends these elements to the list and the stream.
    fn append(&mut self, elements: Range<u64>) -> Outcome<()> {
        for number in elements.clone() {
            let fields = pack([b"field".as_slice(), &name(number)]);
            let id = StreamId::new(number + 1, 0);
            self.apply(&Effect::Stream {
                key: b"stream",
                op: StreamOp::Add { id, fields: &fields },
            })?;
        }
        let names: Vec<Vec<u8>> = elements.map(name).collect();
        let elements = &pack(names.iter().map(Vec::as_slice));
        self.apply(&Effect::List {
            key: b"list",
            op: ListOp::Push { front: false, elements },
        })
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Outcome<()> {
        self.apply(&Effect::StrRange {
            key: b"string",
            offset,
            bytes,
        })
    }

    /// Elements of a hash, a set or a sorted set that lie together.
    fn run_of(&mut self, key: &[u8], count: usize) -> Outcome<Vec<u64>> {
        let slot = self.engine.registry().slot(DatabaseId::DEFAULT).cloned();
        let collection = slot.ok_or("the collection")?.collection;
        let key = collection.key(key);
        let shard = collection.shard(collection.shard_of(key.hash)).lock();
        let value = shard.index.get(key).ok_or("the key")?.value();
        let mut found = Vec::with_capacity(count);
        let mut take = |name: &[u8]| {
            let text = String::from_utf8_lossy(name);
            found.extend(text.trim_start_matches("element:").parse::<u64>());
        };
        let from = 1 << 62;
        if let Some(hash) = HashRef::of(value) {
            hash.scan(from, count, &mut |field| take(&field.name.bytes()));
        } else if let Some(set) = SetRef::of(value) {
            set.scan(from, count, &mut |member| take(&member.bytes()));
        } else if let Some(zset) = ZsetRef::of(value) {
            zset.scan(from, count, &mut |member| take(&member.name.bytes()));
        }
        Ok(found)
    }

    /// Changes one percent of each container's elements, which lie together.
    fn change_runs(&mut self, elements: u64, string_bytes: u64) -> Outcome<()> {
        let percent = elements / 100;
        let count = usize::try_from(percent)?;
        for number in self.run_of(b"hash", count)? {
            let pairs = &pack([name(number).as_slice(), b"one in a run"]);
            let keeps_expiry = false;
            let op = HashOp::Set { pairs, keeps_expiry };
            self.apply(&Effect::Hash { key: b"hash", op })?;
        }
        for number in self.run_of(b"set", count)? {
            let members = &pack([name(number).as_slice()]);
            for op in [SetOp::Remove { members }, SetOp::Add { members }] {
                self.apply(&Effect::Set { key: b"set", op })?;
            }
        }
        for number in self.run_of(b"zset", count)? {
            let members = &pack_pairs([(0.5, name(number).as_slice())].into_iter());
            let op = ZsetOp::Add { members };
            self.apply(&Effect::Zset { key: b"zset", op })?;
        }
        for index in 0..percent {
            let (index, element) = (elements / 4 + index, b"one in a run".as_slice());
            let op = ListOp::Set { index, element };
            self.apply(&Effect::List { key: b"list", op })?;
        }
        self.append(elements + 10..elements + 10 + percent)?;
        self.write(0, &vec![b'x'; usize::try_from(string_bytes / 100)?])
    }

    fn checkpoint(&mut self, what: &str, full_bytes: Option<u64>) -> Outcome<u64> {
        let (before, _) = memory_mb()?;
        forget_peak()?;
        let started = Instant::now();
        let done = self.checkpointer.checkpoint_blocking()?;
        let took = started.elapsed();
        let (_, peak) = memory_mb()?;
        let share = full_bytes.map_or(String::new(), |full| {
            format!(", {:.2} % of the bytes", done.bytes as f64 * 100.0 / full as f64)
        });
        println!(
            "checkpoint, {what}: {} bytes{share} in {took:?}; memory {before} MB before, {} MB more at the peak",
            done.bytes,
            peak.saturating_sub(before)
        );
        Ok(done.bytes)
    }
}

fn name(number: u64) -> Vec<u8> {
    format!("element:{number:010}").into_bytes()
}

fn fill(bench: &mut Bench, elements: u64, string_bytes: u64) -> Outcome<()> {
    let mut from = 0;
    while from < elements {
        let to = (from + BATCH).min(elements);
        bench.put(from..to, "a value of a field")?;
        bench.append(from..to)?;
        from = to;
    }
    let empty = lokikv::page::ValueRef::Str(lokikv::page::StrRef::Inline(b""));
    bench.apply(&Effect::Put {
        key: b"string",
        expire_at_ms: 0,
        value: empty,
    })?;
    let mut state = 1_u64;
    for offset in (0..string_bytes).step_by(CHUNK_BYTES) {
        let bytes: Vec<u8> = (0..CHUNK_BYTES / 8)
            .flat_map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state.to_le_bytes()
            })
            .collect();
        bench.write(offset, &bytes)?;
    }
    Ok(())
}

fn measure(bench: &mut Bench, elements: u64, string_bytes: u64) -> Outcome<()> {
    let full = bench.checkpoint("full", None)?;
    bench.checkpoint("nothing changed", Some(full))?;
    for round in 0..3 {
        let one = elements / 2 + round * 1000;
        bench.put(one..one + 1, "another value")?;
        bench.append(elements + round..elements + round + 1)?;
        bench.write(string_bytes / 2 + round * 1_000_000, b"x")?;
        bench.checkpoint("one change in each", Some(full))?;
    }
    bench.change_runs(elements, string_bytes)?;
    bench.checkpoint("1 % of the elements of each, which lie together", Some(full))?;
    Ok(())
}

fn bring_elsewhere(bench: &Bench) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let name = "default".to_owned();
    for what in ["PERSIST", "COLLECTION COPY"] {
        let (before, _) = memory_mb()?;
        forget_peak()?;
        let (outcome, took) = timed(|| -> Outcome<()> {
            if what == "PERSIST" {
                runtime.block_on(bench.checkpointer.persist(&name))?;
            } else {
                let (source, name) = (name.clone(), "copy".to_owned());
                let target = Target { name, replace: false };
                let request = CopyRequest {
                    source,
                    target,
                    kind: None,
                };
                runtime.block_on(bench.checkpointer.copy(request))?;
            }
            Ok(())
        });
        let (after, peak) = memory_mb()?;
        println!("{what}: {took}; memory {before} MB before, {peak} MB at the peak, {after} MB after");
        outcome?;
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse().ok());
    let elements = numbers.next().unwrap_or(5_000_000);
    let string_bytes = numbers.next().unwrap_or(256) << 20;
    let root = std::env::temp_dir().join(format!("container-checkpoint-cost-{}", std::process::id()));
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let options = RecoverOptions {
        checkpoint_dir: root.join("checkpoint"),
        wal_dir: root.join("wal"),
        wal_enabled: true,
        threads: std::thread::available_parallelism()?.get(),
    };
    let found = recover(Arc::clone(&disk), options.clone(), |_| ControlFlow::Continue(()))?;
    let wal = Wal::open(Arc::clone(&disk), WalOptions::new(root.join("wal")), found.next_lsn)?;
    let engine = Arc::new(Engine::new(found.registry, wal, 2, 0)?);
    let mut worker = engine.worker().ok_or("no cell")?;
    worker.with_exclusive(&engine, |worker, pass| {
        let mut scope = Scope::exclusive(&engine, worker, pass);
        ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT).create_numbered(1)
    })?;
    let checkpointer = Checkpointer::new(
        Arc::clone(&engine),
        Arc::clone(&disk),
        CheckpointOptions {
            dir: root.join("checkpoint"),
            persist_dir: root.join("persist"),
            wal_dir: root.join("wal"),
            term: 0,
        },
        Arc::new(CheckpointSettings::default()),
    );
    checkpointer.start(Origin::default())?;
    let mut bench = Bench {
        engine,
        worker,
        checkpointer,
    };
    let (filled, took) = timed(|| fill(&mut bench, elements, string_bytes));
    filled?;
    bench.engine.wal().sync_blocking(Lsn::MAX)?;
    println!("filled with {elements} elements each: {took}");
    measure(&mut bench, elements, string_bytes)?;
    bring_elsewhere(&bench)?;
    bench.checkpointer.checkpoint_blocking()?;
    bench.checkpointer.stop();
    drop(bench);
    let (found, took) = timed(|| recover(disk, options, |_| ControlFlow::Continue(())));
    let found = found?;
    println!(
        "recovery of both: {} keys, {} effects, {took}",
        found.keys, found.effects
    );
    // Gone with the process: dropping it all first would only take time.
    std::mem::forget(found);
    std::fs::remove_dir_all(root)?;
    Ok(())
}
