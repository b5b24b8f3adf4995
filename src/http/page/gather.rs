//! What the page shows, from the running server.
//!
//! **Invariant:** nothing is locked that a worker holds for longer than it takes to copy a few words, and the
//! checkpointer is asked only while nobody has looked at its files yet.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::super::health::hindrances;
use super::data::{
    ADDRESS_LETTERS_MAX, CLIENTS_MAX, COLLECTIONS_MAX, Choice, Client, CollectionRow, Collections, Figures,
    LINE_LETTERS_MAX, LogFigures, May, NAME_LETTERS_MAX, PROBLEMS_MAX, PageData, SLOW_MAX, SlowCommand, WARNINGS_MAX,
    WarningLine,
};
use super::snapshots;
use super::text::printable;
use crate::checkpoint::Snapshot;
use crate::client::ClientHandle;
use crate::commands::server::{LOKIKV_VERSION, REDIS_VERSION};
use crate::commands::spec::{Command, Table};
use crate::engine::ids::DatabaseId;
use crate::engine::registry::Slot;
use crate::engine::shown::Sums;
use crate::engine::worker::unix_ms;
use crate::metrics::command_log::{LogKind, LoggedCommand};
use crate::metrics::warnings::{self, Warning};
use crate::state::Server;
use crate::state::figures::{MemoryFigures, WorkFigures, slots};
use crate::wal::Fsync;

/// How long the checkpointer may take to tell of what is kept, before the page comes without.
const PATIENCE: Duration = Duration::from_millis(500);

/// Gathers all that a reader `may` see.
pub async fn gather(server: &Arc<Server>, commands: &Table, (choice, may): (Choice, May)) -> PageData {
    let kept = kept(server).await;
    let (rows, keys) = collections(server);
    let clients = server.clients.all();
    let problems = problems(server);
    PageData {
        now: Instant::now(),
        now_ms: unix_ms(),
        figures: figures(server, keys, clients.len() as u64),
        problems,
        samples: server.stats.history.samples(Instant::now()),
        marks: server.stats.history.marks(Instant::now()),
        snapshots: snapshots::gather(server, kept.as_deref()),
        collections: sorted(rows, choice),
        slow: if may.see_slow_commands {
            slow(server)
        } else {
            Vec::new()
        },
        slow_from_us: server.params.live().log_threshold(LogKind::Slow),
        clients: if may.see_clients {
            largest(clients, commands)
        } else {
            Vec::new()
        },
        warnings: if may.see_slow_commands {
            newest_warnings()
        } else {
            Vec::new()
        },
        choice,
        may,
    }
}

/// The checkpoints that are kept; `None` while the checkpointer has not said.
async fn kept(server: &Server) -> Option<Arc<[Snapshot]>> {
    let known = server.checkpoints.kept();
    if known.is_some() || server.loading.is_on() {
        return known;
    }
    let asked = timeout(PATIENCE, server.checkpoints.snapshots()).await;
    asked.ok()?.ok().map(Arc::from)
}

fn name(bytes: &[u8]) -> String {
    printable(bytes, NAME_LETTERS_MAX)
}

fn line(bytes: &[u8]) -> String {
    printable(bytes, LINE_LETTERS_MAX)
}

/// What is wrong: what keeps the server from its work first.
fn problems(server: &Server) -> Vec<String> {
    let mut found = hindrances(server);
    if let Some(why) = server.engine.wal().failure() {
        found.push(format!("the log: {why}"));
    }
    if let Some(why) = server.checkpoints.last_error() {
        found.push(format!("the last checkpoint failed: {why}"));
    }
    if let Some(why) = server.tls.reload_error() {
        found.push(format!("TLS files were not taken over: {why}"));
    }
    let worst = found.iter().take(PROBLEMS_MAX);
    worst.map(|problem| line(problem.as_bytes())).collect()
}

fn figures(server: &Server, keys: u64, clients: u64) -> Figures {
    let (memory, work, log) = (MemoryFigures::of(server), WorkFigures::of(server), server.engine.wal());
    let state = match server.loading.now() {
        Some(now) => format!("loading, {:.0} %", now.percent()),
        None if server.shutdown.is_requested() => "ending".to_owned(),
        None => "ready".to_owned(),
    };
    let [requests_per_s, ..] = work.per_second;
    let stats = log.stats();
    Figures {
        version: LOKIKV_VERSION.to_owned(),
        redis_version: REDIS_VERSION.to_owned(),
        state,
        uptime_s: server.started.elapsed().as_secs(),
        requests_per_s: requests_per_s.round() as u64,
        used_bytes: memory.used(),
        peak_bytes: memory.peak(),
        rss_bytes: memory.resident,
        max_bytes: memory.max,
        keys,
        clients,
        requests: work.commands,
        hits: work.hits,
        misses: work.misses,
        log: log.is_enabled().then(|| LogFigures {
            lsn: stats.last_lsn.get(),
            lag_records: stats.last_lsn.records_since(stats.stable_lsn.min(stats.last_lsn)),
            disk_bytes: stats.disk_bytes,
            fsync: match log.fsync() {
                Fsync::Always => "always",
                Fsync::EverySec => "everysec",
                Fsync::No => "no",
            },
        }),
    }
}

/// All collections that somebody may care for, and how many keys all have together.
fn collections(server: &Server) -> (Vec<CollectionRow>, u64) {
    let (mut rows, mut keys) = (Vec::new(), 0);
    for slot in slots(&server.engine) {
        let sums = slot.collection.sums();
        if !slot.id.is_attached() {
            keys += sums.keys;
        }
        if sums.keys > 0 || slot.id == DatabaseId::DEFAULT || !slot.id.is_numbered() {
            rows.push(collection(&slot, &sums));
        }
    }
    (rows, keys)
}

fn collection(slot: &Slot, sums: &Sums) -> CollectionRow {
    CollectionRow {
        name: name(slot.name.as_bytes()),
        kind: slot.collection.placement().kind.name(),
        is_attached: slot.id.is_attached(),
        keys: sums.keys,
        expires: sums.expires,
        bytes: sums.bytes(),
        reads: sums.counts.reads,
        writes: sums.counts.writes,
        evicted: sums.counts.evicted,
    }
}

fn sorted(mut rows: Vec<CollectionRow>, choice: Choice) -> Collections {
    let count = rows.len();
    choice.sort.apply(&mut rows);
    rows.truncate(COLLECTIONS_MAX);
    Collections { rows, count }
}

fn slow(server: &Server) -> Vec<SlowCommand> {
    let newest = server.stats.logs.newest(LogKind::Slow, SLOW_MAX);
    newest.iter().map(slow_command).collect()
}

fn slow_command(command: &LoggedCommand) -> SlowCommand {
    SlowCommand {
        at_s: command.at_s,
        micros: command.value,
        line: line(&command.args.join(&b' ')),
        addr: printable(command.addr.as_bytes(), ADDRESS_LETTERS_MAX),
        name: name(&command.name),
    }
}

/// The clients that hold most.
fn largest(mut clients: Vec<Arc<ClientHandle>>, commands: &Table) -> Vec<Client> {
    clients.sort_by_cached_key(|client| std::cmp::Reverse(client.held_bytes()));
    let now_ms = unix_ms();
    let largest = clients.iter().take(CLIENTS_MAX);
    largest.map(|client| client_row(client, commands, now_ms)).collect()
}

fn client_row(client: &ClientHandle, commands: &Table, now_ms: u64) -> Client {
    let seconds_since = |ms: u64| now_ms.saturating_sub(ms) / 1000;
    let user = client.user();
    let number = client.last_command.load(Relaxed) as usize;
    let command = number.checked_sub(1).and_then(|id| commands.all().get(id));
    Client {
        id: client.id,
        addr: printable(client.addr.as_bytes(), ADDRESS_LETTERS_MAX),
        name: name(&client.labels().name),
        user: user.map_or_else(|| "default".to_owned(), |user| name(&user.name)),
        database: client.database.load(Relaxed),
        age_s: seconds_since(client.connected_ms),
        idle_s: seconds_since(client.active_ms.load(Relaxed)),
        held_bytes: client.held_bytes(),
        requests: client.commands.load(Relaxed),
        command: command.map(Command::full_name).unwrap_or_default(),
    }
}

fn newest_warnings() -> Vec<WarningLine> {
    let newest = warnings::newest(WARNINGS_MAX);
    newest.iter().map(|warning| warning_line(warning)).collect()
}

fn warning_line(warning: &Warning) -> WarningLine {
    WarningLine {
        at_ms: warning.at_ms,
        level: if warning.is_error { "ERROR" } else { "WARN" },
        text: line(warning.text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_command_is_one_line() {
        let shown = slow_command(&LoggedCommand {
            id: 1,
            at_s: 2,
            value: 3,
            args: vec![b"SET".to_vec(), b"a\r\nb".to_vec(), b"\xff".to_vec()],
            addr: "1.2.3.4:5".to_owned(),
            name: b"<b>".to_vec(),
        });
        assert_eq!(shown.line, "SET a\\r\\nb \\xff");
        assert_eq!((shown.addr.as_str(), shown.name.as_str()), ("1.2.3.4:5", "<b>"));
    }
}
