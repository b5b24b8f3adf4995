//! The eviction of one key: drawn, looked at beside its neighbours, and removed if it still is what it was.

use std::sync::Arc;

use super::policy::{Noting, Order, Policy};
use super::pool::{Candidate, Pool, Pools};
use super::shares::Shares;
use super::state::Eviction;
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::garbage::take_retired;
use crate::engine::ids::CollectionId;
use crate::engine::scope::Scope;
use crate::engine::settings::Traits;
use crate::engine::watch::Cause;
use crate::engine::worker::Kit;
use crate::page::access::{COUNTER_FRESH, Frequency};
use crate::page::entry::EntryRef;
use crate::page::{Access, Stamp};

/// So often a key is looked for, as long as there are some: candidates may have been used or deleted meanwhile.
const TRIES_MAX: usize = 32;
/// So many shards are looked at for a sample at most.
const SHARDS_MAX: usize = 8;
/// Shares are counted again when they are older than this.
const SHARES_AGE_MAX_MS: u64 = 100;
/// And not before this, when nothing was found in them.
const SHARES_AGE_MIN_MS: u64 = 0;

impl Engine {
    /// Policies, and what is known of the keys for them.
    #[inline]
    pub fn eviction(&self) -> &Eviction {
        &self.eviction
    }

    /// Counts the keys that may be evicted anew, if that was done longer ago than `age_max_ms`.
    fn refresh_shares(&self, now_ms: u64, age_max_ms: u64) {
        self.eviction.refresh_shares(now_ms, age_max_ms, || self.count_shares());
    }

    /// Whether there are keys that may go, as of the last count.
    pub fn has_evictable(&self, now_ms: u64) -> bool {
        self.refresh_shares(now_ms, SHARES_AGE_MAX_MS);
        self.eviction.shares.read().total() > 0 || self.recount_shares()
    }

    /// Counts them anew whoever else does: that there are none is believed of no other count, which may not be over.
    /// Whether there are some.
    fn recount_shares(&self) -> bool {
        let shares = self.count_shares();
        let has_some = shares.total() > 0;
        *self.eviction.shares.write() = shares;
        has_some
    }

    /// O(collections and their shards).
    fn count_shares(&self) -> Shares {
        let slots: Vec<_> = self.registry().slots().cloned().collect();
        let mut shares = Shares::default();
        for slot in slots.iter().filter(|slot| !slot.id.is_attached()) {
            let policy = self.policy_of(slot.collection.traits());
            if policy.evicts() && !slot.collection.traits().is_read_only() {
                shares.add(slot.collection.id(), evictable_keys(&slot.collection, policy));
            }
        }
        shares
    }

    /// A collection of a slot.
    fn collection(&self, id: CollectionId) -> Option<Arc<Collection>> {
        let registry = self.registry();
        registry.by_collection(id).map(|slot| Arc::clone(&slot.collection))
    }

    /// The policy of a collection with these traits.
    #[inline]
    pub fn policy_of(&self, traits: Traits) -> Policy {
        traits.policy().unwrap_or_else(|| self.eviction.policy())
    }

    /// What a change makes of when its key was used; `is_quiet`: no use of it counts.
    #[inline]
    pub(in crate::engine) fn stamp(&self, traits: Traits, now_ms: u64, is_quiet: bool) -> Stamp {
        match self.policy_of(traits).noting() {
            Noting::Seconds => Stamp {
                fresh: Access::in_second(now_ms),
                keeps: is_quiet,
            },
            Noting::Uses => Stamp {
                fresh: Access::exact(now_ms),
                keeps: is_quiet,
            },
            Noting::Changes => Stamp::of(Access::exact(now_ms)),
            // Lookups count.
            Noting::Counts => Stamp {
                fresh: Access::counted(now_ms, COUNTER_FRESH),
                keeps: true,
            },
        }
    }
}

/// Where a key is looked for.
#[derive(Clone, Copy)]
pub enum Among<'a> {
    /// In all collections, each by its policy.
    All,
    /// In one, by its own policy or the server's.
    One(&'a Arc<Collection>),
}

impl Kit {
    /// Evicts one key; whether there was one. The thread holds a pass and no lock.
    pub fn evict(&mut self, engine: &Engine, among: Among<'_>) -> bool {
        debug_assert!(self.undo.is_none(), "an eviction is not taken back");
        let mut pools = std::mem::take(&mut self.pools);
        // Whoever evicts is nobody's author.
        let acting = self.told.set_acting(0);
        let mut look = |kit: &mut Self| (0..TRIES_MAX).find_map(|_| kit.try_to_evict(engine, among, &mut pools));
        let evicted = look(self).or_else(|| {
            // Keys may have come and gone since the shares were counted.
            engine.eviction.forget_shares();
            look(self)
        });
        self.told.set_acting(acting);
        self.pools = pools;
        evicted.unwrap_or(false)
    }

    /// Whether a key was evicted, or there is none; `None`: try again.
    fn try_to_evict(&mut self, engine: &Engine, among: Among<'_>, pools: &mut Pools) -> Option<bool> {
        let collection = match among {
            Among::One(collection) => Arc::clone(collection),
            Among::All => match self.draw(engine) {
                Ok(drawn) => drawn?,
                Err(Nothing) => return Some(false),
            },
        };
        let (traits, is_one) = (collection.traits(), matches!(among, Among::One(_)));
        let policy = engine.policy_of(traits);
        let has_some = policy.evicts() && !traits.is_read_only();
        // Others' candidates do not help one that is over its own limit.
        let is_apart = is_one || traits.policy().is_some();
        let pool = pools.pool(is_apart.then(|| collection.id()), policy);
        if !has_some || pool.is_due() && !self.sample(engine, (&*collection, policy), pool) {
            if is_one {
                return Some(false);
            }
            // The shares are not what they were.
            engine.refresh_shares(self.now_ms, SHARES_AGE_MIN_MS);
        }
        let candidate = pool.take_first()?;
        let collection = if candidate.collection == collection.id() {
            collection
        } else {
            engine.collection(candidate.collection)?
        };
        self.evict_candidate(engine, &collection, &candidate, policy)
            .then_some(true)
    }

    /// A collection to look for a key in; `None` if the one that was drawn has gone.
    fn draw(&mut self, engine: &Engine) -> Result<Option<Arc<Collection>>, Nothing> {
        let (eviction, now_ms) = (&engine.eviction, self.now_ms);
        engine.refresh_shares(now_ms, SHARES_AGE_MAX_MS);
        let drawn = {
            let shares = eviction.shares.read();
            match shares.total() {
                0 => None,
                total => Some(shares.draw(self.random_below(total as usize) as u64)),
            }
        };
        match drawn {
            Some(id) => {
                let drawn = id.and_then(|id| engine.collection(id));
                if drawn.is_none() {
                    engine.refresh_shares(now_ms, SHARES_AGE_MIN_MS);
                }
                Ok(drawn)
            }
            // Try again with what there is.
            None if engine.recount_shares() => Ok(None),
            None => Err(Nothing),
        }
    }

    /// Looks at some keys of a collection, and keeps those that may go; whether it has such keys.
    fn sample(&mut self, engine: &Engine, (collection, policy): (&Collection, Policy), pool: &mut Pool) -> bool {
        let now_ms = self.now_ms;
        let is_volatile = policy.is_volatile();
        let order = policy.order();
        let count = if order == Order::Random {
            1
        } else {
            engine.eviction.samples()
        };
        let frequency = engine.eviction.frequency();
        pool.note_looked();
        let mut look = |entry: EntryRef<'_>| {
            let rank = rank(&entry, order, frequency, now_ms);
            if pool.wants(rank, entry.key().len()) {
                pool.add(Candidate {
                    rank,
                    collection: collection.id(),
                    key: entry.key().into(),
                    access: entry.access(),
                });
            }
        };
        let shards = collection.shards_if_any();
        let (before, from) = shards.split_at(self.random_below(shards.len()));
        let (mut left, mut looked_at) = (count, 0);
        for shard in from.iter().chain(before) {
            let state = shard.lock();
            let has_some = if is_volatile { state.expires > 0 } else { state.keys > 0 };
            if !has_some {
                continue;
            }
            looked_at += 1;
            left -= state
                .index
                .sample(is_volatile, left, &mut |n| self.random_below(n), &mut look);
            // Where there are few keys there are few in a shard.
            if left == 0 || looked_at == SHARDS_MAX {
                break;
            }
        }
        looked_at > 0
    }

    /// Evicts a key if it still is what it was; whether it did.
    fn evict_candidate(
        &mut self,
        engine: &Engine,
        collection: &Collection,
        candidate: &Candidate,
        policy: Policy,
    ) -> bool {
        let traits = collection.traits();
        if engine.policy_of(traits) != policy || traits.is_read_only() {
            // It has another one since it was looked at.
            return false;
        }
        let (now_ms, key) = (self.now_ms, collection.key(&candidate.key));
        let shard = collection.shard(collection.shard_of(key.hash));
        let mut scope = Scope::visiting(engine, self);
        let mut state = shard.lock();
        let Some(entry) = state.index.get(key) else {
            return false;
        };
        let is_dead = entry.is_expired(now_ms);
        let is_same = match policy.order() {
            Order::Recency | Order::Frequency => entry.access() == candidate.access,
            Order::Expiry => entry.expire_at_ms() == Some(candidate.rank),
            Order::Random => true,
        };
        let may_go = is_same && (!policy.is_volatile() || entry.expire_at_ms().is_some());
        if !may_go && !is_dead {
            return false;
        }
        let (cause, class, name) = if is_dead {
            (Cause::Expiry, Classes::EXPIRED, "expired")
        } else {
            (Cause::Eviction, Classes::EVICTED, "evicted")
        };
        let effect = Effect::Delete { key: key.bytes };
        scope.apply_under(collection, shard, &mut state, key, &effect, cause);
        if let Some(retired) = take_retired(collection, &mut state) {
            shard.publish(&state);
            engine.eviction.retire(retired);
        }
        scope.notify(collection, class, name, key.bytes);
        let counters = scope.worker().counters();
        if is_dead {
            counters.expired.add(1);
        } else {
            counters.evicted.add(1);
        }
        // Each is a record of its own: the next one is of another shard.
        scope.end_batch();
        true
    }
}

/// How many keys of a collection may be evicted under a policy.
fn evictable_keys(collection: &Collection, policy: Policy) -> u64 {
    let shards = collection.shards_if_any().iter();
    shards
        .map(|shard| {
            let state = shard.lock();
            if policy.is_volatile() {
                state.expires
            } else {
                state.keys
            }
        })
        .sum()
}

/// There is no key that may be evicted.
struct Nothing;

/// Where an entry is among those that may go: the lowest goes first.
fn rank(entry: &EntryRef<'_>, order: Order, frequency: Frequency, now_ms: u64) -> u64 {
    const TIME_BITS: u32 = 48;
    let access = entry.access();
    match order {
        Order::Recency => access.used_at(now_ms),
        Order::Frequency => {
            // Of those that are used as often, the one that was used longer ago.
            let used_at_s = (now_ms / 1000).saturating_sub(u64::from(access.idle_s(now_ms)));
            u64::from(frequency.counter(access, now_ms)) << TIME_BITS | used_at_s
        }
        Order::Expiry => entry.expire_at_ms().unwrap_or(u64::MAX),
        Order::Random => 0,
    }
}
