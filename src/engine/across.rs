//! A command's view of a key in each of two collections, under the locks of both: COPY and MOVE to another database.
//!
//! **Invariant:** both shards are locked before the command runs, in one order for all, so that it is one instant.

use super::registry::Slot;
use super::scope::Scope;
use super::txn::Txn;

/// See the module.
pub struct AcrossTxn<'t, 'e> {
    scope: &'t mut Scope<'e>,
    source: &'t Slot,
    target: &'t Slot,
    quiet: bool,
}

impl<'t, 'e> AcrossTxn<'t, 'e> {
    /// A view within `scope`, which has locked the keys. `quiet`: reads leave the access clock alone (CLIENT NO-TOUCH).
    pub fn new(scope: &'t mut Scope<'e>, source: &'t Slot, target: &'t Slot, quiet: bool) -> Self {
        Self {
            scope,
            source,
            target,
            quiet,
        }
    }

    /// The slot of the collection that the client has selected.
    pub fn source_slot(&self) -> &Slot {
        self.source
    }

    /// The slot of the other collection, which may be the same one.
    pub fn target_slot(&self) -> &Slot {
        self.target
    }

    /// A view of the key in the selected collection.
    pub fn source(&mut self) -> Txn<'_, 'e> {
        Txn::new(self.scope, &self.source.collection, self.quiet)
    }

    /// A view of the key in the other collection.
    pub fn target(&mut self) -> Txn<'_, 'e> {
        Txn::new(self.scope, &self.target.collection, self.quiet)
    }
}
