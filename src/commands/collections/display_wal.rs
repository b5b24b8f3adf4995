//! `DISPLAY_WAL`: the last changes, read back from the log's files.
//!
//! **Invariant:** the files are read on a thread of its own, never on a worker.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::describe;
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::spec::{Access, Group, Handler, Maintenance, Spec, flag};
use crate::commands::support::number::parse_u64;
use crate::engine::effect::decode_all;
use crate::engine::ids::CollectionId;
use crate::page::Malformed;
use crate::resp::{Args, Reply};
use crate::state::Server;
use crate::storage::{Disk, RealDisk};
use crate::wal::{Lsn, Reader, Wal, WalError};

const COUNT_DEFAULT: usize = 10;
const COUNT_MAX: u64 = 100_000;
/// How long to wait for what was just executed to reach the files.
const WRITTEN_WAIT_MAX: Duration = Duration::from_secs(1);

/// `DISPLAY_WAL [COUNT n]`
pub const DISPLAY_WAL: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI,
    tips: &["nondeterministic_output"],
    summary: "Shows the last changes in the write-ahead log, oldest first",
    complexity: "O(N) where N is the size of the log's last segment.",
    syntax: "[COUNT n]",
    ..Spec::new(
        "display_wal",
        Group::Collection,
        -1,
        Handler::Maintenance(Maintenance::new(display_wal)),
    )
};

fn display_wal(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let count = parse(args)?;
    let wal = cx.server.engine.wal().clone();
    if !wal.is_enabled() {
        return Err(CmdError::text(
            "ERR the write-ahead log is disabled (wal.enabled = false)",
        ));
    }
    let dir = cx.server.params.config().storage.wal_path();
    let names = names(cx.server);
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let read = move || {
        let until = wal.last_lsn();
        wait_written(&wal, until);
        // The receiver is gone when the client is.
        let _ = sender.send(last_effects(&dir, until, wal.first_lsn(), count, &names));
    };
    let thread = std::thread::Builder::new().name("display_wal".to_owned()).spawn(read);
    thread.map_err(|error| format!("ERR cannot start a thread: {error}"))?;
    Ok(Flow::Later(Box::pin(async move {
        let lines = receiver
            .await
            .map_err(|_| CmdError::text("ERR reading the log was given up"))?;
        let lines = lines.map_err(|error| CmdError::from(format!("ERR {error}")))?;
        let late: LateReply = Box::new(move |_, reply| {
            reply.array(lines.len());
            lines.iter().for_each(|line| reply.bulk(line.as_bytes()));
        });
        Ok(late)
    })))
}

fn parse(args: Args<'_>) -> Result<usize, CmdError> {
    match (args.len(), args.get(1), args.get(2)) {
        (1, ..) => Ok(COUNT_DEFAULT),
        (3, Some(option), Some(n)) if option.eq_ignore_ascii_case(b"count") => {
            Ok(parse_u64(n).ok_or(CmdError::NotInteger)?.min(COUNT_MAX) as usize)
        }
        _ => Err(CmdError::Syntax),
    }
}

fn names(server: &Server) -> BTreeMap<CollectionId, Arc<str>> {
    let registry = server.engine.registry();
    registry
        .slots()
        .map(|slot| (slot.collection.id(), Arc::clone(&slot.name)))
        .collect()
}

fn wait_written(wal: &Wal, until: Lsn) {
    let since = Instant::now();
    while wal.written_lsn() < until && !wal.is_failed() && since.elapsed() < WRITTEN_WAIT_MAX {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Why the log's last effects cannot be shown.
#[derive(Debug)]
enum Unread {
    /// The log is damaged, or the file system refused.
    Log(WalError),
    /// A record is not understood.
    Record(Lsn, Malformed),
}

impl fmt::Display for Unread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(out),
            Self::Record(lsn, error) => write!(out, "record {lsn}: {error}"),
        }
    }
}

impl std::error::Error for Unread {}

impl From<WalError> for Unread {
    fn from(error: WalError) -> Self {
        Self::Log(error)
    }
}

/// The last `count` effects up to record `until`, a line each. A record holds at least one, so that the last `count`
/// records are enough.
fn last_effects(
    dir: &Path,
    until: Lsn,
    first: Lsn,
    count: usize,
    names: &BTreeMap<CollectionId, Arc<str>>,
) -> Result<VecDeque<String>, Unread> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let from = until.next().saturating_sub(count as u64).max(first);
    let mut reader = Reader::open(disk, dir, from)?;
    let mut lines = VecDeque::new();
    while let Some(record) = reader.next()? {
        if record.lsn > until {
            break;
        }
        for effect in decode_all(record.payload) {
            let (collection, effect) = effect.map_err(|error| Unread::Record(record.lsn, error))?;
            let name = names
                .get(&collection)
                .map_or_else(|| format!("#{collection}"), ToString::to_string);
            lines.push_back(format!(
                "{} {} {name}: {}",
                record.lsn,
                record.wall_ms,
                describe::effect(&effect)
            ));
            if lines.len() > count {
                lines.pop_front();
            }
        }
    }
    Ok(lines)
}
