//! Where a request runs: beside others, under its worker's pass, which it gives up for what needs that.

use std::sync::atomic::Ordering;

use super::alone::Alone;
use super::blocked::{self, Blocker};
use super::call::{Call, Keys};
use super::current::{Pinned, Selected};
use super::cx::WorkerCx;
use super::executor::{NO_COLLECTION, Place, two_slots};
use super::held::HeldShard;
use super::script::{self, OnScripts, RunsScripts, Stopped, Within};
use crate::client::Client;
use crate::commands::blocking::Attempt;
use crate::commands::context::{MaintenanceCx, PublishCx, Scripting, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, Waiting};
use crate::commands::scripting::{Start, again, busy_or_was};
use crate::commands::spec::{Across, CmdResult};
use crate::engine::Engine;
use crate::engine::collection::{Collection, Shard, ShardState};
use crate::engine::gate::Pass;
use crate::engine::ids::DatabaseId;
use crate::engine::index::KeyRef;
use crate::engine::locks::lock_all;
use crate::engine::registry::Slot;
use crate::engine::scope::Scope;
use crate::engine::worker::{Kit, Worker};
use crate::resp::Reply;
use crate::state::Server;
use crate::sync::MutexGuard;

/// See the module.
pub(super) struct Beside<'r, 'e, 'c> {
    pub cx: &'r WorkerCx,
    pub client: &'r mut Client,
    pub worker: &'r mut Worker,
    pub pass: &'r mut Pass<'e>,
    pub held: &'r mut HeldShard<'c>,
    pub selected: &'r Selected,
    pub engine: &'e Engine,
}

impl Beside<'_, '_, '_> {
    fn quiet(&self) -> bool {
        self.client.handle.no_touch.load(Ordering::Relaxed)
    }
}

/// The collection in `database`.
pub(super) fn resolve(cx: &WorkerCx, database: DatabaseId) -> Result<Pinned, CmdError> {
    cx.collections.resolve(&cx.server.engine, database).ok_or(NO_COLLECTION)
}

/// Locks a shard; refuses if that takes long while a script is busy, which may have it.
fn lock<'e>(server: &Server, shard: &'e Shard) -> Result<MutexGuard<'e, ShardState>, CmdError> {
    let guard = shard.lock_unless(|| server.busy.are_some());
    guard.ok_or_else(|| busy_or_was(server))
}

/// A scope over the keys of `call`; the shard of a single one stays locked in `held`.
///
/// # Errors
/// When a busy script has locked them.
#[inline(always)]
fn scope<'s, 'c>(
    (server, engine): (&Server, &'s Engine),
    kit: &'s mut Kit,
    held: &'s mut HeldShard<'c>,
    collection: &'s Collection,
    call: &Call<'_>,
) -> Result<Scope<'s>, CmdError> {
    if let Keys::One {
        index,
        hash: Some(hash),
    } = call.keys
        && let Some(bytes) = call.args.get(index)
        && let Some(prepared_for) = held.collection(collection)
    {
        let shard = collection.shard_of(hash);
        let state = held.lock(prepared_for, shard, |shard| lock(server, shard))?;
        let key = KeyRef::new(bytes, hash);
        return Ok(Scope::for_key_within(engine, kit, collection, state, key));
    }
    held.release();
    let lock = |shard| lock(server, shard);
    let guards = match call.keys {
        Keys::Untold(_) => lock_all(collection.places(), lock)?,
        Keys::One { .. } | Keys::Told(_) => lock_all(call.key_uses().map(|(key, _)| collection.place_of(key)), lock)?,
    };
    Ok(Scope::locked(engine, kit, guards))
}

impl Place for Beside<'_, '_, '_> {
    #[inline]
    fn reader(&self) -> Option<u64> {
        self.client.handle.reader()
    }

    #[inline]
    fn on_keys<R>(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool) -> Result<R, CmdError>,
    ) -> Result<R, CmdError> {
        let quiet = self.quiet();
        let database = self.client.database;
        let mut found = None;
        let collection = match self.selected.get(self.engine, database) {
            Some(collection) => collection,
            None => &**found.insert(resolve(self.cx, database)?),
        };
        let mut scope = scope((&self.cx.server, self.engine), self.worker, self.held, collection, call)?;
        body(&mut scope, collection, quiet)
    }

    fn blocking(
        &mut self,
        call: &Call<'_>,
        reply: &mut Reply,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool, &mut Reply) -> Result<Attempt, CmdError>,
    ) -> Result<Flow<Waiting>, CmdError> {
        let quiet = self.quiet();
        let collection = resolve(self.cx, self.client.database)?;
        let mut scope = scope(
            (&self.cx.server, self.engine),
            self.worker,
            self.held,
            &collection,
            call,
        )?;
        scope.give_way();
        match body(&mut scope, &collection, quiet, reply)? {
            Attempt::Done => Ok(Flow::Done),
            Attempt::Nothing(wait) => {
                let blocker = Blocker {
                    server: &self.cx.server,
                    client: &self.client.handle,
                    database: self.client.database,
                    blank: reply.sibling(),
                };
                Ok(blocked::enter(blocker, &mut scope, &collection, call, wait))
            }
        }
    }

    fn across(
        &mut self,
        call: &Call<'_>,
        across: &Across,
        body: impl FnOnce(&mut Scope<'_>, &Slot, &Slot, bool) -> CmdResult,
    ) -> CmdResult {
        self.held.release();
        let quiet = self.quiet();
        let (source, target) = two_slots(self.engine, self.client.database, call, across)?;
        let places = [(&source, across.source_key), (&target, across.target_key)];
        let places = places.map(|(slot, at)| slot.collection.place_of(call.args.get(at).unwrap_or_default()));
        let guards = lock_all(places.into_iter(), |shard| lock(&self.cx.server, shard))?;
        let mut scope = Scope::locked(self.engine, self.worker, guards);
        body(&mut scope, &source, &target, quiet)
    }

    fn on_collection(
        &mut self,
        _: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection) -> CmdResult,
    ) -> CmdResult {
        self.held.release();
        let collection = resolve(self.cx, self.client.database)?;
        // Those that are locked now: it locks them one after another, and then waits.
        let locked = collection.shards_if_any().iter().filter(|shard| shard.is_locked());
        locked
            .map(|shard| lock(&self.cx.server, shard))
            .try_for_each(|guard| guard.map(drop))?;
        let result = body(&mut Scope::visiting(self.engine, self.worker), &collection);
        self.worker.observe_all(self.engine);
        result
    }

    fn alone(&mut self, body: impl FnOnce(&mut Scope<'_>, DatabaseId) -> CmdResult) -> CmdResult {
        self.held.release();
        let (engine, database) = (self.engine, self.client.database);
        let result = self.worker.outside(engine, self.pass, |worker| {
            worker.with_exclusive(engine, |kit, gate| {
                body(&mut Scope::exclusive(engine, kit, gate), database)
            })
        });
        self.worker.observe_all(engine);
        result
    }

    #[inline]
    fn publishing(&mut self, body: impl FnOnce(&PublishCx<'_>) -> CmdResult) -> CmdResult {
        body(&self.cx.publish_cx(self.worker))
    }

    fn session(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut SessionCx<'_>) -> Result<Flow, CmdError>,
    ) -> Result<Flow, CmdError> {
        self.held.release();
        body(&mut SessionCx {
            server: &self.cx.server,
            commands: self.cx.commands,
            client: self.client,
            kit: self.worker,
            pass: self.pass,
            alone: None,
            command: call.command,
        })
    }

    fn maintenance(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut MaintenanceCx<'_>) -> Result<Flow<Waiting>, CmdError>,
    ) -> Result<Flow<Waiting>, CmdError> {
        self.held.release();
        let (cx, client) = (self.cx, &mut *self.client);
        self.worker.outside(self.engine, self.pass, |worker| {
            body(&mut MaintenanceCx {
                server: &cx.server,
                commands: cx.commands,
                client,
                worker,
                command: call.command,
            })
        })
    }

    fn scripting(&mut self, call: &Call<'_>, body: impl FnOnce(&mut dyn Scripting) -> CmdResult) -> CmdResult {
        self.held.release();
        body(&mut OnScripts { place: self, call })
    }
}

impl RunsScripts for Beside<'_, '_, '_> {
    fn cx(&self) -> &WorkerCx {
        self.cx
    }

    fn client(&self) -> &Client {
        self.client
    }

    fn run_script(&mut self, request: (&Call<'_>, &Start<'_>), reply: &mut Reply) -> CmdResult {
        let (mark, (_, start)) = (reply.mark(), request);
        if start.callee.needs().may_run_beside(start.given.keys().len()) {
            match self.run_within(request, reply)? {
                Ok(()) => return Ok(()),
                Err(Stopped::Strayed) => start.callee.needs().note_strayed(),
                Err(stopped) => return stopped.into_result(start),
            }
            reply.truncate(mark);
        }
        self.run_alone(request, reply)
    }
}

impl Beside<'_, '_, '_> {
    /// Runs a script under the locks of its keys.
    fn run_within(
        &mut self,
        request: (&Call<'_>, &Start<'_>),
        reply: &mut Reply,
    ) -> Result<Result<(), Stopped>, CmdError> {
        let Beside {
            cx,
            client,
            worker,
            pass,
            engine,
            ..
        } = self;
        let collection = resolve(cx, client.database)?;
        let places = request.1.given.keys().map(|key| collection.place_of(key));
        let guards = lock_all(places, |shard| lock(&cx.server, shard))?;
        let mut scope = Scope::locked(engine, worker, guards);
        scope.worker().stop_clock();
        let ran = scope.attempt(|scope| {
            let mut place = Within {
                cx,
                client,
                scope,
                collection: &collection,
                engine,
                pass,
                has_strayed: false,
            };
            script::run(cx, &mut place, request, reply)
        });
        scope.worker().start_clock();
        Ok(ran)
    }

    /// Runs a script while nobody else runs. A function may be another one by then.
    fn run_alone(&mut self, (call, start): (&Call<'_>, &Start<'_>), reply: &mut Reply) -> CmdResult {
        let (cx, client, engine) = (self.cx, &mut *self.client, self.engine);
        let result = self.worker.outside(engine, self.pass, |worker| {
            worker.with_exclusive(engine, |kit, gate| {
                kit.as_transaction(|kit| {
                    let mut place = Alone {
                        cx,
                        client,
                        kit,
                        engine,
                        gate,
                    };
                    place.run_script((call, &again(start, &cx.server)?), reply)
                })
            })
        });
        self.worker.observe_all(engine);
        result
    }
}
