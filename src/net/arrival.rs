//! What comes with a connection that its worker has not seen yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::places::Place;
use super::socket::Accepted;

/// A connection on its way to its worker.
pub struct Arrival {
    /// It.
    pub accepted: Accepted,
    /// Counts it among its worker's.
    pub seat: Seat,
    /// Counts it among all clients.
    pub place: Place,
}

/// Counts a connection among its worker's until it is dropped.
pub struct Seat(Arc<AtomicUsize>);

impl Seat {
    /// Takes one of those that are counted here.
    pub fn take(connections: &Arc<AtomicUsize>) -> Self {
        connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(connections))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
