//! A running script, and what it calls: each command is admitted, and run by the executor in the script's place.
//!
//! **Invariants**
//! - What a script calls answers in the script's protocol, and counts like what clients call.
//! - A call is refused before it changes anything, or runs whole; none of them waits.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::judge::Rights;
use crate::commands::error::CmdError;
use crate::commands::scripting::Start;
use crate::commands::spec::{Command, KeyUses};
use crate::resp::{Args, OwnedRequest, Reply};
use crate::script::{Host, LogLevel, Stop};
use crate::session::account;
use crate::session::alone::Alone;
use crate::session::call::Call;
use crate::session::executor::execute;
use crate::session::monitor;
use crate::session::prepare::Prepared;
use crate::state::{Busy, BusyScript, Stint};
use crate::sync::meanwhile;

/// Errors of calls that are remembered, so that they are not counted once more as the script's own.
const ERRORS_KEPT: usize = 16;

/// See the module.
pub(super) struct Running<'p, 'r> {
    place: &'p mut Alone<'r>,
    rights: Rights,
    /// The request that runs the script, and what it runs.
    request: (&'p Call<'p>, &'p Start<'p>),
    stint: Stint,
    busy: Option<Busy>,
    /// What calls have failed with.
    pub errors: Vec<Vec<u8>>,
}

impl Host for Running<'_, '_> {
    fn call(&mut self, args: &[&[u8]], reply: &mut Reply) -> Result<(), Stop> {
        let request = OwnedRequest::from_slices(args);
        self.request(request.args(), reply);
        Ok(())
    }

    fn log(&mut self, level: LogLevel, message: &[u8]) {
        let message = String::from_utf8_lossy(message);
        match level {
            LogLevel::Debug | LogLevel::Verbose => tracing::debug!(target: "script", "{message}"),
            LogLevel::Notice => tracing::info!(target: "script", "{message}"),
            LogLevel::Warning => tracing::warn!(target: "script", "{message}"),
        }
    }

    fn acl_check(&mut self, args: &[&[u8]]) -> Option<bool> {
        let commands = self.place.cx.commands;
        let command = commands.lookup(args.first()?)?;
        match (command.spec.subcommands, args.get(1)) {
            ([_, ..], Some(name)) => commands.lookup_subcommand(command, name).map(|_| true),
            _ => Some(true),
        }
    }

    fn interrupt(&mut self) -> Result<(), Stop> {
        let Some(busy) = &self.busy else {
            // Coroutines ask from their beginning.
            let threshold = self.place.cx.server.params.live().busy_reply_threshold();
            if threshold.is_some_and(|threshold| self.stint.elapsed() >= threshold) {
                self.busy = Some(self.begin_to_be_busy());
            }
            return Ok(());
        };
        meanwhile();
        let is_ending = self.place.cx.server.shutdown.is_requested() && !self.rights.has_written;
        let is_over = busy.script().is_killed() || is_ending;
        if is_over { Err(Stop) } else { Ok(()) }
    }
}

impl<'p, 'r> Running<'p, 'r> {
    pub fn new(place: &'p mut Alone<'r>, call: &'p Call<'p>, start: &'p Start<'p>, stint: Stint) -> Self {
        Self {
            place,
            rights: Rights {
                is_read_only: start.is_read_only,
                denies_oom: start.denies_oom,
                has_written: false,
            },
            request: (call, start),
            stint,
            busy: None,
            errors: Vec::new(),
        }
    }

    fn begin_to_be_busy(&self) -> Busy {
        let (call, start) = self.request;
        let request = call.args.iter().map(<[u8]>::to_vec).collect();
        let name = start.script.sha.to_string().into_bytes();
        let since = Instant::now().checked_sub(self.stint.elapsed());
        let script = BusyScript::new(name, request, false, since.unwrap_or_else(Instant::now));
        script.has_written.store(self.rights.has_written, Ordering::Release);
        tracing::warn!(sha = %start.script.sha, "a script has been running for {:?}", self.stint.elapsed());
        Busy::begin(&self.place.cx.server, script)
    }

    fn request(&mut self, args: Args<'_>, reply: &mut Reply) {
        let cx = self.place.cx;
        let prepared = Prepared {
            command: args.get(0).and_then(|name| cx.commands.lookup(name)),
            hash: None,
        };
        let mut room = KeyUses::new();
        let mut call = match Call::resolve(cx.commands, prepared, args, &mut room) {
            Ok(call) => call,
            Err((command, error)) => return self.fail(command, &in_scripts_words(command, error), true, reply),
        };
        match self.rights.judge(&cx.server, &self.place.client.handle, &call) {
            Ok(handler) => call.handler = handler,
            Err(error) => return self.fail(Some(call.command), &error, true, reply),
        }
        if self.rights.has_written
            && let Some(busy) = &self.busy
        {
            busy.script().has_written.store(true, Ordering::Release);
        }
        self.run(&call, reply);
    }

    fn run(&mut self, call: &Call<'_>, reply: &mut Reply) {
        let (cx, mark, began) = (self.place.cx, reply.mark(), Instant::now());
        if let Err(error) = execute(self.place, call, reply) {
            reply.truncate(mark);
            self.fail(Some(call.command), &error, false, reply);
        }
        let took = began.elapsed();
        cx.tell_others(self.place.kit);
        if cx.server.pubsub.is_monitored() {
            monitor::show_of_script(cx, self.place.client.database, call);
        }
        account::note_of_script(cx, self.place.kit, call, took, reply.bytes_since(mark));
    }

    /// Answers an error, and counts it.
    fn fail(&mut self, command: Option<Command>, error: &CmdError, is_refused: bool, reply: &mut Reply) {
        let (text, stats) = (error.bytes(), &self.place.cx.server.stats);
        reply.error_bytes(&text);
        stats.count_error(&text);
        self.place.kit.counters().errors.add(1);
        if let Some(stats) = command.and_then(|command| stats.command(self.place.kit.cell(), command.id)) {
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
