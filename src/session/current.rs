//! The collections a worker's clients have selected, kept at hand.
//!
//! One cache for all connections of a worker, not one each: an idle connection must not keep a collection alive that
//! has been flushed or dropped.
//!
//! **Invariant:** what is handed out is valid for as long as the registry's generation stands, which it does while a
//! pass is held; [`CurrentCollections::refresh`] drops stale ones.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::ids::DatabaseId;

/// A collection for the time of a batch. Cloning it touches nothing that other threads see.
#[derive(Clone)]
#[expect(
    clippy::redundant_allocation,
    reason = "the outer count is this thread's alone, so that a batch does not touch the shared one"
)]
pub struct Pinned(Rc<Arc<Collection>>);

impl Deref for Pinned {
    type Target = Collection;

    #[inline]
    fn deref(&self) -> &Collection {
        &self.0
    }
}

/// The collection that a database selects, as it was found at the begin of a chunk.
pub struct Selected {
    pinned: Option<Pinned>,
    database: DatabaseId,
    generation: u64,
}

impl Selected {
    /// The collection that was found.
    pub fn collection(&self) -> Option<&Collection> {
        self.pinned.as_deref()
    }

    /// The same, if `database` selects it, as far as that is known here.
    #[inline]
    pub fn get(&self, engine: &Engine, database: DatabaseId) -> Option<&Collection> {
        let is_current = self.database == database && self.generation == engine.generation();
        self.collection().filter(|_| is_current)
    }
}

#[derive(Default)]
struct Known {
    generation: u64,
    collections: SmallVec<[(DatabaseId, Pinned); 4]>,
}

/// See the module.
#[derive(Default)]
pub struct CurrentCollections(RefCell<Known>);

impl CurrentCollections {
    /// The collection in `database`; `None` when it has been dropped.
    #[inline]
    pub fn resolve(&self, engine: &Engine, database: DatabaseId) -> Option<Pinned> {
        self.refresh(engine);
        let mut known = self.0.borrow_mut();
        if let Some((_, pinned)) = known.collections.iter().find(|(id, _)| *id == database) {
            return Some(pinned.clone());
        }
        let pinned = engine
            .registry()
            .slot(database)
            .map(|slot| Pinned(Rc::new(Arc::clone(&slot.collection))))?;
        known.collections.push((database, pinned.clone()));
        Some(pinned)
    }

    /// The collection in `database`, with what it was found by.
    pub fn select(&self, engine: &Engine, database: DatabaseId) -> Selected {
        Selected {
            generation: engine.generation(),
            pinned: self.resolve(engine, database),
            database,
        }
    }

    /// Drops all of them if the registry has changed.
    #[inline]
    pub fn refresh(&self, engine: &Engine) {
        let generation = engine.generation();
        let mut known = self.0.borrow_mut();
        if known.generation != generation {
            known.collections.clear();
            known.generation = generation;
        }
    }
}
