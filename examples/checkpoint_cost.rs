//! What a checkpoint, its instant and a recovery cost: 1M keys of 100 bytes, or `-- KEYS VALUE_BYTES`.

use std::sync::Arc;
use std::time::Instant;

use lokikv::checkpoint::{CheckpointOptions, Checkpointer};
use lokikv::config::Live;
use lokikv::engine::Engine;
use lokikv::engine::keyspace::ExclusiveTxn;
use lokikv::engine::scope::Scope;
use lokikv::engine::txn::Txn;
use lokikv::engine::worker::Worker;
use lokikv::page::StrRef;
use lokikv::recovery::{RecoverOptions, recover};
use lokikv::storage::{Disk, RealDisk};
use lokikv::wal::{Wal, WalOptions};

/// As in the binary: allocation is much of what recovery costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn fill(engine: &Engine, worker: &mut Worker, keys: u64, value: &[u8]) -> Outcome<()> {
    let slot = engine.registry().slot(0).cloned().ok_or("database 0")?;
    for i in 0..keys {
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
    let value = vec![b'x'; value_bytes as usize];
    let root = std::env::temp_dir().join(format!("checkpoint-cost-{}", std::process::id()));
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let recover_options = RecoverOptions {
        checkpoint_dir: root.join("checkpoint"),
        wal_dir: root.join("wal"),
        wal_enabled: true,
        threads: 2,
    };
    let found = recover(Arc::clone(&disk), recover_options.clone(), |_| ())?;
    let wal = Wal::open(Arc::clone(&disk), WalOptions::new(root.join("wal")), found.next_lsn)?;
    let engine = Arc::new(Engine::new(found.registry, wal, 2, 0)?);
    let mut worker = engine.worker().ok_or("no cell")?;
    worker.with_exclusive(&engine, |worker, pass| {
        let mut scope = Scope::exclusive(&engine, worker, pass);
        ExclusiveTxn::new(&mut scope, 0).create_numbered(16)
    })?;
    fill(&engine, &mut worker, keys, &value)?;
    engine.wal().sync_blocking(u64::MAX)?;

    let started = Instant::now();
    let from_log = recover(Arc::clone(&disk), recover_options.clone(), |_| ())?;
    println!(
        "recovery from the WAL: {} effects, {} keys, {:?}",
        from_log.effects,
        from_log.keys,
        started.elapsed()
    );
    drop(from_log);

    let options = CheckpointOptions {
        dir: root.join("checkpoint"),
        persist_dir: root.join("persist"),
        wal_dir: root.join("wal"),
        last: None,
        behind_bytes: 0,
        term: 0,
    };
    let checkpointer = Checkpointer::new(
        Arc::clone(&engine),
        Arc::clone(&disk),
        options,
        Arc::new(Live::default()),
    );
    checkpointer.start()?;
    println!("checkpoint, idle: {:?}", checkpointer.checkpoint_blocking()?);
    checkpointer.start_background();
    let (mut writes, mut longest) = (0_u64, 0);
    while checkpointer.is_running() {
        let one = Instant::now();
        fill(&engine, &mut worker, 1, &value)?;
        fill(&engine, &mut worker, 64, &value)?;
        longest = longest.max(one.elapsed().as_micros());
        writes += 65;
    }
    let stats = checkpointer.stats();
    println!(
        "checkpoint, one writer: {} ms, {writes} writes meanwhile, longest 65 of them {longest} us",
        stats.last_ms
    );
    println!("longest pause at the instant: {} us", stats.max_pause_us);
    checkpointer.stop();

    let started = Instant::now();
    let found = recover(disk, recover_options, |_| ())?;
    println!(
        "recovery from the checkpoint: {} keys, {} pages, {:?}",
        found.keys,
        found.pages,
        started.elapsed()
    );
    std::fs::remove_dir_all(root)?;
    Ok(())
}
