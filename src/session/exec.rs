//! EXEC: runs the queued commands as one, isolated from all other workers.
//!
//! Where all queued commands work on keys of one collection, the union of their shards (and of the watched keys') is
//! locked; else the transaction works alone. Either way its effects are one WAL record.
//!
//! `EXEC ROLLBACK` runs it as an attempt ([`Scope::attempt`]), which ends at the first command that fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::account;
use super::admit;
use super::alone::Alone;
use super::beside::resolve;
use super::call::{Call, Keys, OwnedCall, Queue};
use super::cx::WorkerCx;
use super::executor::{Place, Series, execute};
use super::monitor;
use super::run::Run;
use super::stopwatch::{Replied, Stopwatch};
use crate::client::{Client, Multi};
use crate::commands::context::PublishCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, OnError, Waiting};
use crate::commands::rights::{self, Moment};
use crate::commands::spec::{CmdResult, flag};
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::gate::ExclusivePass;
use crate::engine::scope::Scope;
use crate::engine::worker::Kit;
use crate::resp::{Mark, Reply};

impl Run<'_, '_, '_> {
    /// Runs the transaction and writes its reply; a command of it may close the connection.
    pub(super) fn exec(&mut self, on_error: OnError) -> Result<Flow<Waiting>, CmdError> {
        let Some(multi) = self.session.client.multi.take() else {
            return Err(CmdError::text("ERR EXEC without MULTI"));
        };
        let queue = std::mem::take(&mut self.session.queue);
        let result = self.exec_queue(&multi, &queue, on_error);
        self.discard();
        result
    }

    fn exec_queue(&mut self, multi: &Multi, queue: &Queue, on_error: OnError) -> Result<Flow<Waiting>, CmdError> {
        if multi.aborted {
            return Err(CmdError::text(
                "EXECABORT Transaction discarded because of previous errors.",
            ));
        }
        if on_error == OnError::RollBack {
            check_can_be_taken_back(queue)?;
        }
        let client = &self.session.client;
        let is_here = client.watches.iter().all(|watch| watch.database == client.database);
        if is_here && queue.calls().iter().all(OwnedCall::runs_locked) {
            self.exec_locked(queue, on_error).map(|()| Flow::Done)
        } else {
            self.exec_alone(queue, on_error)
        }
    }

    /// No command on keys has anything to say of the connection.
    fn exec_locked(&mut self, queue: &Queue, on_error: OnError) -> CmdResult {
        let session = &mut *self.session;
        let (client, reply) = (&session.client, &mut session.reply);
        let collection = resolve(self.cx, client.database)?;
        let mut scope = if queue
            .calls()
            .iter()
            .any(|call| matches!(call.call().keys, Keys::Untold(_)))
        {
            Scope::for_all(self.engine, self.worker, &collection)
        } else {
            let watched = client.watches.iter().map(|watch| watch.key.as_slice());
            let queued = queue.calls().iter().flat_map(|call| call.call().key_uses());
            let keys = watched.chain(queued.map(|(key, _)| key));
            Scope::for_keys(self.engine, self.worker, &collection, keys)
        };
        // All of it has one time.
        let has_stopped = scope.worker().stop_clock();
        let ran = run_locked(
            self.cx,
            client,
            (&mut scope, &collection),
            (&mut *self.watch, reply),
            (queue, on_error),
        );
        if has_stopped {
            scope.worker().start_clock();
        }
        ran
    }

    fn exec_alone(&mut self, queue: &Queue, on_error: OnError) -> Result<Flow<Waiting>, CmdError> {
        let session = &mut *self.session;
        let (client, reply) = (&mut session.client, &mut session.reply);
        let (cx, engine, watch) = (self.cx, self.engine, &mut *self.watch);
        let database = client.database;
        let ran = self.worker.outside(engine, self.pass, |worker| {
            worker.with_exclusive(engine, |kit, gate| {
                if is_stale(client, engine, kit, gate) {
                    reply.null_array();
                    return Ok(None);
                }
                let mut run = |kit: &mut Kit| {
                    let mut place = Alone {
                        cx,
                        client: &mut *client,
                        kit,
                        engine,
                        gate,
                    };
                    run_queue(cx, &mut place, watch, (queue, on_error), reply)
                };
                kit.as_transaction(|kit| match on_error {
                    OnError::GoOn => run(kit),
                    OnError::RollBack => Scope::exclusive(engine, kit, gate).attempt(|scope| run(scope.worker())),
                })
            })
        });
        self.worker.observe_all(self.engine);
        match ran {
            Ok(None) => Ok(Flow::Done),
            Ok(Some(end)) => {
                self.session.reply.truncate(end);
                Ok(Flow::Close)
            }
            Err(error) => {
                self.session.client.select(database);
                Err(error)
            }
        }
    }
}

/// Refuses a transaction that is to be taken back if it fails, and has a command that cannot be.
fn check_can_be_taken_back(queue: &Queue) -> CmdResult {
    let calls = queue.calls();
    let Some(at) = calls.iter().position(|call| !call.can_be_taken_back()) else {
        return Ok(());
    };
    let name = calls.get(at).map(OwnedCall::name).unwrap_or_default();
    let (number, count) = (at + 1, calls.len());
    Err(CmdError::from(format!(
        "EXECABORT Transaction discarded because of: command {number} of {count} cannot be rolled back: '{name}'"
    )))
}

/// Runs the commands one after another and writes their replies. Where one has closed the connection: the others run,
/// and are not answered; what was answered ends there.
///
/// # Errors
/// That of a command that fails, where the transaction is rolled back then.
fn run_queue<P: Series>(
    cx: &WorkerCx,
    place: &mut P,
    watch: &mut Stopwatch,
    (queue, on_error): (&Queue, OnError),
    reply: &mut Reply,
) -> Result<Option<Mark>, CmdError> {
    let handle = Arc::clone(&place.client().handle);
    let mut end = None;
    reply.array(queue.calls().len());
    for (at, call) in queue.calls().iter().enumerate() {
        let call = call.call();
        let began = watch.begin(cx, place.kit(), &call);
        let (replied, outcome) = run(cx, place, &call, reply);
        cx.tell_others(place.kit());
        if cx.server.pubsub.is_monitored() {
            monitor::show(cx, place.client(), &call);
        }
        let took = watch.note_queued(cx, place.kit(), call.command, began, replied);
        account::log_call(cx, place.kit(), &handle, &call, took, replied.bytes);
        if let Some(took) = took {
            account::note_keys(cx, place.kit(), &call, took, replied.bytes);
        }
        match outcome {
            Err(error) if on_error == OnError::RollBack => return Err(rolled_back(at, queue, &error)),
            Ok(Flow::Close) if end.is_none() => end = Some(reply.mark()),
            _ => {}
        }
    }
    Ok(end)
}

/// Runs what is queued, unless something that is watched has changed, under the locks that `scope` holds.
fn run_locked(
    cx: &WorkerCx,
    client: &Client,
    (scope, collection): (&mut Scope<'_>, &Collection),
    (watch, reply): (&mut Stopwatch, &mut Reply),
    (queue, on_error): (&Queue, OnError),
) -> CmdResult {
    let is_stale = client.watch_flag.is_raised()
        || client
            .watches
            .iter()
            .any(|watch| scope.has_died(collection, &watch.key, watch.since_ms));
    if is_stale {
        reply.null_array();
        return Ok(());
    }
    let quiet = client.handle.no_touch.load(Ordering::Relaxed);
    let reader = client.handle.reader();
    let mut run = |scope: &mut Scope<'_>| {
        let mut place = LockedRun {
            cx,
            client,
            scope,
            collection,
            quiet,
            reader,
        };
        run_queue(cx, &mut place, watch, (queue, on_error), reply)
    };
    match on_error {
        OnError::GoOn => run(scope)?,
        OnError::RollBack => scope.attempt(run)?,
    };
    Ok(())
}

/// What is answered when command number `at`, from 0, has failed and all was taken back.
#[cold]
fn rolled_back(at: usize, queue: &Queue, error: &CmdError) -> CmdError {
    let (number, count) = (at + 1, queue.calls().len());
    let head = format!("EXECABORT Transaction rolled back: command {number} of {count} failed: ");
    CmdError::Quoting([head.as_bytes(), &error.bytes()].concat())
}

/// Whether the client may still make a call that was queued: its rights may have changed since, or its user.
fn check_again(cx: &WorkerCx, client: &Client, call: &Call<'_>) -> CmdResult {
    if client.open_at() == cx.server.acl.generation() {
        return Ok(());
    }
    rights::check(
        (&cx.server, cx.commands),
        client,
        (call.command, call.args),
        Moment::Exec,
    )
}

/// Runs one call and writes its reply; it fails if it answers an error.
fn run<P: Series>(
    cx: &WorkerCx,
    place: &mut P,
    call: &Call<'_>,
    reply: &mut Reply,
) -> (Replied, Result<Flow<Waiting>, CmdError>) {
    let mark = reply.mark();
    let mut outcome = check_again(cx, place.client(), call)
        .and_then(|()| admit::check_held(cx.desk.outlet()))
        .and_then(|()| execute(place, call, reply));
    if let Err(error) = &outcome {
        let text = error.bytes();
        reply.truncate(mark);
        reply.error_bytes(&text);
        cx.server.stats.count_error(&text);
    }
    let replied = Replied {
        bytes: reply.bytes_since(mark),
        is_error: outcome.is_err(),
    };
    // A script that answers an error has counted it.
    if call.command.has(flag::RUNS_SCRIPT)
        && outcome.is_ok()
        && let Some(text) = reply.error_behind(mark)
    {
        outcome = Err(CmdError::Quoting(text.to_vec()));
    }
    (replied, outcome)
}

/// Whether a watched key has changed, or died, or an element of it has, in whichever database.
fn is_stale(client: &Client, engine: &Engine, kit: &mut Kit, gate: &ExclusivePass<'_>) -> bool {
    let mut scope = Scope::exclusive(engine, kit, gate);
    client.watch_flag.is_raised()
        || client.watches.iter().any(|watch| {
            let slot = engine.registry().slot(watch.database).cloned();
            slot.is_some_and(|slot| scope.has_died(&slot.collection, &watch.key, watch.since_ms))
        })
}

/// Within a transaction whose keys are locked.
struct LockedRun<'a, 's> {
    cx: &'a WorkerCx,
    client: &'a Client,
    scope: &'a mut Scope<'s>,
    collection: &'a Collection,
    quiet: bool,
    reader: Option<u64>,
}

impl Series for LockedRun<'_, '_> {
    fn kit(&mut self) -> &mut Kit {
        self.scope.worker()
    }

    fn client(&self) -> &Client {
        self.client
    }
}

impl Place for LockedRun<'_, '_> {
    fn reader(&self) -> Option<u64> {
        self.reader
    }

    fn on_keys<R>(
        &mut self,
        _: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool) -> Result<R, CmdError>,
    ) -> Result<R, CmdError> {
        body(self.scope, self.collection, self.quiet)
    }

    fn publishing(&mut self, body: impl FnOnce(&PublishCx<'_>) -> CmdResult) -> CmdResult {
        body(&self.cx.publish_cx(self.scope.worker()))
    }
}
