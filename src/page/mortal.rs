//! Containers whose elements may die by themselves: hashes, sets and sorted sets.
//!
//! **Invariant:** what is dead at a time has an expiry that is not behind it; who asks says which time is now.

use super::container::Kind;
use super::hash::HashRef;
use super::packed::Item;
use super::set::SetRef;
use super::value::ValueRef;
use super::zset::ZsetRef;

/// See the module.
#[derive(Clone, Copy)]
pub enum Mortal<'a> {
    /// Its fields may.
    Hash(HashRef<'a>),
    /// Its members may.
    Set(SetRef<'a>),
    /// Its members may.
    Zset(ZsetRef<'a>),
}

impl<'a> Mortal<'a> {
    /// The container that a value is, if it is such a one.
    #[inline]
    pub fn of(value: ValueRef<'a>) -> Option<Self> {
        let kind = match value {
            ValueRef::Str(_) => return None,
            ValueRef::Packed(kind, _) => kind,
            ValueRef::Big(big) => big.kind(),
        };
        match kind {
            Kind::Hash => HashRef::of(value).map(Self::Hash),
            Kind::Set => SetRef::of(value).map(Self::Set),
            Kind::Zset => ZsetRef::of(value).map(Self::Zset),
            Kind::List | Kind::Stream | Kind::Vectors => None,
        }
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Hash(_) => Kind::Hash,
            Self::Set(_) => Kind::Set,
            Self::Zset(_) => Kind::Zset,
        }
    }

    /// How many elements there are, dead or alive. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty one is none")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Hash(hash) => hash.len(),
            Self::Set(set) => set.len(),
            Self::Zset(zset) => zset.len(),
        }
    }

    /// When an element dies, if it is there and does; `None`: it is not there. O(1).
    pub fn expiry_of(&self, name: &[u8]) -> Option<Option<u64>> {
        match self {
            Self::Hash(hash) => hash.get(name).map(|field| field.expire_at_ms),
            Self::Set(set) => set.expiry_of(name),
            Self::Zset(zset) => zset.expiry_of(name),
        }
    }

    /// When the first element dies, Unix milliseconds. `None`: none ever does.
    #[inline]
    pub fn expire_min_ms(&self) -> Option<u64> {
        match self {
            Self::Hash(hash) => hash.expire_min_ms(),
            Self::Set(set) => set.expire_min_ms(),
            Self::Zset(zset) => zset.expire_min_ms(),
        }
    }

    /// Whether some element is dead at `now_ms`.
    #[inline]
    pub fn has_dead(&self, now_ms: u64) -> bool {
        self.expire_min_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// How many elements are dead at `now_ms`. O(log n).
    pub fn dead_count(&self, now_ms: u64) -> u64 {
        match self {
            Self::Hash(hash) => hash.dead_count(now_ms),
            Self::Set(set) => set.dead_count(now_ms),
            Self::Zset(zset) => zset.dead_count(now_ms),
        }
    }

    /// Whether all elements are dead at `now_ms`. O(log n).
    pub fn is_all_dead(&self, now_ms: u64) -> bool {
        self.dead_count(now_ms) == self.len()
    }

    /// Names of up to `max` elements that are dead at `now_ms`. O(max) for a big one.
    pub fn dead(&self, now_ms: u64, max: usize) -> Vec<Vec<u8>> {
        match self {
            Self::Hash(hash) => hash.dead(now_ms, max),
            Self::Set(set) => set.dead(now_ms, max),
            Self::Zset(zset) => zset.dead(now_ms, max),
        }
    }
}

/// Checks what it tells of when elements die against all of them, with their times, 0 for never.
#[cfg(test)]
pub fn check_times(mortal: Option<Mortal<'_>>, all: &std::collections::BTreeMap<Vec<u8>, u64>) {
    let Some(mortal) = mortal else {
        assert!(all.is_empty());
        return;
    };
    assert_eq!(mortal.len(), all.len() as u64);
    let timed = |at_ms: &u64| (*at_ms != 0).then_some(*at_ms);
    assert_eq!(mortal.expire_min_ms(), all.values().filter_map(timed).min());
    for (name, at_ms) in all {
        assert_eq!(mortal.expiry_of(name), Some(timed(at_ms)));
    }
    assert_eq!(mortal.expiry_of(b"nobody"), None);
    for now_ms in [0, 1, 500, u64::MAX] {
        let mut dead = mortal.dead(now_ms, usize::MAX);
        dead.sort();
        let expected = all.iter().filter(|(_, at_ms)| is_dead(**at_ms, now_ms));
        let expected: Vec<&Vec<u8>> = expected.map(|(name, _)| name).collect();
        assert_eq!(dead.iter().collect::<Vec<_>>(), expected);
        assert_eq!(mortal.dead(now_ms, 2).len(), expected.len().min(2));
        assert_eq!(mortal.has_dead(now_ms), !expected.is_empty());
        assert_eq!(mortal.is_all_dead(now_ms), expected.len() == all.len());
    }
}

/// Whether who dies then, 0 for never, is dead at `now_ms`.
pub(super) fn is_dead(at_ms: u64, now_ms: u64) -> bool {
    at_ms != 0 && at_ms <= now_ms
}

/// The names of the first `max` that are dead at `now_ms`, of those of a packed form with their times.
pub(super) fn dead_names<'a>(rows: impl Iterator<Item = (Item<'a>, u64)>, now_ms: u64, max: usize) -> Vec<Vec<u8>> {
    rows.filter(|(_, at_ms)| is_dead(*at_ms, now_ms))
        .take(max)
        .map(|(name, _)| name.bytes().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Big;
    use crate::page::packed::{Builder, FLAG_TIMED, Packed};

    const COUNT: u64 = 20_000;

    /// Bytes of a big container of so many elements, all of which die, or none, each at another time.
    fn heap_bytes(kind: Kind, is_timed: bool) -> f64 {
        let mut builder = Builder::new(if is_timed { FLAG_TIMED } else { 0 });
        for n in 0..COUNT {
            let name = format!("member:{n:09}");
            if kind == Kind::Zset {
                builder.push(Item::Int(n as i64));
            }
            builder.push_bytes(name.as_bytes());
            if kind == Kind::Hash {
                builder.push_bytes(b"value");
            }
            if is_timed {
                builder.push(Item::Int(4_000_000_000_000 + n as i64));
            }
        }
        let packed = builder.finish();
        kind.check(Packed::new(&packed)).unwrap();
        Big::unpack(kind, Packed::new(&packed)).heap_bytes() as f64 / COUNT as f64
    }

    #[test]
    fn a_members_expiry_takes_no_more_than_a_fields() {
        let cost = |kind| {
            let (plain, timed) = (heap_bytes(kind, false), heap_bytes(kind, true));
            println!("{kind:?}: {plain:.1} bytes an element, {timed:.1} with an expiry");
            timed - plain
        };
        let field = cost(Kind::Hash);
        for kind in [Kind::Set, Kind::Zset] {
            // Allocations are multiples of 8.
            let member = cost(kind);
            assert!(member < field + 8.1, "{kind:?}: {member:.1}, of a field {field:.1}");
        }
    }
}
