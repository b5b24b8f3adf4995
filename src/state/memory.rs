//! Whether there is memory for more (`memory.max_bytes`), how room is made by eviction, and the wait of a write for
//! memory that is about to be free.
//!
//! What was flushed, deleted or evicted counts as used until it is gone, so that a client cannot have the limit twice.
//! A write that it alone stands in the way of waits for it instead of being refused.
//!
//! Who needs memory evicts keys for as long as `memory.eviction_tenacity` says, and then goes on although some is still
//! missing, as in Redis, but only as long as that is little ([`slack`]). Beyond that it waits for the thread that
//! evicts what is left over.
//!
//! **Invariant:** nothing waits for longer than [`WAIT_MAX`] but for evictions that get on, and nothing that frees
//! memory waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::Server;
use crate::engine::collection::Collection;
use crate::engine::eviction::Among;
use crate::engine::memory::{Margin, WAIT_MAX};
use crate::engine::worker::{Kit, unix_ms};
use crate::metrics::stats::events;

/// How long a wait lasts before it is looked again: where few wait, and at most, where there are many.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(50);
/// So many look within the shorter time.
const LOOKS_AT_ONCE: u32 = 64;

/// The longest look for keys under a tenacity of up to 10, for each of it; then it grows by [`TENACITY_GROWTH`] each.
const TENACITY_STEP: Duration = Duration::from_micros(50);
const TENACITY_STEPS: u8 = 10;
const TENACITY_GROWTH: f64 = 1.15;
const TENACITY_MAX: u8 = 100;

/// By how much a limit may be exceeded while keys are being evicted: half a percent and half a MiB.
const SLACK_SHARE: u64 = 200;
const SLACK_BYTES: u64 = 512 << 10;

/// How much may be in use beyond a limit of `max` bytes while keys are being evicted.
pub fn slack(max: u64) -> u64 {
    max / SLACK_SHARE + SLACK_BYTES
}

/// Whoever has to evict goes on until so much is free, so that not every command has to: a 1,024th of the limit, and
/// not more than that takes no time.
const HEADROOM_SHARE: u64 = 1024;
const HEADROOM_BYTES_MAX: u64 = 4096;

/// So many keys at most are evicted for one command while little is missing: it has not been the one to take that much.
/// As many small ones as make the headroom.
const KEYS_AT_ONCE: u32 = 64;

/// After so many keys it is seen how long that took, as in Redis: the last of a few keys are found to be the last
/// however slow the machine is.
const KEYS_BETWEEN_LOOKS: u32 = 16;

/// How eviction gets on.
#[derive(Default)]
pub struct Pressure {
    /// Whoever looked for a key last has found none.
    is_exhausted: AtomicBool,
    /// Since when there has been too little memory, Unix milliseconds; 0: there is enough.
    since_ms: AtomicU64,
    /// For how long there was, before that.
    total_ms: AtomicU64,
    /// Whether there is something to do for the thread that evicts.
    is_called: AtomicBool,
    /// Held by that thread while it looks whether there is.
    door: Mutex<()>,
    called: Condvar,
    /// Clients that wait for memory.
    waiting: AtomicU32,
    /// When one of them has evicted last, Unix milliseconds.
    turn_ms: AtomicU64,
}

impl Pressure {
    /// Calls the thread that evicts what others leave over.
    pub fn call(&self) {
        if !self.is_called.swap(true, Ordering::Relaxed) {
            // It has either seen that, or waits by now.
            drop(self.door.lock());
            self.called.notify_one();
        }
    }

    /// Waits for such a call, not for longer than `max`.
    pub fn wait(&self, max: Duration) {
        let mut door = self.door.lock();
        if !self.is_called.load(Ordering::Relaxed) {
            self.called.wait_for(&mut door, max);
        }
        self.is_called.store(false, Ordering::Relaxed);
    }

    /// Whether a client that waits may evict at `now_ms`: one of them in a millisecond.
    fn takes_turn(&self, now_ms: u64) -> bool {
        self.turn_ms.swap(now_ms, Ordering::Relaxed) != now_ms
    }

    /// Notes at `now_ms` whether there is too little memory.
    fn note(&self, is_short: bool, now_ms: u64) {
        let since_ms = self.since_ms.load(Ordering::Relaxed);
        if is_short == (since_ms != 0) {
            return;
        }
        let next = if is_short { now_ms.max(1) } else { 0 };
        let exchange = self
            .since_ms
            .compare_exchange(since_ms, next, Ordering::Relaxed, Ordering::Relaxed);
        if exchange.is_ok() && !is_short {
            self.total_ms
                .fetch_add(now_ms.saturating_sub(since_ms), Ordering::Relaxed);
        }
    }

    /// For how long there has been too little memory: in all, and now. Milliseconds.
    pub fn exceeded_ms(&self) -> (u64, u64) {
        let since_ms = self.since_ms.load(Ordering::Relaxed);
        let current_ms = if since_ms == 0 {
            0
        } else {
            unix_ms().saturating_sub(since_ms)
        };
        (self.total_ms.load(Ordering::Relaxed) + current_ms, current_ms)
    }

    /// Counts anew (`CONFIG RESETSTAT`).
    pub fn reset(&self) {
        self.total_ms.store(0, Ordering::Relaxed);
        self.since_ms.store(0, Ordering::Relaxed);
    }
}

/// A client that waits for memory.
struct Waiting<'a>(&'a Pressure);

impl<'a> Waiting<'a> {
    fn begin(pressure: &'a Pressure) -> Self {
        pressure.waiting.fetch_add(1, Ordering::Relaxed);
        Self(pressure)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a command looks for keys to evict under a tenacity; `None`: as long as it takes.
fn eviction_time(tenacity: u8) -> Option<Duration> {
    match tenacity {
        TENACITY_MAX.. => None,
        0..=TENACITY_STEPS => Some(TENACITY_STEP * u32::from(tenacity)),
        more => {
            let longest = TENACITY_STEP * u32::from(TENACITY_STEPS);
            Some(longest.mul_f64(TENACITY_GROWTH.powi(i32::from(more - TENACITY_STEPS))))
        }
    }
}

impl Server {
    /// Memory that counts: the data, what is kept for clients that cache, what clients hold, and cached scripts.
    #[inline]
    pub fn used_bytes(&self) -> u64 {
        self.engine.used_bytes() + self.held_bytes()
    }

    fn held_bytes(&self) -> u64 {
        self.clients.held_bytes() + self.scripts.bytes()
    }

    /// Whether that is more than may be.
    #[inline]
    pub fn is_over_memory(&self) -> bool {
        let max = self.params.live().maxmemory();
        max != 0 && self.used_bytes() > max
    }

    /// Whether it is, and nothing can be evicted.
    pub fn is_out_of_memory(&self) -> bool {
        self.is_over_memory() && !self.evicts()
    }

    /// Whether keys are evicted when memory is short, as far as is known.
    fn evicts(&self) -> bool {
        self.engine.eviction().is_on() && !self.pressure.is_exhausted.load(Ordering::Relaxed)
    }

    /// How much more than `target` is in use, what will be free soon apart: no further key goes for that.
    fn excess_bytes(&self, target: u64) -> u64 {
        // First: what has gone meanwhile is no longer among the used.
        let owed = self.engine.owed_bytes();
        self.used_bytes().saturating_sub(owed).saturating_sub(target)
    }

    /// Evicts keys where more memory is in use than may be; whether a command that needs some may run then. The thread
    /// holds a pass and no lock. Of those who have waited for it already (`is_waiting`) one evicts each millisecond.
    #[cold]
    pub fn make_room(&self, kit: &mut Kit, is_waiting: bool) -> bool {
        let live = self.params.live();
        let may_run = if is_waiting && !self.pressure.takes_turn(kit.now_ms()) {
            self.evicts()
        } else {
            self.evict_for(kit, eviction_time(live.eviction_tenacity()), KEYS_AT_ONCE)
        };
        let (used, max) = (self.used_bytes(), live.maxmemory());
        self.pressure.note(used > max, kit.now_ms());
        if used <= max {
            return true;
        }
        self.pressure.call();
        may_run && used - max <= slack(max)
    }

    /// Evicts keys until no more memory is in use than may be, for `longest` at most, and no more than `few` where
    /// little is missing; whether there were enough.
    fn evict_for(&self, kit: &mut Kit, longest: Option<Duration>, few: u32) -> bool {
        let (engine, max) = (&self.engine, self.params.live().maxmemory());
        let can_evict = engine.eviction().is_on() && !kit.awaits_data() && !engine.holds_expiry(kit.now_ms());
        let (mut found, mut evicted, began) = (can_evict, 0, Instant::now());
        let headroom = HEADROOM_BYTES_MAX.min(max / HEADROOM_SHARE);
        let much = max.saturating_add(slack(max) / 2);
        let mut target = max;
        while found && max != 0 && self.excess_bytes(target) > 0 {
            let looks_up = evicted > 0 && evicted % KEYS_BETWEEN_LOOKS == 0;
            if looks_up
                && longest
                    .is_some_and(|longest| began.elapsed() >= longest || evicted >= few && self.used_bytes() <= much)
            {
                break;
            }
            found = kit.evict(engine, Among::All);
            (evicted, target) = (evicted.saturating_add(1), max - headroom);
        }
        let found = match evicted {
            // What is about to be free is enough; what is there beyond that may still not exceed the limit.
            0 => found && engine.has_evictable(kit.now_ms()),
            _ => found || can_evict && self.excess_bytes(max) == 0,
        };
        self.pressure.is_exhausted.store(can_evict && !found, Ordering::Relaxed);
        if evicted > 0 {
            self.note_eviction(kit, began.elapsed());
        }
        found
    }

    /// Takes a latency sample of a look for keys, if it was long.
    fn note_eviction(&self, kit: &Kit, took: Duration) {
        let (threshold_ms, took_ms) = (self.params.live().latency_threshold_ms(), took.as_millis() as u64);
        if threshold_ms > 0 && took_ms >= threshold_ms {
            self.stats
                .add_latency(events::EVICTION, kit.now_ms() / 1000, took_ms as u32);
        }
    }

    /// Evicts keys of a collection that is over its own limit.
    #[cold]
    pub fn make_room_in(&self, kit: &mut Kit, collection: &Arc<Collection>) {
        self.evict_in(kit, collection, eviction_time(self.params.live().eviction_tenacity()));
        if collection.carried().over_limit().is_some() {
            self.pressure.call();
        }
    }

    /// The same for `longest` at most; whether that was enough, or all that there was.
    fn evict_in(&self, kit: &mut Kit, collection: &Arc<Collection>, longest: Option<Duration>) -> bool {
        let (engine, carried) = (&self.engine, collection.carried());
        let can_evict =
            engine.policy_of(collection.traits()).evicts() && !kit.awaits_data() && !engine.holds_expiry(kit.now_ms());
        let (mut found, began) = (can_evict, Instant::now());
        while found && carried.over_limit().is_some() {
            found = kit.evict(engine, Among::One(collection));
            if longest.is_some_and(|longest| began.elapsed() >= longest) {
                break;
            }
        }
        carried.set_relieved(found);
        !found || carried.over_limit().is_none()
    }

    /// Evicts for `longest` at most what others have left over; whether there is more to do at once.
    pub fn relieve(&self, kit: &mut Kit, longest: Duration) -> bool {
        let max = self.params.live().maxmemory();
        let found = !self.is_over_memory() || self.evict_for(kit, Some(longest), u32::MAX);
        self.pressure.note(self.is_over_memory(), kit.now_ms());
        let is_left = found && max != 0 && self.excess_bytes(max) > 0;
        self.relieve_collections(kit, longest) || is_left
    }

    fn relieve_collections(&self, kit: &mut Kit, longest: Duration) -> bool {
        if !self.engine.is_restricted() {
            return false;
        }
        let slots: Vec<_> = self.engine.registry().slots().cloned().collect();
        let over = slots
            .iter()
            .filter(|slot| !slot.id.is_attached() && slot.collection.carried().over_limit().is_some());
        let mut is_left = false;
        for slot in over {
            is_left |= !self.evict_in(kit, &slot.collection, Some(longest));
        }
        is_left
    }

    /// Calls the thread that evicts if more is in use than may be.
    #[inline]
    pub fn watch_memory(&self) {
        if self.is_over_memory() && self.evicts() {
            self.pressure.call();
        }
    }

    /// Whether a command that needs memory, and has found none, may have some soon: it has waited since `since`.
    #[cold]
    pub fn awaits_memory(&self, since: Instant) -> bool {
        let max = self.params.live().maxmemory();
        // While keys can be evicted there is memory, however long that takes.
        self.evicts() || self.engine.margin(max, self.held_bytes()) != Margin::None && since.elapsed() < WAIT_MAX
    }

    /// Whether more is in use than a command that needs memory may find.
    fn is_short(&self) -> bool {
        let max = self.params.live().maxmemory();
        let slack = if self.evicts() { slack(max) } else { 0 };
        max != 0 && self.used_bytes() > max.saturating_add(slack)
    }

    /// Returns when there is memory again, or none to be waited for, or there may be some for who evicts.
    pub async fn wait_for_memory(&self, since: Instant) {
        let _waiting = Waiting::begin(&self.pressure);
        while self.is_short() && self.awaits_memory(since) {
            let many = self.pressure.waiting.load(Ordering::Relaxed) / LOOKS_AT_ONCE;
            tokio::time::sleep(LOOK_AGAIN_MAX.min(LOOK_AGAIN * (1 + many))).await;
            if self.evicts() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_follows_the_tenacity() {
        let time_us = |tenacity| eviction_time(tenacity).map(|time| time.as_micros());
        assert_eq!([0, 1, 10].map(time_us), [Some(0), Some(50), Some(500)]);
        assert_eq!([11, 20].map(time_us), [Some(575), Some(2022)]);
        assert!(time_us(99) > Some(100_000_000) && time_us(100).is_none());
    }

    #[test]
    fn the_time_without_memory_is_counted() {
        let pressure = Pressure::default();
        assert_eq!(pressure.exceeded_ms(), (0, 0));
        pressure.note(true, 1_000);
        pressure.note(true, 1_500);
        pressure.note(false, 3_000);
        pressure.note(false, 4_000);
        assert_eq!(pressure.exceeded_ms(), (2_000, 0));
        pressure.note(true, unix_ms());
        let (total_ms, current_ms) = pressure.exceeded_ms();
        assert_eq!(total_ms, 2_000 + current_ms);
        pressure.reset();
        assert_eq!(pressure.exceeded_ms(), (0, 0));
    }
}
