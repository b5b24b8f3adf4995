//! The WAL after the checkpoint, through the engine's own `apply`.
//!
//! **Invariant:** records are applied whole, in LSN order, without a gap; one that cannot be applied ends the start.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::{Progress, RecoveryError, Stage};
use crate::engine::apply::apply;
use crate::engine::collection::Collection;
use crate::engine::effect::{CollectionId, Effect, decode_all};
use crate::engine::index::PageWrite;
use crate::engine::registry::Registry;
use crate::page::thresholds;
use crate::storage::Disk;
use crate::wal::{Lsn, Reader, Record, Tail, repair_tail};

/// Records between two reports.
const REPORT_RECORDS: u64 = 1 << 16;

/// What was replayed.
#[derive(Default)]
pub(super) struct Replayed {
    pub next_lsn: Lsn,
    pub effects: u64,
    pub bytes: u64,
    pub torn_tail: Option<Tail>,
}

struct Replay<'a> {
    registry: &'a mut Registry,
    /// Collections met since the registry last changed.
    known: HashMap<CollectionId, Arc<Collection>>,
    effects: u64,
    access_s: u32,
}

/// Applies all records from `from` on, then cuts a torn tail off.
pub(super) fn replay(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    from: Lsn,
    registry: &mut Registry,
    access_s: u32,
    progress: &mut dyn FnMut(Progress),
) -> Result<Replayed, RecoveryError> {
    let mut replay = Replay {
        registry,
        known: HashMap::new(),
        effects: 0,
        access_s,
    };
    let mut reader = Reader::open(Arc::clone(disk), dir, from)?;
    let (mut records, mut bytes) = (0_u64, 0);
    while let Some(record) = reader.next()? {
        let lsn = record.lsn;
        bytes += record.payload.len() as u64;
        if let Err(reason) = replay.record(&record) {
            let (file, offset) = reader.position().unwrap_or((dir, 0));
            return Err(RecoveryError::Replay {
                lsn,
                file: file.to_owned(),
                offset,
                reason,
            });
        }
        records += 1;
        if records.is_multiple_of(REPORT_RECORDS) {
            let (done, total) = reader.progress();
            progress(Progress {
                stage: Stage::Log,
                done,
                total,
            });
        }
    }
    let torn_tail = if reader.tail().is_some() {
        repair_tail(disk, dir)?
    } else {
        None
    };
    Ok(Replayed {
        next_lsn: reader.next_lsn(),
        effects: replay.effects,
        bytes,
        torn_tail,
    })
}

impl Replay<'_> {
    fn record(&mut self, record: &Record<'_>) -> Result<(), String> {
        for item in decode_all(record.payload) {
            let (id, effect) = item?;
            self.effects += 1;
            match effect.key() {
                Some(key) => self.change_key(record.lsn, id, key, &effect)?,
                None => {
                    // What is let go of is freed here, before the server serves anybody.
                    self.registry.apply(id, &effect)?;
                    self.known.clear();
                }
            }
        }
        Ok(())
    }

    fn change_key(&mut self, lsn: Lsn, id: CollectionId, key: &[u8], effect: &Effect<'_>) -> Result<(), String> {
        let collection = match self.known.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(unknown) => unknown.insert(
                self.registry
                    .collection(id)
                    .ok_or_else(|| format!("there is no collection with id {id}"))?,
            ),
        };
        let key = collection.key(key);
        let index = collection.shard_of(key.hash);
        let write = PageWrite {
            lsn,
            epoch: 0,
            sink: None,
            collection_id: id,
            shard: index as u32,
            page_ids: collection.page_ids(),
            thresholds: &thresholds::DEFAULT,
        };
        let shard = collection.shard(index);
        apply(shard, &mut shard.lock(), key, effect, &write, self.access_s);
        Ok(())
    }
}
