//! WATCH and UNWATCH.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::QUICK;
use crate::client::{Client, Watch};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, all_keys, flag};
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::gate::Pass;
use crate::engine::ids::DatabaseId;
use crate::engine::watch::WatchFlag;
use crate::resp::{Args, Reply};

/// What a watched key takes beside its bytes, which are kept twice: in the client's list and in the shard's table.
const WATCH_BYTES: u64 = 144;

/// So many watched keys are forgotten at a time.
const FORGOTTEN_MAX: usize = 4096;

pub(super) const WATCH: Spec = Spec {
    since: "2.2.0",
    flags: QUICK | flag::NOT_QUEUED,
    acl: &["transaction"],
    keys: &[all_keys(&["RO"], 1, 1)],
    summary: "Makes the next transaction fail if one of these keys changes before it",
    complexity: "O(1) for every key.",
    syntax: "key [key ...]",
    ..Spec::new("watch", Group::Transactions, -2, Handler::Session(watch))
};

fn watch(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if cx.client.multi.is_some() {
        return Err(CmdError::text("ERR WATCH inside MULTI is not allowed"));
    }
    watch_keys(&cx.server.engine, cx.client, args.skip(1).iter(), cx.kit.now_ms())?;
    reply.ok();
    Ok(Flow::Done)
}

/// Registers `keys` of the selected database that are not watched yet. The caller holds a pass.
fn watch_keys<'a>(
    engine: &Engine,
    client: &mut Client,
    keys: impl Iterator<Item = &'a [u8]>,
    now_ms: u64,
) -> Result<(), CmdError> {
    let database = client.database;
    let collection = collection_in(engine, database).ok_or(CmdError::text("ERR no such database"))?;
    let mut kept_bytes = 0;
    for key in keys {
        if register(&collection, key, &client.watch_flag, now_ms) {
            let key = key.to_vec();
            kept_bytes += bytes_of(&key);
            client.watches.push(Watch {
                database,
                key,
                since_ms: now_ms,
            });
        }
    }
    client.handle.keep(kept_bytes);
    note_count(client);
    Ok(())
}

/// What a watched key takes of memory, roughly.
fn bytes_of(key: &[u8]) -> u64 {
    WATCH_BYTES + 2 * key.len() as u64
}

/// Registers one key, unless it is watched; whether it was not.
fn register(collection: &Collection, bytes: &[u8], flag: &WatchFlag, now_ms: u64) -> bool {
    let key = collection.key(bytes);
    let mut state = collection.shard(collection.shard_of(key.hash)).lock();
    collection.note_interest();
    state.watches.add(bytes, flag, now_ms)
}

pub(super) const UNWATCH: Spec = Spec {
    since: "2.2.0",
    flags: QUICK,
    acl: &["transaction"],
    summary: "Forgets all watched keys",
    ..Spec::new("unwatch", Group::Transactions, 1, Handler::Session(unwatch))
};

fn unwatch(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    forget_watches(&cx.server.engine, cx.client, cx.pass);
    reply.ok();
    Ok(Flow::Done)
}

/// Forgets all watched keys: after EXEC and DISCARD, and at RESET.
pub fn forget_watches(engine: &Engine, client: &mut Client, pass: &Pass<'_>) {
    while !forget_some(engine, client, pass) {}
}

/// Forgets some watched keys of a client that goes; whether those were all.
pub fn forget_some(engine: &Engine, client: &mut Client, _pass: &Pass<'_>) -> bool {
    if client.watches.is_empty() {
        return true;
    }
    let from = client.watches.len().saturating_sub(FORGOTTEN_MAX);
    for watch in client.watches.drain(from..) {
        client.handle.let_go(bytes_of(&watch.key));
        // A collection that was dropped has taken its table with it.
        if let Some(collection) = collection_in(engine, watch.database) {
            let shard = collection.shard_of(collection.key(&watch.key).hash);
            let mut state = collection.shard(shard).lock();
            state.watches.remove(&watch.key, &client.watch_flag);
        }
    }
    if from == 0 {
        // A change in flight may still raise the flag of what was watched.
        client.watch_flag = WatchFlag::default();
        client.watches = Vec::new();
    }
    note_count(client);
    from == 0
}

fn collection_in(engine: &Engine, database: DatabaseId) -> Option<Arc<Collection>> {
    engine
        .registry()
        .slot(database)
        .map(|slot| Arc::clone(&slot.collection))
}

fn note_count(client: &Client) {
    let count = u32::try_from(client.watches.len()).unwrap_or(u32::MAX);
    client.handle.watched.store(count, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientHandle;
    use crate::engine::keyspace::ExclusiveTxn;
    use crate::engine::registry::Registry;
    use crate::engine::scope::Scope;
    use crate::engine::txn::Txn;
    use crate::engine::worker::Worker;
    use crate::page::{StrRef, ValueRef};
    use crate::pubsub::{PubSub, Subscriber};
    use crate::wal::{Lsn, Wal};

    struct Fixture {
        engine: Engine,
        worker: Worker,
        client: Client,
    }

    fn fixture() -> Fixture {
        let engine = Engine::new(Registry::default(), Wal::disabled(Lsn::FIRST), 1, 0).unwrap();
        let mut worker = engine.worker().unwrap();
        {
            let pass = engine.exclusive(&mut worker);
            let mut scope = Scope::exclusive(&engine, &mut worker, &pass);
            ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT)
                .create_numbered(1)
                .unwrap();
        }
        let handle = ClientHandle::new(
            1,
            String::new(),
            String::new(),
            (0, false),
            std::task::Waker::noop().clone(),
            0,
        );
        let subscriber = Subscriber::new(PubSub::default().open_desk(), 0);
        let client = Client::new(
            Arc::new(handle),
            crate::acl::Acl::of_no_commands().default_user(),
            subscriber,
        );
        Fixture { engine, worker, client }
    }

    impl Fixture {
        fn watch(&mut self, keys: &[&[u8]]) {
            let _pass = self.worker.enter(&self.engine);
            let now_ms = self.worker.now_ms();
            watch_keys(&self.engine, &mut self.client, keys.iter().copied(), now_ms).unwrap();
        }

        fn set(&mut self, key: &[u8], expire_at_ms: u64) {
            let collection = collection_in(&self.engine, DatabaseId::DEFAULT).unwrap();
            let _pass = self.worker.enter(&self.engine);
            let mut scope = Scope::for_key(&self.engine, &mut self.worker, &collection, collection.key(key));
            let mut txn = Txn::new(&mut scope, &collection, true);
            txn.apply(&crate::engine::effect::Effect::Put {
                key,
                value: ValueRef::Str(StrRef::Inline(b"v")),
                expire_at_ms,
            });
        }
    }

    #[test]
    fn a_change_raises_the_flag_and_forgetting_lowers_it() {
        let mut fixture = fixture();
        fixture.watch(&[b"a", b"b", b"a"]);
        fixture.watch(&[b"b"]);
        assert_eq!(fixture.client.watches.len(), 2);
        fixture.set(b"c", 0);
        assert!(!fixture.client.watch_flag.is_raised());
        fixture.set(b"b", 0);
        assert!(fixture.client.watch_flag.is_raised());

        let pass = fixture.worker.enter(&fixture.engine);
        forget_watches(&fixture.engine, &mut fixture.client, &pass);
        drop(pass);
        assert!(fixture.client.watches.is_empty());
        fixture.set(b"a", 0);
        assert!(!fixture.client.watch_flag.is_raised());
    }

    #[test]
    fn what_dies_is_a_change_for_who_saw_it_alive() {
        let mut fixture = fixture();
        let now_ms = fixture.worker.now_ms();
        fixture.set(b"dead", 1);
        fixture.set(b"dies", now_ms + 1);
        fixture.watch(&[b"dead", b"dies", b"absent"]);
        fixture.worker.set_clock(now_ms + 1);
        let collection = collection_in(&fixture.engine, DatabaseId::DEFAULT).unwrap();
        let _pass = fixture.worker.enter(&fixture.engine);
        let mut scope = Scope::visiting(&fixture.engine, &mut fixture.worker);
        let watches = fixture.client.watches.iter();
        let died: Vec<bool> = watches
            .map(|watch| scope.has_died(&collection, &watch.key, watch.since_ms))
            .collect();
        assert_eq!(died, [false, true, false]);
    }
}
