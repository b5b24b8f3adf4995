//! Waiters served by writers: in order, once each, wherever their database's collection goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::Harness;
use crate::engine::Engine;
use crate::engine::blocked::{self, Numbered, Tried, Waiter, Wanted};
use crate::engine::effect::Effect;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::engine::registry::numbered_name;
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::engine::worker::Kit;
use crate::page::StrRef;
use crate::page::packed::pack;
use crate::page::stream::{StreamId, StreamOp};
use crate::page::value::ValueType;

/// Takes the string at its key as soon as there is one, and puts it at `to` if that is said.
struct Taker {
    name: &'static str,
    database: DatabaseId,
    to: Option<&'static [u8]>,
    taken: Taken,
    is_over: Mutex<bool>,
}

impl Waiter for Taker {
    fn wanted(&self) -> Wanted {
        Wanted::Value(ValueType::Str)
    }

    fn try_again(&self, engine: &Engine, kit: &mut Kit) -> Tried {
        let mut is_over = self.is_over.lock();
        let Some(slot) = engine.registry().slot(self.database).cloned() else {
            self.taken.lock().push((self.name, b"gone".to_vec()));
            return Tried::Over;
        };
        let keys = [Some(&b"key"[..]), self.to].into_iter().flatten();
        let mut scope = Scope::for_keys(engine, kit, &slot.collection, keys);
        let mut txn = Txn::new(&mut scope, &slot.collection, false);
        let text = txn.get_str(b"key").unwrap().map(|text| text.contiguous().into_owned());
        match text {
            Some(text) if !*is_over => {
                txn.delete(b"key");
                if let Some(to) = self.to {
                    txn.put_str(to, StrRef::Inline(&text), None);
                }
                self.taken.lock().push((self.name, text));
                *is_over = true;
                Tried::Over
            }
            _ if *is_over => Tried::Over,
            _ => Tried::Waits,
        }
    }
}

pub(super) type Taken = Arc<Mutex<Vec<(&'static str, Vec<u8>)>>>;

pub(super) fn enter(
    harness: &mut Harness,
    taken: &Taken,
    name: &'static str,
    database: DatabaseId,
    to: Option<&'static [u8]>,
) {
    let waiter = Arc::new(Taker {
        name,
        database,
        to,
        taken: Arc::clone(taken),
        is_over: Mutex::default(),
    });
    let _pass = harness.worker.enter(&harness.engine);
    let collection = harness.collection(database);
    let key = collection.key(b"key");
    let mut scope = Scope::for_key(&harness.engine, &mut harness.worker, &collection, key);
    let id = scope.next_waiter_id();
    scope.add_waiter(&collection, b"key", Numbered { id, waiter });
}

fn serve(harness: &mut Harness) {
    let engine = Arc::clone(&harness.engine);
    let _pass = harness.worker.enter(&engine);
    blocked::serve(&engine, &mut harness.worker);
}

pub(super) fn put(harness: &mut Harness, database: DatabaseId, text: &[u8]) {
    harness.with_keys(database, &[b"key"], |txn| {
        txn.put_str(b"key", StrRef::Inline(text), None)
    });
    serve(harness);
}

#[test]
fn the_first_who_came_is_served_first_and_once() {
    let (mut harness, taken) = (Harness::new(1), Taken::default());
    for name in ["a", "b", "c"] {
        enter(&mut harness, &taken, name, DatabaseId::DEFAULT, None);
    }
    for text in [&b"1"[..], b"2", b"3", b"4"] {
        put(&mut harness, DatabaseId::DEFAULT, text);
    }
    let expected = [("a", b"1".to_vec()), ("b", b"2".to_vec()), ("c", b"3".to_vec())];
    assert_eq!(*taken.lock(), expected);
    harness.with_keys(DatabaseId::DEFAULT, &[b"key"], |txn| assert!(txn.exists(b"key")));
}

#[test]
fn what_one_puts_back_serves_the_next() {
    let (mut harness, taken) = (Harness::new(1), Taken::default());
    enter(&mut harness, &taken, "a", DatabaseId::DEFAULT, Some(b"key"));
    enter(&mut harness, &taken, "b", DatabaseId::DEFAULT, None);
    put(&mut harness, DatabaseId::DEFAULT, b"1");
    assert_eq!(*taken.lock(), [("a", b"1".to_vec()), ("b", b"1".to_vec())]);
}

#[test]
fn waiters_stay_with_their_database() {
    let (mut harness, taken) = (Harness::new(2), Taken::default());
    enter(&mut harness, &taken, "zero", DatabaseId::DEFAULT, None);
    enter(&mut harness, &taken, "one", DatabaseId::new(1), None);
    harness.exclusive(DatabaseId::DEFAULT, |txn| {
        let id = txn.slot(DatabaseId::DEFAULT).unwrap().collection.id();
        txn.flush(id).unwrap();
        txn.swap(DatabaseId::DEFAULT, DatabaseId::new(1)).unwrap();
    });
    serve(&mut harness);
    assert!(taken.lock().is_empty());
    put(&mut harness, DatabaseId::new(1), b"x");
    put(&mut harness, DatabaseId::DEFAULT, b"y");
    assert_eq!(*taken.lock(), [("one", b"x".to_vec()), ("zero", b"y".to_vec())]);
}

#[test]
fn a_swap_that_brings_the_key_serves_and_a_drop_tells() {
    let (mut harness, taken) = (Harness::new(2), Taken::default());
    enter(&mut harness, &taken, "zero", DatabaseId::DEFAULT, None);
    put(&mut harness, DatabaseId::new(1), b"x");
    harness
        .exclusive(DatabaseId::DEFAULT, |txn| {
            txn.swap(DatabaseId::DEFAULT, DatabaseId::new(1))
        })
        .unwrap();
    serve(&mut harness);
    enter(&mut harness, &taken, "one", DatabaseId::new(1), None);
    harness.exclusive(DatabaseId::DEFAULT, |txn| {
        let id = txn.slot(DatabaseId::new(1)).unwrap().collection.id();
        txn.drop_collection(id).unwrap();
    });
    serve(&mut harness);
    assert_eq!(*taken.lock(), [("zero", b"x".to_vec()), ("one", b"gone".to_vec())]);
}

/// Waits for the string at its last key, and counts how often it looks.
struct Looker {
    keys: Vec<Vec<u8>>,
    tries: AtomicUsize,
    is_over: AtomicBool,
}

impl Waiter for Looker {
    fn wanted(&self) -> Wanted {
        Wanted::AnyChange
    }

    fn try_again(&self, engine: &Engine, worker: &mut Kit) -> Tried {
        self.tries.fetch_add(1, Relaxed);
        let slot = engine.registry().slot(DatabaseId::DEFAULT).cloned().unwrap();
        let mut scope = Scope::for_keys(engine, worker, &slot.collection, self.keys.iter().map(Vec::as_slice));
        let mut txn = Txn::new(&mut scope, &slot.collection, false);
        if !txn.exists(self.keys.last().unwrap()) {
            return Tried::Waits;
        }
        self.is_over.store(true, Relaxed);
        Tried::Over
    }
}

fn look(harness: &mut Harness, keys: &[&[u8]]) -> Arc<Looker> {
    let looker = Arc::new(Looker {
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        tries: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    });
    let _pass = harness.worker.enter(&harness.engine);
    let collection = harness.collection(DatabaseId::DEFAULT);
    let mut scope = Scope::for_keys(&harness.engine, &mut harness.worker, &collection, keys.iter().copied());
    let id = scope.next_waiter_id();
    for key in keys {
        let waiter: Arc<dyn Waiter> = looker.clone();
        scope.add_waiter(&collection, key, Numbered { id, waiter });
    }
    looker
}

#[test]
fn that_a_consumer_was_heard_of_is_nothing_to_those_who_wait() {
    let mut harness = Harness::new(1);
    let change = |harness: &mut Harness, op| {
        harness.with_keys(DatabaseId::DEFAULT, &[b"stream"], |txn| {
            txn.apply(&Effect::Stream { key: b"stream", op });
        });
        serve(harness);
    };
    let (group, consumer, last_id) = (b"g", b"c", StreamId::MIN);
    change(&mut harness, StreamOp::Create);
    let entries_read = None;
    change(
        &mut harness,
        StreamOp::GroupCreate {
            group,
            last_id,
            entries_read,
        },
    );
    let looker = look(&mut harness, &[b"stream", b"other"]);
    for at_ms in 1..4 {
        let seen = StreamOp::ConsumerSeen { group, consumer, at_ms };
        change(&mut harness, seen);
    }
    change(&mut harness, StreamOp::ConsumerDelete { group, consumer });
    assert_eq!(looker.tries.load(Relaxed), 0);
    let (id, fields) = (StreamId { ms: 1, seq: 1 }, &pack([&b"f"[..], b"v"]));
    change(&mut harness, StreamOp::Add { id, fields });
    change(&mut harness, StreamOp::GroupDestroy { group });
    assert_eq!(looker.tries.load(Relaxed), 2);
}

#[test]
fn who_waits_for_many_keys_looks_once_for_all_that_have_changed() {
    let mut harness = Harness::new(1);
    let names: Vec<String> = (0..3000).map(|number| format!("key-{number}")).collect();
    let keys: Vec<&[u8]> = names.iter().map(String::as_bytes).chain([&b"last"[..]]).collect();
    let lookers = [look(&mut harness, &keys), look(&mut harness, &keys)];
    for round in 1..=2 {
        harness.with_keys(DatabaseId::DEFAULT, &keys, |txn| {
            // Twice each, and not the one that they want.
            for key in keys.iter().chain(&keys).filter(|key| **key != b"last") {
                txn.put_str(key, StrRef::Inline(b"v"), None);
            }
        });
        serve(&mut harness);
        let tries = lookers.each_ref().map(|looker| looker.tries.load(Relaxed));
        assert_eq!(tries, [round; 2]);
    }
    harness.exclusive(DatabaseId::DEFAULT, |txn| {
        let id = txn.slot(DatabaseId::DEFAULT).unwrap().collection.id();
        txn.flush(id).unwrap();
        txn.create(Some(DatabaseId::new(1)), &numbered_name(DatabaseId::new(1)), Kind::Hmap)
            .unwrap();
        txn.drop_collection(id).unwrap();
        txn.create(
            Some(DatabaseId::DEFAULT),
            &numbered_name(DatabaseId::DEFAULT),
            Kind::Hmap,
        )
        .unwrap();
    });
    serve(&mut harness);
    assert_eq!(lookers.map(|looker| looker.tries.load(Relaxed)), [3; 2]);
}

#[test]
fn who_has_looked_in_vain_looks_again_when_a_key_changes_meanwhile() {
    let (mut harness, taken) = (Harness::new(1), Taken::default());
    let looker = look(&mut harness, &[b"key", b"other"]);
    enter(&mut harness, &taken, "mover", DatabaseId::DEFAULT, Some(b"other"));
    harness.with_keys(DatabaseId::DEFAULT, &[b"key", b"other"], |txn| {
        txn.put_str(b"key", StrRef::Inline(b"1"), None);
        txn.put_str(b"other", StrRef::Inline(b"2"), None);
        txn.delete(b"other");
    });
    serve(&mut harness);
    // The looker came first; only then is there something for it.
    assert_eq!(*taken.lock(), [("mover", b"1".to_vec())]);
    assert_eq!((looker.tries.load(Relaxed), looker.is_over.load(Relaxed)), (2, true));
}
