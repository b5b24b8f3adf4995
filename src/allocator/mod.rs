//! The process's allocator: mimalloc for what is small, the system's own mappings for what is large.
//!
//! A large block that another thread frees (the reaper does) stays with mimalloc until its owner comes across it, and
//! is then kept for a while. A mapping goes back to the system at once, whoever frees it. It also is zero without being
//! touched, and grows by moving pages, not bytes: a string of 70 MB never is there twice.
//!
//! Owners look after what others have freed in rounds ([`Round`]), and what is left in pages that are nearly empty is
//! moved to others ([`Fresh`]).
//!
//! **Invariant:** who frees a block or changes its size says how large it was, so that it goes back where it came from.

mod fresh;
mod round;

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;

use mimalloc::MiMalloc;

pub use fresh::Fresh;
pub use round::{Follower, Round};

/// Blocks of at least so many bytes are mappings: less, and faults of fresh pages would cost more than copying.
const MAPPED_BYTES_MIN: usize = 4 << 20;

/// See the module.
pub struct Allocator;

unsafe extern "C" {
    /// Of mimalloc: gives back what the calling thread has no use for, what others have freed of it included.
    fn mi_collect(force: bool);
}

/// Gives back what the calling thread has no use for.
fn give_back() {
    // SAFETY: it may be called at any time.
    unsafe { mi_collect(true) }
    fresh::give_back_older();
}

#[inline]
fn is_mapped(layout: Layout) -> bool {
    // A mapping begins at a page of the system; nothing asks for more.
    layout.size() >= MAPPED_BYTES_MIN && layout.align() <= 4096
}

#[cold]
fn map(bytes: usize) -> *mut u8 {
    // SAFETY: a fresh anonymous mapping touches nothing that exists.
    let place = unsafe {
        libc::mmap(
            null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if place == libc::MAP_FAILED {
        null_mut()
    } else {
        place.cast()
    }
}

/// # Safety
/// `place` must be a mapping of `bytes` bytes that nobody uses any more.
#[cold]
unsafe fn unmap(place: *mut u8, bytes: usize) {
    // SAFETY: the caller's; a failure would leave the mapping, which is no worse than a leak.
    unsafe { libc::munmap(place.cast(), bytes) };
}

/// # Safety
/// `place` must be a mapping of `old` bytes that nobody else uses.
#[cold]
#[cfg(target_os = "linux")]
unsafe fn remap(place: *mut u8, old: usize, new: usize) -> *mut u8 {
    // SAFETY: the caller's; the kernel moves the pages as they are.
    let moved = unsafe { libc::mremap(place.cast(), old, new, libc::MREMAP_MAYMOVE) };
    if moved == libc::MAP_FAILED {
        null_mut()
    } else {
        moved.cast()
    }
}

// SAFETY: both allocators keep the contract; which one a block belongs to follows from its layout, which callers give
// back as it was.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return map(layout.size());
        }
        // SAFETY: passed on.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return map(layout.size());
        }
        // SAFETY: passed on.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if is_mapped(layout) {
            // SAFETY: it was mapped with this size.
            return unsafe { unmap(place, layout.size()) };
        }
        // SAFETY: passed on.
        unsafe { MiMalloc.dealloc(place, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size makes a layout.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (is_mapped(layout), is_mapped(new)) {
            // SAFETY: passed on.
            (false, false) => unsafe { MiMalloc.realloc(place, layout, new_size) },
            #[cfg(target_os = "linux")]
            // SAFETY: it was mapped with the old size, and the caller has it alone.
            (true, true) => unsafe { remap(place, layout.size(), new_size) },
            // SAFETY: as above, by a copy.
            _ => unsafe { self.move_to(place, layout, new) },
        }
    }
}

impl Allocator {
    /// # Safety
    /// As for `realloc`.
    #[cold]
    unsafe fn move_to(&self, place: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        // SAFETY: the layout is not empty, since `realloc` asks for none that is.
        let fresh = unsafe { self.alloc(new) };
        if !fresh.is_null() {
            // SAFETY: both blocks have so many bytes, and the fresh one is nobody's yet.
            unsafe { std::ptr::copy_nonoverlapping(place, fresh, old.size().min(new.size())) };
            // SAFETY: the caller's.
            unsafe { self.dealloc(place, old) };
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 8).unwrap()
    }

    #[test]
    fn blocks_keep_their_bytes_however_they_grow_and_shrink() {
        let sizes = [
            100,
            5 << 20,
            9 << 20,
            6 << 20,
            1000,
            MAPPED_BYTES_MIN,
            MAPPED_BYTES_MIN - 1,
            50,
        ];
        // SAFETY: each block is used with the layout that it was asked for with, and freed once.
        unsafe {
            let mut bytes = 50;
            let mut place = Allocator.alloc(layout(bytes));
            place.write_bytes(7, bytes);
            for next in sizes {
                place = Allocator.realloc(place, layout(bytes), next);
                bytes = next;
                assert!(std::slice::from_raw_parts(place, 50).iter().all(|byte| *byte == 7));
                place.add(bytes - 1).write(1);
            }
            Allocator.dealloc(place, layout(bytes));
        }
    }

    #[test]
    fn large_zeroes_are_zero_and_go_back() {
        for _ in 0..1_000 {
            // SAFETY: as above.
            unsafe {
                let place = Allocator.alloc_zeroed(layout(1 << 30));
                assert_eq!(place.add((1 << 30) - 1).read(), 0);
                Allocator.dealloc(place, layout(1 << 30));
            }
        }
    }
}
