//! Runs a batch of requests: in chunks, each prepared with staged prefetch (`prepare`), then executed in order.
//!
//! **Invariant:** a prepared hash is used only with the collection it was made for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::account::{self, LateCall};
use super::admit;
use super::beside::Beside;
use super::call::{Call, OwnedCall, Queue};
use super::connection::{Ran, Session};
use super::current::Selected;
use super::cx::WorkerCx;
use super::executor::execute;
use super::held::HeldShard;
use super::http;
use super::monitor;
use super::prepare::{Ahead, CHUNK_REQUESTS, Chunk, Looked, Prepared, prepare};
use super::stopwatch::Stopwatch;
use crate::commands::collections::check_collection;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, Waiting};
use crate::commands::scripting::flags_of;
use crate::commands::spec::{Command, KeyUses, flag};
use crate::commands::transactions::forget_watches;
use crate::engine::Engine;
use crate::engine::blocked;
use crate::engine::gate::Pass;
use crate::engine::worker::Worker;
use crate::metrics::activity::Doing;
use crate::resp::{Args, Batch};

/// A request that takes longer does not keep its shard for the next one.
const HELD_MAX: Duration = Duration::from_micros(20);

/// After so long it is the turn of other connections.
const RUN_MAX: Duration = Duration::from_micros(250);
/// So many bytes of replies are sent before further requests run.
const FULL_BYTES: usize = 256 * 1024;

/// What became of one request.
pub(super) enum Step {
    Done,
    Stop(Ran),
}

impl Session {
    /// Looks at the requests of `batch` from number `from` on, without running them: the first stage of their
    /// preparation, together with other connections' ([`WorkerCx::look_ahead`]).
    pub fn look(&self, cx: &WorkerCx, ahead: &mut Ahead, batch: &Batch, buf: &[u8], from: usize) -> Looked {
        let collection = cx.collections.resolve(&cx.server.engine, self.client.database);
        let range = from..batch.len().min(from.saturating_add(CHUNK_REQUESTS));
        ahead.look(cx.commands, batch, buf, range, collection)
    }

    /// Runs the requests of `batch` from number `from` on; `buf` is the buffer they lie in. What was `looked` at before
    /// is used as far as it still holds.
    pub fn run(&mut self, cx: &WorkerCx, batch: &Batch, buf: &[u8], from: usize, looked: Option<&Looked>) -> Ran {
        let ran = self.run_chunks(cx, batch, buf, from, looked);
        match ran {
            // The same request again: its time goes on.
            Ran::Short { next } if next == from => {}
            Ran::Short { .. } => self.short_since = Some(Instant::now()),
            _ => self.short_since = None,
        }
        ran
    }

    fn run_chunks(&mut self, cx: &WorkerCx, batch: &Batch, buf: &[u8], from: usize, looked: Option<&Looked>) -> Ran {
        let (mut next, mut looked) = (from, looked);
        // Whoever is served while something else waits has no stopwatch.
        let begun = cx
            .stopwatch
            .try_borrow()
            .map_or_else(|_| Instant::now(), |watch| watch.at());
        let until = begun + RUN_MAX;
        while next < batch.len() {
            let end = batch.len().min(next + CHUNK_REQUESTS);
            match self.run_chunk(cx, (batch, buf), next..end, looked.take(), until) {
                Step::Done => next = end,
                Step::Stop(ran) => return ran,
            }
        }
        Ran::All
    }

    fn run_chunk(
        &mut self,
        cx: &WorkerCx,
        (batch, buf): (&Batch, &[u8]),
        range: std::ops::Range<usize>,
        looked: Option<&Looked>,
        until: Instant,
    ) -> Step {
        if cx.is_meanwhile() {
            return self.run_beside_script(cx, (batch, buf), range);
        }
        let mut worker = cx.worker.borrow_mut();
        let (worker, watch) = (&mut *worker, &mut *cx.stopwatch.borrow_mut());
        let engine = Arc::clone(&cx.server.engine);
        let is_busy = || cx.server.busy.are_some();
        let Some(mut pass) = worker.enter_unless(&engine, is_busy).filter(|_| !is_busy()) else {
            return self.run_beside_script(cx, (batch, buf), range);
        };
        // Kept for the whole chunk, so that its address stands for it.
        let selected = cx.collections.select(&engine, self.client.database);
        let (ahead, fresh, collection) = (cx.ahead.borrow(), Chunk::new, selected.collection());
        let found = looked.and_then(|looked| ahead.found(looked, collection));
        let own = found.map_or_else(
            || prepare(cx.commands, batch, buf, range.clone(), collection),
            |_| fresh(),
        );
        let chunk = found.unwrap_or(&own);
        let mut held = HeldShard::of(collection);
        let published = cx.desk.outlet().published();
        worker.told.set_acting(self.client.handle.id);
        for (at, prepared) in range.clone().zip(chunk) {
            let args = batch.args(at, buf);
            let mut run = Run {
                session: self,
                cx,
                worker,
                pass: &mut pass,
                held: &mut held,
                selected: &selected,
                engine: &engine,
                watch,
            };
            let mut step = run.request(*prepared, args, at);
            let is_long = watch.at() > until;
            let has_news = self.has_news(cx, worker, published);
            if self.client.caching_said {
                self.see_caching_said(cx, args, &step);
            }
            if matches!(step, Step::Done) && (is_long || has_news || self.reply.is_full(FULL_BYTES)) {
                self.is_cut = at + 1 < batch.len();
                step = Step::Stop(Ran::Full { next: at + 1 });
            }
            if let Step::Stop(ran) = step {
                self.note_activity(worker, at + 1 - range.start);
                return Step::Stop(ran);
            }
        }
        self.note_activity(worker, range.len());
        Step::Done
    }

    /// Whether there is something for the client between this reply and the next one: what it has published to itself,
    /// …
    #[inline(always)]
    fn has_news(&self, cx: &WorkerCx, worker: &mut Worker, published: u64) -> bool {
        let subscriber = &self.client.subscriber;
        (cx.desk.outlet().published() != published && subscriber.may_get_some())
            || subscriber.gets_lines()
            || worker.told.take_tells_acting()
    }

    /// CLIENT CACHING has been said: it holds for the next command that is none of CLIENT's, and for a transaction.
    #[cold]
    fn see_caching_said(&mut self, cx: &WorkerCx, args: Args<'_>, step: &Step) {
        let has_run = matches!(step, Step::Done | Step::Stop(Ran::All | Ran::Full { .. } | Ran::Close));
        let is_about_client = || {
            let command = args.get(0).and_then(|name| cx.commands.lookup(name))?;
            let subcommand = cx.commands.lookup_subcommand(command, args.get(1)?)?;
            Some(subcommand.parent.is_some_and(|parent| parent.name == "client"))
        };
        if has_run && self.client.multi.is_none() && is_about_client() != Some(true) {
            self.client.end_said();
        }
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
    pub pass: &'r mut Pass<'e>,
    pub held: &'r mut HeldShard<'c>,
    pub selected: &'r Selected,
    pub engine: &'e Engine,
    pub watch: &'r mut Stopwatch,
}

impl Run<'_, '_, '_> {
    // Of one caller, the loop over a batch: a call of its own takes 4 % more instructions for a small request.
    #[inline(always)]
    fn request(&mut self, prepared: Prepared, args: Args<'_>, at: usize) -> Step {
        if self.session.client.handle.is_killed() {
            return Step::Stop(Ran::Close);
        }
        let mut room = KeyUses::new();
        let mut call = match Call::resolve(self.cx.commands, prepared, args, &mut room) {
            Ok(call) => call,
            // No command has such a name, so that this costs those that are there nothing.
            Err((None, _)) if http::is_http(args) => {
                http::abort(&self.cx.server, &self.session.client.handle, self.worker.now_ms());
                return Step::Stop(Ran::Close);
            }
            Err((command, error)) => return self.refuse(command, error),
        };
        if call.has(flag::RUNS_SCRIPT) {
            call.flags = flags_of(&self.cx.server, call.command, args);
        }
        let own = call.flags;
        call.flags |= self.needs_in_transaction(&call);
        let pause = &self.cx.server.pause;
        let changes = call.has(flag::WRITE | flag::MAY_REPLICATE);
        let is_paused = pause.holds(changes, self.worker.now_ms()) && !call.command.has(flag::NO_AUTH | flag::ADMIN);
        if is_paused || changes && pause.is_before_the_end() {
            return Step::Stop(Ran::Paused { next: at });
        }
        if let Err(error) = self.admit(&call) {
            return self.turn_away(call.command, error, at);
        }
        if self.session.client.multi.is_some() && !call.has(flag::NOT_QUEUED) {
            return self.queue(&Call { flags: own, ..call });
        }
        let began = self.watch.begin(self.cx, self.worker, &call);
        let mark = self.session.reply.mark();
        let number = u32::from(call.command.id) + 1;
        self.session.client.handle.last_command.store(number, Ordering::Relaxed);
        self.worker.counters().activity.note(Doing::Command(call.command.id));
        let outcome = self.run(&call);
        // What others are told of it comes before its line.
        self.cx.tell_others(self.worker);
        if self.cx.server.pubsub.is_monitored() {
            monitor::show(self.cx, &self.session.client, &call);
        }
        if blocked::are_ready(self.worker) || self.worker.told.is_due() {
            self.see_to_others();
        }
        self.finish(&call, outcome, mark, began, at)
    }

    /// Serves and tells those for whom what has run means something.
    #[cold]
    fn see_to_others(&mut self) {
        self.held.release();
        if blocked::are_ready(self.worker) {
            // What they find may have died while the command ran.
            self.worker.refresh_clock();
            blocked::serve(self.engine, self.worker);
        }
        self.cx.tell_replied(self.worker);
    }

    /// What EXEC needs because of what it runs.
    fn needs_in_transaction(&self, call: &Call<'_>) -> u32 {
        if call.has(flag::RUNS_QUEUE) && self.session.client.multi.is_some() {
            self.session.queue.needs()
        } else {
            0
        }
    }

    /// Whether the request may run; where memory is short, keys are evicted for it.
    #[inline(always)]
    fn admit(&mut self, call: &Call<'_>) -> Result<(), CmdError> {
        match self.judge(call, false) {
            Err(CmdError::OutOfMemory) => self.admit_with_room(call)?,
            judged => judged?,
        }
        if call.has(flag::RUNS_SCRIPT) && self.cx.server.is_over_memory() {
            // Whether it needs some shows later: it is refused then if none was found.
            self.make_room();
        }
        self.check_collection(call)
    }

    #[inline(always)]
    fn judge(&mut self, call: &Call<'_>, has_room: bool) -> Result<(), CmdError> {
        let place = (&*self.cx.server, self.cx.commands);
        admit::admit(place, &mut self.session.client, self.worker, call, has_room)
    }

    #[cold]
    fn admit_with_room(&mut self, call: &Call<'_>) -> Result<(), CmdError> {
        if !self.make_room() {
            return Err(CmdError::OutOfMemory);
        }
        self.judge(call, true)
    }

    /// Evicts keys for the request; whether there is memory for it then.
    #[cold]
    fn make_room(&mut self) -> bool {
        self.held.release();
        let is_waiting = self.session.short_since.is_some();
        let has_room = self.cx.server.make_room(self.worker, is_waiting);
        self.cx.tell_others(self.worker);
        has_room
    }

    /// The same in the selected collection, if that is over its own limit.
    #[cold]
    fn make_room_in_selected(&mut self) {
        let slot = self.engine.registry().slot(self.session.client.database).cloned();
        if let Some(slot) = slot.filter(|slot| slot.collection.carried().over_limit().is_some()) {
            self.held.release();
            self.cx.server.make_room_in(self.worker, &slot.collection);
            self.cx.tell_others(self.worker);
        }
    }

    /// Whether the selected collection takes what the request, or the transaction that it runs, does to it.
    #[inline]
    fn check_collection(&mut self, call: &Call<'_>) -> Result<(), CmdError> {
        if !self.engine.is_restricted() {
            return Ok(());
        }
        let flags = if call.has(flag::RUNS_QUEUE) {
            self.session.queue.needs_on_selected()
        } else {
            call.flags_on_selected()
        };
        if flags & flag::DENY_OOM != 0 || call.has(flag::RUNS_SCRIPT) {
            self.make_room_in_selected();
        }
        check_collection(self.engine, self.session.client.database, flags)
    }

    /// Refuses a request, number `at`, that was not admitted; or has it wait where only memory is missing, and more is
    /// about to be free.
    #[cold]
    fn turn_away(&mut self, command: Command, error: CmdError, at: usize) -> Step {
        if error == CmdError::OutOfMemory {
            let since = *self.session.short_since.get_or_insert_with(Instant::now);
            if self.cx.server.awaits_memory(since) {
                return Step::Stop(Ran::Short { next: at });
            }
        }
        self.refuse(Some(command), error)
    }

    /// Answers an error to a request that did not run; inside MULTI the transaction is lost.
    fn refuse(&mut self, command: Option<Command>, error: CmdError) -> Step {
        if command.is_some_and(|command| command.has(flag::RUNS_QUEUE)) {
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
        self.session.reply.end_request();
        Step::Done
    }

    fn write_error(&mut self, command: Option<Command>, error: &CmdError, rejected: bool) {
        let text = error.bytes();
        self.session.reply.error_bytes(&text);
        self.cx.server.stats.count_error(&text);
        self.worker.counters().errors.add(1);
        let stats = command.and_then(|command| self.cx.server.stats.command(self.worker.cell(), command.id));
        if let Some(stats) = stats {
            if rejected { stats.reject() } else { stats.fail() }
        }
    }

    fn queue(&mut self, call: &Call<'_>) -> Step {
        let handler = call.handler.in_multi(call.args);
        let Some(handler) = handler.filter(|_| !call.has(flag::NO_MULTI)) else {
            return self.refuse(
                Some(call.command),
                CmdError::text("ERR Command not allowed inside a transaction"),
            );
        };
        let session = &mut *self.session;
        let queued = OwnedCall::new(call, handler);
        let handle = &session.client.handle;
        handle
            .queued_bytes
            .fetch_add(queued.heap_bytes() as u64, Ordering::Relaxed);
        session.queue.push(queued);
        handle
            .queued
            .store(session.queue.calls().len() as i64, Ordering::Relaxed);
        session.reply.simple("QUEUED");
        session.reply.end_request();
        Step::Done
    }

    #[inline]
    fn run(&mut self, call: &Call<'_>) -> Result<Flow<Waiting>, CmdError> {
        let session = &mut *self.session;
        let mut place = Beside {
            cx: self.cx,
            client: &mut session.client,
            worker: self.worker,
            pass: self.pass,
            held: self.held,
            selected: self.selected,
            engine: self.engine,
        };
        let flow = execute(&mut place, call, &mut session.reply);
        if call.has(flag::ENDS_MULTI) && self.session.client.multi.is_none() {
            self.session.queue = Queue::default();
        }
        match flow? {
            Flow::Exec(on_error) => self.exec(on_error),
            other => Ok(other),
        }
    }

    fn finish(
        &mut self,
        call: &Call<'_>,
        outcome: Result<Flow<Waiting>, CmdError>,
        mark: crate::resp::Mark,
        began: Option<Instant>,
        at: usize,
    ) -> Step {
        if let Ok(Flow::Later(waiting)) = outcome {
            let began = began.unwrap_or_else(|| self.watch.at());
            let call = Some(LateCall::new(call, began));
            self.watch.look(self.worker);
            return Step::Stop(Ran::Waiting {
                next: at + 1,
                waiting,
                call,
            });
        }
        if self.note(call, mark, began) > HELD_MAX {
            self.held.release();
        }
        match outcome {
            Ok(Flow::Blocked(waiting) | Flow::Later(waiting)) => {
                return Step::Stop(Ran::Waiting {
                    next: at + 1,
                    waiting,
                    call: None,
                });
            }
            Ok(Flow::Close) => {
                self.session.reply.end_request();
                return Step::Stop(Ran::Close);
            }
            Ok(Flow::Done | Flow::Exec(_)) => {}
            Err(error) => {
                self.session.reply.truncate(mark);
                self.write_error(Some(call.command), &error, false);
            }
        }
        self.session.reply.end_request();
        Step::Done
    }

    /// Accounts for a call that has run; how long it took, if that is known yet.
    #[inline]
    fn note(&mut self, call: &Call<'_>, mark: crate::resp::Mark, began: Option<Instant>) -> Duration {
        self.worker.counters().commands.add(1);
        let replied = self.session.reply.bytes_since(mark);
        let handle = &self.session.client.handle;
        let Some(began) = began else {
            let share = self.watch.share(self.cx, self.worker, call.command, replied);
            account::log_call(self.cx, self.worker, handle, call, None, replied);
            return share.unwrap_or_default();
        };
        // EXEC's own time is that of all it ran.
        self.watch.look(self.worker);
        let took = self.watch.at().saturating_duration_since(began);
        account::note(self.cx, self.worker, handle, call, took, replied);
        took
    }

    /// Leaves MULTI and forgets watched keys.
    pub(super) fn discard(&mut self) {
        self.held.release();
        self.session.queue = Queue::default();
        let client = &mut self.session.client;
        client.multi = None;
        client.handle.queued.store(-1, Ordering::Relaxed);
        client.handle.queued_bytes.store(0, Ordering::Relaxed);
        forget_watches(self.engine, client, self.pass);
    }
}
