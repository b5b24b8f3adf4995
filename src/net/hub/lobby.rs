//! Where connections arrive at a worker; and what the worker does for others while it is in the middle of a busy
//! script, or waits for one: it takes new connections over, and answers.
//!
//! **Invariants**
//! - Nothing here touches the worker's pass, clock or log, which whoever is interrupted has.
//! - Of the time that passes meanwhile, serving others takes a small part however many there are.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;

use super::SOURCES;
use super::connections::{Connected, Connections};
use super::handshakes::Handshakes;
use crate::net::arrival::Arrival;
use crate::net::connection::Connection;
use crate::net::ready::ReadyList;
use crate::net::socket::{Accepted, Adopted, Socket};
use crate::session::WorkerCx;
use crate::tls::Unfinished;

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
    arrivals: RefCell<Receiver<Arrival>>,
    handshakes: RefCell<Handshakes>,
    /// The server ends: nobody is taken over any more.
    is_closed: Cell<bool>,
    /// When others are served next, while something else goes on.
    serve_at: Cell<Instant>,
}

impl Lobby {
    pub fn new(cx: Rc<WorkerCx>, ready: ReadyList, connections: Connections, arrivals: Receiver<Arrival>) -> Self {
        Self {
            cx,
            ready,
            connections,
            arrivals: RefCell::new(arrivals),
            handshakes: RefCell::default(),
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
            let Poll::Ready(Some(arrival)) = arrived else {
                return;
            };
            if let Err(error) = self.seat(arrival) {
                tracing::warn!(%error, "cannot take over a connection");
            }
        }
    }

    fn seat(&self, arrival: Arrival) -> std::io::Result<()> {
        let Arrival { accepted, seat, place } = arrival;
        if self.is_closed.get() {
            return Ok(());
        }
        let is_tls = matches!(accepted, Accepted::Tls(..));
        let handshake = is_tls.then(|| self.handshake_place()).flatten();
        if is_tls && handshake.is_none() {
            return Ok(());
        }
        let Adopted {
            socket,
            addresses,
            terms,
        } = Socket::adopt(accepted)?;
        let index = self.connections.next_index();
        let slot = self.ready.slot(index + SOURCES);
        let ticket = slot.ticket();
        let mut connection = Connection::new(socket, addresses, (slot, index), Rc::clone(&self.cx));
        if place.is_spare() {
            connection.spare();
        }
        if let Some((terms, handshake)) = terms.zip(handshake) {
            connection.secure(terms, handshake)?;
        }
        connection.wake_later();
        self.connections.add(Connected {
            connection: Some(Box::new(connection)),
            ticket,
            is_later: false,
            _place: place,
            _seat: seat,
        });
        if is_tls {
            self.handshakes.borrow_mut().add(ticket, &self.connections);
        }
        Ok(())
    }

    /// A place for another handshake, if need be that of one which takes its time.
    fn handshake_place(&self) -> Option<Unfinished> {
        let server = &self.cx.server;
        let max = server.params.live().handshakes_max();
        let free = server.tls.begin(max);
        let place = free.or_else(|| self.handshakes.borrow_mut().give_one_up(&self.connections));
        if place.is_none() {
            server.tls.crowded_out.fetch_add(1, Relaxed);
            server.tls.failed.fetch_add(1, Relaxed);
        }
        place
    }

    /// Serves the others while a script is busy, in the middle of whatever this worker does or waits for.
    pub fn serve_meanwhile(&self, waker: &Waker) {
        let begun = Instant::now();
        if !self.cx.server.busy.are_some() || begun < self.serve_at.get() {
            return;
        }
        self.cx.meanwhile(|| {
            self.see_arrivals(waker);
            for index in self.connections.indices() {
                self.connections.with(index, Connection::serve_meanwhile);
            }
        });
        let now = Instant::now();
        self.serve_at.set(now + SERVE_EVERY.max((now - begun) * SHARE));
    }
}
