//! How a scope reaches the shards that it works on.
//!
//! **Invariant:** a shard that is not locked, and may not be, is never handed out.

use std::marker::PhantomData;

use parking_lot::MutexGuard;
use smallvec::SmallVec;

use super::collection::{Collection, Shard, ShardState};
use super::gate::ExclusivePass;
use super::ids::{CollectionId, ShardNo};

/// Locked shards, in order.
pub type Guards<'e> = SmallVec<[(CollectionId, ShardNo, MutexGuard<'e, ShardState>); 1]>;

/// Locks shards in order, each once, as `lock` does it.
///
/// # Errors
/// That of the first shard which `lock` does not lock; none is locked then.
pub fn lock_all<'e, E>(
    shards: impl Iterator<Item = (&'e Collection, ShardNo)>,
    lock: impl Fn(&'e Shard) -> Result<MutexGuard<'e, ShardState>, E>,
) -> Result<Guards<'e>, E> {
    let place = |(collection, shard): &(&Collection, ShardNo)| (collection.id(), *shard);
    let mut shards: SmallVec<[(&Collection, ShardNo); 16]> = shards.collect();
    shards.sort_unstable_by_key(place);
    shards.dedup_by_key(|shard| place(shard));
    let locked = shards
        .into_iter()
        .map(|(collection, shard)| Ok((collection.id(), shard, lock(collection.shard(shard))?)));
    locked.collect()
}

/// How a scope may reach shards.
pub(super) enum Locks<'e> {
    /// One shard, which the caller has locked.
    One(CollectionId, ShardNo, &'e mut ShardState),
    /// Only the shards locked at the start, in order.
    These(Guards<'e>),
    /// Each shard is locked when it is visited, and released again.
    Visiting,
    /// Everything: nobody else is running, for as long as the pass is held.
    Exclusive(PhantomData<&'e ExclusivePass<'e>>),
}

/// How a scope reaches one shard.
pub(super) enum Reach<'a> {
    /// It is locked for the whole scope.
    Locked(&'a mut ShardState),
    /// By locking it.
    Free,
    /// Not at all.
    Never,
}

impl Locks<'_> {
    #[inline]
    pub fn reach(&mut self, collection: &Collection, shard: ShardNo) -> Reach<'_> {
        let found = match self {
            Self::One(id, number, state) => {
                debug_assert_eq!(*id, collection.id(), "the scope is of one collection");
                (*number == shard).then_some(&mut **state)
            }
            Self::These(guards) => {
                let wanted = (collection.id(), shard);
                let place = |(id, number, _): &(CollectionId, ShardNo, _)| (*id, *number);
                // Where all shards of a collection are locked a shard's place is its number.
                let at = match guards.get(shard.index()).is_some_and(|guard| place(guard) == wanted) {
                    true => Some(shard.index()),
                    false => guards.binary_search_by_key(&wanted, place).ok(),
                };
                at.and_then(|at| guards.get_mut(at)).map(|(_, _, guard)| &mut **guard)
            }
            Self::Visiting | Self::Exclusive(_) => return Reach::Free,
        };
        found.map_or(Reach::Never, Reach::Locked)
    }
}

/// Lends an empty shard instead of one that may not be touched.
#[cold]
pub(super) fn stray<'a>(strayed: &'a mut Option<Box<ShardState>>, collection: &Collection) -> &'a mut ShardState {
    strayed.get_or_insert_with(|| Box::new(ShardState::new(collection.placement(), ShardNo::FIRST)))
}
