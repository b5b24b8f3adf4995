//! Telling of keyspace events: where changes are made (`Scope`), and for handlers (`ReadTxn`, `Txn`).
//!
//! What the engine itself tells of: keys that come into being, that are missed, that expire. Handlers tell of the rest.

use super::collection::Collection;
use super::events::{Classes, Event};
use super::scope::Scope;
use super::txn::{ReadTxn, Txn};
use crate::page::value::ValueType;
use crate::page::{StrRef, ValueRef};

/// What tells whether a value took another one's place.
const REPLACEMENT: Classes = Classes::NEW
    .with(Classes::OVERWRITTEN)
    .with(Classes::TYPE_CHANGED)
    .with(Classes::EXPIRED);

impl Scope<'_> {
    /// Tells of an event, if somebody wants to know. The lock of the key's shard is held, and the change has been made.
    #[inline]
    pub(super) fn notify(&mut self, collection: &Collection, class: Classes, name: &str, key: &[u8]) {
        let wanted = self.engine.events().wanted();
        if wanted.has_some(class) {
            self.tell(collection, wanted, name, key);
        }
    }

    #[cold]
    fn tell(&mut self, collection: &Collection, wanted: Classes, name: &str, key: &[u8]) {
        // What was left out has not happened.
        if self.has_overflowed {
            return;
        }
        let registry = self.engine.registry();
        let (Some(herald), Some(slot)) = (&self.worker.herald, registry.by_collection(collection.id())) else {
            return;
        };
        let event = Event {
            name,
            key,
            database: slot.id,
            collection: &slot.name,
        };
        herald.tell(event, wanted, self.worker.dependencies());
    }
}

impl ReadTxn<'_, '_> {
    /// Tells of what has happened to `key`, behind the change.
    #[inline]
    pub fn notify(&mut self, class: Classes, name: &str, key: &[u8]) {
        self.scope.notify(self.collection, class, name, key);
    }

    /// Whether events of one of these classes are wanted.
    #[inline]
    pub fn wants(&self, classes: Classes) -> bool {
        self.scope.engine.events().wanted().has_some(classes)
    }

    /// Tells that something has been taken out of `key`, and that it has gone if that was the last.
    #[inline]
    pub fn notify_taken(&mut self, class: Classes, name: &str, key: &[u8]) {
        if self.wants(class.with(Classes::GENERIC)) {
            self.notify(class, name, key);
            if !self.exists(key) {
                self.notify(Classes::GENERIC, "del", key);
            }
        }
    }
}

impl Txn<'_, '_> {
    /// Deletes `key`, and tells of it; whether it existed.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let existed = self.delete(key);
        if existed {
            self.notify(Classes::GENERIC, "del", key);
        }
        existed
    }

    /// Sets or removes (`None`) the expiry of an existing key as [`Txn::expire_at`] does, and tells of it.
    pub fn set_expiry(&mut self, key: &[u8], expire_at_ms: Option<u64>) {
        self.expire_at(key, expire_at_ms);
        let name = match expire_at_ms {
            None => "persist",
            Some(at_ms) if at_ms <= self.now_ms() => "del",
            Some(_) => "expire",
        };
        self.notify(Classes::GENERIC, name, key);
    }

    /// Sets `key` as [`Txn::put`] does, to another value than it had, and tells what became of that.
    #[inline]
    pub fn replace(&mut self, key: &[u8], value: ValueRef<'_>, expire_at_ms: Option<u64>) {
        if self.wants(REPLACEMENT) {
            self.replace_telling(key, value, expire_at_ms);
        } else {
            self.put(key, value, expire_at_ms);
        }
    }

    #[cold]
    fn replace_telling(&mut self, key: &[u8], value: ValueRef<'_>, expire_at_ms: Option<u64>) {
        let had = self.type_at(key);
        self.put(key, value, expire_at_ms);
        if had.is_none() && !self.exists(key) {
            // It came and went at once.
            self.notify(Classes::NEW, "new", key);
        }
        self.notify_replaced(key, had, value.value_type());
    }

    /// The same for a string.
    #[inline]
    pub fn replace_str(&mut self, key: &[u8], text: StrRef<'_>, expire_at_ms: Option<u64>) {
        self.replace(key, ValueRef::Str(text), expire_at_ms);
    }

    /// The type of what `key` has.
    pub fn type_at(&mut self, key: &[u8]) -> Option<ValueType> {
        self.peek(key).map(|entry| entry.value().value_type())
    }

    /// Tells that a value of a type has taken the place of what `key` `had`, if that was something.
    pub fn notify_replaced(&mut self, key: &[u8], had: Option<ValueType>, has: ValueType) {
        let Some(had) = had else { return };
        self.notify(Classes::OVERWRITTEN, "overwritten", key);
        if had != has {
            self.notify(Classes::TYPE_CHANGED, "type_changed", key);
        }
    }
}
