//! What is kept of a call that has run: counts and durations, the logs of commands that stand out, latency samples.
//!
//! **Invariant:** a call is noted once: when its handler has returned, or when what it waited for is done.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::call::Call;
use super::cx::WorkerCx;
use super::stopwatch::SMALL_BYTES_MAX;
use crate::client::ClientHandle;
use crate::commands::redact::shown_args;
use crate::commands::spec::{Command, flag};
use crate::config::Live;
use crate::engine::worker::{Kit, Worker};
use crate::metrics::command_log::{LogKind, LoggedCommand};
use crate::metrics::stats::events;
use crate::resp::Args;

/// Arguments, and bytes of each (and of the client's name), that the logs keep.
const LOG_ARGS_MAX: usize = 32;
const LOG_ARG_BYTES_MAX: usize = 128;
/// What the protocol adds to an argument: its sign, its length's digits and two line ends.
const ARG_OVERHEAD_BYTES_MAX: usize = 25;

/// A call whose work goes on after its handler has returned.
pub struct LateCall {
    command: Command,
    args: Vec<Vec<u8>>,
    request_bytes: u64,
    started: Instant,
}

impl LateCall {
    pub(super) fn new(call: &Call<'_>, started: Instant) -> Self {
        Self {
            command: call.command,
            args: shorten(call.command, call.args),
            request_bytes: request_bytes(call.args),
            started,
        }
    }

    /// Notes it, now that it has been answered by so many bytes.
    pub(super) fn note(self, cx: &WorkerCx, worker: &Worker, handle: &ClientHandle, reply_bytes: usize) {
        worker.counters().commands.add(1);
        let took = self.started.elapsed();
        count(cx, worker, self.command, took);
        let measured = [Some(micros(took)), Some(self.request_bytes), Some(reply_bytes as u64)];
        log(cx, worker, Some(handle), self.command, measured, || self.args);
    }
}

/// Notes a call with a time of its own, which was answered by so many bytes.
pub(super) fn note(
    cx: &WorkerCx,
    kit: &Kit,
    handle: &ClientHandle,
    call: &Call<'_>,
    took: Duration,
    reply_bytes: usize,
) {
    count(cx, kit, call.command, took);
    log_call(cx, kit, handle, call, Some(took), reply_bytes);
    note_keys(cx, kit, call, took, reply_bytes);
}

/// Counts a call, which had a time of its own, to its keys, where somebody asks which are hot.
#[inline]
pub(super) fn note_keys(cx: &WorkerCx, kit: &Kit, call: &Call<'_>, took: Duration, reply_bytes: usize) {
    let hot_keys = &cx.server.stats.hot_keys;
    if hot_keys.is_on() {
        let keys: SmallVec<[&[u8]; 4]> = call.key_uses().map(|(key, _)| key).collect();
        let bytes = request_bytes(call.args) + reply_bytes as u64;
        hot_keys.note(keys.iter().copied(), took, bytes, kit.now_ms());
    }
}

/// Counts a call of a script.
#[inline]
pub(super) fn count_of_script(cx: &WorkerCx, kit: &Kit, command: Command, took: Duration) {
    kit.counters().commands.add(1);
    record(cx, kit, command, took);
}

/// Puts a call of a script into the logs that want it. They do not name its client, as in Redis.
#[inline]
pub(super) fn log_of_script(cx: &WorkerCx, kit: &Kit, call: &Call<'_>, took: Option<Duration>, reply_bytes: usize) {
    if let Some(took) = took {
        note_latency(cx, kit, call.command, took);
    }
    log_whose(cx, kit, None, call, took, reply_bytes);
}

/// Counts a call, and takes a latency sample of it if it was long.
fn count(cx: &WorkerCx, kit: &Kit, command: Command, took: Duration) {
    record(cx, kit, command, took);
    note_latency(cx, kit, command, took);
}

#[inline]
fn record(cx: &WorkerCx, kit: &Kit, command: Command, took: Duration) {
    if let Some(stats) = cx.server.stats.command(kit.cell(), command.id) {
        stats.record(took.as_nanos() as u64, 1, cx.server.params.live().tracks_latency());
    }
}

/// Takes a latency sample of a call, if it was long.
fn note_latency(cx: &WorkerCx, kit: &Kit, command: Command, took: Duration) {
    let stats = &cx.server.stats;
    let (latency_ms, took_ms) = (cx.server.params.live().latency_threshold_ms(), micros(took) / 1000);
    if latency_ms > 0 && took_ms >= latency_ms {
        let is_fast = command.has(flag::FAST);
        let event = if is_fast { events::FAST_COMMAND } else { events::COMMAND };
        stats.add_latency(event, kit.now_ms() / 1000, took_ms as u32);
    }
}

/// Puts a call into the logs that want it. One without a time of its own is small, but for its reply.
#[inline]
pub(super) fn log_call(
    cx: &WorkerCx,
    kit: &Kit,
    handle: &ClientHandle,
    call: &Call<'_>,
    took: Option<Duration>,
    reply_bytes: usize,
) {
    log_whose(cx, kit, Some(handle), call, took, reply_bytes);
}

#[inline]
fn log_whose(
    cx: &WorkerCx,
    kit: &Kit,
    whose: Option<&ClientHandle>,
    call: &Call<'_>,
    took: Option<Duration>,
    reply_bytes: usize,
) {
    if took.is_none() && reply_bytes <= SMALL_BYTES_MAX {
        return;
    }
    if may_stand_out(cx.server.params.live(), call, took, reply_bytes) {
        let measured = [
            took.map(micros),
            took.map(|_| request_bytes(call.args)),
            Some(reply_bytes as u64),
        ];
        log(cx, kit, whose, call.command, measured, || {
            shorten(call.command, call.args)
        });
    }
}

/// Whether a log may want a call: cheaply, as nearly all stand out in nothing.
#[inline]
fn may_stand_out(live: &Live, call: &Call<'_>, took: Option<Duration>, reply_bytes: usize) -> bool {
    // The bytes that a request came in are at most those of its protocol but for these.
    let request_bytes = call.args.len_bytes() + ARG_OVERHEAD_BYTES_MAX * (call.args.len() + 1);
    live.is_logged(LogKind::LargeReply, reply_bytes as u64)
        || took.is_some_and(|took| {
            live.is_logged(LogKind::Slow, micros(took)) || live.is_logged(LogKind::LargeRequest, request_bytes as u64)
        })
}

/// Puts a call into the logs that want it by what was measured, in the order of [`LogKind::ALL`].
fn log(
    cx: &WorkerCx,
    kit: &Kit,
    whose: Option<&ClientHandle>,
    command: Command,
    measured: [Option<u64>; LogKind::ALL.len()],
    args: impl FnOnce() -> Vec<Vec<u8>>,
) {
    let live = cx.server.params.live();
    let measured = LogKind::ALL.into_iter().zip(measured);
    let mut due = measured
        .filter_map(|(kind, value)| Some((kind, value?)))
        .filter(|(kind, value)| live.is_logged(*kind, *value))
        .peekable();
    if due.peek().is_none() || command.has(flag::SKIP_SLOWLOG) {
        return;
    }
    let entry = LoggedCommand {
        id: 0,
        at_s: kit.now_ms() / 1000,
        value: 0,
        args: args(),
        addr: whose.map(|handle| handle.addr.clone()).unwrap_or_default(),
        name: whose.map(shown_name).unwrap_or_default(),
    };
    for (kind, value) in due {
        let len_max = usize::try_from(live.log_len_max(kind)).unwrap_or(usize::MAX);
        cx.server
            .stats
            .logs
            .add(kind, LoggedCommand { value, ..entry.clone() }, len_max);
    }
}

fn micros(took: Duration) -> u64 {
    took.as_micros() as u64
}

/// What a request takes in the protocol, as an array of strings.
fn request_bytes(args: Args<'_>) -> u64 {
    let digits = |number: usize| number.checked_ilog10().map_or(1, |log| u64::from(log) + 1);
    let of_arg = |arg: &[u8]| 5 + digits(arg.len()) + arg.len() as u64;
    3 + digits(args.len()) + args.iter().map(of_arg).sum::<u64>()
}

/// The client's name, or what the logs keep of it.
fn shown_name(handle: &ClientHandle) -> Vec<u8> {
    let name = &handle.labels().name;
    name.get(..LOG_ARG_BYTES_MAX).unwrap_or(name).to_vec()
}

/// A request's arguments as the logs keep them: without secrets, and not all of each, nor all of them.
fn shorten(command: Command, args: Args<'_>) -> Vec<Vec<u8>> {
    let shown = if args.len() > LOG_ARGS_MAX {
        LOG_ARGS_MAX - 1
    } else {
        args.len()
    };
    let mut kept: Vec<Vec<u8>> = shown_args(command.spec.is_secret, args)
        .take(shown)
        .map(|arg| match arg.get(..LOG_ARG_BYTES_MAX) {
            Some(head) if arg.len() > LOG_ARG_BYTES_MAX => [
                head,
                format!("... ({} more bytes)", arg.len() - LOG_ARG_BYTES_MAX).as_bytes(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    #[test]
    fn a_request_is_as_long_as_it_is_sent() {
        let long = [b'x'; 100];
        for (words, bytes) in [
            (&[&b"PING"[..]][..], 14),
            (&[b"GET", b"abc"], 22),
            (&[b"", b""], 4 + 6 + 6),
            (&[b"SET", b"k", &long], 4 + 9 + 7 + 108),
        ] {
            assert_eq!(request_bytes(OwnedRequest::from_slices(words).args()), bytes);
        }
    }
}
