//! Clients.

use std::sync::atomic::Ordering::Relaxed;

use crate::client::ClientHandle;
use crate::state::Server;

/// Figures of all clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFigures {
    /// Connected ones.
    pub connected: u64,
    /// How many there may be.
    pub connected_max: u64,
    /// What one has sent and has not run, at most.
    pub query_bytes_largest: u64,
    /// Replies that wait for one, at most.
    pub output_bytes_largest: u64,
    /// Those that wait in a command.
    pub blocked: u64,
    /// Those that cache what they read.
    pub caching: u64,
    /// Those that have subscribed to something.
    pub subscribed: u64,
    /// Those that watch keys.
    pub watching: u64,
    /// Those in MONITOR.
    pub monitors: u64,
    /// Keys watched, by all together.
    pub watched_keys: u64,
}

impl ClientFigures {
    /// Looks at all clients. O(clients).
    pub fn of(server: &Server) -> Self {
        let mut figures = Self {
            connected_max: server.params.live().maxclients(),
            ..Self::default()
        };
        server.clients.each(|client| figures.add(client));
        figures
    }

    fn add(&mut self, client: &ClientHandle) {
        let watched = u64::from(client.watched.load(Relaxed));
        let is_subscribed = client.subscriptions.iter().any(|count| count.load(Relaxed) > 0);
        self.connected += 1;
        self.query_bytes_largest = self.query_bytes_largest.max(client.query_bytes.load(Relaxed));
        self.output_bytes_largest = self.output_bytes_largest.max(client.output_bytes.load(Relaxed));
        self.blocked += u64::from(client.is_blocked());
        self.caching += u64::from(client.caching.is_on());
        self.subscribed += u64::from(is_subscribed);
        self.watching += u64::from(watched > 0);
        self.watched_keys += watched;
        self.monitors += u64::from(client.is_monitor.load(Relaxed));
    }
}
