//! A running script, and what it calls: each command is admitted, and run by the executor in the script's place.
//!
//! **Invariants**
//! - What a script calls answers in the script's protocol, and counts like what clients call.
//! - A call is refused before it changes anything, or runs whole; none of them waits.
//! - A script that is stopped is taken back by whoever runs it.

use std::time::Instant;

use super::Stage;
use super::judge::Rights;
use super::samples::Samples;
use super::stop_at::StopAt;
use crate::acl::User;
use crate::commands::error::CmdError;
use crate::commands::rights::judge;
use crate::commands::scripting::Start;
use crate::commands::spec::{Command, KeyUses};
use crate::resp::{Args, Reply};
use crate::script::{Host, Stop};
use crate::session::account;
use crate::session::admit;
use crate::session::call::Call;
use crate::session::cx::WorkerCx;
use crate::session::executor::execute;
use crate::session::monitor;
use crate::session::prepare::Prepared;
use crate::session::stopwatch;
use crate::state::{Busy, BusyScript, Stint};
use crate::sync::meanwhile;

/// Errors of calls that are remembered, so that they are not counted once more as the script's own.
const ERRORS_KEPT: usize = 16;

/// A value that is an argument many times would make a request as long as one likes.
const TOO_LONG: CmdError = CmdError::text("ERR the command's arguments are longer than client-query-buffer-limit");

/// See the module.
pub(super) struct Running<'p, P> {
    cx: &'p WorkerCx,
    place: &'p mut P,
    rights: Rights,
    /// The request that runs the script, and what it runs.
    request: (&'p Call<'p>, &'p Start<'p>),
    stint: Stint,
    samples: Samples,
    busy: Option<Busy>,
    pub stop_at: StopAt,
    /// What calls have failed with.
    pub errors: Vec<Vec<u8>>,
}

impl<P: Stage> Host for Running<'_, P> {
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Result<(), Stop> {
        if self.stop_at.is_reached() {
            return Err(Stop);
        }
        if args.len_bytes() as u64 > self.cx.server.params.live().query_buffer_bytes_max() {
            self.fail(None, &TOO_LONG, true, reply);
            return Ok(());
        }
        self.request(args, reply);
        if self.place.has_strayed() { Err(Stop) } else { Ok(()) }
    }

    fn acl_check(&mut self, args: Args<'_>) -> Option<bool> {
        let commands = self.cx.commands;
        let command = commands.lookup(args.get(0)?)?;
        let command = match (command.spec.subcommands, args.get(1)) {
            ([_, ..], Some(name)) => commands.lookup_subcommand(command, name)?,
            _ => command,
        };
        let (server, client) = (&self.cx.server, self.place.client());
        let user = server.acl.current(client.user().id());
        let is_allowed = |user: &User| judge(&server.engine, user, (command, args), client.database).is_ok();
        Some(user.as_deref().is_some_and(is_allowed))
    }

    fn interrupt(&mut self) -> Result<(), Stop> {
        if self.stop_at.is_reached() {
            return Err(Stop);
        }
        let Some(busy) = &self.busy else {
            // Coroutines ask from their beginning.
            let threshold = self.cx.server.params.live().busy_reply_threshold();
            if threshold.is_some_and(|threshold| self.stint.elapsed() >= threshold) {
                self.busy = Some(self.begin_to_be_busy());
            }
            return Ok(());
        };
        meanwhile();
        let is_to_end = busy.script().is_killed() || self.cx.server.shutdown.is_requested();
        if is_to_end { Err(Stop) } else { Ok(()) }
    }
}

impl<'p, P: Stage> Running<'p, P> {
    pub fn new(cx: &'p WorkerCx, place: &'p mut P, request: (&'p Call<'p>, &'p Start<'p>), stint: Stint) -> Self {
        let (_, start) = request;
        Self {
            cx,
            place,
            rights: Rights {
                is_read_only: start.is_read_only,
                denies_oom: start.denies_oom,
                has_written: false,
            },
            request,
            stint,
            samples: Samples::new(stopwatch::may_share(cx)),
            busy: None,
            stop_at: StopAt::of(start),
            errors: Vec::new(),
        }
    }

    fn begin_to_be_busy(&self) -> Busy {
        let (call, start) = self.request;
        let request = call.args.iter().map(<[u8]>::to_vec).collect();
        let name = start.callee.to_string().into_bytes();
        let since = Instant::now().checked_sub(self.stint.elapsed());
        let is_function = start.callee.is_function();
        let script = BusyScript::new(name, request, is_function, since.unwrap_or_else(Instant::now));
        tracing::warn!(name = %start.callee, is_function, "a script has been running for {:?}", self.stint.elapsed());
        Busy::begin(&self.cx.server, script)
    }

    fn request(&mut self, args: Args<'_>, reply: &mut Reply) {
        let cx = self.cx;
        let prepared = Prepared {
            command: args.get(0).and_then(|name| cx.commands.lookup(name)),
            hash: None,
        };
        let mut room = KeyUses::new();
        let mut call = match Call::resolve(cx.commands, prepared, args, &mut room) {
            Ok(call) => call,
            Err((command, error)) => return self.fail(command, &in_scripts_words(command, error), true, reply),
        };
        let judged = admit::check_held(cx.desk.outlet())
            .and_then(|()| self.rights.judge((&cx.server, cx.commands), self.place.client(), &call));
        match judged {
            Ok(handler) => call.handler = handler,
            Err(error) => return self.fail(Some(call.command), &error, true, reply),
        }
        self.run(&call, reply);
    }

    fn run(&mut self, call: &Call<'_>, reply: &mut Reply) {
        let (cx, mark) = (self.cx, reply.mark());
        let began = self.samples.begin(call);
        if let Err(error) = execute(self.place, call, reply) {
            reply.truncate(mark);
            if self.place.has_strayed() {
                return;
            }
            self.fail(Some(call.command), &error, false, reply);
        }
        cx.tell_others(self.place.kit());
        if cx.server.pubsub.is_monitored() {
            monitor::show_of_script(cx, self.place.client().database, call);
        }
        let (kit, bytes) = (self.place.kit(), reply.bytes_since(mark));
        let (took, counted) = self.samples.end(began);
        account::count_of_script(cx, kit, call.command, counted);
        account::log_of_script(cx, kit, call, took, bytes);
    }

    /// Answers an error, and counts it.
    fn fail(&mut self, command: Option<Command>, error: &CmdError, is_refused: bool, reply: &mut Reply) {
        let (text, stats) = (error.bytes(), &self.cx.server.stats);
        reply.error_bytes(&text);
        stats.count_error(&text);
        self.cx.counters.errors.add(1);
        if let Some(stats) = command.and_then(|command| stats.command(self.cx.cell, command.id)) {
            if is_refused { stats.reject() } else { stats.fail() }
        }
        if self.errors.len() < ERRORS_KEPT {
            self.errors.push(text.into_owned());
        }
    }
}

/// What a script is told of a request that is none.
fn in_scripts_words(command: Option<Command>, error: CmdError) -> CmdError {
    match (command, error) {
        (None, _) => CmdError::text("ERR Unknown Redis command called from script"),
        (Some(_), CmdError::Arity(_)) => CmdError::text("ERR Wrong number of args calling Redis command from script"),
        (Some(_), error) => error,
    }
}
