//! `COLLECTION COPY` and `COLLECTION CONVERT`: a running collection into another one, of any kind.
//!
//! A copy is the collection at one instant, by the same walk as a checkpoint's. A conversion goes on from there: the
//! collection's tap has what happened since, which is applied round after round; the last, short round is done while
//! nobody else runs, together with the exchange of the two.
//!
//! **Invariants**
//! - Tap and walk begin at the same instant, so that the images and the tapped changes are all that was ever done.
//! - One record exchanges old and new, with the last changes in it: a crash leaves the one or the other.

use std::sync::Arc;
use std::time::Instant;

use super::by_name::Captured;
use super::capture::{Capture, Saved};
use super::files::error::{CheckpointError, Result};
use super::files::fault::PageFault;
use super::files::refusal::Refusal;
use super::request::{ConvertRequest, CopyRequest, LoadDone};
use super::runner::Runner;
use crate::engine::collection::Collection;
use crate::engine::effect::decode_all;
use crate::engine::registry::Slot;
use crate::engine::settings::Settings;
use crate::engine::tap::{Change, Lost};
use crate::engine::txn::Txn;
use crate::page::Malformed;
use crate::storage::fault_point::fault_point;

/// So much may be left for the round in which everybody waits.
const LAST_ROUND_BYTES: u64 = 128 << 10;
/// After so many rounds writers are held back, so that there is an end.
const FREE_ROUNDS: usize = 6;
/// What may wait then.
const HOLD_BYTES: u64 = 64 << 10;

impl Runner {
    pub(super) fn copy(&mut self, request: &CopyRequest) -> Result<LoadDone> {
        let started = Instant::now();
        let source = self.named(&request.source)?;
        if request.source == request.target.name {
            return Err(Refusal::ToItself(request.source.clone()).into());
        }
        let placement = source.collection.placement();
        let there = self.check_target(&request.target)?;
        let settings = there.unwrap_or(source.collection.settings());
        let kind = request.kind.unwrap_or(placement.kind);
        let entries = self.with_hidden((kind, settings), |runner, hidden| {
            let engine = Arc::clone(&runner.shared.engine);
            let mut capture = Capture::begin(&engine, &mut runner.worker, Some(&request.source));
            let source = captured(&capture, &request.source)?;
            let entries = runner.put_captured(&mut capture, &source, hidden)?;
            drop(capture);
            runner.publish_at(&request.target, hidden.id())?;
            Ok(entries)
        })?;
        let millis = started.elapsed().as_millis() as u64;
        tracing::info!(
            "copied {:?} to {:?}: {entries} keys in {millis} ms",
            request.source,
            request.target.name
        );
        Ok(LoadDone { entries, millis })
    }

    pub(super) fn convert(&mut self, request: &ConvertRequest) -> Result<LoadDone> {
        let started = Instant::now();
        let slot = self.named(&request.name)?;
        if slot.collection.traits().is_read_only() {
            return Err(super::fill::attached(&request.name));
        }
        let (before, old) = (slot.collection.settings(), slot.collection.placement().kind);
        let settings = Settings {
            is_cache: before.is_cache && !request.is_kept,
            ..before
        };
        let kind = request.kind.unwrap_or(old);
        if (kind, settings) == (old, before) {
            return Ok(LoadDone::default());
        }
        let entries = self.with_hidden((kind, settings), |runner, hidden| {
            let outcome = runner.follow(&request.name, hidden);
            if outcome.is_err() {
                runner.shared.engine.close_tap();
            }
            outcome
        })?;
        let millis = started.elapsed().as_millis() as u64;
        let (name, old, kind) = (&request.name, old.name(), kind.name());
        tracing::info!("converted {name:?} from {old} to {kind}: {entries} keys in {millis} ms");
        Ok(LoadDone { entries, millis })
    }

    fn named(&self, name: &str) -> Result<Slot> {
        let slot = self.shared.engine.registry().by_name(name).cloned();
        slot.ok_or_else(|| missing(name))
    }

    /// Puts what `capture` walks, which is `source`; returns the number of entries.
    fn put_captured(
        &mut self,
        capture: &mut Capture<'_>,
        source: &Arc<Collection>,
        hidden: &Collection,
    ) -> Result<u64> {
        let (mut entries, mut batch, mut content) = (0, Vec::new(), Vec::new());
        loop {
            let more = capture.next_batch(&self.worker, &self.shared.stop, &mut batch)?;
            for Saved { mut image, .. } in batch.drain(..) {
                let mut parted = image.content.parted().cloned().collect::<Vec<_>>().into_iter();
                image.content.settle();
                content.clear();
                let Ok(()) = image.content.for_each_piece(|piece| {
                    content.extend_from_slice(piece);
                    Ok::<(), std::convert::Infallible>(())
                });
                entries += u64::from(image.entries);
                let version = image.version;
                self.put_stored(hidden, (&content, image.entries), |runner, entry, _| {
                    // They stand in the content in this order; none is read from anywhere.
                    let whole = parted.next().ok_or(PageFault::NoPart(image.page_id))?;
                    let was = Captured { source, version, whole };
                    runner.put_captured_whole(hidden, entry, &was)
                })?;
            }
            if !more {
                return Ok(entries);
            }
        }
    }

    /// Brings `hidden` to what collection `name` is, and exchanges them.
    fn follow(&mut self, name: &str, hidden: &mut Arc<Collection>) -> Result<u64> {
        let engine = Arc::clone(&self.shared.engine);
        let mut capture = Capture::begin_with(&engine, &mut self.worker, Some(name), |slot| {
            engine.open_tap(&slot.collection)
        });
        let source = captured(&capture, name)?;
        let entries = self.put_captured(&mut capture, &source, hidden)?;
        drop(capture);
        for round in 0.. {
            if engine.tap().waiting_bytes() <= LAST_ROUND_BYTES {
                break;
            }
            if round == FREE_ROUNDS {
                engine.tap().hold_above(HOLD_BYTES);
            }
            self.check_stop()?;
            for change in engine.tap().take().map_err(lost)? {
                self.repeat(change, hidden)?;
            }
            fault_point("fill.round_repeated");
        }
        self.wait_for_room()?;
        fault_point("fill.before_publish");
        let id = hidden.id();
        self.exclusive(|txn| {
            let mut hidden = Arc::clone(hidden);
            for change in engine.tap().take().map_err(lost)? {
                match change {
                    Change::Flushed => hidden = txn.flush_load(id)?,
                    Change::Keys(keys) => apply_all(&mut txn.keys(&hidden), &flat(&keys))?,
                }
            }
            if txn.take_overflow() {
                return Err(Refusal::TooLarge.into());
            }
            engine.close_tap();
            Ok::<(), CheckpointError>(txn.publish_converted(source.id(), id)?)
        })?;
        Ok(entries)
    }

    /// Does to `hidden` what was done to the collection that it will replace.
    fn repeat(&mut self, change: Change, hidden: &mut Arc<Collection>) -> Result<()> {
        match change {
            Change::Flushed => {
                let id = hidden.id();
                *hidden = self.exclusive(|txn| txn.flush_load(id))?;
                Ok(())
            }
            Change::Keys(keys) => {
                self.wait_for_room()?;
                let bytes = flat(&keys);
                Ok(self.as_record(hidden, |txn| apply_all(txn, &bytes))??)
            }
        }
    }
}

/// The collection of this name that was captured.
fn captured(capture: &Capture<'_>, name: &str) -> Result<Arc<Collection>> {
    capture.first().ok_or_else(|| missing(name))
}

fn missing(name: &str) -> CheckpointError {
    Refusal::NoCollection(name.to_owned()).into()
}

fn lost(lost: Lost) -> CheckpointError {
    Refusal::Lost(lost.reason()).into()
}

fn flat(pieces: &crate::page::Spliced) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pieces.len());
    let Ok(()) = pieces.for_each_piece(|piece| {
        bytes.extend_from_slice(piece);
        Ok::<(), std::convert::Infallible>(())
    });
    bytes
}

fn apply_all(txn: &mut Txn<'_, '_>, effects: &[u8]) -> std::result::Result<(), Malformed> {
    for effect in decode_all(effects) {
        txn.apply(&effect?.1);
    }
    Ok(())
}
