//! Connections whose replies may not leave yet: until what they show is in the log, or until writers may go on.
//!
//! **Invariants**
//! - A connection that has changed nothing waits only for the records that its replies show.
//! - A change that has not reached the log is not acknowledged. When the log has failed, it waits until the log goes
//!   on; so does a reply that would show it. Other reads go on.
//! - Who publishes more than is delivered waits until it is.
//! - One future waits for the log to be written and one for it to be stable, whatever the number of connections.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::ready::Ticket;
use crate::engine::dependencies::Dependencies;
use crate::engine::pace::Pace;
use crate::state::Server;
use crate::wal::{Lsn, WaitLsn};

/// How often it is looked whether writers may go on.
const PAUSE: Duration = Duration::from_millis(1);

/// What a connection that has run owes before its replies may leave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owed {
    /// What its replies depend on.
    pub depends_on: Dependencies,
    /// It has published messages, for which there has to be room.
    pub publishes: bool,
    /// Which run of the connection that was.
    pub run: u64,
}

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
    /// For this record to be written.
    Written(Lsn),
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
    owed: Owed,
    reason: Reason,
}

/// See the module.
#[derive(Default)]
pub struct Settling {
    entries: Vec<Entry>,
    /// Wait for the lowest record that somebody waits for.
    written: Awaited,
    stable: Awaited,
    pause: Option<Pin<Box<Sleep>>>,
}

/// A record that is waited for.
#[derive(Default)]
pub struct Awaited(Option<(Lsn, WaitLsn)>);

impl Awaited {
    /// Waits for nothing more.
    pub fn end(&mut self) {
        self.0 = None;
    }

    /// Waits for `lowest`, if there is one; whether there is none, or it has not come.
    pub fn poll(&mut self, lowest: Option<Lsn>, cx: &mut Context<'_>, wait: impl FnOnce(Lsn) -> WaitLsn) -> bool {
        let Some(lowest) = lowest else {
            self.end();
            return true;
        };
        if self.0.as_ref().is_none_or(|(lsn, _)| *lsn != lowest) {
            self.0 = Some((lowest, wait(lowest)));
        }
        let is_pending = self
            .0
            .as_mut()
            .is_some_and(|(_, waiting)| Pin::new(waiting).poll(cx).is_pending());
        if !is_pending {
            self.end();
        }
        is_pending
    }
}

/// What replies that owe this are to do; `slowed`: they have been slowed down already.
pub fn judge(server: &Server, owed: &Owed, slowed: bool, now: Instant) -> Verdict {
    let (engine, depends_on) = (&server.engine, &owed.depends_on);
    let (wal, due) = (engine.wal(), depends_on.due(engine));
    let waits_for = if wal.written_lsn() < depends_on.seen {
        Some(Reason::Written(depends_on.seen))
    } else {
        (wal.stable_lsn() < due).then_some(Reason::Stable(due))
    };
    if let Some(reason) = waits_for {
        return match wal.is_closed() {
            true => {
                let why = wal.failure().unwrap_or_else(|| Arc::from("the log is closed"));
                Verdict::Settled(Settled::Refused(why))
            }
            false => Verdict::Waits(reason),
        };
    }
    if owed.publishes && server.pubsub.is_backed_up() {
        return Verdict::Waits(Reason::Held);
    }
    if depends_on.written == Lsn::ZERO {
        return Verdict::Settled(Settled::Free);
    }
    match engine.pace(now) {
        Pace::Hold => Verdict::Waits(Reason::Held),
        Pace::Slow if !slowed => Verdict::Waits(Reason::Slowed),
        Pace::Slow | Pace::Free => Verdict::Settled(Settled::Free),
    }
}

impl Settling {
    /// Has a connection wait. [`poll`](Self::poll) is to follow.
    pub fn add(&mut self, ticket: Ticket, owed: Owed, reason: Reason) {
        self.entries.push(Entry { ticket, owed, reason });
    }

    /// Hands over those that need not wait any more; the others are asked for again when the waker is woken.
    pub fn poll(&mut self, server: &Server, cx: &mut Context<'_>, mut release: impl FnMut(Ticket, (u64, Settled))) {
        let is_paused = self
            .pause
            .as_mut()
            .is_some_and(|pause| pause.as_mut().poll(cx).is_pending());
        if !is_paused {
            self.pause = None;
        }
        let now = Instant::now();
        loop {
            let wal = server.engine.wal();
            let (written, stable, is_closed) = (wal.written_lsn(), wal.stable_lsn(), wal.is_closed());
            self.entries.retain_mut(|entry| {
                let still_waits = match entry.reason {
                    Reason::Written(lsn) => lsn > written && !is_closed,
                    Reason::Stable(lsn) => lsn > stable && !is_closed,
                    Reason::Held | Reason::Slowed => is_paused,
                };
                if still_waits {
                    return true;
                }
                match judge(server, &entry.owed, entry.reason == Reason::Slowed, now) {
                    Verdict::Waits(reason) => {
                        entry.reason = reason;
                        true
                    }
                    Verdict::Settled(settled) => {
                        release(entry.ticket, (entry.owed.run, settled));
                        false
                    }
                }
            });
            let (written, stable) = self.lowest();
            let is_written_awaited = self.written.poll(written, cx, |lsn| wal.wait_written(lsn));
            let is_stable_awaited = self.stable.poll(stable, cx, |lsn| wal.make_stable(lsn));
            if is_written_awaited && is_stable_awaited {
                break;
            }
        }
        if self.pause.is_none()
            && self
                .entries
                .iter()
                .any(|entry| matches!(entry.reason, Reason::Held | Reason::Slowed))
        {
            let mut pause = Box::pin(tokio::time::sleep(PAUSE));
            if pause.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            self.pause = Some(pause);
        }
    }

    /// The lowest records that somebody waits for: to be written, and to be stable.
    fn lowest(&self) -> (Option<Lsn>, Option<Lsn>) {
        let (mut written, mut stable) = (None::<Lsn>, None::<Lsn>);
        for entry in &self.entries {
            match entry.reason {
                Reason::Written(lsn) => written = Some(written.map_or(lsn, |lowest| lowest.min(lsn))),
                Reason::Stable(lsn) => stable = Some(stable.map_or(lsn, |lowest| lowest.min(lsn))),
                Reason::Held | Reason::Slowed => {}
            }
        }
        (written, stable)
    }
}
