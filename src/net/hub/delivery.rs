//! Messages that have been published for connections of this worker: they are put behind the replies of each, and sent.
//!
//! **Invariants**
//! - A turn begins and ends with a delivery. So what was published before a request arrived comes before its reply.
//! - Messages keep their order: while one waits for a record that it tells of, so do those behind it. MONITOR's lines
//!   wait for none.

use std::collections::VecDeque;
use std::task::Context;
use std::time::{Duration, Instant};

use super::{Hub, MESSAGES};
use crate::net::connection::Connection;
use crate::net::ready::Ticket;
use crate::net::settling::{Awaited, Owed, Reason, Settled, Verdict, judge};
use crate::pubsub::{Delivery, DeliveryQueue};

/// So long a turn sends messages at a stretch.
const SENDING_MAX: Duration = Duration::from_micros(500);

/// See the module.
#[derive(Default)]
pub(super) struct Deliveries {
    /// What is being handed over; between turns it is in the tray. The first one waits for one of these records.
    waiting: DeliveryQueue,
    is_waiting: bool,
    written: Awaited,
    stable: Awaited,
    /// What has come into the tray since the last turn.
    new: DeliveryQueue,
    /// Connections that have messages to send.
    news: VecDeque<Ticket>,
}

/// What becomes of a message.
enum Fate {
    /// It may be told of what it depends on.
    Shown,
    /// Not yet.
    Waits,
    /// What it depends on has not come into the log.
    Dropped,
}

impl Hub {
    /// Hands over what has been published, as far as it may be shown.
    pub(super) fn deliver(&mut self) {
        if !self.cx.desk.has_some() && !self.deliveries.is_waiting {
            return;
        }
        let mut new = std::mem::take(&mut self.deliveries.new);
        self.cx.desk.take(&mut self.deliveries.waiting, &mut new);
        while let Some(delivery) = new.pop() {
            if delivery.is_of_lines() {
                self.show_waiting();
                self.hand_out(&delivery);
            } else {
                self.deliveries.waiting.push(delivery);
            }
        }
        self.deliveries.new = new;
        self.show_waiting();
        self.close_who_lost_lines();
        self.deliveries.is_waiting = !self.deliveries.waiting.is_empty();
        if self.deliveries.is_waiting {
            self.cx.desk.put_back(&mut self.deliveries.waiting);
        }
    }

    /// Closes the clients in MONITOR for which more has come than could be kept.
    fn close_who_lost_lines(&self) {
        self.cx.desk.visit_who_lost_lines(|number| {
            self.connections
                .with(number, |connection| connection.close_for_lost_lines());
        });
    }

    /// Hands over what has been taken from the tray, as far as it may be shown.
    fn show_waiting(&mut self) {
        while let Some(delivery) = self.deliveries.waiting.pop() {
            match self.fate(&delivery) {
                Fate::Waits => {
                    self.deliveries.waiting.put_first(delivery);
                    return;
                }
                Fate::Shown => self.hand_out(&delivery),
                Fate::Dropped => self.cx.desk.drop_delivery(&delivery),
            }
        }
    }

    /// Whether the message may be shown; the worker is woken when that changes.
    fn fate(&mut self, delivery: &Delivery) -> Fate {
        let fate = self.judged(delivery);
        if !matches!(fate, Fate::Waits) {
            // Of all of this thread that wait for a record one is woken, and wakes the others when it ends: also where
            // it turns out so that there is nothing more to wait for.
            self.deliveries.written.end();
            self.deliveries.stable.end();
        }
        fate
    }

    fn judged(&mut self, delivery: &Delivery) -> Fate {
        let owed = Owed {
            depends_on: delivery.depends_on.as_of_a_reader(),
            ..Owed::default()
        };
        loop {
            let reason = match judge(&self.cx.server, &owed, false, self.cx.last_look()) {
                Verdict::Waits(reason) => reason,
                Verdict::Settled(Settled::Free) => return Fate::Shown,
                Verdict::Settled(Settled::Refused(_)) => return Fate::Dropped,
            };
            let (waker, wal) = (self.waker(MESSAGES), self.cx.server.engine.wal());
            let mut cx = Context::from_waker(&waker);
            let Deliveries { written, stable, .. } = &mut self.deliveries;
            let is_awaited = match reason {
                Reason::Written(lsn) => written.poll(Some(lsn), &mut cx, |lsn| wal.wait_written(lsn)),
                Reason::Stable(lsn) => stable.poll(Some(lsn), &mut cx, |lsn| wal.make_stable(lsn)),
                Reason::Held | Reason::Slowed => return Fate::Shown,
            };
            if is_awaited {
                return Fate::Waits;
            }
        }
    }

    fn hand_out(&mut self, delivery: &Delivery) {
        let (connections, news) = (&self.connections, &mut self.deliveries.news);
        self.cx.desk.visit_addressees(delivery, |number, addressee| {
            let has_new = connections.with(number, |connection| connection.put_news(&delivery.news, addressee));
            if has_new == Some(true) {
                news.extend(connections.see(number, |connected| connected.ticket));
            }
        });
    }

    /// Sends messages, for a while; whether there are more to send.
    pub(super) fn send_news(&mut self) -> bool {
        if self.deliveries.news.is_empty() {
            return false;
        }
        let begun = Instant::now();
        while let Some(ticket) = self.deliveries.news.pop_front() {
            if let Some(index) = self.index(ticket)
                && let Some(next) = self.connections.with(index, Connection::send_news)
            {
                self.go_on(index, next);
            }
            if begun.elapsed() > SENDING_MAX {
                break;
            }
        }
        !self.deliveries.news.is_empty()
    }
}
