//! Filling a collection that nobody sees yet, through the log, and putting it in its place.
//!
//! `LOAD`, `COLLECTION COPY`, `CONVERT` and `CHECKPOINT RESTORE` all work this way. They make a collection in no slot
//! and put entries into it, each page by a few records of the log. One more record puts it in its place. A crash before
//! that record leaves what was there, a crash after it has everything.
//!
//! **Invariant:** no pass is held while a file is read or the log is waited for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::capture::check_stop;
use super::files::error::{CheckpointError, Result};
use super::files::refusal::Refusal;
use super::request::Target;
use super::runner::Runner;
use crate::engine::CollectionError;
use crate::engine::blocked;
use crate::engine::collection::Collection;
use crate::engine::effect::Effect;
use crate::engine::ids::CollectionId;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::memory::{Margin, WAIT_MAX};
use crate::engine::scope::Scope;
use crate::engine::settings::Settings;
use crate::engine::txn::Txn;
use crate::page::image::{self, EntryImage, StoredEntry};
use crate::page::parts::Parted;
use crate::page::value::INLINE_BYTES_MAX;
use crate::page::value::Stored;
use crate::page::{StrRef, ValueRef};
use crate::shared::Shared;
use crate::storage::fault_point::fault_point;

/// Content of a record, roughly; a single entry may be longer.
const RECORD_BYTES: usize = 256 << 10;
/// Between two looks whether the log, or memory, has room.
const ROOM_POLL: Duration = Duration::from_millis(1);
/// What is to be said beside why the log has failed, where it did so behind what was asked for.
const IN_PLACE: &str = "what was asked for is done, and seen by all, but it is not known to be on disk";

impl Runner {
    /// Whether the place is free, or may be taken; the settings of what is there. Looked at before the work, and again
    /// at its end.
    pub(super) fn check_target(&self, target: &Target) -> Result<Option<Settings>> {
        let slot = self.shared.engine.registry().by_name(&target.name).cloned();
        let _pass = self.worker.enter(&self.shared.engine);
        let Some(slot) = slot else {
            self.shared.engine.check_collections()?;
            return Ok(None);
        };
        if slot.collection.traits().is_read_only() {
            return Err(attached(&target.name));
        }
        if !target.replace && slot.collection.key_count() > 0 {
            return Err(Refusal::HasKeys(target.name.clone()).into());
        }
        Ok(Some(slot.collection.settings()))
    }

    /// Makes a collection that nobody sees, lets `body` fill it and put it in its place; gives it up if that fails.
    ///
    /// # Errors
    /// Those of `body`, and those of [`Runner::settle`].
    pub(super) fn with_hidden<R>(
        &mut self,
        (kind, settings): (Kind, Settings),
        body: impl FnOnce(&mut Self, &mut Arc<Collection>) -> Result<R>,
    ) -> Result<R> {
        let mut hidden = self.begin_hidden(kind, settings)?;
        let outcome = body(self, &mut hidden);
        if outcome.is_err() {
            self.give_up(&[hidden.id()]);
        }
        let done = outcome?;
        self.settle()?;
        Ok(done)
    }

    pub(super) fn begin_hidden(&mut self, kind: Kind, settings: Settings) -> Result<Arc<Collection>> {
        self.wait_for_room()?;
        let hidden = self.exclusive(|txn| txn.begin_load(kind, settings))?;
        fault_point("fill.begun");
        Ok(hidden)
    }

    /// Lets go of collections that were not put in their places.
    pub(super) fn give_up(&mut self, hidden: &[CollectionId]) {
        for id in hidden {
            // One that has failed is told nothing, and does not go on meanwhile: that is this thread's work.
            let has_failed = self.shared.engine.refuses_writes();
            let given_up = self.exclusive(|txn| match has_failed {
                true => txn.forget_load(*id),
                false => txn.abandon_load(*id),
            });
            if let Err(error) = given_up {
                tracing::warn!("what was being loaded could not be given up: {error}");
            }
        }
    }

    /// What was put in its place is on disk.
    ///
    /// # Errors
    /// When that is not known, since the log has failed or has been closed. It is in its place all the same, and on
    /// disk once the log goes on. This does not wait for that: it is this thread that has the log go on.
    pub(super) fn settle(&self) -> Result<()> {
        fault_point("fill.published");
        if let Err(error) = self.sync_all() {
            let failure = self.shared.engine.wal().failure();
            let why = failure.map_or_else(|| error.to_string(), |why| why.to_string());
            return Err(Refusal::LogFailed(format!("{why}; {IN_PLACE}")).into());
        }
        fault_point("fill.durable");
        Ok(())
    }

    /// All that was done is on disk.
    pub(super) fn sync_all(&self) -> Result<()> {
        let wal = self.shared.engine.wal();
        Ok(wal.sync_blocking(wal.last_lsn())?)
    }

    /// Puts the filled collection in its place.
    pub(super) fn publish_at(&mut self, target: &Target, id: CollectionId) -> Result<()> {
        self.wait_for_room()?;
        fault_point("fill.before_publish");
        self.exclusive(|txn| {
            let there = txn.slot_named(&target.name);
            let keys = there.map_or(0, |slot| slot.collection.key_count());
            if keys > 0 && !target.replace {
                return Err(CheckpointError::from(Refusal::HasKeys(target.name.clone())));
            }
            Ok(txn.publish_load(id, &target.name)?)
        })
    }

    pub(super) fn check_stop(&self) -> Result<()> {
        check_stop(&self.shared.stop)
    }

    /// Puts the entries of a page's content; `put_parted` those that are in parts.
    ///
    /// # Errors
    /// When the bytes are not exactly `entries` entries, and what keeps it from going on.
    pub(super) fn put_stored(
        &mut self,
        hidden: &Collection,
        (content, entries): (&[u8], u32),
        mut put_parted: impl FnMut(&mut Self, &StoredEntry<'_>, &Parted<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut whole = Vec::with_capacity((entries as usize).min(content.len()));
        image::decode(content, entries, |entry| match &entry.value {
            Stored::Whole(value) => {
                whole.push(entry.with(*value));
                Ok(())
            }
            Stored::Parted(parted) => put_parted(self, &entry, parted),
        })?;
        self.put_entries(hidden, &whole)
    }

    pub(super) fn put_entries(&mut self, hidden: &Collection, entries: &[EntryImage<'_>]) -> Result<()> {
        let mut rest = entries;
        while !rest.is_empty() {
            self.wait_for_room()?;
            self.check_memory()?;
            rest = self.put_some(hidden, rest)?;
            fault_point("fill.within");
        }
        Ok(())
    }

    /// Puts the first of `entries` as one record; returns the others.
    fn put_some<'a>(&mut self, hidden: &Collection, entries: &'a [EntryImage<'a>]) -> Result<&'a [EntryImage<'a>]> {
        let mut rest = entries;
        self.as_record(hidden, |txn| {
            let mut bytes = 0;
            while let (Some((entry, behind)), true) = (rest.split_first(), bytes < RECORD_BYTES) {
                bytes += entry.key.len() + entry.value.rough_bytes();
                put_entry(txn, entry);
                rest = behind;
            }
        })?;
        Ok(rest)
    }

    /// Changes keys of `hidden`, as one record.
    ///
    /// # Errors
    /// When the log has no record as long as that.
    pub(super) fn as_record<R>(&mut self, hidden: &Collection, body: impl FnOnce(&mut Txn<'_, '_>) -> R) -> Result<R> {
        let shared = Arc::clone(&self.shared);
        self.worker.refresh_clock();
        let result = {
            let _pass = self.worker.enter(&shared.engine);
            let mut scope = Scope::visiting(&shared.engine, &mut self.worker);
            let result = body(&mut Txn::new(&mut scope, hidden, true));
            if scope.take_overflow() {
                Err(Refusal::TooLarge.into())
            } else {
                Ok(result)
            }
        };
        self.worker.submit();
        result
    }

    pub(super) fn wait_for_room(&self) -> Result<()> {
        let wal = self.shared.engine.wal();
        while wal.over_pending() && !wal.is_failed() {
            std::thread::sleep(ROOM_POLL);
        }
        match wal.failure() {
            Some(why) => Err(Refusal::LogFailed(why.to_string()).into()),
            None => Ok(()),
        }
    }

    /// Whether there is memory for more; waits a while for what is about to be free.
    pub(super) fn check_memory(&self) -> Result<()> {
        let (engine, begun) = (&self.shared.engine, Instant::now());
        loop {
            let max = self.shared.settings.memory_bytes_max();
            match engine.margin(max, 0) {
                Margin::Some => return Ok(()),
                Margin::Soon if begun.elapsed() < WAIT_MAX => {}
                Margin::Soon | Margin::None => {
                    let used = engine.used_bytes();
                    return Err(Refusal::Memory { used, max }.into());
                }
            }
            self.check_stop()?;
            std::thread::sleep(ROOM_POLL);
        }
    }

    /// Runs `body` as one record while nobody else runs.
    pub(super) fn exclusive<R, E: Into<CheckpointError>>(
        &mut self,
        body: impl FnOnce(&mut ExclusiveTxn<'_, '_>) -> std::result::Result<R, E>,
    ) -> Result<R> {
        let shared = Arc::clone(&self.shared);
        self.worker.refresh_clock();
        let result = self.worker.with_exclusive(&shared.engine, |worker, pass| {
            let mut scope = Scope::exclusive(&shared.engine, worker, pass);
            body(&mut ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT))
        });
        {
            let _pass = self.worker.enter(&shared.engine);
            blocked::serve(&shared.engine, &mut self.worker);
            shared.engine.tell_caches(&mut self.worker);
        }
        self.worker.submit();
        result.map_err(Into::into)
    }
}

/// What to say of a change to an attached snapshot.
pub(super) fn attached(name: &str) -> CheckpointError {
    CollectionError::Irreplaceable(name.to_owned()).into()
}

fn put_entry(txn: &mut Txn<'_, '_>, entry: &EntryImage<'_>) {
    // A large string that was read is copied once, here; entry and log link it, as they do what others have already.
    let large = match entry.value {
        ValueRef::Str(StrRef::Inline(text)) if text.len() > INLINE_BYTES_MAX => Some(Shared::new(text.to_vec())),
        _ => None,
    };
    let value = large
        .as_ref()
        .map_or(entry.value, |shared| ValueRef::Str(StrRef::Shared(shared)));
    txn.apply(&Effect::Put {
        key: entry.key,
        expire_at_ms: entry.expire_at_ms,
        value,
    });
}
