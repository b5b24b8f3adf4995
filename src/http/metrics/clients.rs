//! Clients, by redis_exporter's names where it has some.

use super::super::exposition::{Exposition, Rows};
use crate::state::figures::ClientFigures;

const FIGURES: &Rows<ClientFigures> = &[
    ("redis_connected_clients", "Connected clients", |clients| {
        clients.connected
    }),
    ("redis_blocked_clients", "Clients that wait in a command", |clients| {
        clients.blocked
    }),
    (
        "redis_tracking_clients",
        "Clients that cache what they read",
        |clients| clients.caching,
    ),
    (
        "redis_pubsub_clients",
        "Clients that have subscribed to something",
        |clients| clients.subscribed,
    ),
    ("redis_watching_clients", "Clients that watch keys", |clients| {
        clients.watching
    }),
    ("redis_total_watched_keys", "Keys watched", |clients| {
        clients.watched_keys
    }),
    ("redis_max_clients", "How many clients there may be", |clients| {
        clients.connected_max
    }),
    ("redis_config_maxclients", "How many clients there may be", |clients| {
        clients.connected_max
    }),
    (
        "redis_client_recent_max_input_buffer_bytes",
        "The most that a client has sent and has not run",
        |clients| clients.query_bytes_largest,
    ),
    (
        "redis_client_recent_max_output_buffer_bytes",
        "The most that waits to be sent to a client",
        |clients| clients.output_bytes_largest,
    ),
    ("lokikv_monitor_clients", "Clients in MONITOR", |clients| {
        clients.monitors
    }),
];

pub(super) fn put(clients: &ClientFigures, out: &mut Exposition) {
    out.gauge_each(FIGURES, clients);
}
