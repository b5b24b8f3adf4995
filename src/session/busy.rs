//! Requests that come while a script keeps everybody out: they are told so, but for a few, which need neither data nor
//! a pass.
//!
//! **Invariant:** nothing here touches the worker: it may be in the middle of the script, or waiting for it.

use std::ops::Range;

use super::admit::check_rights;
use super::call::Call;
use super::connection::{Ran, Session};
use super::cx::WorkerCx;
use super::http;
use super::prepare::Prepared;
use super::run::Step;
use crate::commands::context::BusyCx;
use crate::commands::error::CmdError;
use crate::commands::scripting::busy_with;
use crate::commands::spec::{Command, KeyUses, flag};
use crate::resp::{Args, Batch};

/// What becomes of a request.
enum Fate {
    Answered,
    /// It runs when the script has ended.
    Waits,
}

impl Session {
    /// Answers the requests in `range`.
    pub(super) fn run_beside_script(
        &mut self,
        cx: &WorkerCx,
        (batch, buf): (&Batch, &[u8]),
        range: Range<usize>,
    ) -> Step {
        for at in range {
            if self.client.handle.is_killed() {
                return Step::Stop(Ran::Close);
            }
            match self.answer_beside_script(cx, batch.args(at, buf)) {
                Fate::Answered => self.reply.end_request(),
                Fate::Waits => return Step::Stop(Ran::Busy { next: at }),
            }
        }
        Step::Done
    }

    fn answer_beside_script(&mut self, cx: &WorkerCx, args: Args<'_>) -> Fate {
        let prepared = Prepared {
            command: args.get(0).and_then(|name| cx.commands.lookup(name)),
            hash: None,
        };
        let mut room = KeyUses::new();
        let call = match Call::resolve(cx.commands, prepared, args, &mut room) {
            Ok(call) => call,
            Err((None, _)) if http::is_http(args) => return Fate::Waits,
            Err((command, error)) => return self.reject(cx, command, &error),
        };
        let command = Some(call.command);
        if let Err(error) = check_rights((&cx.server, cx.commands), &mut self.client, &call) {
            return self.reject(cx, command, &error);
        }
        if !call.has(flag::ALLOW_BUSY) {
            // It has just ended, or what it was waited for is no script.
            let Some(error) = busy_with(&cx.server) else {
                return Fate::Waits;
            };
            // To end the transaction there would be watches to let go of.
            return if call.has(flag::RUNS_QUEUE) {
                Fate::Waits
            } else {
                self.reject(cx, command, &error)
            };
        }
        let is_queued = self.client.multi.is_some() && !call.has(flag::NOT_QUEUED);
        let Some(run) = call.command.spec.while_busy.filter(|_| !is_queued) else {
            return Fate::Waits;
        };
        let mark = self.reply.mark();
        let mut busy = BusyCx {
            server: &cx.server,
            commands: cx.commands,
            client: &mut self.client,
        };
        if let Err(error) = run(&mut busy, args, &mut self.reply) {
            self.reply.truncate(mark);
            return self.reject(cx, command, &error);
        }
        cx.counters.commands.add(1);
        Fate::Answered
    }

    fn reject(&mut self, cx: &WorkerCx, command: Option<Command>, error: &CmdError) -> Fate {
        if let Some(multi) = &mut self.client.multi {
            multi.aborted = true;
        }
        let text = error.bytes();
        self.reply.error_bytes(&text);
        cx.server.stats.count_error(&text);
        cx.counters.errors.add(1);
        if let Some(stats) = command.and_then(|command| cx.server.stats.command(cx.cell, command.id)) {
            stats.reject();
        }
        Fate::Answered
    }
}
