//! The gate: ordinary work passes side by side, an exclusive section has the whole engine to itself.
//!
//! Every thread that touches shards owns one cell and holds it while it works (a worker: for a batch). Taking it is an
//! uncontended lock on a cache line of its own. An exclusive section takes all cells.
//!
//! **Invariants**
//! - A thread gives up its own pass before it asks for the exclusive one; exclusive sections queue under one mutex.
//! - No shard lock is held outside a pass, so inside an exclusive section all shards are free.

use crate::sync::{Mutex, MutexGuard, lock_meanwhile, lock_unless};

#[repr(align(128))]
struct Cell(Mutex<()>);

/// See the module.
pub struct Gate {
    order: Mutex<()>,
    cells: Box<[Cell]>,
}

/// Leave to work beside others.
pub struct Pass<'g> {
    _cell: Option<MutexGuard<'g, ()>>,
}

impl Pass<'_> {
    /// Gives it up.
    pub(super) fn leave(&mut self) {
        self._cell = None;
    }
}

/// Leave to work alone. Work that needs it is handed it: it cannot be asked for while one has a pass of either kind.
pub struct ExclusivePass<'g> {
    _order: MutexGuard<'g, ()>,
    _cells: Vec<MutexGuard<'g, ()>>,
}

impl ExclusivePass<'_> {
    /// Who may work alone may do all that is done beside others.
    pub fn as_pass(&self) -> Pass<'_> {
        Pass { _cell: None }
    }
}

/// Those who may still look at what was taken out of everybody's sight before this began.
pub struct Grace {
    waits_for: Vec<usize>,
}

impl Gate {
    /// A gate for `cells` threads.
    pub fn new(cells: usize) -> Self {
        Self {
            order: Mutex::new(()),
            cells: (0..cells).map(|_| Cell(Mutex::new(()))).collect(),
        }
    }

    /// Passes with the caller's own `cell`, waiting while an exclusive section runs.
    #[inline]
    pub fn enter(&self, cell: usize) -> Pass<'_> {
        #[expect(
            clippy::indexing_slicing,
            reason = "cells are handed out by the engine, never past the end"
        )]
        Pass {
            _cell: Some(lock_meanwhile(&self.cells[cell].0)),
        }
    }

    /// Passes as [`Gate::enter`] does; while that takes long `gives_up` is asked now and then.
    pub fn enter_unless(&self, cell: usize, gives_up: impl Fn() -> bool) -> Option<Pass<'_>> {
        let guard = lock_unless(&self.cells.get(cell)?.0, gives_up)?;
        Some(Pass { _cell: Some(guard) })
    }

    /// Begins to wait for the end of the passes that are held now.
    pub fn begin_grace(&self) -> Grace {
        Grace {
            waits_for: (0..self.cells.len()).collect(),
        }
    }

    /// Whether all passes that were held when `grace` began have been given up. Waits for nobody.
    pub fn is_over(&self, grace: &mut Grace) -> bool {
        let is_held = |cell: &usize| self.cells.get(*cell).is_some_and(|cell| cell.0.try_lock().is_none());
        grace.waits_for.retain(is_held);
        grace.waits_for.is_empty()
    }

    /// Waits until everybody has passed, and keeps them out. The caller must not hold a pass.
    pub fn exclusive(&self) -> ExclusivePass<'_> {
        let order = lock_meanwhile(&self.order);
        ExclusivePass {
            _order: order,
            _cells: self.cells.iter().map(|cell| lock_meanwhile(&cell.0)).collect(),
        }
    }
}
