//! What the connections of one worker thread share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::current::CurrentCollections;
use super::prepare::Ahead;
use super::script::Machine;
use super::stopwatch::Stopwatch;
use crate::client::When;
use crate::commands::context::PublishCx;
use crate::commands::spec::Table;
use crate::commands::table::table;
use crate::engine::worker::{Kit, Worker};
use crate::metrics::Counters;
use crate::metrics::activity::Doing;
use crate::pubsub::Desk;
use crate::resp::Batch;
use crate::state::Server;

/// Read buffers a worker keeps for its connections.
const BUFFERS_KEPT: usize = 64;
/// Batches a worker keeps for them.
const BATCHES_KEPT: usize = 64;
/// Larger read buffers are freed rather than kept.
const BUFFER_BYTES_KEPT: usize = 128 * 1024;

/// So many turns, and keys, a broadcast is held back at most.
const HELD_TURNS_MAX: u32 = 64;
const HELD_KEYS_MAX: usize = 1000;

/// See the module.
pub struct WorkerCx {
    /// Everything shared by all threads.
    pub server: Arc<Server>,
    /// All commands.
    pub commands: &'static Table,
    /// This thread's way into the engine.
    pub worker: RefCell<Worker>,
    /// Its end of publish and subscribe.
    pub desk: Rc<Desk>,
    /// The worker's counters, and its number among those that touch data.
    pub counters: Arc<Counters>,
    /// See there.
    pub(super) cell: usize,
    /// Collections that clients of this worker have selected.
    pub collections: CurrentCollections,
    /// What has been found out of requests that are about to run.
    pub(super) ahead: RefCell<Ahead>,
    pub(super) stopwatch: RefCell<Stopwatch>,
    /// What runs its scripts.
    pub(super) machine: RefCell<Machine>,
    buffers: RefCell<Vec<Vec<u8>>>,
    batches: RefCell<Vec<Batch>>,
    /// For how many turns a broadcast has been held back.
    held_turns: Cell<u32>,
    /// Others are served in the middle of something, see [`meanwhile`](Self::meanwhile).
    is_meanwhile: Cell<bool>,
}

impl WorkerCx {
    /// For a new worker thread.
    pub fn new(server: Arc<Server>, mut worker: Worker) -> Self {
        worker.counters().activity.name_after_thread();
        let desk = server.pubsub.open_desk();
        worker.set_herald(server.pubsub.herald(desk.outlet()));
        Self {
            counters: worker.shared_counters(),
            cell: worker.cell(),
            desk,
            server,
            commands: table(),
            worker: RefCell::new(worker),
            collections: CurrentCollections::default(),
            ahead: RefCell::default(),
            stopwatch: RefCell::default(),
            machine: RefCell::default(),
            buffers: RefCell::default(),
            batches: RefCell::default(),
            held_turns: Cell::new(0),
            is_meanwhile: Cell::new(false),
        }
    }

    /// Serves others in the middle of whatever this worker does, or waits for: it may hold the gate, and any lock. What
    /// is asked for meanwhile touches no data, also if the script is just over that keeps others waiting: nobody would
    /// hand its records over, and the gate would be waited for which this thread has.
    pub fn meanwhile(&self, serve: impl FnOnce()) {
        // What serves may wait for a lock itself.
        if !self.is_meanwhile.replace(true) {
            serve();
            self.is_meanwhile.set(false);
        }
    }

    /// Whether others are served in the middle of something.
    pub(super) fn is_meanwhile(&self) -> bool {
        self.is_meanwhile.get()
    }

    /// What a command that publishes works with, on this worker, whose `kit` that is.
    pub(super) fn publish_cx<'a>(&'a self, kit: &'a Kit) -> PublishCx<'a> {
        PublishCx {
            pubsub: &self.server.pubsub,
            outlet: self.desk.outlet(),
            kit,
        }
    }

    /// Tells clients that cache what their transaction means to others so far.
    #[inline]
    pub(super) fn tell_others(&self, kit: &mut Kit) {
        if kit.told.is_due() {
            self.server.post(Some(&self.desk)).tell(kit, When::AtOnce);
        }
    }

    /// Tells clients that cache what a request that has run, and been answered, means to them.
    #[cold]
    pub(super) fn tell_replied(&self, kit: &mut Kit) {
        self.server.post(Some(&self.desk)).tell(kit, When::Replied);
    }

    /// Tells clients that cache what all that has been done together brings by their prefixes. `holds`: there is more
    /// to be done that belongs to it.
    fn broadcast(&self, kit: &mut Kit, holds: bool) {
        if !kit.told.is_broadcast() {
            return;
        }
        let held = if holds { self.held_turns.get() + 1 } else { 0 };
        let is_held = (1..=HELD_TURNS_MAX).contains(&held) && kit.told.broadcast_count() < HELD_KEYS_MAX;
        self.held_turns.set(if is_held { held } else { 0 });
        if !is_held {
            self.server.post(Some(&self.desk)).tell(kit, When::Together);
        }
    }

    /// The same, of what was held back last; whether there was some.
    pub fn broadcast_held(&self) -> bool {
        let held = self.held_turns.get() > 0;
        if held {
            self.broadcast(&mut self.worker.borrow_mut(), false);
            self.server.pubsub.wake_others(self.desk.outlet());
        }
        held
    }

    /// A turn of the worker begins: its clock is read.
    pub fn begin_turn(&self) {
        let worker = &mut *self.worker.borrow_mut();
        if worker.awaits_data() && !self.server.loading.is_on() {
            worker.see_data(&self.server.engine);
        }
        self.stopwatch.borrow_mut().begin_turn(self, worker);
    }

    /// The requests of a connection have run, and others' are to follow.
    pub fn go_on(&self) {
        self.stopwatch.borrow_mut().submit_if_due(&mut self.worker.borrow_mut());
    }

    /// When the worker last looked at the clock.
    pub fn last_look(&self) -> Instant {
        self.stopwatch.borrow().at()
    }

    /// All requests of a turn have run: what they changed goes to the log, and their times are noted. `is_alone`: their
    /// clients are all that the worker has to do. `is_cut`: some connection has left requests for
    /// the next turn.
    pub fn end_turn(&self, is_alone: bool, is_cut: bool) {
        let worker = &mut *self.worker.borrow_mut();
        self.counters.activity.note(Doing::WritesLog);
        if is_alone {
            worker.submit_alone();
        } else {
            worker.submit();
        }
        self.counters.activity.note(Doing::Serves);
        self.stopwatch.borrow_mut().settle(self, worker);
        self.server.pubsub.hand_over_lines(self.desk.outlet());
        self.broadcast(worker, is_cut);
        self.server.pubsub.wake_others(self.desk.outlet());
    }

    /// The first stages of the preparation of several connections' requests, all under one pass: `look` asks each.
    pub fn look_ahead(&self, look: impl FnOnce(&mut Ahead)) {
        let (worker, mut ahead) = (self.worker.borrow(), self.ahead.borrow_mut());
        ahead.clear();
        let engine = &self.server.engine;
        if let Some(_pass) = worker.enter_unless(engine, || self.server.busy.are_some()) {
            look(&mut ahead);
        }
    }

    /// Lets go of scripts that have been flushed, and of libraries that are gone.
    pub fn follow_scripts(&self) {
        self.machine.borrow_mut().follow(&self.server);
    }

    /// An empty read buffer.
    pub fn take_buffer(&self) -> Vec<u8> {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives an empty read buffer back.
    pub fn give_buffer(&self, buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < BUFFERS_KEPT && (1..=BUFFER_BYTES_KEPT).contains(&buffer.capacity()) {
            buffers.push(buffer);
        }
    }

    /// An empty batch.
    pub fn take_batch(&self) -> Batch {
        self.batches.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives a batch back.
    pub fn give_batch(&self, mut batch: Batch) {
        let mut batches = self.batches.borrow_mut();
        if batches.len() < BATCHES_KEPT {
            batch.clear();
            batches.push(batch);
        }
    }
}
