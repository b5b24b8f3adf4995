//! A worker's connections by number.
//!
//! **Invariants**
//! - A connection that does something is taken out meanwhile, and nothing here is borrowed. So what it runs can have
//!   the others served before it returns.
//! - A connection is dropped outside of any borrow.

use std::cell::RefCell;
use std::rc::Rc;

use slab::Slab;

use super::SOURCES;
use crate::net::arrival::Seat;
use crate::net::connection::Connection;
use crate::net::places::Place;
use crate::net::ready::Ticket;

/// A connection that counts among its worker's.
pub(super) struct Connected {
    /// Its slot's.
    pub ticket: Ticket,
    /// Whether it is among those that go on later.
    pub is_later: bool,
    /// Given back just before the socket is closed: a closed client can come back at once.
    pub _place: Place,
    /// `None` while it does something.
    pub connection: Option<Box<Connection>>,
    /// The worker's count, which it is in.
    pub _seat: Seat,
}

/// The number of the connection whose ticket this is, if it is one's.
pub(super) fn index_of(ticket: Ticket) -> Option<usize> {
    ticket.number.checked_sub(SOURCES)
}

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Connections(Rc<RefCell<Slab<Connected>>>);

impl Connections {
    /// Has a connection do something, unless it has gone or is at something else.
    pub fn with<R>(&self, index: usize, act: impl FnOnce(&mut Connection) -> R) -> Option<R> {
        let mut taken = self.see(index, |connected| connected.connection.take())??;
        let result = act(&mut taken);
        self.see(index, |connected| connected.connection = Some(taken));
        Some(result)
    }

    /// Looks at what is noted of a connection.
    pub fn see<R>(&self, index: usize, look: impl FnOnce(&mut Connected) -> R) -> Option<R> {
        self.0.borrow_mut().get_mut(index).map(look)
    }

    /// The number that the next one gets.
    pub fn next_index(&self) -> usize {
        self.0.borrow().vacant_key()
    }

    /// Adds one.
    pub fn add(&self, connected: Connected) {
        self.0.borrow_mut().insert(connected);
    }

    /// Drops one.
    pub fn remove(&self, index: usize) {
        let gone = self.0.borrow_mut().try_remove(index);
        drop(gone);
    }

    /// Drops all.
    pub fn clear(&self) {
        let gone = std::mem::take(&mut *self.0.borrow_mut());
        drop(gone);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// The numbers of all of them.
    pub fn indices(&self) -> Vec<usize> {
        self.0.borrow().iter().map(|(index, _)| index).collect()
    }
}
