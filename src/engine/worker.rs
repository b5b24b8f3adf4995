//! What a thread needs to touch data: a [`Worker`] passes the gate, alone or beside others; what it works with then is
//! its [`Kit`]: its end of the WAL, its clock, its counters.
//!
//! **Invariants**
//! - Code under a pass has the kit only, which knows no way to the gate: no thread takes it twice.
//! - A worker's clock stands still while a command (or a transaction) runs.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::Engine;
use super::blocked::{Numbered, Ready};
use super::dependencies::Dependencies;
use super::events::Herald;
use super::eviction::Pools;
use super::gate::{ExclusivePass, Pass};
use super::settings::Traits;
use super::tracking::Told;
use super::undo::Undo;
use crate::metrics::Counters;
use crate::wal::{Lsn, WorkerLog};

/// Unix time in milliseconds. The wall clock may go backwards; expiry follows it.
pub fn unix_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_millis() as u64
}

/// The same in microseconds.
fn unix_us() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_micros() as u64
}

/// How old a worker's clock gets before it is read again.
const CLOCK_AGE_MAX: Duration = Duration::from_millis(1);

impl Dependencies {
    /// The record that has to be stable before the replies may go; 0 = none.
    #[inline]
    pub fn due(&self, engine: &Engine) -> Lsn {
        if engine.waits_for_stable() {
            self.observed.max(self.strict)
        } else {
            self.strict
        }
    }
}

/// Randomness for one command.
pub struct Dice(SmallRng);

impl Dice {
    /// A random number below `n` (0 when `n` is 0).
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { self.0.random_range(0..n) }
    }
}

/// One thread's way into the engine. Not shared.
pub struct Worker {
    kit: Kit,
}

/// What work under a pass needs of its thread.
pub struct Kit {
    pub(super) cell: usize,
    pub(super) log: WorkerLog,
    /// Whether that is the end of the log behind the data.
    pub(super) sees_data: bool,
    pub(super) now_ms: u64,
    /// When that was read.
    now_since: Instant,
    /// The instant that is the present for as long as a transaction or a script runs, Unix microseconds.
    instant_us: Option<u64>,
    /// What the wall clock is said to say, Unix microseconds.
    made_us: Option<u64>,
    pub(super) counters: Arc<Counters>,
    /// Highest LSN that a reply of this batch depends on: written, or read from a page changed that late.
    pub(super) seen_lsn: Lsn,
    /// The same of collections that follow the server's policy.
    pub(super) observed_lsn: Lsn,
    /// The same of collections whose replies wait whatever the server's policy is.
    pub(super) strict_lsn: Lsn,
    /// The last record ended since somebody took the dependencies.
    written_lsn: Lsn,
    /// LSN of the open record; 0 = none.
    record: Lsn,
    /// When it began, Unix milliseconds: a script, whose clock stands still, may have run for long before.
    record_ms: u64,
    /// A transaction of several scopes is running: its record stays open between them.
    in_transaction: bool,
    /// What is kept while something can be taken back.
    pub(super) undo: Option<Box<Undo>>,
    /// An empty one, for the next attempt.
    pub(super) spare_undo: Option<Box<Undo>>,
    /// Whom to serve when what runs now is over.
    pub(super) ready: Ready,
    /// What those who cache are to be told of.
    pub told: Told,
    /// The records that it tells of.
    told_of: Dependencies,
    /// Who passes on what happens to keys; `None`: nobody is told.
    pub(super) herald: Option<Box<dyn Herald>>,
    /// Keys that may be evicted.
    pub(super) pools: Pools,
    random: SmallRng,
}

impl Worker {
    pub(super) fn new(cell: usize, log: WorkerLog, sees_data: bool, counters: Arc<Counters>) -> Self {
        let random = SmallRng::seed_from_u64(rand::random());
        let kit = Kit {
            cell,
            log,
            sees_data,
            now_ms: unix_ms(),
            now_since: Instant::now(),
            instant_us: None,
            made_us: None,
            counters,
            seen_lsn: Lsn::ZERO,
            observed_lsn: Lsn::ZERO,
            strict_lsn: Lsn::ZERO,
            written_lsn: Lsn::ZERO,
            record: Lsn::ZERO,
            record_ms: 0,
            in_transaction: false,
            undo: None,
            spare_undo: None,
            ready: Ready::default(),
            told: Told::default(),
            told_of: Dependencies::default(),
            herald: None,
            pools: Pools::default(),
            random,
        };
        Self { kit }
    }

    /// Passes the gate for a batch. The worker must not hold a pass already.
    #[inline]
    pub fn enter<'e>(&self, engine: &'e Engine) -> Pass<'e> {
        engine.gate().enter(self.cell)
    }

    /// The same; while that takes long `gives_up` is asked now and then.
    #[inline]
    pub fn enter_unless<'e>(&self, engine: &'e Engine, gives_up: impl Fn() -> bool) -> Option<Pass<'e>> {
        engine.gate().enter_unless(self.cell, gives_up)
    }

    /// Runs `body` while nobody else runs. The worker must not hold a pass.
    pub fn with_exclusive<R>(&mut self, engine: &Engine, body: impl FnOnce(&mut Kit, &ExclusivePass<'_>) -> R) -> R {
        // From the first thread that has to wait for the others to the last that goes on.
        let began = Instant::now();
        let pass = engine.exclusive(self);
        let result = body(&mut self.kit, &pass);
        drop(pass);
        engine.stops.exclusive.note(began.elapsed());
        result
    }

    /// Gives up `pass` while `body` runs.
    pub fn outside<'e, R>(&mut self, engine: &'e Engine, pass: &mut Pass<'e>, body: impl FnOnce(&mut Self) -> R) -> R {
        pass.leave();
        let result = body(self);
        *pass = self.enter(engine);
        result
    }
}

impl Deref for Worker {
    type Target = Kit;

    #[inline]
    fn deref(&self) -> &Kit {
        &self.kit
    }
}

impl DerefMut for Worker {
    #[inline]
    fn deref_mut(&mut self) -> &mut Kit {
        &mut self.kit
    }
}

impl Kit {
    /// Has a waiter try again when the worker serves next ([`serve`](super::blocked::serve)).
    pub fn note_due(&mut self, numbered: Numbered) {
        self.ready.note_orphan(numbered);
    }

    /// Reads the wall clock; called between commands.
    pub fn refresh_clock(&mut self) {
        if self.instant_us.is_some() {
            return;
        }
        self.now_ms = self.wall_us() / 1000;
        self.now_since = Instant::now();
    }

    /// Reads the wall clock if, `now`, that was done too long ago; called between commands.
    #[inline]
    pub fn follow(&mut self, now: Instant) {
        if now.saturating_duration_since(self.now_since) >= CLOCK_AGE_MAX && self.instant_us.is_none() {
            self.now_ms = self.wall_us() / 1000;
            self.now_since = now;
        }
    }

    /// The present, Unix microseconds: read anew, unless the clock stands still.
    pub fn now_us(&self) -> u64 {
        self.instant_us.unwrap_or_else(|| self.wall_us())
    }

    /// What the wall clock says, or is made to.
    fn wall_us(&self) -> u64 {
        self.made_us.unwrap_or_else(unix_us)
    }

    /// Has the wall clock say `at_ms` from now on, for commands that run again; or what it does.
    pub fn pretend_time(&mut self, at_ms: Option<u64>) {
        self.made_us = at_ms.map(|at_ms| at_ms.saturating_mul(1000));
        self.refresh_clock();
    }

    /// Sets the clock by hand.
    #[cfg(test)]
    pub fn set_clock(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// The worker's present, Unix milliseconds.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// This thread's number among those that touch data.
    #[inline]
    pub fn cell(&self) -> usize {
        self.cell
    }

    /// Counters of this thread.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The same, for whoever outlives it.
    pub fn shared_counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Has what happens to keys passed on.
    pub fn set_herald(&mut self, herald: Box<dyn Herald>) {
        self.herald = Some(herald);
    }

    /// A random number below `n` (0 when `n` is 0).
    pub fn random_below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { self.random.random_range(0..n) }
    }

    /// A source of randomness of its own.
    pub fn dice(&mut self) -> Dice {
        Dice(SmallRng::seed_from_u64(self.random.random()))
    }

    /// What is done from now on is one WAL record, up to the end.
    #[cfg(test)]
    pub fn begin_transaction(&mut self) {
        self.in_transaction = true;
    }

    /// See there.
    #[cfg(test)]
    pub fn end_transaction(&mut self) {
        self.in_transaction = false;
        self.end_record();
    }

    /// Runs `body` as one transaction, or as part of the one that is running: the effects of all its scopes are one WAL
    /// record, and the clock stands still.
    pub fn as_transaction<R>(&mut self, body: impl FnOnce(&mut Self) -> R) -> R {
        if std::mem::replace(&mut self.in_transaction, true) {
            return body(self);
        }
        self.stop_clock();
        let result = body(self);
        self.start_clock();
        self.in_transaction = false;
        self.end_record();
        result
    }

    /// Whether the record stays open between scopes from now on; whether it did.
    pub(super) fn set_in_transaction(&mut self, is_one: bool) -> bool {
        std::mem::replace(&mut self.in_transaction, is_one)
    }

    /// The clock stands still from now on; whether it went.
    pub fn stop_clock(&mut self) -> bool {
        let went = self.instant_us.is_none();
        if went {
            let now_us = self.wall_us();
            (self.now_ms, self.instant_us) = (now_us / 1000, Some(now_us));
        }
        went
    }

    /// The clock goes again.
    pub fn start_clock(&mut self) {
        self.instant_us = None;
    }

    /// The LSN of the open record, begun now if there is none.
    #[inline]
    pub(super) fn record_lsn(&mut self) -> Lsn {
        debug_assert!(self.sees_data, "a change before the data is there");
        if self.record == Lsn::ZERO {
            self.record = self.log.begin();
            self.record_ms = match self.instant_us {
                Some(_) => self.wall_us() / 1000,
                None => self.now_ms,
            };
        }
        self.record
    }

    /// The payload of the open record so far; 0 if there is none.
    #[inline]
    pub(super) fn record_bytes(&self) -> u64 {
        if self.record == Lsn::ZERO {
            return 0;
        }
        self.log.payload_bytes()
    }

    /// Completes the record at the end of a scope, unless a transaction goes on.
    #[inline]
    pub(super) fn end_record(&mut self) {
        if self.record != Lsn::ZERO && !self.in_transaction {
            self.log.commit(self.record_ms);
            self.written_lsn = std::mem::take(&mut self.record);
        }
    }

    /// Hands all records to the WAL.
    pub fn submit(&mut self) {
        self.log.submit();
    }

    /// The same within a batch, where that saves time.
    #[inline]
    pub fn submit_if_long(&mut self) {
        self.log.submit_if_long();
    }

    /// The same where there is nothing else to do until they are durable.
    pub fn submit_alone(&mut self) {
        self.log.submit_alone();
    }

    /// What has been done since this was last called depends on these.
    pub fn take_dependencies(&mut self) -> Dependencies {
        Dependencies {
            written: std::mem::take(&mut self.written_lsn),
            seen: std::mem::take(&mut self.seen_lsn),
            observed: std::mem::take(&mut self.observed_lsn),
            strict: std::mem::take(&mut self.strict_lsn),
        }
    }

    /// What is noted for those who cache tells of what has been done so far.
    pub(super) fn note_told(&mut self) {
        self.told_of = self.told_of.and(self.dependencies());
    }

    /// What was noted for those who cache since this was last called depends on these.
    pub fn take_told_of(&mut self) -> Dependencies {
        std::mem::take(&mut self.told_of)
    }

    /// The same, while more is being done.
    pub fn dependencies(&self) -> Dependencies {
        Dependencies {
            written: self.written_lsn,
            seen: self.seen_lsn,
            observed: self.observed_lsn,
            strict: self.strict_lsn,
        }
    }

    /// Notes that a reply shows record `lsn` of a collection with these traits.
    #[inline]
    pub(super) fn observe(&mut self, traits: Traits, lsn: Lsn) {
        self.seen_lsn = self.seen_lsn.max(lsn);
        if traits.waits(true) {
            self.observed_lsn = self.observed_lsn.max(lsn);
        }
        if !traits.is_plain() && traits.waits(false) {
            self.strict_lsn = self.strict_lsn.max(lsn);
        }
    }

    /// Notes that a reply shows record `lsn`, which is of no single collection.
    pub(super) fn observe_registry(&mut self, lsn: Lsn) {
        self.seen_lsn = self.seen_lsn.max(lsn);
        self.observed_lsn = self.observed_lsn.max(lsn);
    }

    /// The batch's replies may show anything that has happened so far.
    pub fn observe_all(&mut self, engine: &Engine) {
        self.seen_lsn = engine.wal().last_lsn();
        if engine.waits_for_stable() {
            self.observed_lsn = self.seen_lsn;
        }
        if engine.is_strict() {
            self.strict_lsn = engine.wal().last_lsn();
        }
    }
}
