//! Moving an entry to another place in memory, for the allocator's sake.

use std::alloc::{alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::Entry;
use crate::page::relocation::{Relocation, address_of};
use crate::shared::Shared;

/// Larger blocks are not relocated.
const RELOCATED_BYTES_MAX: usize = 32 << 10;

impl Entry {
    /// Puts it, and its large string if nobody shares that, into other places of the same sizes. Blocks of more than
    /// 32 KiB stay: the allocator keeps few of them together.
    pub fn relocate(&mut self, relocation: &mut Relocation<'_>) {
        relocation.note_entry();
        if let Some(shared) = self.shared_mut()
            && shared.capacity() <= RELOCATED_BYTES_MAX
            && Shared::strong_count(shared) == 1
        {
            let mut fresh = Vec::with_capacity(shared.capacity());
            fresh.extend_from_slice(shared);
            *shared = Shared::new(fresh);
            relocation.note_block(address_of(&***shared), shared.capacity());
            relocation.note_block(address_of(&**shared), 0);
        }
        let layout = self.shape().layout();
        if layout.size() > RELOCATED_BYTES_MAX {
            return;
        }
        // SAFETY: the layout is never zero-sized.
        let Some(fresh) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        // SAFETY: both are of this layout, and what the old place owns goes over with the bytes: it is freed without
        // being dropped. Nobody else has its address, since the entry is borrowed exclusively.
        unsafe {
            fresh.as_ptr().copy_from_nonoverlapping(self.0.as_ptr(), layout.size());
            dealloc(self.0.as_ptr(), layout);
        }
        self.0 = fresh;
        relocation.note_block(self.address(), layout.size());
    }
}
