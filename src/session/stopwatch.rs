//! How long calls take, told with as few looks at the clock as the slow log allows: a look costs a tenth of a small
//! call.
//!
//! Small calls of brief commands that follow one another share a look, of whichever connections of the worker they are.
//! Each is taken to have lasted its even share.
//!
//! **Invariants**
//! - A call that may take long begins and ends with looks of its own, and so does every call while the slow log asks
//!   for times that small calls may reach.
//! - The counts of calls are complete when a call begins that may show them, and at the end of a turn.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::call::Call;
use super::cx::WorkerCx;
use crate::commands::spec::{Command, flag};
use crate::engine::worker::Kit;
use crate::metrics::command_log::LogKind;
use crate::metrics::stats::CommandStats;

/// Calls that share a look.
const SHARED_MAX: usize = 8;
/// Bytes that a small call takes, and that it answers.
pub(super) const SMALL_BYTES_MAX: usize = 4 * 1024;
/// A slow log that keeps shorter calls has each call timed by itself, and so has a log of large ones that keeps small
/// ones.
const SHARED_TIME_MAX: Duration = Duration::from_millis(1);
/// Records go to the log after so long, although the turn goes on.
const SUBMIT_DELAY_MAX: Duration = Duration::from_millis(1);

/// See the module.
pub(super) struct Stopwatch {
    /// The last look.
    at: Instant,
    /// When records were last handed to the log, at the latest: the turn's begin.
    submitted: Instant,
    /// Commands whose calls have ended since.
    shared: SmallVec<[u16; SHARED_MAX]>,
    /// Whether calls may share a look at all.
    may_share: bool,
}

/// What a call within a transaction has answered.
#[derive(Clone, Copy)]
pub(super) struct Replied {
    pub bytes: usize,
    pub is_error: bool,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self {
            at: Instant::now(),
            submitted: Instant::now(),
            shared: SmallVec::new(),
            may_share: false,
        }
    }
}

/// Whether small calls need no looks of their own: no log wants to know of them.
pub(super) fn may_share(cx: &WorkerCx) -> bool {
    let live = cx.server.params.live();
    [
        (LogKind::Slow, SHARED_TIME_MAX.as_micros() as u64),
        (LogKind::LargeRequest, 2 * SMALL_BYTES_MAX as u64),
        (LogKind::LargeReply, SMALL_BYTES_MAX as u64 + 1),
    ]
    .into_iter()
    .all(|(kind, least)| u64::try_from(live.log_threshold(kind)).map_or(true, |threshold| threshold >= least))
}

/// Whether a call takes about as long as any other small one.
#[inline]
pub(super) fn is_small(call: &Call<'_>) -> bool {
    call.command.has(flag::BRIEF) && call.args.len_bytes() <= SMALL_BYTES_MAX
}

impl Stopwatch {
    /// A turn begins.
    pub fn begin_turn(&mut self, cx: &WorkerCx, kit: &mut Kit) {
        self.at = Instant::now();
        self.submitted = self.at;
        kit.follow(self.at);
        // Keys are told apart by the time of each call.
        self.may_share = may_share(cx) && !cx.server.stats.hot_keys.is_on();
    }

    /// Hands records to the log within a turn that takes long, where others' may wait for them, or that has many.
    #[inline]
    pub fn submit_if_due(&mut self, kit: &mut Kit) {
        if self.at.saturating_duration_since(self.submitted) > SUBMIT_DELAY_MAX {
            self.submitted = self.at;
            kit.submit();
        } else {
            kit.submit_if_long();
        }
    }

    /// The last look.
    #[inline]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// A call begins: when that is, if it is one that has looks of its own.
    #[inline]
    pub fn begin(&mut self, cx: &WorkerCx, kit: &mut Kit, call: &Call<'_>) -> Option<Instant> {
        if self.may_share && is_small(call) {
            return None;
        }
        self.settle(cx, kit);
        Some(self.at)
    }

    /// Notes a small call, which answered so many bytes; how long the calls that shared a look took each, if it was
    /// time for one.
    #[inline]
    pub fn share(&mut self, cx: &WorkerCx, kit: &mut Kit, command: Command, bytes: usize) -> Option<Duration> {
        self.shared.push(command.id);
        (self.shared.len() == SHARED_MAX || bytes > SMALL_BYTES_MAX).then(|| self.settle(cx, kit))
    }

    /// Looks at the clock for the calls that wait for that; how long each took.
    pub fn settle(&mut self, cx: &WorkerCx, kit: &mut Kit) -> Duration {
        if self.shared.is_empty() {
            return Duration::ZERO;
        }
        let share = self.look(kit) / self.shared.len() as u32;
        let is_tracked = cx.server.params.live().tracks_latency();
        for alike in self.shared.chunk_by(|one, next| one == next) {
            let stats = alike.first().and_then(|id| cx.server.stats.command(kit.cell(), *id));
            if let Some(stats) = stats {
                stats.record(share.as_nanos() as u64, alike.len() as u64, is_tracked);
            }
        }
        self.shared.clear();
        share
    }

    /// Notes a call within a transaction; how long it took, if it had a look of its own.
    pub fn note_queued(
        &mut self,
        cx: &WorkerCx,
        kit: &mut Kit,
        command: Command,
        began: Option<Instant>,
        replied: Replied,
    ) -> Option<Duration> {
        kit.counters().commands.add(1);
        let stats = cx.server.stats.command(kit.cell(), command.id);
        if replied.is_error {
            kit.counters().errors.add(1);
            stats.into_iter().for_each(CommandStats::fail);
        }
        if began.is_none() {
            self.share(cx, kit, command, replied.bytes);
            return None;
        }
        let took = self.look(kit);
        if let Some(stats) = stats {
            stats.record(took.as_nanos() as u64, 1, cx.server.params.live().tracks_latency());
        }
        Some(took)
    }

    /// Looks at the clock; how much time has passed since the last look.
    #[inline]
    pub fn look(&mut self, kit: &mut Kit) -> Duration {
        let now = Instant::now();
        let passed = now.saturating_duration_since(std::mem::replace(&mut self.at, now));
        kit.follow(now);
        passed
    }
}
