//! The TLS handshakes of a worker that are not over. There is a limit to all of them together: where it is reached, who
//! comes takes the place of who has been taking its time for longest.
//!
//! **Invariant:** a handshake that waits for this worker, not for its client, is not given up for another: under a
//! storm of honest clients those that came first are served, and the others are turned away.

use std::collections::VecDeque;

use super::connections::{Connections, index_of};
use crate::net::connection::Connection;
use crate::net::ready::Ticket;
use crate::tls::Unfinished;

/// So many are looked at for one that can be given up.
const LOOKS_MAX: usize = 16;
/// Beyond so many, those that are over are taken off the list, whatever is in front of them.
const LISTED_SPARE: usize = 64;

/// What has become of a handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is over.
    Over,
    /// It waits for its client.
    Waits,
    /// It waits for the worker.
    IsDue,
}

/// See the module.
#[derive(Default)]
pub(super) struct Handshakes {
    /// The oldest first; some of them may be over.
    listed: VecDeque<Ticket>,
    /// How many stood here after they were last looked through.
    alive: usize,
}

impl Handshakes {
    /// Adds one.
    pub fn add(&mut self, ticket: Ticket, connections: &Connections) {
        self.listed.push_back(ticket);
        if self.listed.len() > 2 * self.alive + LISTED_SPARE {
            self.listed.retain(|ticket| fate(*ticket, connections) != Fate::Over);
            self.alive = self.listed.len();
        }
    }

    /// Gives one up whose client takes its time; its place, if there is one.
    pub fn give_one_up(&mut self, connections: &Connections) -> Option<Unfinished> {
        let mut looks = 0;
        while looks < LOOKS_MAX
            && let Some(ticket) = self.listed.pop_front()
        {
            match fate(ticket, connections) {
                Fate::Over => {}
                Fate::IsDue => {
                    self.listed.push_back(ticket);
                    looks += 1;
                }
                Fate::Waits => {
                    return connections.with(index_of(ticket)?, Connection::crowd_out)?;
                }
            }
        }
        None
    }
}

fn fate(ticket: Ticket, connections: &Connections) -> Fate {
    let Some(index) = index_of(ticket) else {
        return Fate::Over;
    };
    let seen = connections.see(index, |connected| {
        (connected.ticket == ticket).then_some(connected.is_later)
    });
    let Some(Some(is_later)) = seen else { return Fate::Over };
    match connections.with(index, |connection| connection.is_handshaking()) {
        Some(false) => Fate::Over,
        Some(true) if !is_later => Fate::Waits,
        // It is at work, or about to be.
        _ => Fate::IsDue,
    }
}
