//! MONITOR: who is shown what the server runs, and the way of the lines to them.
//!
//! A worker gathers the lines of what it has run, each written once, and hands them over as one delivery for each
//! worker that has clients in MONITOR: at the end of its turn, before a message that is published behind them, and when
//! they have become long.
//!
//! **Invariants**
//! - While nobody is in MONITOR a request costs one relaxed load.
//! - A client is shown what its worker runs from its MONITOR on, and nothing of before. Others' lines come in the order
//!   in which workers hand them over: that of one client's requests, and of all that began when others had been
//!   answered.
//! - Lines wait for nothing and hold nobody back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::PubSub;
use super::directory::{Audience, join, quit};
use super::exchange::Delivery;
use super::holding::Kept;
use super::outlet::Outlet;
use super::subscriber::Subscriber;

/// Lines of so many bytes are handed over, although the turn goes on.
const BATCH_BYTES: usize = 64 * 1024;

/// Which workers have clients in MONITOR. On a cache line of its own: each request looks at the count, and what stands
/// beside it changes with every message.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Monitors {
    count: AtomicUsize,
    workers: Mutex<Audience>,
}

impl PubSub {
    /// Whether somebody is in MONITOR.
    #[inline]
    pub fn is_monitored(&self) -> bool {
        self.monitors.count.load(Ordering::Relaxed) > 0
    }

    /// Has a client be shown what is run from now on; whether that is new.
    pub fn start_monitor(&self, subscriber: &mut Subscriber) -> bool {
        if subscriber.is_monitor {
            return false;
        }
        self.hand_over_lines(subscriber.desk().outlet());
        let worker = subscriber.desk().worker();
        let mut workers = self.monitors.workers.lock();
        join(&mut workers, worker);
        self.monitors.count.fetch_add(1, Ordering::Relaxed);
        subscriber.desk().add_monitor(subscriber.number());
        subscriber.is_monitor = true;
        true
    }

    /// Shows a client nothing more; whether it was in MONITOR.
    pub fn end_monitor(&self, subscriber: &mut Subscriber) -> bool {
        if !std::mem::take(&mut subscriber.is_monitor) {
            return false;
        }
        let worker = subscriber.desk().worker();
        let mut workers = self.monitors.workers.lock();
        quit(&mut workers, worker);
        self.monitors.count.fetch_sub(1, Ordering::Relaxed);
        subscriber.desk().remove_monitor(subscriber.number());
        true
    }

    /// Adds the line of what this worker has run.
    pub fn add_line(&self, outlet: &Outlet, write: impl FnOnce(&mut Vec<u8>)) {
        if outlet.is_holding() {
            let mut line = Vec::new();
            write(&mut line);
            outlet.keep(Kept::Line(line.into()));
        } else if outlet.add_line(write) >= BATCH_BYTES {
            self.hand_over_lines(outlet);
        }
    }

    /// Lines of what this worker has run could not be kept.
    pub(super) fn lose_lines(&self, outlet: &Outlet) {
        let workers = self.monitors.workers.lock();
        let mut trays = self.exchange.lock();
        for (worker, _) in workers.iter() {
            if trays.lose_lines(*worker) {
                outlet.wakes_later(*worker);
            }
        }
    }

    /// Hands over the lines that a worker has gathered.
    pub fn hand_over_lines(&self, outlet: &Outlet) {
        if !outlet.has_lines() {
            return;
        }
        let lines = outlet.take_lines();
        let workers = self.monitors.workers.lock();
        let mut trays = self.exchange.lock();
        for (worker, _) in workers.iter() {
            let delivery = Delivery::of_lines(Arc::clone(&lines), outlet.line_stamp_for(*worker));
            if trays.put(*worker, delivery) {
                outlet.wakes_later(*worker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pubsub::Desk;
    use crate::pubsub::exchange::News;
    use std::rc::Rc;

    /// What a worker's clients in MONITOR have been shown, by number.
    fn shown(desk: &Desk) -> Vec<(usize, String)> {
        let mut shown = Vec::new();
        for delivery in desk.take_all() {
            let News::Lines(lines) = &delivery.news else { panic!() };
            let text = String::from_utf8(lines.to_vec()).unwrap();
            desk.visit_addressees(&delivery, |number, _| shown.push((number, text.clone())));
        }
        shown
    }

    fn add(pubsub: &PubSub, desk: &Desk, text: &str) {
        pubsub.add_line(desk.outlet(), |lines| lines.extend_from_slice(text.as_bytes()));
    }

    #[test]
    fn who_begins_sees_nothing_of_before_and_who_ends_nothing_more() {
        let pubsub = PubSub::default();
        let desks = [pubsub.open_desk(), pubsub.open_desk()];
        let mut clients = [0, 1].map(|number| Subscriber::new(Rc::clone(&desks[0]), number));
        assert!(pubsub.start_monitor(&mut clients[0]) && !pubsub.start_monitor(&mut clients[0]));
        add(&pubsub, &desks[0], "a");
        assert!(clients[0].gets_lines() && !clients[1].gets_lines());
        assert!(pubsub.start_monitor(&mut clients[1]));
        add(&pubsub, &desks[0], "b");
        pubsub.hand_over_lines(desks[0].outlet());
        let told = |number, text: &str| (number, text.to_owned());
        assert_eq!(shown(&desks[0]), [told(0, "a"), told(0, "b"), told(1, "b")]);
        add(&pubsub, &desks[1], "c");
        add(&pubsub, &desks[1], "d");
        pubsub.hand_over_lines(desks[1].outlet());
        assert_eq!(shown(&desks[0]), [told(0, "cd"), told(1, "cd")]);
        assert!(pubsub.end_monitor(&mut clients[0]) && !pubsub.end_monitor(&mut clients[0]));
        add(&pubsub, &desks[0], "e");
        pubsub.hand_over_lines(desks[0].outlet());
        assert_eq!(shown(&desks[0]), [told(1, "e")]);
        pubsub.end_monitor(&mut clients[1]);
        assert!(!pubsub.is_monitored());
        assert!(shown(&desks[1]).is_empty());
    }

    #[test]
    fn a_worker_without_time_keeps_some_lines_and_holds_nobody_back() {
        let pubsub = PubSub::default();
        let desks = [pubsub.open_desk(), pubsub.open_desk()];
        let mut client = Subscriber::new(Rc::clone(&desks[0]), 3);
        pubsub.start_monitor(&mut client);
        let line = "x".repeat(BATCH_BYTES);
        for _ in 0..3_000 {
            add(&pubsub, &desks[1], &line);
        }
        assert!(!pubsub.is_backed_up());
        let lost = || {
            let mut lost = Vec::new();
            desks[0].visit_who_lost_lines(|number| lost.push(number));
            lost
        };
        assert_eq!((lost(), lost()), (vec![3], vec![]));
        let bytes: usize = shown(&desks[0]).iter().map(|(_, text)| text.len()).sum();
        assert!((32 << 20..34 << 20).contains(&bytes), "{bytes}");
        // There is room again.
        add(&pubsub, &desks[1], &line);
        assert_eq!((shown(&desks[0]).len(), lost()), (1, vec![]));
    }

    #[test]
    fn lines_that_are_held_are_kept_up_to_a_limit() {
        let pubsub = PubSub::default();
        let desk = pubsub.open_desk();
        let mut client = Subscriber::new(Rc::clone(&desk), 3);
        pubsub.start_monitor(&mut client);
        let line = "x".repeat(BATCH_BYTES);
        desk.outlet().hold();
        for _ in 0..3_000 {
            add(&pubsub, &desk, &line);
        }
        pubsub.release(desk.outlet(), crate::engine::dependencies::Dependencies::default());
        assert!(desk.has_some());
        let mut lost = Vec::new();
        desk.visit_who_lost_lines(|number| lost.push(number));
        let bytes: usize = shown(&desk).iter().map(|(_, text)| text.len()).sum();
        assert_eq!(lost, [3]);
        assert!((32 << 20..34 << 20).contains(&bytes), "{bytes}");
    }
}
