//! What all threads know of eviction: the policy, how keys are looked for, and where they are.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::policy::Policy;
use super::shares::Shares;
use crate::engine::index::Retired;
use crate::page::access::Frequency;

/// So many entries are looked at for each of `maxmemory-samples`, every other time: neighbours cost little more than
/// one. With half as many, fewer requests find their key than in Redis where keys are evicted by how often they are
/// used.
const NEIGHBOURS: usize = 2;

/// See the module.
pub struct Eviction {
    policy: AtomicU8,
    samples: AtomicU32,
    log_factor: AtomicU32,
    decay_min: AtomicU32,
    /// Whether some collection's own policy evicts.
    has_own: AtomicBool,
    pub(super) shares: RwLock<Shares>,
    /// When the shares were counted, Unix milliseconds.
    counted_at_ms: AtomicU64,
    /// What indexes have let go of where keys were evicted.
    retired: Mutex<Retired>,
    /// How much of that is not free yet, here or elsewhere.
    retired_bytes: AtomicU64,
}

impl Default for Eviction {
    fn default() -> Self {
        Self {
            policy: AtomicU8::new(Policy::NoEviction as u8),
            samples: AtomicU32::new(5),
            log_factor: AtomicU32::new(10),
            decay_min: AtomicU32::new(1),
            has_own: AtomicBool::new(false),
            shares: RwLock::default(),
            counted_at_ms: AtomicU64::new(0),
            retired: Mutex::default(),
            retired_bytes: AtomicU64::new(0),
        }
    }
}

impl Eviction {
    /// Sets the policy of all collections that have none of their own, how many keys are looked at for each that goes,
    /// and how uses are counted.
    pub fn configure(&self, policy: Policy, samples: u32, frequency: Frequency) {
        self.policy.store(policy as u8, Ordering::Relaxed);
        self.samples.store(samples, Ordering::Relaxed);
        self.log_factor.store(frequency.log_factor, Ordering::Relaxed);
        self.decay_min.store(frequency.decay_min, Ordering::Relaxed);
        self.forget_shares();
    }

    /// Notes whether some collection's own policy evicts.
    pub fn set_has_own(&self, has_own: bool) {
        self.has_own.store(has_own, Ordering::Relaxed);
        self.forget_shares();
    }

    /// Has the shares counted anew when they are next looked at.
    pub fn forget_shares(&self) {
        self.counted_at_ms.store(0, Ordering::Relaxed);
    }

    /// The server's policy.
    #[inline]
    pub fn policy(&self) -> Policy {
        Policy::of_code(self.policy.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// How uses are counted.
    pub fn frequency(&self) -> Frequency {
        Frequency {
            log_factor: self.log_factor.load(Ordering::Relaxed),
            decay_min: self.decay_min.load(Ordering::Relaxed),
        }
    }

    /// Whether the server's policy, or some collection's, evicts.
    pub fn is_on(&self) -> bool {
        self.policy().evicts() || self.has_own.load(Ordering::Relaxed)
    }

    /// What will be free soon of what indexes have let go of.
    pub fn retired_bytes(&self) -> u64 {
        self.retired_bytes.load(Ordering::Relaxed)
    }

    /// Keeps what an index has let go of until somebody takes it in order to free it.
    pub fn retire(&self, retired: Retired) {
        // First: it may be freed as soon as it is there.
        self.retired_bytes.fetch_add(retired.bytes() as u64, Ordering::Relaxed);
        self.retired.lock().append(retired);
    }

    /// All of that; whoever frees it says so ([`Self::note_freed`]).
    pub fn take_retired(&self) -> Retired {
        std::mem::take(&mut *self.retired.lock())
    }

    /// So many bytes of it have been freed.
    pub fn note_freed(&self, bytes: usize) {
        self.retired_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    /// How many entries are looked at for each key that goes.
    pub(super) fn samples(&self) -> usize {
        self.samples.load(Ordering::Relaxed) as usize * NEIGHBOURS
    }

    /// Has `count` count the shares anew if they are older than `age_max_ms`.
    pub(super) fn refresh_shares(&self, now_ms: u64, age_max_ms: u64, count: impl FnOnce() -> Shares) {
        let counted_at_ms = self.counted_at_ms.load(Ordering::Relaxed);
        if now_ms.abs_diff(counted_at_ms) <= age_max_ms {
            return;
        }
        // One thread counts, the others go on with what there is.
        let exchange = self
            .counted_at_ms
            .compare_exchange(counted_at_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        if exchange.is_ok() {
            let shares = count();
            *self.shares.write() = shares;
        }
    }
}
