//! What was executed.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::acl::Reason;
use crate::metrics::stats::CommandTotals;
use crate::state::Server;

/// Figures of all work since the start, or `CONFIG RESETSTAT`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WorkFigures {
    /// Connections that were accepted.
    pub connections: u64,
    /// Connections that were turned away.
    pub rejected_connections: u64,
    /// Commands.
    pub commands: u64,
    /// Bytes from clients.
    pub input_bytes: u64,
    /// Bytes to clients.
    pub output_bytes: u64,
    /// Growth of the last three per second, at present.
    pub per_second: [f64; 3],
    /// Keys removed because their time had come.
    pub expired_keys: u64,
    /// Keys removed for want of memory.
    pub evicted_keys: u64,
    /// Scripts let go of because there were too many.
    pub evicted_scripts: u64,
    /// Clients closed for want of memory.
    pub evicted_clients: u64,
    /// For how long more memory was used than may be, milliseconds.
    pub exceeded_ms: u64,
    /// The same of the present time, if that is so.
    pub exceeding_ms: u64,
    /// Lookups that found a key.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Error replies.
    pub errors: u64,
    /// Changes of data.
    pub changes: u64,
    /// Channels, patterns and shard channels that somebody has subscribed to.
    pub topics: [usize; 3],
    /// What was denied, by the place of the reason.
    pub denied: [u64; Reason::ALL.len()],
}

impl WorkFigures {
    /// Gathers them.
    pub fn of(server: &Server) -> Self {
        let engine = &server.engine;
        let commands = engine.count(|counters| counters.commands.get());
        let input_bytes = engine.count(|counters| counters.net_input_bytes.get());
        let output_bytes = engine.count(|counters| counters.net_output_bytes.get());
        let rates = &server.stats.rates;
        rates.sample(Instant::now(), [commands, input_bytes, output_bytes]);
        let (exceeded_ms, exceeding_ms) = server.pressure.exceeded_ms();
        let pubsub = &server.pubsub;
        Self {
            connections: server.clients.accepted.load(Relaxed),
            rejected_connections: server.clients.rejected.load(Relaxed),
            commands,
            input_bytes,
            output_bytes,
            per_second: rates.per_second(),
            expired_keys: engine.count(|counters| counters.expired.get()),
            evicted_keys: engine.count(|counters| counters.evicted.get()),
            evicted_scripts: server.scripts.evicted(),
            evicted_clients: server.clients.evicted.load(Relaxed),
            exceeded_ms,
            exceeding_ms,
            hits: engine.count(|counters| counters.hits.get()),
            misses: engine.count(|counters| counters.misses.get()),
            errors: engine.count(|counters| counters.errors.get()),
            changes: engine.count(|counters| counters.changes.get()),
            topics: [
                pubsub.channel_count(false),
                pubsub.pattern_count(),
                pubsub.channel_count(true),
            ],
            denied: Reason::ALL.map(|reason| server.acl.denied_count(reason)),
        }
    }
}

/// A command that was called or refused.
#[derive(Clone, Debug)]
pub struct CommandFigures<N> {
    /// Which.
    pub command: N,
    /// Its figures.
    pub totals: CommandTotals,
}

impl<N> CommandFigures<N> {
    /// Of these commands, with their numbers, those that have figures.
    pub fn of<'s>(server: &'s Server, commands: impl Iterator<Item = (u16, N)> + 's) -> impl Iterator<Item = Self> + 's
    where
        N: 's,
    {
        let all = commands.map(|(id, command)| Self {
            command,
            totals: server.stats.command_totals(id),
        });
        all.filter(|figures| {
            let totals = &figures.totals;
            totals.calls + totals.rejected + totals.failed > 0
        })
    }
}
