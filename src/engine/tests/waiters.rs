//! Waiters served by writers: in order, once each, wherever their database's collection goes.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Harness;
use crate::engine::Engine;
use crate::engine::effect::DatabaseId;
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::engine::waiters::{self, Numbered, Tried, Waiter, Wanted};
use crate::engine::worker::Worker;
use crate::page::StrRef;
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

    fn try_again(&self, engine: &Engine, worker: &mut Worker, _key: Option<&[u8]>) -> Tried {
        let mut is_over = self.is_over.lock();
        let Some(slot) = engine.registry().slot(self.database).cloned() else {
            self.taken.lock().push((self.name, b"gone".to_vec()));
            return Tried::Over;
        };
        let keys = [Some(&b"key"[..]), self.to].into_iter().flatten();
        let mut scope = Scope::for_keys(engine, worker, &slot.collection, keys);
        let mut txn = Txn::new(&mut scope, &slot.collection, false);
        let text = txn.get_str(b"key").unwrap().map(|text| text.bytes().to_vec());
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

type Taken = Arc<Mutex<Vec<(&'static str, Vec<u8>)>>>;

fn enter(harness: &mut Harness, taken: &Taken, name: &'static str, database: DatabaseId, to: Option<&'static [u8]>) {
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
    waiters::serve(&engine, &mut harness.worker);
}

fn put(harness: &mut Harness, database: DatabaseId, text: &[u8]) {
    harness.with_keys(database, &[b"key"], |txn| {
        txn.put_str(b"key", StrRef::Inline(text), None)
    });
    serve(harness);
}

#[test]
fn the_first_who_came_is_served_first_and_once() {
    let (mut harness, taken) = (Harness::new(1), Taken::default());
    for name in ["a", "b", "c"] {
        enter(&mut harness, &taken, name, 0, None);
    }
    for text in [&b"1"[..], b"2", b"3", b"4"] {
        put(&mut harness, 0, text);
    }
    let expected = [("a", b"1".to_vec()), ("b", b"2".to_vec()), ("c", b"3".to_vec())];
    assert_eq!(*taken.lock(), expected);
    harness.with_keys(0, &[b"key"], |txn| assert!(txn.exists(b"key")));
}

#[test]
fn what_one_puts_back_serves_the_next() {
    let (mut harness, taken) = (Harness::new(1), Taken::default());
    enter(&mut harness, &taken, "a", 0, Some(b"key"));
    enter(&mut harness, &taken, "b", 0, None);
    put(&mut harness, 0, b"1");
    assert_eq!(*taken.lock(), [("a", b"1".to_vec()), ("b", b"1".to_vec())]);
}

#[test]
fn waiters_stay_with_their_database() {
    let (mut harness, taken) = (Harness::new(2), Taken::default());
    enter(&mut harness, &taken, "zero", 0, None);
    enter(&mut harness, &taken, "one", 1, None);
    harness.exclusive(0, |txn| {
        let id = txn.slot(0).unwrap().collection.id();
        txn.flush(id).unwrap();
        txn.swap(0, 1).unwrap();
    });
    serve(&mut harness);
    assert!(taken.lock().is_empty());
    put(&mut harness, 1, b"x");
    put(&mut harness, 0, b"y");
    assert_eq!(*taken.lock(), [("one", b"x".to_vec()), ("zero", b"y".to_vec())]);
}

#[test]
fn a_swap_that_brings_the_key_serves_and_a_drop_tells() {
    let (mut harness, taken) = (Harness::new(2), Taken::default());
    enter(&mut harness, &taken, "zero", 0, None);
    put(&mut harness, 1, b"x");
    harness.exclusive(0, |txn| txn.swap(0, 1)).unwrap();
    serve(&mut harness);
    enter(&mut harness, &taken, "one", 1, None);
    harness.exclusive(0, |txn| {
        let id = txn.slot(1).unwrap().collection.id();
        txn.drop_collection(id).unwrap();
    });
    serve(&mut harness);
    assert_eq!(*taken.lock(), [("zero", b"x".to_vec()), ("one", b"gone".to_vec())]);
}
