//! Runs a batch of requests: in chunks, each prepared with staged prefetch (`prepare`), then executed in order.
//!
//! **Invariant:** a prepared hash is used only with the collection it was made for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::account::{self, LateCall};
use super::admit;
use super::blocked::{self, Blocker};
use super::current::Pinned;
use super::exec::Queued;
use super::held::HeldShard;
use super::http;
use super::prepare::{Prepared, prepare};
use super::{Ran, Session, WorkerCx};
use crate::client::ReplyMode;
use crate::commands::blocking::Attempt;
use crate::commands::collections::check_collection;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Command, Handler, flag};
use crate::engine::gate::Pass;
use crate::engine::index::KeyRef;
use crate::engine::keyspace::{ExclusiveTxn, KeyspaceTxn};
use crate::engine::ranges::RangeTxn;
use crate::engine::scope::Scope;
use crate::engine::txn::{ReadTxn, Txn};
use crate::engine::waiters;
use crate::engine::worker::Worker;
use crate::resp::{Args, Batch};

/// Requests prepared together.
pub const CHUNK_REQUESTS: usize = 32;
/// A request that takes longer does not keep its shard for the next one.
const HELD_NANOS_MAX: u64 = 20_000;

/// So many bytes of replies are sent before further requests run.
const FULL_BYTES: usize = 256 * 1024;

/// What became of one request.
pub(super) enum Step {
    Done,
    Stop(Ran),
}

impl Session {
    /// Runs the requests of `batch` from number `from` on; `buf` is the buffer they lie in.
    pub fn run(&mut self, cx: &WorkerCx, batch: &Batch, buf: &[u8], from: usize) -> Ran {
        let mut worker = cx.worker.borrow_mut();
        let mut next = from;
        while next < batch.len() {
            let end = batch.len().min(next + CHUNK_REQUESTS);
            match self.run_chunk(cx, &mut worker, batch, buf, next..end) {
                Step::Done => next = end,
                Step::Stop(ran) => return ran,
            }
        }
        Ran::All
    }

    fn run_chunk(
        &mut self,
        cx: &WorkerCx,
        worker: &mut Worker,
        batch: &Batch,
        buf: &[u8],
        range: std::ops::Range<usize>,
    ) -> Step {
        worker.refresh_clock();
        let engine = Arc::clone(&cx.server.engine);
        let mut pass = Some(worker.enter(&engine));
        // Kept for the whole chunk, so that its address stands for it.
        let pinned = cx.collections.resolve(&cx.server.engine, self.client.database);
        let chunk = prepare(cx.commands, batch, buf, range.clone(), pinned.as_deref());
        let mut held = HeldShard::of(pinned.as_deref());
        let mut clock = Instant::now();
        for (at, prepared) in range.clone().zip(chunk) {
            let args = batch.args(at, buf);
            let mut run = Run {
                session: self,
                cx,
                worker,
                pass: &mut pass,
                held: &mut held,
                engine: &engine,
            };
            let step = run.request(prepared, args, &mut clock, at);
            if let Step::Stop(ran) = step {
                self.note_activity(worker, at + 1 - range.start);
                return Step::Stop(ran);
            }
            if self.reply.held_bytes() > FULL_BYTES {
                self.note_activity(worker, at + 1 - range.start);
                return Step::Stop(Ran::Full { next: at + 1 });
            }
        }
        self.note_activity(worker, range.len());
        Step::Done
    }

    /// CLIENT REPLY: drops the reply since `mark` if the client does not want it.
    pub(super) fn mute(&mut self, mark: crate::resp::Mark) {
        match self.client.reply_mode {
            ReplyMode::On => return,
            ReplyMode::Off | ReplyMode::Skip => self.reply.truncate(mark),
            ReplyMode::SkipNext => {}
        }
        self.after_reply();
    }

    fn after_reply(&mut self) {
        self.client.reply_mode = match self.client.reply_mode {
            ReplyMode::SkipNext => ReplyMode::Skip,
            ReplyMode::Skip => ReplyMode::On,
            other => other,
        };
    }

    fn note_activity(&self, worker: &Worker, requests: usize) {
        let handle = &self.client.handle;
        handle.active_ms.store(worker.now_ms(), Ordering::Relaxed);
        handle.commands.store(
            handle.commands.load(Ordering::Relaxed) + requests as u64,
            Ordering::Relaxed,
        );
    }
}

/// One chunk's run: the session with the worker and its pass.
pub(super) struct Run<'r, 'e, 'c> {
    pub session: &'r mut Session,
    pub cx: &'r WorkerCx,
    pub worker: &'r mut Worker,
    pub pass: &'r mut Option<Pass<'e>>,
    pub held: &'r mut HeldShard<'c>,
    pub engine: &'e crate::engine::Engine,
}

impl Run<'_, '_, '_> {
    fn request(&mut self, prepared: Prepared, args: Args<'_>, clock: &mut Instant, at: usize) -> Step {
        if self.session.client.handle.is_killed() {
            return Step::Stop(Ran::Close);
        }
        let command = match admit::identify(self.cx.commands, prepared.command, args) {
            Ok(command) => command,
            // No command has such a name, so that this costs those that are there nothing.
            Err((None, _)) if http::is_http(args) => {
                http::abort(&self.cx.server, &self.session.client.handle, self.worker.now_ms());
                return Step::Stop(Ran::Close);
            }
            Err((command, error)) => return self.refuse(command, error),
        };
        let spec = command.spec;
        if self
            .cx
            .server
            .pause
            .holds(spec.is_write() || spec.has(flag::MAY_REPLICATE), self.worker.now_ms())
            && !spec.has(flag::NO_AUTH | flag::ADMIN)
        {
            return Step::Stop(Ran::Paused { next: at });
        }
        let flags = spec.all_flags() | self.transaction_flags(command);
        if let Err(error) = admit::admit(&self.cx.server, &self.session.client, flags) {
            return self.refuse(Some(command), error);
        }
        if let Err(error) = self.check_collection(command) {
            return self.refuse(Some(command), error);
        }
        if self.session.client.multi.is_some() && !spec.has(flag::NOT_QUEUED) {
            return self.queue(command, args);
        }
        let mark = self.session.reply.mark();
        self.session
            .client
            .handle
            .last_command
            .store(u32::from(command.id) + 1, Ordering::Relaxed);
        let outcome = self.run_command(command, prepared.hash, args);
        if waiters::are_ready(self.worker) {
            self.held.release();
            waiters::serve(self.engine, self.worker);
        }
        self.finish(command, args, outcome, mark, clock, at)
    }

    /// What a request inside MULTI needs beside its own: EXEC what it runs, all that do not end it memory.
    fn transaction_flags(&self, command: Command) -> u32 {
        if self.session.client.multi.is_none() {
            return 0;
        }
        if command.spec.has(flag::RUNS_QUEUE) {
            let flags = self.session.queue.iter().map(|queued| queued.command.spec.all_flags());
            return flags.fold(0, |all, flags| all | flags) & (flag::DENY_OOM | flag::WRITE);
        }
        if command.spec.has(flag::ENDS_MULTI) {
            0
        } else {
            flag::DENY_OOM
        }
    }

    /// Whether the selected collection takes what the request, or the transaction that it runs, does to it.
    #[inline]
    fn check_collection(&self, command: Command) -> Result<(), CmdError> {
        if !self.engine.is_restricted() {
            return Ok(());
        }
        let client = &self.session.client;
        let mut flags = keyed_flags(command);
        if command.spec.has(flag::RUNS_QUEUE) {
            flags |= self
                .session
                .queue
                .iter()
                .fold(0, |all, queued| all | keyed_flags(queued.command));
        }
        check_collection(self.engine, client.database, flags)
    }

    /// Answers an error to a request that did not run; inside MULTI the transaction is lost.
    fn refuse(&mut self, command: Option<Command>, error: CmdError) -> Step {
        let mark = self.session.reply.mark();
        if command.is_some_and(|command| command.spec.has(flag::RUNS_QUEUE)) {
            // Outside of MULTI, too, as in Redis.
            self.discard();
            let reason = error.bytes();
            let reason = reason.strip_prefix(b"ERR ").unwrap_or(&reason);
            let error = CmdError::quoting("EXECABORT Transaction discarded because of: ", reason, usize::MAX, "");
            self.write_error(command, &error, true);
        } else {
            if let Some(multi) = &mut self.session.client.multi {
                multi.aborted = true;
            }
            self.write_error(command, &error, true);
        }
        self.session.mute(mark);
        Step::Done
    }

    pub(super) fn write_error(&mut self, command: Option<Command>, error: &CmdError, rejected: bool) {
        let text = error.bytes();
        self.session.reply.error_bytes(&text);
        self.cx.server.stats.count_error(&text);
        self.worker.counters().errors.add(1);
        let stats = command.and_then(|command| self.cx.server.stats.command(self.worker.cell(), command.id));
        if let Some(stats) = stats {
            if rejected { stats.reject() } else { stats.fail() }
        }
    }

    fn queue(&mut self, command: Command, args: Args<'_>) -> Step {
        if command.spec.has(flag::NO_MULTI) {
            return self.refuse(
                Some(command),
                CmdError::text("ERR Command not allowed inside a transaction"),
            );
        }
        let request = args.to_owned();
        let handle = &self.session.client.handle;
        handle
            .args_bytes
            .fetch_add(request.heap_bytes() as u64, Ordering::Relaxed);
        self.session.queue.push(Queued { command, request });
        handle.queued.store(self.session.queue.len() as i64, Ordering::Relaxed);
        let mark = self.session.reply.mark();
        self.session.reply.simple("QUEUED");
        self.session.mute(mark);
        Step::Done
    }

    /// Runs one command by its handler's kind.
    pub(super) fn run_command(
        &mut self,
        command: Command,
        hash: Option<u64>,
        args: Args<'_>,
    ) -> Result<Flow, CmdError> {
        let handler = command.spec.handler;
        if !matches!(handler, Handler::Read(_) | Handler::Write(_) | Handler::Blocking(_)) {
            self.held.release();
        }
        match handler {
            Handler::Read(_) | Handler::Write(_) | Handler::Blocking(_) => self.run_keyed(command, hash, args),
            Handler::Keyspace(handler) => {
                let collection = resolve(self.cx, self.session)?;
                let mut scope = Scope::visiting(self.engine, self.worker);
                handler(
                    &mut KeyspaceTxn::new(&mut scope, &collection),
                    args,
                    &mut self.session.reply,
                )?;
                drop(scope);
                self.worker.observe_all(self.engine);
                Ok(Flow::Done)
            }
            Handler::Range(handler) => {
                let collection = resolve(self.cx, self.session)?;
                let mut scope = Scope::visiting(self.engine, self.worker);
                handler(
                    &mut RangeTxn::new(&mut scope, &collection),
                    args,
                    &mut self.session.reply,
                )?;
                drop(scope);
                self.worker.observe_all(self.engine);
                Ok(Flow::Done)
            }
            Handler::Exclusive(handler) => {
                self.pass.take();
                let (engine, session) = (self.engine, &mut *self.session);
                let result = self.worker.with_exclusive(engine, |worker, pass| {
                    let mut scope = Scope::exclusive(engine, worker, pass);
                    let mut txn = ExclusiveTxn::new(&mut scope, session.client.database);
                    handler(&mut txn, args, &mut session.reply)
                });
                self.worker.observe_all(engine);
                *self.pass = Some(self.worker.enter(engine));
                result.map(|()| Flow::Done)
            }
            Handler::Session(_) => {
                // Session handlers may wait for the gate; they run without a pass.
                self.pass.take();
                let result = self.run_session(command, args);
                *self.pass = Some(self.worker.enter(self.engine));
                match result {
                    Ok(Flow::Exec) => {
                        self.exec()?;
                        Ok(Flow::Done)
                    }
                    other => other,
                }
            }
            Handler::Container => Err(CmdError::Arity(command.full_name())),
        }
    }

    pub(super) fn run_session(&mut self, command: Command, args: Args<'_>) -> Result<Flow, CmdError> {
        let Handler::Session(handler) = command.spec.handler else {
            return Ok(Flow::Done);
        };
        let session = &mut *self.session;
        let mut cx = SessionCx {
            server: &self.cx.server,
            commands: self.cx.commands,
            client: &mut session.client,
            worker: self.worker,
            command,
            in_exec: false,
        };
        let result = handler(&mut cx, args, &mut session.reply);
        if session.client.multi.is_none() && !session.queue.is_empty() {
            session.queue = Vec::new();
        }
        result
    }

    fn run_keyed(&mut self, command: Command, hash: Option<u64>, args: Args<'_>) -> Result<Flow, CmdError> {
        let quiet = self.session.client.handle.no_touch.load(Ordering::Relaxed);
        let session = &mut *self.session;
        let pinned = resolve(self.cx, session)?;
        let collection = &*pinned;
        let single = command.spec.single_key().and_then(|at| args.get(at));
        let prepared_for = self.held.collection(collection);
        let mut scope = match (single, hash, prepared_for) {
            (Some(bytes), Some(hash), Some(prepared_for)) => {
                let state = self.held.lock(prepared_for, collection.shard_of(hash));
                Scope::for_key_within(self.engine, self.worker, collection, state, KeyRef { bytes, hash })
            }
            (Some(bytes), ..) => {
                self.held.release();
                Scope::for_key(self.engine, self.worker, collection, collection.key(bytes))
            }
            (None, ..) => {
                self.held.release();
                let indices = command.spec.key_indices_or_all(args);
                let keys = indices.iter().filter_map(|at| args.get(*at));
                Scope::for_keys(self.engine, self.worker, collection, keys)
            }
        };
        match command.spec.handler {
            Handler::Read(handler) => {
                handler(
                    &mut ReadTxn::new(&mut scope, collection, quiet),
                    args,
                    &mut session.reply,
                )?;
            }
            Handler::Write(handler) => {
                handler(&mut Txn::new(&mut scope, collection, quiet), args, &mut session.reply)?;
            }
            Handler::Blocking(handler) => {
                scope.give_way();
                let attempt = handler(&mut Txn::new(&mut scope, collection, quiet), args, &mut session.reply)?;
                if let Attempt::Wait(wait) = attempt {
                    let blocker = Blocker {
                        server: &self.cx.server,
                        client: &session.client.handle,
                        database: session.client.database,
                        proto: session.reply.proto(),
                        command,
                        handler,
                    };
                    return Ok(blocked::enter(blocker, &mut scope, collection, args, wait));
                }
            }
            _ => {}
        }
        Ok(Flow::Done)
    }

    fn finish(
        &mut self,
        command: Command,
        args: Args<'_>,
        outcome: Result<Flow, CmdError>,
        mark: crate::resp::Mark,
        clock: &mut Instant,
        at: usize,
    ) -> Step {
        let now = Instant::now();
        let started = std::mem::replace(clock, now);
        let nanos = now.duration_since(started).as_nanos() as u64;
        if nanos > HELD_NANOS_MAX {
            self.held.release();
        }
        if let Ok(Flow::Wait(waiting)) = outcome {
            let call = Some(LateCall::new(command, args, started));
            return Step::Stop(Ran::Waiting {
                next: at + 1,
                waiting,
                call,
            });
        }
        account::note(
            self.cx,
            self.worker,
            &self.session.client.handle,
            command,
            nanos,
            || account::shorten(command, args),
        );
        match outcome {
            Ok(Flow::Done | Flow::Exec) => {
                self.session.mute(mark);
                Step::Done
            }
            Ok(Flow::Close) => {
                self.session.mute(mark);
                Step::Stop(Ran::Close)
            }
            Ok(Flow::Wait(waiting) | Flow::Block(waiting)) => Step::Stop(Ran::Waiting {
                next: at + 1,
                waiting,
                call: None,
            }),
            Err(error) => {
                self.session.reply.truncate(mark);
                self.write_error(Some(command), &error, false);
                self.session.mute(mark);
                Step::Done
            }
        }
    }

    /// Leaves MULTI and forgets watched keys.
    pub(super) fn discard(&mut self) {
        self.held.release();
        let client = &mut self.session.client;
        client.multi = None;
        self.session.queue = Vec::new();
        client.handle.queued.store(-1, Ordering::Relaxed);
        client.handle.args_bytes.store(0, Ordering::Relaxed);
        match self.pass.as_ref() {
            Some(pass) => crate::commands::transactions::forget_watches(self.engine, client, pass),
            None => crate::commands::transactions::unwatch_all(&self.cx.server, client, self.worker),
        }
    }
}

/// The flags of a command that works on the selected collection's keys.
pub(super) fn keyed_flags(command: Command) -> u32 {
    match command.spec.handler {
        Handler::Read(_) | Handler::Write(_) | Handler::Blocking(_) | Handler::Keyspace(_) | Handler::Range(_) => {
            command.spec.all_flags()
        }
        Handler::Exclusive(_) | Handler::Session(_) | Handler::Container => 0,
    }
}

/// What to say when the client's collection has gone.
pub(super) const NO_COLLECTION: CmdError =
    CmdError::text("NOCOLLECTION the selected collection has been dropped, select another one");

/// The collection the client has selected.
pub(super) fn resolve(cx: &WorkerCx, session: &Session) -> Result<Pinned, CmdError> {
    let found = cx.collections.resolve(&cx.server.engine, session.client.database);
    found.ok_or(NO_COLLECTION)
}
