//! Where a request runs: beside others, under its worker's pass, which it gives up for what needs that.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::alone::Alone;
use super::blocked::{self, Blocker};
use super::call::{Call, Keys};
use super::current::Pinned;
use super::cx::WorkerCx;
use super::executor::{NO_COLLECTION, Place, two_slots};
use super::held::HeldShard;
use super::monitor;
use super::script::{self, Stopped, Within};
use crate::client::Client;
use crate::commands::blocking::Attempt;
use crate::commands::context::{MaintenanceCx, PublishCx, Scripting, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, Waiting};
use crate::commands::scripting::{Start, busy_or_was, busy_with};
use crate::commands::spec::{Across, CmdResult};
use crate::engine::Engine;
use crate::engine::collection::{Collection, Shard};
use crate::engine::gate::Pass;
use crate::engine::ids::DatabaseId;
use crate::engine::index::KeyRef;
use crate::engine::registry::Slot;
use crate::engine::scope::Scope;
use crate::engine::worker::{Kit, Worker};
use crate::resp::Reply;
use crate::state::{Script, Server};

/// See the module.
pub(super) struct Beside<'r, 'e, 'c> {
    pub cx: &'r WorkerCx,
    pub client: &'r mut Client,
    pub worker: &'r mut Worker,
    pub pass: &'r mut Pass<'e>,
    pub held: &'r mut HeldShard<'c>,
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

/// Waits until nobody has locked the shard; refuses if a script has it that is busy. One that takes it right then is waited
/// for, as it would be before it is busy.
fn await_shard(server: &Server, shard: &Shard) -> CmdResult {
    while shard.is_locked() && shard.lock_unless(|| server.busy.are_some()).is_none() {
        if let Some(busy) = busy_with(server) {
            return Err(busy);
        }
    }
    Ok(())
}

/// The same of all shards of the call's keys.
fn await_shards(server: &Server, collection: &Collection, call: &Call<'_>) -> CmdResult {
    if !server.script_watch.is_used() {
        return Ok(());
    }
    match call.keys {
        Keys::Untold(_) => await_all(server, collection),
        Keys::One { .. } | Keys::Told(_) => call.key_uses().try_for_each(|(bytes, _)| {
            let shard = collection.shard_if_any(collection.shard_of(collection.key(bytes).hash));
            shard.map_or(Ok(()), |shard| await_shard(server, shard))
        }),
    }
}

/// The same of all shards.
fn await_all(server: &Server, collection: &Collection) -> CmdResult {
    collection
        .shards_if_any()
        .iter()
        .try_for_each(|shard| await_shard(server, shard))
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
    if let Keys::One { index, hash } = call.keys
        && let Some(bytes) = call.args.get(index)
    {
        if let (Some(hash), Some(prepared_for)) = (hash, held.collection(collection)) {
            let gives_up = || server.busy.are_some();
            let state = held.lock(prepared_for, collection.shard_of(hash), gives_up);
            let state = state.ok_or_else(|| busy_or_was(server))?;
            return Ok(Scope::for_key_within(
                engine,
                kit,
                collection,
                state,
                KeyRef { bytes, hash },
            ));
        }
        held.release();
        await_shards(server, collection, call)?;
        return Ok(Scope::for_key(engine, kit, collection, collection.key(bytes)));
    }
    held.release();
    await_shards(server, collection, call)?;
    Ok(match call.keys {
        Keys::Untold(_) => Scope::for_all(engine, kit, collection),
        Keys::One { .. } | Keys::Told(_) => {
            Scope::for_keys(engine, kit, collection, call.key_uses().map(|(key, _)| key))
        }
    })
}

impl Place for Beside<'_, '_, '_> {
    #[inline]
    fn reader(&self) -> Option<u64> {
        let handle = &self.client.handle;
        handle.caching.remembers().then_some(handle.id)
    }

    #[inline]
    fn on_keys<R>(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool) -> Result<R, CmdError>,
    ) -> Result<R, CmdError> {
        let quiet = self.quiet();
        let collection = resolve(self.cx, self.client.database)?;
        let mut scope = scope(
            (&self.cx.server, self.engine),
            self.worker,
            self.held,
            &collection,
            call,
        )?;
        body(&mut scope, &collection, quiet)
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
        let places = places.map(|(slot, at)| (&*slot.collection, call.args.get(at).unwrap_or_default()));
        for (collection, key) in places {
            let shard = collection.shard_if_any(collection.shard_of(collection.key(key).hash));
            shard.map_or(Ok(()), |shard| await_shard(&self.cx.server, shard))?;
        }
        let mut scope = Scope::for_places(self.engine, self.worker, places.into_iter());
        body(&mut scope, &source, &target, quiet)
    }

    fn on_collection(
        &mut self,
        _: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection) -> CmdResult,
    ) -> CmdResult {
        self.held.release();
        let collection = resolve(self.cx, self.client.database)?;
        await_all(&self.cx.server, &collection)?;
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
        body(&mut Requested { place: self, call })
    }
}

/// A request that is on scripts.
struct Requested<'q, 'r, 'e, 'c> {
    place: &'q mut Beside<'r, 'e, 'c>,
    call: &'q Call<'q>,
}

impl Scripting for Requested<'_, '_, '_, '_> {
    fn server(&self) -> &Arc<Server> {
        &self.place.cx.server
    }

    fn show(&self) {
        monitor::show_first(self.place.cx, self.place.client, self.call);
    }

    fn compile(&mut self, script: &Script) -> Result<(), CmdError> {
        script::compile(self.place.cx, script)
    }

    fn run(&mut self, start: &Start<'_>, reply: &mut Reply) -> CmdResult {
        let mark = reply.mark();
        if start.script.may_run_beside(start.given.keys().len()) {
            match self.run_within(start, reply)? {
                Ok(()) => return Ok(()),
                Err(Stopped::Strayed) => start.script.note_strayed(),
                Err(stopped) => return Err(stopped.into_error(start)),
            }
            reply.truncate(mark);
        }
        self.run_alone(start, reply)
    }
}

impl Requested<'_, '_, '_, '_> {
    /// Runs a script under the locks of its keys.
    fn run_within(&mut self, start: &Start<'_>, reply: &mut Reply) -> Result<Result<(), Stopped>, CmdError> {
        let Beside {
            cx,
            client,
            worker,
            pass,
            engine,
            ..
        } = &mut *self.place;
        let collection = resolve(cx, client.database)?;
        let mut scope = Scope::for_keys(engine, worker, &collection, start.given.keys());
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
            script::run(cx, &mut place, (self.call, start), reply)
        });
        scope.worker().start_clock();
        Ok(ran)
    }

    /// Runs a script while nobody else runs.
    fn run_alone(&mut self, start: &Start<'_>, reply: &mut Reply) -> CmdResult {
        let (cx, client, engine) = (self.place.cx, &mut *self.place.client, self.place.engine);
        let request = (self.call, start);
        let ran = self.place.worker.outside(engine, self.place.pass, |worker| {
            worker.with_exclusive(engine, |kit, gate| {
                kit.as_transaction(|kit| {
                    Scope::exclusive(engine, kit, gate).attempt(|scope| {
                        let kit = scope.worker();
                        let mut place = Alone {
                            cx,
                            client,
                            kit,
                            engine,
                            gate,
                        };
                        script::run(cx, &mut place, request, reply)
                    })
                })
            })
        });
        self.place.worker.observe_all(engine);
        ran.map_err(|stopped| stopped.into_error(start))
    }
}
