//! The housekeeping thread: active expiry (removes keys whose time has come though nobody looks at them), and samples
//! for INFO and the status page.
//!
//! Memory that shards have let go of is freed here, too, and blocked commands that look again at a time of their own do
//! so from here.
//!
//! Each page knows a lower bound of its entries' expiry, so a tick looks at page headers and opens only pages that hold
//! something dead. Work per tick is bounded, and the pass is given up between shards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::causes::Causes;
use super::fragments::Fragments;
use super::sampling::Sampler;
use crate::allocator::Follower;
use crate::engine::EXPIRY_TICKS_PER_S;
use crate::engine::blocked;
use crate::engine::collection::Collection;
use crate::engine::garbage::Garbage;
use crate::engine::ids::ShardNo;
use crate::engine::keyspace::KeyspaceTxn;
use crate::engine::scope::Scope;
use crate::engine::walker::{Step, Walker};
use crate::engine::worker::Worker;
use crate::pubsub::Outlet;
use crate::state::Server;

const TICK: Duration = Duration::from_millis(1000 / EXPIRY_TICKS_PER_S as u64);
/// Longest work in one tick.
const BUDGET: Duration = Duration::from_millis(25);
/// The same while nothing is found that is to be removed.
const IDLE_BUDGET: Duration = Duration::from_millis(5);
/// Pages looked at under one shard lock.
const PAGES_PER_LOOK: usize = 64;

/// Runs until the server ends.
pub fn run(server: &Arc<Server>, mut worker: Worker) {
    let (mut walker, mut garbage) = (Walker::default(), Garbage::default());
    let (mut sampler, mut fragments) = (Sampler::default(), Fragments::default());
    let (outlet, causes) = (Arc::new(Outlet::default()), Causes::default());
    let follower = Follower::new(None);
    worker.set_herald(server.pubsub.herald(&outlet));
    while !server.shutdown.is_requested() {
        std::thread::sleep(TICK);
        follower.follow();
        server.engine.meter().note_peak();
        sample_rates(server);
        causes.note(server);
        sampler.sample(server);
        fragments.look(server);
        if server.loading.is_on() {
            continue;
        }
        worker.see_data(&server.engine);
        // After CONFIG SET of less than there is.
        server.engine.evict_tracked(&mut worker);
        server.engine.tracking().drop_cleared();
        server.engine.tell_caches(&mut worker);
        if serve_due(server, &mut worker) {
            server.pubsub.wake_others(&outlet);
        }
        if server.active_expire.load(Ordering::Relaxed) && !server.engine.holds_expiry(worker.now_ms()) {
            tick(server, &mut worker, &mut walker, &mut garbage);
            server.pubsub.wake_others(&outlet);
        }
        garbage.free(&server.engine, worker.cell());
    }
}

/// Lets blocked commands try again whose time has come; whether there were any.
fn serve_due(server: &Server, worker: &mut Worker) -> bool {
    worker.refresh_clock();
    let due = server.alarms.take_due(worker.now_ms());
    if due.is_empty() {
        return false;
    }
    let pass = worker.enter(&server.engine);
    due.into_iter().for_each(|numbered| worker.note_due(numbered));
    blocked::serve(&server.engine, worker);
    server.engine.tell_caches(worker);
    drop(pass);
    worker.submit();
    true
}

fn sample_rates(server: &Server) {
    let engine = &server.engine;
    let sums = [
        engine.count(|counters| counters.commands.get()),
        engine.count(|counters| counters.net_input_bytes.get()),
        engine.count(|counters| counters.net_output_bytes.get()),
    ];
    server.stats.rates.sample(Instant::now(), sums);
}

fn tick(server: &Server, worker: &mut Worker, walker: &mut Walker, garbage: &mut Garbage) {
    let started = Instant::now();
    let mut found = started;
    while started.elapsed() < BUDGET && found.elapsed() < IDLE_BUDGET {
        let Step::Shard(collection, shard) = walker.next(&server.engine) else {
            return;
        };
        {
            let _pass = worker.enter(&server.engine);
            garbage.gather(&collection, collection.shard(shard));
        }
        match sweep_shard(server, worker, &collection, shard, started) {
            Swept::Nothing => {}
            Swept::Some => found = Instant::now(),
            Swept::NotAll => walker.stay(shard),
        }
    }
}

/// What the sweep of a shard has come to.
enum Swept {
    /// There was nothing to remove.
    Nothing,
    /// Something was removed.
    Some,
    /// The time was over before the shard's end.
    NotAll,
}

/// Goes on where the walk was last in this shard, to the shard's end at most.
fn sweep_shard(
    server: &Server,
    worker: &mut Worker,
    collection: &Collection,
    shard: ShardNo,
    started: Instant,
) -> Swept {
    let mut swept = Swept::Nothing;
    loop {
        worker.refresh_clock();
        let pass = worker.enter(&server.engine);
        let now_ms = worker.now_ms();
        let mut dead = Vec::new();
        let more = {
            let mut state = collection.shard(shard).lock();
            if state.expires + state.timed == 0 {
                return swept;
            }
            let cursor = state.sweep_cursor;
            let next = state.index.sweep(cursor, PAGES_PER_LOOK, now_ms, &mut dead);
            state.sweep_cursor = next.unwrap_or(0);
            next.is_some()
        };
        if !dead.is_empty() {
            swept = Swept::Some;
            let mut scope = Scope::visiting(&server.engine, worker);
            KeyspaceTxn::new(&mut scope, collection).expire(&dead);
        }
        blocked::serve(&server.engine, worker);
        server.engine.tell_caches(worker);
        drop(pass);
        worker.submit();
        if !more {
            return swept;
        }
        if started.elapsed() > BUDGET {
            return Swept::NotAll;
        }
    }
}
