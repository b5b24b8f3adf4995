//! EXEC: runs the queued commands as one, isolated from all other workers.
//!
//! Where all queued commands work on keys of one collection, the union of their shards (and of the watched keys') is
//! locked; else the transaction takes the exclusive gate. Either way its effects are one WAL record.

use std::sync::atomic::Ordering;

use super::run::{Run, keyed_flags, resolve};
use super::{Session, WorkerCx};
use crate::client::{Client, Multi};
use crate::commands::blocking::Attempt;
use crate::commands::collections::check_collection;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Command, Handler};
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::gate::ExclusivePass;
use crate::engine::keyspace::{ExclusiveTxn, KeyspaceTxn};
use crate::engine::ranges::RangeTxn;
use crate::engine::scope::Scope;
use crate::engine::txn::{ReadTxn, Txn};
use crate::engine::worker::Worker;
use crate::resp::{Args, OwnedRequest};

/// A command waiting in MULTI's queue.
pub(super) struct Queued {
    /// The command.
    pub command: Command,
    /// Its arguments.
    pub request: OwnedRequest,
}

impl Run<'_, '_, '_> {
    /// Runs the transaction and writes its reply.
    pub(super) fn exec(&mut self) -> Result<(), CmdError> {
        let Some(multi) = self.session.client.multi.take() else {
            return Err(CmdError::text("ERR EXEC without MULTI"));
        };
        let queue = std::mem::take(&mut self.session.queue);
        let result = self.exec_queue(&multi, &queue);
        self.discard();
        result
    }

    fn exec_queue(&mut self, multi: &Multi, queue: &[Queued]) -> Result<(), CmdError> {
        if multi.aborted {
            return Err(CmdError::text(
                "EXECABORT Transaction discarded because of previous errors.",
            ));
        }
        match self.common_keys(queue)? {
            Some(keys) => self.exec_locked(queue, &keys),
            None => self.exec_exclusive(queue),
        }
    }

    /// All keys that have to be locked, or `None` when the transaction needs everything.
    fn common_keys(&self, queue: &[Queued]) -> Result<Option<Vec<Vec<u8>>>, CmdError> {
        let client = &self.session.client;
        if client.watches.iter().any(|watch| watch.database != client.database) {
            return Ok(None);
        }
        let mut keys: Vec<Vec<u8>> = client.watches.iter().map(|watch| watch.key.clone()).collect();
        for Queued { command, request } in queue {
            let handler = command.spec.handler;
            if !matches!(handler, Handler::Read(_) | Handler::Write(_) | Handler::Blocking(_)) {
                return Ok(None);
            }
            let args = request.args();
            let indices = command.spec.key_indices_or_all(args);
            keys.extend(indices.into_iter().filter_map(|at| args.get(at)).map(<[u8]>::to_vec));
        }
        Ok(Some(keys))
    }

    fn exec_locked(&mut self, queue: &[Queued], keys: &[Vec<u8>]) -> Result<(), CmdError> {
        let collection = resolve(self.cx, self.session)?;
        let mut scope = Scope::for_keys(self.engine, self.worker, &collection, keys.iter().map(Vec::as_slice));
        let client = &self.session.client;
        let stale = client.watch_flag.is_raised()
            || client
                .watches
                .iter()
                .any(|watch| !watch.was_expired && scope.is_dead(&collection, &watch.key));
        if stale {
            self.session.reply.null_array();
            return Ok(());
        }
        let quiet = client.handle.no_touch.load(Ordering::Relaxed);
        self.session.reply.array(queue.len());
        for queued in queue {
            let mark = self.session.reply.mark();
            let (handler, args) = (queued.command.spec.handler, queued.request.args());
            let result = run_keyed(&mut scope, &collection, handler, args, quiet, self.session);
            if let Err(error) = result {
                self.session.reply.truncate(mark);
                note_error(self.session, self.cx, scope.worker(), &error);
            }
            note_call(self.cx, scope.worker(), queued);
        }
        Ok(())
    }

    fn exec_exclusive(&mut self, queue: &[Queued]) -> Result<(), CmdError> {
        self.pass.take();
        let (session, cx, engine) = (&mut *self.session, self.cx, self.engine);
        self.worker.with_exclusive(engine, |worker, gate| {
            if is_stale(&session.client, engine, worker, gate) {
                session.reply.null_array();
                return;
            }
            session.reply.array(queue.len());
            worker.as_transaction(|worker| {
                for queued in queue {
                    Alone {
                        session,
                        cx,
                        worker,
                        engine,
                        gate,
                    }
                    .run(queued);
                }
            });
        });
        self.worker.observe_all(self.engine);
        *self.pass = Some(self.worker.enter(self.engine));
        Ok(())
    }
}

/// Whether a watched key has changed or died, in whichever database.
fn is_stale(client: &Client, engine: &Engine, worker: &mut Worker, gate: &ExclusivePass<'_>) -> bool {
    let mut scope = Scope::exclusive(engine, worker, gate);
    client.watch_flag.is_raised()
        || client.watches.iter().filter(|watch| !watch.was_expired).any(|watch| {
            let slot = engine.registry().slot(watch.database).cloned();
            slot.is_some_and(|slot| scope.is_dead(&slot.collection, &watch.key))
        })
}

/// A queued command's run within an exclusive transaction.
struct Alone<'r> {
    session: &'r mut Session,
    cx: &'r WorkerCx,
    worker: &'r mut Worker,
    engine: &'r Engine,
    gate: &'r ExclusivePass<'r>,
}

impl Alone<'_> {
    fn run(&mut self, queued: &Queued) {
        let mark = self.session.reply.mark();
        if let Err(error) = self.dispatch(queued) {
            self.session.reply.truncate(mark);
            note_error(self.session, self.cx, self.worker, &error);
        }
        note_call(self.cx, self.worker, queued);
    }

    /// SELECT within the transaction may have led to a collection that takes no changes.
    fn check(&self, queued: &Queued) -> Result<(), CmdError> {
        check_collection(self.engine, self.session.client.database, keyed_flags(queued.command))
    }

    fn dispatch(&mut self, queued: &Queued) -> Result<(), CmdError> {
        let args = queued.request.args();
        match queued.command.spec.handler {
            Handler::Session(handler) => {
                let session = &mut *self.session;
                let mut cx = SessionCx {
                    server: &self.cx.server,
                    commands: self.cx.commands,
                    client: &mut session.client,
                    worker: self.worker,
                    command: queued.command,
                    in_exec: true,
                };
                match handler(&mut cx, args, &mut session.reply)? {
                    Flow::Wait(_) | Flow::Block(_) => {
                        Err(CmdError::text("ERR Command not allowed inside a transaction"))
                    }
                    Flow::Done | Flow::Close | Flow::Exec => Ok(()),
                }
            }
            Handler::Exclusive(handler) => {
                let mut scope = Scope::exclusive(self.engine, self.worker, self.gate);
                let mut txn = ExclusiveTxn::new(&mut scope, self.session.client.database);
                handler(&mut txn, args, &mut self.session.reply)
            }
            Handler::Range(handler) => {
                self.check(queued)?;
                let collection = resolve(self.cx, self.session)?;
                let mut scope = Scope::exclusive(self.engine, self.worker, self.gate);
                handler(
                    &mut RangeTxn::new(&mut scope, &collection),
                    args,
                    &mut self.session.reply,
                )
            }
            Handler::Keyspace(handler) => {
                self.check(queued)?;
                let collection = resolve(self.cx, self.session)?;
                let mut scope = Scope::exclusive(self.engine, self.worker, self.gate);
                handler(
                    &mut KeyspaceTxn::new(&mut scope, &collection),
                    args,
                    &mut self.session.reply,
                )
            }
            keyed @ (Handler::Read(_) | Handler::Write(_) | Handler::Blocking(_)) => {
                self.check(queued)?;
                let collection = resolve(self.cx, self.session)?;
                let quiet = self.session.client.handle.no_touch.load(Ordering::Relaxed);
                let mut scope = Scope::exclusive(self.engine, self.worker, self.gate);
                run_keyed(&mut scope, &collection, keyed, args, quiet, self.session)
            }
            Handler::Container => Err(CmdError::Arity(queued.command.full_name())),
        }
    }
}

fn note_error(session: &mut Session, cx: &WorkerCx, worker: &Worker, error: &CmdError) {
    let text = error.bytes();
    session.reply.error_bytes(&text);
    cx.server.stats.count_error(&text);
    worker.counters().errors.add(1);
}

fn note_call(cx: &WorkerCx, worker: &Worker, queued: &Queued) {
    worker.counters().commands.add(1);
    if let Some(stats) = cx.server.stats.command(worker.cell(), queued.command.id) {
        stats.record(0);
    }
}

fn run_keyed(
    scope: &mut Scope<'_>,
    collection: &Collection,
    handler: Handler,
    args: Args<'_>,
    quiet: bool,
    session: &mut Session,
) -> Result<(), CmdError> {
    match handler {
        Handler::Read(handler) => handler(&mut ReadTxn::new(scope, collection, quiet), args, &mut session.reply),
        Handler::Write(handler) => handler(&mut Txn::new(scope, collection, quiet), args, &mut session.reply),
        Handler::Blocking(handler) => {
            let attempt = handler(&mut Txn::new(scope, collection, quiet), args, &mut session.reply)?;
            if let Attempt::Wait(wait) = attempt {
                (wait.in_transaction)(&mut session.reply);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
