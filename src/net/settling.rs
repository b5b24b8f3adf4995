//! Connections whose replies may not leave yet: until the log is stable, or until writers may go on.
//!
//! **Invariants**
//! - A connection that has changed nothing waits only for the records that its replies show.
//! - A change that did not reach the log is refused, never acknowledged. With a failed log reads go on.
//! - One future waits for the log, whatever the number of connections.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use tokio::time::Sleep;

use super::ready::Ticket;
use crate::engine::Engine;
use crate::engine::pace::Pace;
use crate::engine::worker::Dependencies;
use crate::wal::{Lsn, WaitLsn};

/// How often it is looked whether writers may go on.
const PAUSE: Duration = Duration::from_millis(1);

/// What becomes of a connection that has run.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Settled(Settled),
    /// Not yet.
    Waits(Reason),
}

/// How a connection that has run goes on.
#[derive(Debug)]
pub enum Settled {
    /// Its replies may leave.
    Free,
    /// Its changes are not in the log, for this reason.
    Refused(Arc<str>),
}

/// Why replies wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// For this record to be stable.
    Stable(Lsn),
    /// Writers are held back.
    Held,
    /// Writers are slowed down: once for a moment.
    Slowed,
}

/// A connection that waits.
struct Entry {
    ticket: Ticket,
    owed: Dependencies,
    reason: Reason,
}

/// See the module.
#[derive(Default)]
pub struct Settling {
    entries: Vec<Entry>,
    /// Waits for the lowest record that somebody waits for.
    stable: Option<(Lsn, WaitLsn)>,
    pause: Option<Pin<Box<Sleep>>>,
}

/// What replies that depend on `owed` are to do; `slowed`: they have been slowed down already.
pub fn judge(engine: &Engine, owed: &Dependencies, slowed: bool) -> Verdict {
    let (wal, due) = (engine.wal(), owed.due(engine));
    if wal.stable_lsn() < due {
        return match wal.failure() {
            None => Verdict::Waits(Reason::Stable(due)),
            Some(why) if owed.written > Lsn::ZERO => Verdict::Settled(Settled::Refused(why)),
            Some(_) => Verdict::Settled(Settled::Free),
        };
    }
    if owed.written == Lsn::ZERO {
        return Verdict::Settled(Settled::Free);
    }
    if let Some(why) = wal.failure()
        && wal.written_lsn() < owed.written
    {
        return Verdict::Settled(Settled::Refused(why));
    }
    match engine.pace() {
        Pace::Hold => Verdict::Waits(Reason::Held),
        Pace::Slow if !slowed => Verdict::Waits(Reason::Slowed),
        Pace::Slow | Pace::Free => Verdict::Settled(Settled::Free),
    }
}

impl Settling {
    /// Has a connection wait. [`poll`](Self::poll) is to follow.
    pub fn add(&mut self, ticket: Ticket, owed: Dependencies, reason: Reason) {
        self.entries.push(Entry { ticket, owed, reason });
    }

    /// Hands over those that need not wait any more; the others are asked for again when the waker is woken.
    pub fn poll(&mut self, engine: &Engine, cx: &mut Context<'_>, mut release: impl FnMut(Ticket, Settled)) {
        let is_paused = self
            .pause
            .as_mut()
            .is_some_and(|pause| pause.as_mut().poll(cx).is_pending());
        if !is_paused {
            self.pause = None;
        }
        loop {
            let (stable, has_failed) = (engine.wal().stable_lsn(), engine.wal().is_failed());
            self.entries.retain_mut(|entry| {
                let still_waits = match entry.reason {
                    Reason::Stable(lsn) => lsn > stable && !has_failed,
                    Reason::Held | Reason::Slowed => is_paused,
                };
                if still_waits {
                    return true;
                }
                match judge(engine, &entry.owed, entry.reason == Reason::Slowed) {
                    Verdict::Waits(reason) => {
                        entry.reason = reason;
                        true
                    }
                    Verdict::Settled(settled) => {
                        release(entry.ticket, settled);
                        false
                    }
                }
            });
            if self.poll_stable(engine, cx) {
                break;
            }
        }
        if self.pause.is_none()
            && self
                .entries
                .iter()
                .any(|entry| !matches!(entry.reason, Reason::Stable(_)))
        {
            let mut pause = Box::pin(tokio::time::sleep(PAUSE));
            if pause.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            self.pause = Some(pause);
        }
    }

    /// Waits for the lowest record that somebody waits for; whether that has not come, or nobody does.
    fn poll_stable(&mut self, engine: &Engine, cx: &mut Context<'_>) -> bool {
        let lowest = self.entries.iter().filter_map(|entry| match entry.reason {
            Reason::Stable(lsn) => Some(lsn),
            Reason::Held | Reason::Slowed => None,
        });
        let Some(lowest) = lowest.min() else {
            self.stable = None;
            return true;
        };
        if self.stable.as_ref().is_none_or(|(lsn, _)| *lsn != lowest) {
            self.stable = Some((lowest, engine.wal().make_stable(lowest)));
        }
        let is_pending = self
            .stable
            .as_mut()
            .is_some_and(|(_, stable)| Pin::new(stable).poll(cx).is_pending());
        if !is_pending {
            self.stable = None;
        }
        is_pending
    }
}
