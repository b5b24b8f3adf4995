//! Elements that die by themselves: what HEXPIRE, SEXPIRE, ZEXPIRE and their like, HPERSIST …, HTTL … do, for fields of
//! hashes and members of sets and sorted sets alike.
//!
//! **Invariant:** the families differ in words only, those of arguments, errors and events.

mod expire;
mod options;
#[cfg(test)]
mod tests;
mod ttl;

use super::CmdError;
use crate::engine::events::Classes;
use crate::engine::txn::{Txn, WrongType};
use crate::page::container::Kind;
use crate::page::entry::EntryRef;
use crate::page::mortal::Mortal;
use crate::page::packed::pack;

pub use expire::set_expiry;
pub use options::{Expiry, counted, expiry};
pub use ttl::{expire_time, persist, time_left};

/// The commands for one type.
pub struct Family {
    /// The type.
    pub kind: Kind,
    /// The class of its events.
    pub class: Classes,
    /// What stands before the number of elements and their names.
    pub word: &'static [u8],
    /// The error where that is missing.
    pub no_names: &'static str,
    /// The error where the number is none, of those that set a time.
    pub no_count: &'static str,
    /// The same, of those that ask for one, or take it away.
    pub no_number: &'static str,
    /// The error where there are fewer or more.
    pub not_all: &'static str,
    /// What is told of those that are to die.
    pub expired: &'static str,
    /// What is told of those that live for ever.
    pub persisted: &'static str,
    /// What is told of those that died at once.
    pub removed: &'static str,
}

/// Fields of hashes.
pub const FIELDS: Family = Family {
    kind: Kind::Hash,
    class: Classes::HASH,
    word: b"fields",
    no_names: "ERR Mandatory argument FIELDS is missing or not at the right position",
    no_count: "ERR Parameter `numFields` should be greater than 0",
    no_number: "ERR Number of fields must be a positive integer",
    not_all: "ERR The `numfields` parameter must match the number of arguments",
    expired: "hexpire",
    persisted: "hpersist",
    removed: "hdel",
};

/// Members of sets.
pub const MEMBERS: Family = Family {
    kind: Kind::Set,
    class: Classes::SET,
    word: b"members",
    no_names: "ERR Mandatory argument MEMBERS is missing or not at the right position",
    no_count: "ERR Parameter `numMembers` should be greater than 0",
    no_number: "ERR Number of members must be a positive integer",
    not_all: "ERR The `nummembers` parameter must match the number of arguments",
    expired: "sexpire",
    persisted: "spersist",
    removed: "srem",
};

/// Members of sorted sets.
pub const SCORED_MEMBERS: Family = Family {
    kind: Kind::Zset,
    class: Classes::ZSET,
    expired: "zexpire",
    persisted: "zpersist",
    removed: "zrem",
    ..MEMBERS
};

impl Family {
    fn of<'a>(&self, entry: EntryRef<'a>) -> Result<Mortal<'a>, WrongType> {
        let mortal = Mortal::of(entry.value()).filter(|mortal| mortal.kind() == self.kind);
        mortal.ok_or(WrongType)
    }

    /// What is at `key` before this command changes it, rid of what is dead.
    fn old<'a>(&self, txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<Mortal<'a>>, CmdError> {
        Ok(txn.old_living(key).map(|entry| self.of(entry)).transpose()?)
    }

    /// Removes elements.
    pub fn remove<'a>(&self, txn: &mut Txn<'_, '_>, key: &[u8], names: impl Iterator<Item = &'a [u8]> + Clone) {
        let names = pack(names);
        txn.apply(&crate::engine::elements::removal(self.kind, key, &names));
        txn.notify_taken(self.class, self.removed, key);
    }

    /// Has elements that are there die at a time; 0 = never.
    pub fn expire_at<'a>(
        &self,
        txn: &mut Txn<'_, '_>,
        key: &[u8],
        names: impl Iterator<Item = &'a [u8]> + Clone,
        at_ms: u64,
    ) {
        let names = pack(names);
        txn.apply(&crate::engine::elements::expiry(self.kind, key, &names, at_ms));
        txn.notify(self.class, if at_ms == 0 { self.persisted } else { self.expired }, key);
    }
}
