//! Fresh places: while a [`Fresh`] lives, what its thread allocates lies apart from all that it allocated before.
//!
//! Pages of the allocator that have lost most of their blocks keep their memory as long as one is left. Who moves those
//! that are left must not get places among them: from a heap of its own it gets others. When that ends, its pages go
//! over to the thread's heap, behind those that are there: what is left of the old ones is filled again first.
//!
//! **Invariant:** a thread has one at most, made and dropped while its own heap is its default.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;

type Heap = c_void;

unsafe extern "C" {
    fn mi_heap_new() -> *mut Heap;
    fn mi_heap_set_default(heap: *mut Heap) -> *mut Heap;
    fn mi_heap_get_default() -> *mut Heap;
    fn mi_heap_get_backing() -> *mut Heap;
    fn mi_heap_delete(heap: *mut Heap);
    fn mi_heap_collect(heap: *mut Heap, force: bool);
}

/// Whether the calling thread has no [`Fresh`].
fn is_plain() -> bool {
    // SAFETY: the calling thread asks for its own heaps, as any may at any time.
    unsafe { mi_heap_get_default() == mi_heap_get_backing() }
}

/// Gives back what the calling thread has no use for of what it allocated before its [`Fresh`], if it has one.
pub(super) fn give_back_older() {
    if !is_plain() {
        // SAFETY: the heap is the calling thread's.
        unsafe { mi_heap_collect(mi_heap_get_backing(), true) }
    }
}

/// See the module. It stays on its thread.
pub struct Fresh {
    heap: NonNull<Heap>,
    on_thread: PhantomData<*const ()>,
}

impl Fresh {
    /// From now on. `None`: there is one already, or no memory.
    pub fn begin() -> Option<Self> {
        if !is_plain() {
            return None;
        }
        // SAFETY: any thread may make heaps of its own.
        let heap = NonNull::new(unsafe { mi_heap_new() })?;
        // SAFETY: the heap was made by this thread just now.
        unsafe { mi_heap_set_default(heap.as_ptr()) };
        Some(Self {
            heap,
            on_thread: PhantomData,
        })
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // SAFETY: this is the thread that made the heap, since it cannot be sent; deleting it hands what is in it over
        // to the thread's own.
        unsafe {
            mi_heap_set_default(mi_heap_get_backing());
            mi_heap_delete(self.heap.as_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocator::Allocator;
    use std::alloc::{GlobalAlloc, Layout};
    use std::collections::HashSet;

    /// What the allocator gives out lies in slices of so many bytes.
    const SLICE_BYTES: usize = 64 << 10;

    #[test]
    fn what_is_allocated_meanwhile_lies_apart_and_stays() {
        let layout = Layout::from_size_align(56, 8).unwrap();
        // SAFETY: each block is freed once, with the layout that it was asked for with.
        unsafe {
            let before: Vec<_> = (0..50_000).map(|_| Allocator.alloc(layout)).collect();
            // Of ten one stays: there is room everywhere.
            for (at, place) in before.iter().enumerate() {
                place.write(7);
                if at % 10 != 0 {
                    Allocator.dealloc(*place, layout);
                }
            }
            let slice = |place: &*mut u8| place.addr() / SLICE_BYTES;
            let old: HashSet<_> = before.iter().map(slice).collect();
            let fresh = Fresh::begin().unwrap();
            assert!(Fresh::begin().is_none(), "one at most");
            let moved: Vec<_> = (0..5_000).map(|_| Allocator.alloc(layout)).collect();
            assert!(moved.iter().all(|place| !old.contains(&slice(place))));
            moved.iter().for_each(|place| place.write(9));
            drop(fresh);
            assert!(moved.iter().all(|place| place.read() == 9));
            let again: Vec<_> = (0..40_000).map(|_| Allocator.alloc(layout)).collect();
            let refilled = again.iter().filter(|place| old.contains(&slice(place))).count();
            assert!(refilled > 30_000, "the old places are used again: {refilled}");
            assert!(before.iter().step_by(10).all(|place| place.read() == 7));
            let left = before.iter().step_by(10).chain(&moved).chain(&again);
            left.for_each(|place| Allocator.dealloc(*place, layout));
        }
    }
}
