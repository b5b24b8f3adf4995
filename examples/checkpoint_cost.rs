//! What checkpoints, full and incremental, their instant, their memory and a recovery cost: 1M keys of 100 bytes in an
//! hmap, or `-- KEYS VALUE_BYTES KIND`.

#[path = "common/mod.rs"]
mod common;

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Instant;

use common::{Outcome, forget_peak, memory_mb, timed};
use lokikv::checkpoint::{CheckpointOptions, CheckpointSettings, Checkpointer, Origin};
use lokikv::engine::Engine;
use lokikv::engine::ids::DatabaseId;
use lokikv::engine::index::Kind;
use lokikv::engine::keyspace::ExclusiveTxn;
use lokikv::engine::scope::Scope;
use lokikv::engine::txn::Txn;
use lokikv::engine::worker::Worker;
use lokikv::page::StrRef;
use lokikv::recovery::{RecoverOptions, recover};
use lokikv::storage::{Disk, RealDisk};
use lokikv::wal::{Lsn, Wal, WalOptions};

/// As in the binary: allocation is much of what recovery costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The collection.
const NAME: &str = "measured";

fn fill(engine: &Engine, worker: &mut Worker, keys: Range<u64>, value: &[u8]) -> Outcome<()> {
    let slot = engine.registry().by_name(NAME).cloned().ok_or("the collection")?;
    for i in keys {
        let key = format!("key:{i:012}");
        let pass = worker.enter(engine);
        let key_ref = slot.collection.key(key.as_bytes());
        let mut scope = Scope::for_key(engine, worker, &slot.collection, key_ref);
        Txn::new(&mut scope, &slot.collection, true).put_str(key.as_bytes(), StrRef::Inline(value), None);
        drop((scope, pass));
        if i % 64 == 0 {
            worker.submit();
        }
    }
    worker.submit();
    Ok(())
}

fn main() -> Outcome<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse().ok());
    let (keys, value_bytes) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(100));
    let kind = std::env::args().nth(3).unwrap_or_else(|| "hmap".to_owned());
    let kind = Kind::ALL
        .into_iter()
        .find(|one| one.name() == kind)
        .ok_or("no such kind")?;
    let value = vec![b'x'; value_bytes as usize];
    let root = std::env::temp_dir().join(format!("checkpoint-cost-{}", std::process::id()));
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let recover_options = RecoverOptions {
        checkpoint_dir: root.join("checkpoint"),
        wal_dir: root.join("wal"),
        wal_enabled: true,
        threads: 2,
    };
    let found = recover(
        Arc::clone(&disk),
        recover_options.clone(),
        |_| ControlFlow::Continue(()),
    )?;
    let wal = Wal::open(Arc::clone(&disk), WalOptions::new(root.join("wal")), found.next_lsn)?;
    let engine = Arc::new(Engine::new(found.registry, wal, 2, 0)?);
    let mut worker = engine.worker().ok_or("no cell")?;
    worker.with_exclusive(&engine, |worker, pass| {
        let mut scope = Scope::exclusive(&engine, worker, pass);
        let mut txn = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT);
        txn.create_numbered(16)?;
        txn.create(None, NAME, kind).map(drop)
    })?;
    fill(&engine, &mut worker, 0..keys, &value)?;
    engine.wal().sync_blocking(Lsn::MAX)?;

    let (from_log, took) = timed(|| {
        recover(
            Arc::clone(&disk),
            recover_options.clone(),
            |_| ControlFlow::Continue(()),
        )
    });
    let from_log = from_log?;
    println!(
        "recovery from the WAL: {} effects, {} keys, {took}",
        from_log.effects, from_log.keys
    );
    drop(from_log);

    let options = CheckpointOptions {
        dir: root.join("checkpoint"),
        persist_dir: root.join("persist"),
        wal_dir: root.join("wal"),
        term: 0,
    };
    let checkpointer = Checkpointer::new(
        Arc::clone(&engine),
        Arc::clone(&disk),
        options,
        Arc::new(CheckpointSettings::default()),
    );
    checkpointer.start(Origin::default())?;
    forget_peak()?;
    let (before, _) = memory_mb()?;
    let full = checkpointer.checkpoint_blocking()?;
    let (_, peak) = memory_mb()?;
    println!("checkpoint, full: {full:?}");
    println!(
        "memory: {before} MB before, {} MB more at its peak",
        peak.saturating_sub(before)
    );
    let middle = keys / 2;
    fill(&engine, &mut worker, middle..middle + keys / 100, &value)?;
    let run = checkpointer.checkpoint_blocking()?;
    let percent = run.bytes as f64 * 100.0 / full.bytes as f64;
    println!("checkpoint, 1 % of the keys changed in a run: {run:?}, {percent:.1} % of the bytes");
    // All pages change, so that the next one is full again.
    fill(&engine, &mut worker, 0..keys, &value)?;
    checkpointer.start_background();
    let (mut writes, mut longest) = (0_u64, 0);
    while checkpointer.is_running() {
        let one = Instant::now();
        let from = writes * 7919 % keys;
        fill(&engine, &mut worker, from..from + 65, &value)?;
        longest = longest.max(one.elapsed().as_micros());
        writes += 65;
    }
    let stats = checkpointer.stats();
    println!(
        "checkpoint, one writer: {} ms, {writes} writes meanwhile, longest 65 of them {longest} us",
        stats.last_ms
    );
    println!("longest pause at the instant: {} us", stats.max_pause_us);
    // What the writer has done since is no part of what the checkpoint alone gives back.
    checkpointer.checkpoint_blocking()?;
    checkpointer.stop();

    let (found, took) = timed(|| recover(disk, recover_options, |_| ControlFlow::Continue(())));
    let found = found?;
    println!(
        "recovery from the checkpoint: {} keys, {} pages, {} effects, {took}",
        found.keys, found.pages, found.effects
    );
    std::fs::remove_dir_all(root)?;
    Ok(())
}
