//! Keyspace events: what is told of a key when something happens to it, and whether anybody wants to hear it.
//!
//! **Invariants**
//! - An event is told under the lock of its key's shard, behind the change that it tells of: events of a key come in
//!   the order of its changes, and depend on the records of those.
//! - Where nobody listens nothing is wanted, whatever is asked for: that costs one load.
//! - Only threads that have a [`Herald`] tell of anything: neither loads nor replay do.

use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::dependencies::Dependencies;
use super::ids::DatabaseId;

/// A class of events, or a set of them with the channels that they come on; each is one bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(u32);

impl Classes {
    /// None.
    pub const NONE: Self = Self(0);
    /// Not a class: events come on the channels of their keys.
    pub const ON_KEYS: Self = Self(1 << 0);
    /// Not a class: events come on the channels of their names.
    pub const ON_EVENTS: Self = Self(1 << 1);
    /// Commands on keys of any type.
    pub const GENERIC: Self = Self(1 << 2);
    /// Commands on strings.
    pub const STRING: Self = Self(1 << 3);
    /// Commands on lists.
    pub const LIST: Self = Self(1 << 4);
    /// Commands on sets.
    pub const SET: Self = Self(1 << 5);
    /// Commands on hashes.
    pub const HASH: Self = Self(1 << 6);
    /// Commands on sorted sets.
    pub const ZSET: Self = Self(1 << 7);
    /// Keys that have expired.
    pub const EXPIRED: Self = Self(1 << 8);
    /// Keys that have been evicted.
    pub const EVICTED: Self = Self(1 << 9);
    /// Commands on streams.
    pub const STREAM: Self = Self(1 << 10);
    /// Reads of keys that are not there.
    pub const MISSED: Self = Self(1 << 11);
    /// Of modules: there are none.
    pub const MODULE: Self = Self(1 << 12);
    /// Keys that have come into being.
    pub const NEW: Self = Self(1 << 13);
    /// Values that another one has taken the place of.
    pub const OVERWRITTEN: Self = Self(1 << 14);
    /// Values in whose place one of another type is.
    pub const TYPE_CHANGED: Self = Self(1 << 15);

    /// These and `others`.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether all of `others` are among these.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether some of `others` are.
    pub const fn has_some(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

/// Which events are wanted; shared by those who tell of them and those who listen.
#[derive(Default)]
pub struct Events {
    /// The classes to tell of: none while nobody listens.
    wanted: AtomicU32,
    wishes: Mutex<Wishes>,
}

#[derive(Default)]
struct Wishes {
    asked: Classes,
    is_heard: bool,
}

impl Events {
    /// Sets what is asked for (`notify-keyspace-events`).
    pub fn ask_for(&self, classes: Classes) {
        self.change(|wishes| wishes.asked = classes);
    }

    /// Whether somebody listens from now on.
    pub fn set_heard(&self, is_heard: bool) {
        self.change(|wishes| wishes.is_heard = is_heard);
    }

    fn change(&self, change: impl FnOnce(&mut Wishes)) {
        let mut wishes = self.wishes.lock();
        change(&mut wishes);
        let comes = wishes.asked.has_some(Classes::ON_KEYS.with(Classes::ON_EVENTS));
        let wanted = if wishes.is_heard && comes {
            wishes.asked
        } else {
            Classes::NONE
        };
        self.wanted.store(wanted.0, Ordering::SeqCst);
    }

    /// Which classes are wanted, and on which channels.
    #[inline]
    pub fn wanted(&self) -> Classes {
        Classes(self.wanted.load(Ordering::Relaxed))
    }
}

/// Something that has happened to a key.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The key.
    pub key: &'a [u8],
    /// Where the collection is that has the key.
    pub database: DatabaseId,
    /// The collection's name.
    pub collection: &'a str,
}

/// Who passes on what happens to keys.
pub trait Herald: Send {
    /// Tells of an event, which is shown to nobody before what it `depends_on` may be.
    fn tell(&self, event: Event<'_>, wanted: Classes, depends_on: Dependencies);

    /// Keeps from now on what its thread tells anybody, whatever it is, until as many ends as beginnings have come.
    fn hold(&self);

    /// Passes on what was kept, unless it was held before that, too.
    fn release(&self, depends_on: Dependencies);

    /// Forgets what was kept since it was last held.
    fn forget(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_wanted_while_somebody_listens_and_they_come_on_some_channel() {
        let events = Events::default();
        let sets = Classes::STRING.with(Classes::ON_KEYS);
        events.ask_for(sets);
        assert_eq!(events.wanted(), Classes::NONE);
        events.set_heard(true);
        assert_eq!(events.wanted(), sets);
        assert!(events.wanted().has_some(Classes::STRING) && !events.wanted().has_some(Classes::LIST));
        events.ask_for(Classes::STRING);
        assert_eq!(events.wanted(), Classes::NONE);
        events.ask_for(sets);
        events.set_heard(false);
        assert_eq!(events.wanted(), Classes::NONE);
    }
}
