//! Where connections arrive at a worker; and what the worker does for others while it is in the middle of a busy script,
//! or waits for one: it takes new connections over, and answers.
//!
//! **Invariants**
//! - Nothing here touches the worker's pass, clock or log, which whoever is interrupted has.
//! - Of the time that passes meanwhile, serving others takes a small part however many there are.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;

use super::SOURCES;
use super::connections::{Connected, Connections};
use crate::net::connection::Connection;
use crate::net::places::Place;
use crate::net::ready::ReadyList;
use crate::net::socket::{Accepted, Socket};
use crate::net::worker::{Seat, Seated};
use crate::session::WorkerCx;

/// Connections that a turn takes on.
const ARRIVALS_MAX: usize = 16;
/// Others are served so often, or less often: at most for one part of so many of the time.
const SERVE_EVERY: Duration = Duration::from_millis(5);
const SHARE: u32 = 10;

/// See the module.
pub(super) struct Lobby {
    cx: Rc<WorkerCx>,
    ready: ReadyList,
    connections: Connections,
    arrivals: RefCell<Receiver<Seated>>,
    /// The server ends: nobody is taken over any more.
    is_closed: Cell<bool>,
    /// When others are served next, while something else goes on.
    serve_at: Cell<Instant>,
}

impl Lobby {
    pub fn new(cx: Rc<WorkerCx>, ready: ReadyList, connections: Connections, arrivals: Receiver<Seated>) -> Self {
        Self {
            cx,
            ready,
            connections,
            arrivals: RefCell::new(arrivals),
            is_closed: Cell::new(false),
            serve_at: Cell::new(Instant::now()),
        }
    }

    /// Takes nobody over from now on.
    pub fn close(&self) {
        self.is_closed.set(true);
    }

    /// Takes over some of those that have arrived; `waker` is woken for others.
    pub fn see_arrivals(&self, waker: &Waker) {
        for seated in 0.. {
            if seated == ARRIVALS_MAX {
                // Those that are here already come first.
                waker.wake_by_ref();
                return;
            }
            let arrived = self.arrivals.borrow_mut().poll_recv(&mut Context::from_waker(waker));
            let Poll::Ready(Some((accepted, seat, place))) = arrived else {
                return;
            };
            if let Err(error) = self.seat(accepted, seat, place) {
                tracing::warn!(%error, "cannot take over a connection");
            }
        }
    }

    fn seat(&self, accepted: Accepted, seat: Seat, place: Place) -> std::io::Result<()> {
        if self.is_closed.get() {
            return Ok(());
        }
        let config = self.cx.server.params.config();
        let (socket, addresses) = Socket::adopt(accepted, config.server.unixsocket.as_str())?;
        let index = self.connections.next_index();
        let slot = self.ready.slot(index + SOURCES);
        let ticket = slot.ticket();
        let connection = Connection::new(socket, addresses, (slot, index), Rc::clone(&self.cx));
        connection.wake_later();
        self.connections.add(Connected {
            connection: Some(Box::new(connection)),
            ticket,
            is_later: false,
            _place: place,
            _seat: seat,
        });
        Ok(())
    }

    /// Serves the others while a script is busy, in the middle of whatever this worker does or waits for.
    pub fn serve_meanwhile(&self, waker: &Waker) {
        let begun = Instant::now();
        if !self.cx.server.busy.are_some() || begun < self.serve_at.get() {
            return;
        }
        self.see_arrivals(waker);
        for index in self.connections.indices() {
            self.connections.with(index, Connection::serve_meanwhile);
        }
        let now = Instant::now();
        self.serve_at.set(now + SERVE_EVERY.max((now - begun) * SHARE));
    }
}
