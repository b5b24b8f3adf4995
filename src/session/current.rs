//! The collection a client has selected, kept at hand.
//!
//! **Invariant:** valid for as long as the registry's generation stands, which it does while a pass is held.

use std::sync::Arc;

use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::effect::DatabaseId;

/// See the module.
#[derive(Default)]
pub struct Current {
    generation: u64,
    database: DatabaseId,
    collection: Option<Arc<Collection>>,
}

impl Current {
    /// The collection in `database`, looked up again only after the registry or the selection changed. `None` when the
    /// database has been dropped.
    #[inline]
    pub fn resolve(&mut self, engine: &Engine, database: DatabaseId) -> Option<&Arc<Collection>> {
        let generation = engine.generation();
        if self.generation != generation || self.database != database {
            self.collection = engine
                .registry()
                .slot(database)
                .map(|slot| Arc::clone(&slot.collection));
            self.generation = generation;
            self.database = database;
        }
        self.collection.as_ref()
    }
}
