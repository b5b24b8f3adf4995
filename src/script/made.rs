//! What a function makes of a script's values before it becomes a value itself: no more than there is memory for, and
//! paid for in steps.

use super::lua::{Pacer, Raise, Stack};

/// See the module.
pub(super) struct Made<'a> {
    /// What has been made so far.
    pub bytes: Vec<u8>,
    /// How much it may be.
    room: usize,
    pacer: Pacer<'a>,
}

impl<'a> Made<'a> {
    /// Nothing yet.
    pub fn new(stack: &Stack<'a>) -> Self {
        Self {
            bytes: Vec::new(),
            room: stack.context().heap.room(),
            pacer: stack.pacer(),
        }
    }

    /// Counts what is done, in steps.
    ///
    /// # Errors
    /// If the script may not go on.
    pub fn spend(&mut self, steps: usize) -> Result<(), Raise> {
        self.pacer.spend(steps)
    }

    /// Judges what was made and so many bytes more.
    ///
    /// # Errors
    /// If that is too much.
    pub fn judge(&self, more: usize) -> Result<(), Raise> {
        if self.bytes.len().saturating_add(more) > self.room {
            Err(Raise::Memory)
        } else {
            Ok(())
        }
    }

    /// Adds bytes, of which nothing is said but that there is room for them.
    ///
    /// # Errors
    /// If there is none.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Raise> {
        self.judge(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}
