//! Arbitrary requests to sessions over an engine without a log, on keys of every type: nothing panics.
//!
//! What a request leaves waiting is dropped, and its session ended, as when a client goes away. `CONFIG` is left out,
//! since what it sets would outlive the input.

#![no_main]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use lokikv::checkpoint::{CheckpointOptions, Checkpointer};
use lokikv::commands::context::{ClientHandle, Clients, Pause, Server, Shutdown};
use lokikv::commands::table;
use lokikv::config::{Params, load};
use lokikv::engine::Engine;
use lokikv::engine::keyspace::ExclusiveTxn;
use lokikv::engine::registry::Registry;
use lokikv::engine::scope::Scope;
use lokikv::metrics::Stats;
use lokikv::resp::{Batch, Limits, RequestParser};
use lokikv::session::{Ran, Session, WorkerCx};
use lokikv::storage::fault::FaultDisk;
use lokikv::wal::Wal;

/// Small, so that no input takes long.
const STRING_BYTES_MAX: u64 = 1 << 20;

/// What each input begins with: nothing but a key of every type.
const KEYS: &[u8] = b"FLUSHALL SYNC\r\n\
    SET str hello\r\n\
    SET int 9223372036854775806\r\n\
    SETRANGE text 5000 x\r\n\
    PFADD hll a b c\r\n\
    RPUSH list a b c 1 9223372036854775807\r\n\
    SADD set a b m0\r\n\
    SADD intset 1 2 9223372036854775807\r\n\
    ZADD zset 1 a 2 b inf m0 -inf m1\r\n\
    GEOADD geo 13.361389 38.115556 a -180 -85.05112878 b\r\n\
    HSET hash f1 9223372036854775807 f2 1.7e308\r\n\
    HPEXPIRE hash 60000 FIELDS 1 f2\r\n\
    XADD stream 1-1 f1 v\r\n\
    XGROUP CREATE stream group 0\r\n\
    XREADGROUP GROUP group consumer STREAMS stream >\r\n\
    XADD last 18446744073709551615-18446744073709551615 f1 v\r\n";

thread_local! {
    static CX: WorkerCx = worker();
}

fuzz_target!(|data: &[u8]| {
    if data.windows(6).any(|word| word.eq_ignore_ascii_case(b"config")) {
        return;
    }
    CX.with(|cx| {
        cx.server.pause.clear();
        cx.worker.borrow_mut().refresh_clock();
        run(cx, KEYS);
        run(cx, data);
    });
});

fn worker() -> WorkerCx {
    let engine = Engine::new(Registry::default(), Wal::disabled(1), 1, 0).expect("a thread");
    engine.set_string_bytes_max(STRING_BYTES_MAX);
    let engine = Arc::new(engine);
    let mut worker = engine.worker().expect("a place");
    worker
        .with_exclusive(&engine, |worker, pass| {
            let mut scope = Scope::exclusive(&engine, worker, pass);
            ExclusiveTxn::new(&mut scope, 0).create_numbered(4)
        })
        .expect("databases");
    let params = Params::new(load(None, &[]).expect("the defaults"));
    let options = CheckpointOptions {
        dir: PathBuf::from("/checkpoints"),
        persist_dir: PathBuf::from("/persisted"),
        wal_dir: PathBuf::from("/wal"),
        last: None,
        behind_bytes: 0,
        term: 1,
    };
    let disk = Arc::new(FaultDisk::new(0));
    let checkpoints = Checkpointer::new(Arc::clone(&engine), disk, options, Arc::clone(params.live()));
    let server = Server {
        stats: Stats::new(table::all().len(), engine.cells()),
        engine,
        params: Arc::new(params),
        clients: Clients::default(),
        checkpoints: Arc::new(checkpoints),
        shutdown: Shutdown::default(),
        pause: Pause::default(),
        active_expire: AtomicBool::new(true),
        started: Instant::now(),
        started_s: 0,
        run_id: "0".repeat(40),
        port: 0,
    };
    WorkerCx::new(Arc::new(server), worker)
}

fn session() -> Session {
    let handle = ClientHandle::new(1, "127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned(), 0, false, 0);
    Session::new(Arc::new(handle), true)
}

/// Runs the requests that `bytes` begin with, up to what is none.
fn run(cx: &WorkerCx, bytes: &[u8]) {
    let mut parser = RequestParser::new(Limits::default());
    let mut batch = Batch::new();
    let mut session = session();
    let mut rest = bytes;
    while let Ok(done) = parser.fill(rest, &mut batch, usize::MAX) {
        if batch.is_empty() {
            break;
        }
        run_batch(cx, &mut session, &batch, rest);
        rest = &rest[done..];
    }
    session.end(cx);
}

fn run_batch(cx: &WorkerCx, client: &mut Session, batch: &Batch, buf: &[u8]) {
    let mut from = 0;
    while let Ran::Waiting { next, .. } = client.run(cx, batch, buf, from) {
        client.end(cx);
        *client = session();
        from = next;
    }
}
