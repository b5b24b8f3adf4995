//! What is kept of a call that has run: counts and durations, the slow log, latency samples.
//!
//! **Invariant:** a call is noted once: when its handler has returned, or when what it waited for is done.

use std::time::{Duration, Instant};

use super::cx::WorkerCx;
use crate::client::ClientHandle;
use crate::commands::redact::shown_args;
use crate::commands::spec::{Command, flag};
use crate::engine::worker::Worker;
use crate::metrics::stats::SlowCommand;
use crate::resp::Args;

/// Arguments, and bytes of each (and of the client's name), that the slow log keeps.
const SLOWLOG_ARGS_MAX: usize = 32;
const SLOWLOG_ARG_BYTES_MAX: usize = 128;

/// A call whose work goes on after its handler has returned.
pub struct LateCall {
    command: Command,
    args: Vec<Vec<u8>>,
    started: Instant,
}

impl LateCall {
    pub(super) fn new(command: Command, args: Args<'_>, started: Instant) -> Self {
        let args = shorten(command, args);
        Self { command, args, started }
    }

    pub(super) fn note(self, cx: &WorkerCx, worker: &Worker, handle: &ClientHandle) {
        worker.counters().commands.add(1);
        note(cx, worker, handle, self.command, self.started.elapsed(), || self.args);
    }
}

/// The client's name, or what the slow log keeps of it.
fn shown_name(handle: &ClientHandle) -> Vec<u8> {
    let name = &handle.labels().name;
    name.get(..SLOWLOG_ARG_BYTES_MAX).unwrap_or(name).to_vec()
}

/// Notes how long a call took; `args` are asked for when the slow log takes it.
#[inline]
pub(super) fn note(
    cx: &WorkerCx,
    worker: &Worker,
    handle: &ClientHandle,
    command: Command,
    took: Duration,
    args: impl FnOnce() -> Vec<Vec<u8>>,
) {
    let stats = &cx.server.stats;
    let nanos = took.as_nanos() as u64;
    if let Some(stats) = stats.command(worker.cell(), command.id) {
        stats.record(nanos);
    }
    let live = cx.server.params.live();
    let micros = nanos / 1000;
    let threshold = live.slowlog_us();
    if threshold >= 0 && micros >= threshold as u64 && !command.has(flag::SKIP_SLOWLOG) {
        let slow = SlowCommand {
            id: 0,
            at_s: worker.now_ms() / 1000,
            micros,
            args: args(),
            addr: handle.addr.clone(),
            name: shown_name(handle),
        };
        stats.add_slow(slow, live.slowlog_len_max() as usize);
    }
    let latency_ms = live.latency_threshold_ms();
    if latency_ms > 0 && micros / 1000 >= latency_ms {
        let is_fast = command.has(flag::FAST);
        let event = if is_fast { "fast-command" } else { "command" };
        stats.add_latency(event, worker.now_ms() / 1000, (micros / 1000) as u32);
    }
}

/// A request's arguments as the slow log keeps them: without secrets, and not all of each, nor all of them.
pub(super) fn shorten(command: Command, args: Args<'_>) -> Vec<Vec<u8>> {
    let shown = if args.len() > SLOWLOG_ARGS_MAX {
        SLOWLOG_ARGS_MAX - 1
    } else {
        args.len()
    };
    let mut kept: Vec<Vec<u8>> = shown_args(command.spec.is_secret, args)
        .take(shown)
        .map(|arg| match arg.get(..SLOWLOG_ARG_BYTES_MAX) {
            Some(head) if arg.len() > SLOWLOG_ARG_BYTES_MAX => [
                head,
                format!("... ({} more bytes)", arg.len() - SLOWLOG_ARG_BYTES_MAX).as_bytes(),
            ]
            .concat(),
            _ => arg.to_vec(),
        })
        .collect();
    if args.len() > shown {
        kept.push(format!("... ({} more arguments)", args.len() - shown).into_bytes());
    }
    kept
}
