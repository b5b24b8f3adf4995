//! The thread that evicts what commands leave over: where one needed more memory at once than it had time to make, the
//! limit was lowered, or clients hold more.
//!
//! It steps back behind workers: whoever needs memory evicts for itself, and waits for this thread only where much is
//! missing, when there is a core for it.
//!
//! What indexes let go of where keys are evicted is freed here, too: whoever needs memory counts on it.
//!
//! **Invariant:** it gives up its pass between short steps, so that exclusive work does not wait for it.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::engine::background::step_back;
use crate::engine::blocked;
use crate::engine::garbage::Garbage;
use crate::engine::worker::Worker;
use crate::pubsub::Outlet;
use crate::state::Server;

/// How often it looks by itself.
const TICK: Duration = Duration::from_millis(100);
/// The longest work under one pass.
const STEP: Duration = Duration::from_micros(250);
/// Between one round and the next, unless there is more to do than others will: waking up costs more than what one
/// command leaves over.
const PAUSE: Duration = Duration::from_millis(1);

/// Runs until the server ends.
pub fn run(server: &Arc<Server>, mut worker: Worker) {
    step_back();
    let (mut garbage, outlet) = (Garbage::default(), Arc::new(Outlet::default()));
    worker.set_herald(server.pubsub.herald(&outlet));
    while !server.shutdown.is_requested() {
        server.pressure.wait(TICK);
        if server.loading.is_on() {
            continue;
        }
        worker.see_data(&server.engine);
        while step(server, &mut worker) && !server.shutdown.is_requested() {}
        server.pubsub.wake_others(&outlet);
        free(&server.engine, &mut garbage, worker.cell());
        std::thread::sleep(PAUSE);
    }
}

/// Evicts for a moment; whether there is more to do.
fn step(server: &Server, worker: &mut Worker) -> bool {
    worker.refresh_clock();
    let pass = worker.enter(&server.engine);
    let is_left = server.relieve(worker, STEP);
    blocked::serve(&server.engine, worker);
    server.engine.tell_caches(worker);
    drop(pass);
    worker.submit();
    is_left
}

/// Frees what indexes have let go of where keys were evicted, if nobody can be looking at it any more.
fn free(engine: &Engine, garbage: &mut Garbage, cell: usize) {
    garbage.add(engine.eviction().take_retired());
    let freed = garbage.free(engine, cell);
    engine.eviction().note_freed(freed);
}
