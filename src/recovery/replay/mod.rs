//! The WAL after the checkpoint, through the engine's own `apply`.
//!
//! One thread reads the log and verifies it, the others apply it, each its own shards (`applier`).
//!
//! **Invariant:** every record is applied whole, without a gap, and what changes a key in LSN order; one that cannot be
//! applied ends the start.

mod applier;
mod chunk;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::mpsc::{SyncSender, sync_channel};

use parking_lot::Mutex;

use super::RecoveryError;
use super::observer::{Observer, Stage};
use crate::engine::registry::Registry;
use crate::page::Access;
use crate::storage::Disk;
use crate::wal::{Lsn, Reader, Tail};
use applier::{Applier, Context, Refused};
use chunk::{Budget, Chunk};

/// Records between two reports.
const REPORT_RECORDS: u64 = 1 << 14;
/// Chunks that may wait for an applier.
const CHUNKS_WAITING: usize = 8;

/// What was replayed.
#[derive(Default)]
pub(super) struct Replayed {
    pub next_lsn: Lsn,
    /// Where the log ends, if it was read to there.
    pub end: Lsn,
    pub effects: u64,
    pub bytes: u64,
    pub torn_tail: Option<Tail>,
}

/// Applies the records from `from` to `last`.
pub(super) fn replay(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    from: Lsn,
    registry: &mut Registry,
    (threads, access, last): (usize, Access, Lsn),
    observer: &mut Observer<'_>,
) -> Result<Replayed, RecoveryError> {
    let mut reader = Reader::open(Arc::clone(disk), dir, from)?;
    let appliers = threads.max(1);
    let shared = Context {
        thresholds: Arc::clone(registry.thresholds()),
        registry: Mutex::new(registry),
        barrier: Barrier::new(appliers),
        outcome: Mutex::new(Ok(())),
        access,
    };
    let (read, applied) = std::thread::scope(|scope| {
        let mut senders = Vec::with_capacity(appliers);
        let mut threads = Vec::with_capacity(appliers);
        for number in 0..appliers {
            let (sender, chunks) = sync_channel(CHUNKS_WAITING);
            senders.push(sender);
            let applier = Applier::new(&shared, number, appliers);
            threads.push(scope.spawn(move || applier.run(&chunks)));
        }
        let read = read(&mut reader, (dir, last), &senders, observer);
        drop(senders);
        let applied: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        (read, applied)
    });
    let mut effects = 0;
    for outcome in applied {
        let outcome = outcome.map_err(|_| RecoveryError::Thread("a thread that replays the log died".to_owned()))?;
        effects += outcome.map_err(refused)?;
    }
    // A record that cannot be applied comes before what could not be read.
    let (bytes, next_lsn) = read?;
    Ok(Replayed {
        next_lsn,
        effects,
        bytes,
        end: reader.next_lsn(),
        torn_tail: reader.tail().cloned(),
    })
}

fn refused(refused: Refused) -> RecoveryError {
    RecoveryError::Replay {
        lsn: refused.lsn,
        file: refused.file.to_path_buf(),
        offset: refused.offset,
        reason: refused.reason,
    }
}

/// Hands all records up to `last` out; returns the bytes of their payloads and the LSN after the last one. Ends early
/// when nobody takes them, or wants them.
fn read(
    reader: &mut Reader,
    (dir, last): (&Path, Lsn),
    senders: &[SyncSender<Arc<Chunk>>],
    observer: &mut Observer<'_>,
) -> Result<(u64, Lsn), RecoveryError> {
    let budget = Arc::new(Budget::default());
    let mut next_lsn = reader.next_lsn();
    let mut chunk = Chunk::new(&budget, Arc::from(dir), next_lsn);
    let (mut bytes, mut records, mut last_offset) = (0, 0_u64, u64::MAX);
    while let Some(record) = reader.next()? {
        let (lsn, offset) = (record.lsn, record.offset);
        if lsn > last {
            break;
        }
        next_lsn = lsn.next();
        let is_new_file = offset <= last_offset;
        if is_new_file {
            let next = Chunk::new(&budget, Arc::clone(&chunk.file), lsn);
            if !send(std::mem::replace(&mut chunk, next), senders) {
                break;
            }
        }
        last_offset = offset;
        bytes += record.payload.len() as u64;
        chunk.push(&record);
        if is_new_file && let Some((file, _)) = reader.position() {
            chunk.file = Arc::from(file);
        }
        if chunk.is_full() {
            let next = Chunk::new(&budget, Arc::clone(&chunk.file), lsn.next());
            if !send(std::mem::replace(&mut chunk, next), senders) {
                break;
            }
        }
        records += 1;
        if records.is_multiple_of(REPORT_RECORDS) {
            let (done, total) = reader.progress();
            if !observer.note(Stage::Log, done, total) {
                break;
            }
        }
    }
    send(chunk, senders);
    let (done, total) = reader.progress();
    observer.note(Stage::Log, done, total);
    Ok((bytes, next_lsn))
}

/// Whether all appliers are there to take it. One that is not has refused a record, and tells of it itself.
fn send(mut chunk: Chunk, senders: &[SyncSender<Arc<Chunk>>]) -> bool {
    if chunk.is_empty() {
        return true;
    }
    chunk.take_budget();
    let chunk = Arc::new(chunk);
    senders.iter().all(|sender| sender.send(Arc::clone(&chunk)).is_ok())
}
