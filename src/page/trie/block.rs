//! The allocation behind a node: two parallel arrays that grow, reference counted, copied only to be changed while
//! shared. A lookup needs the first only, which begins in the cache line of the header.
//!
//! ```text
//!   0       4     8          12
//!   +-------+-----+----------+-------+---------------+----------------+
//!   | count | len | capacity | extra | A x capacity  | B x capacity   |
//!   +-------+-----+----------+-------+---------------+----------------+
//! ```
//!
//! **Invariants**
//! - The first `len` places of both arrays are initialised, the others are not.
//! - Everything but `count` changes only through `&mut Block` of a block whose count is one.
//! - The allocation's size follows from `capacity` alone, and is one that a size-class allocator gives out whole.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

/// A count beyond this means that clones were leaked; far enough below the overflow for all threads to notice.
const COUNT_MAX: u32 = i32::MAX as u32;

#[repr(C)]
struct Head<H> {
    count: AtomicU32,
    len: u32,
    capacity: u32,
    extra: H,
}

/// See the module. `H` is one value beside the arrays.
pub struct Block<H, A, B> {
    head: NonNull<Head<H>>,
    owns: PhantomData<(H, A, B)>,
}

// SAFETY: what a block holds is reached from several threads as through an `Arc`: shared by reference, and dropped or
// changed by whichever thread is the last to hold it.
unsafe impl<H: Send + Sync, A: Send + Sync, B: Send + Sync> Send for Block<H, A, B> {}
// SAFETY: as above.
unsafe impl<H: Send + Sync, A: Send + Sync, B: Send + Sync> Sync for Block<H, A, B> {}

/// What a block holds, borrowed exclusively.
pub struct Parts<'a, H, A, B> {
    /// The value beside the arrays.
    pub extra: &'a mut H,
    /// The array that lookups need.
    pub firsts: &'a mut [A],
    /// The other one.
    pub seconds: &'a mut [B],
}

/// The next size that allocators of four classes per doubling give out, which all in use come close to.
fn size_class(bytes: usize) -> usize {
    if bytes <= 64 {
        return bytes.next_multiple_of(8);
    }
    let step = 1 << ((bytes - 1).ilog2() - 2);
    bytes.next_multiple_of(step)
}

impl<H, A, B> Block<H, A, B> {
    const FIRSTS_AT: usize = size_of::<Head<H>>().next_multiple_of(align_of::<A>());
    const ALIGN: usize = {
        let (head, a, b) = (align_of::<Head<H>>(), align_of::<A>(), align_of::<B>());
        let most = if a > b { a } else { b };
        if most > head { most } else { head }
    };

    fn seconds_at(capacity: usize) -> usize {
        (Self::FIRSTS_AT + capacity * size_of::<A>()).next_multiple_of(align_of::<B>())
    }

    fn bytes_of(capacity: usize) -> usize {
        Self::seconds_at(capacity) + capacity * size_of::<B>()
    }

    /// The capacity of the smallest allocation that holds `len`.
    fn capacity_for(len: usize) -> usize {
        let bytes = size_class(Self::bytes_of(len));
        let room = bytes.saturating_sub(Self::FIRSTS_AT + align_of::<B>());
        let mut capacity = (room / (size_of::<A>() + size_of::<B>())).max(len);
        while Self::bytes_of(capacity + 1) <= bytes {
            capacity += 1;
        }
        capacity
    }

    fn layout(capacity: usize) -> Layout {
        #[expect(clippy::expect_used, reason = "as many elements of this size are already in memory")]
        Layout::from_size_align(size_class(Self::bytes_of(capacity)), Self::ALIGN).expect("block size overflows")
    }

    /// An empty block with room for at least `len`.
    pub fn new(extra: H, len: usize) -> Self {
        Self::with_capacity(extra, Self::capacity_for(len))
    }

    fn with_capacity(extra: H, capacity: usize) -> Self {
        let layout = Self::layout(capacity);
        // SAFETY: the layout is not zero-sized: there is a head.
        let raw = unsafe { alloc(layout) }.cast::<Head<H>>();
        let Some(head) = NonNull::new(raw) else {
            handle_alloc_error(layout)
        };
        #[expect(
            clippy::expect_used,
            reason = "billions of elements in one node would be a broken hash"
        )]
        let capacity = u32::try_from(capacity).expect("block capacity overflows");
        // SAFETY: the allocation is aligned for a head and at least as long.
        unsafe {
            head.write(Head {
                count: AtomicU32::new(1),
                len: 0,
                capacity,
                extra,
            });
        }
        Self {
            head,
            owns: PhantomData,
        }
    }

    #[inline]
    fn head(&self) -> &Head<H> {
        // SAFETY: initialised in `with_capacity`; lives as long as any block that counts.
        unsafe { self.head.as_ref() }
    }

    #[inline]
    fn first_place(&self) -> *mut A {
        // SAFETY: inside the allocation, or just behind its end for no capacity.
        unsafe { self.head.as_ptr().byte_add(Self::FIRSTS_AT).cast() }
    }

    #[inline]
    fn second_place(&self) -> *mut B {
        // SAFETY: as above; the offset is a multiple of B's alignment.
        unsafe { self.head.as_ptr().byte_add(Self::seconds_at(self.capacity())).cast() }
    }

    /// How many elements each array has.
    #[inline]
    pub fn len(&self) -> usize {
        self.head().len as usize
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.head().capacity as usize
    }

    /// The value beside the arrays.
    #[inline]
    pub fn extra(&self) -> &H {
        &self.head().extra
    }

    /// The array that lookups need.
    #[inline]
    pub fn firsts(&self) -> &[A] {
        // SAFETY: the first `len` places are initialised.
        unsafe { std::slice::from_raw_parts(self.first_place(), self.len()) }
    }

    /// The other one.
    #[inline]
    pub fn seconds(&self) -> &[B] {
        // SAFETY: the first `len` places are initialised.
        unsafe { std::slice::from_raw_parts(self.second_place(), self.len()) }
    }

    /// Bytes of the allocation, without what the elements own.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        size_class(Self::bytes_of(self.capacity()))
    }

    /// Whether no other block shares the allocation; if so, none can come to share it while `self` is borrowed
    /// exclusively.
    #[inline]
    pub fn is_unique(&self) -> bool {
        // Acquire: what others did before they let go of it has happened before what we do now.
        self.head().count.load(Ordering::Acquire) == 1
    }
}

impl<H: Copy, A: Clone, B: Clone> Block<H, A, B> {
    /// Copies the block if others share it. The copy is of the same size.
    #[inline]
    fn make_unique(&mut self) {
        if !self.is_unique() {
            *self = self.copy();
        }
    }

    #[cold]
    fn copy(&self) -> Self {
        let mut copy = Self::with_capacity(*self.extra(), self.capacity());
        for (first, second) in self.firsts().iter().zip(self.seconds()) {
            copy.push(first.clone(), second.clone());
        }
        copy
    }

    /// All of it for changing in place.
    #[inline]
    pub fn parts_mut(&mut self) -> Parts<'_, H, A, B> {
        self.make_unique();
        let len = self.len();
        // SAFETY: the block is unique and borrowed exclusively; the three places do not overlap; the arrays are
        // initialised up to `len`.
        unsafe {
            Parts {
                extra: &mut (*self.head.as_ptr()).extra,
                firsts: std::slice::from_raw_parts_mut(self.first_place(), len),
                seconds: std::slice::from_raw_parts_mut(self.second_place(), len),
            }
        }
    }

    /// The array that lookups need, for changing in place.
    #[inline]
    pub fn firsts_mut(&mut self) -> &mut [A] {
        self.make_unique();
        // SAFETY: as in `parts_mut`.
        unsafe { std::slice::from_raw_parts_mut(self.first_place(), self.len()) }
    }

    /// Sets the length of a unique block.
    ///
    /// # Safety
    /// The first `len` places of both arrays must be initialised.
    #[inline]
    unsafe fn set_len(&mut self, len: usize) {
        // SAFETY: unique, as the caller has made sure. `len` is at most the capacity, a u32.
        unsafe { (*self.head.as_ptr()).len = len as u32 }
    }

    /// Moves a unique block to an allocation of this capacity, at least `len`.
    fn resize(&mut self, capacity: usize) {
        let len = self.len();
        assert!(len <= capacity, "a block shrinks below its length");
        let mut moved = Self::with_capacity(*self.extra(), capacity);
        // SAFETY: both allocations hold `len` elements and are different. The old block forgets its elements, so that
        // each has one owner.
        unsafe {
            moved.first_place().copy_from_nonoverlapping(self.first_place(), len);
            moved.second_place().copy_from_nonoverlapping(self.second_place(), len);
            self.set_len(0);
            moved.set_len(len);
        }
        *self = moved;
    }

    /// Inserts before place `at`.
    #[inline]
    pub fn insert(&mut self, at: usize, first: A, second: B) {
        self.make_unique();
        let len = self.len();
        assert!(at <= len, "place beyond the end");
        if len == self.capacity() {
            self.resize(Self::capacity_for(len + 1));
        }
        // SAFETY: there is room for one more; what follows `at` moves up by one place.
        unsafe {
            let (a, b) = (self.first_place().add(at), self.second_place().add(at));
            a.copy_to(a.add(1), len - at);
            b.copy_to(b.add(1), len - at);
            a.write(first);
            b.write(second);
            self.set_len(len + 1);
        }
    }

    /// Appends.
    #[inline]
    pub fn push(&mut self, first: A, second: B) {
        self.insert(self.len(), first, second);
    }

    /// Takes out what is at place `at`; what follows moves down.
    pub fn remove(&mut self, at: usize) -> (A, B) {
        self.make_unique();
        let len = self.len();
        assert!(at < len, "place beyond the end");
        // SAFETY: the place is initialised; what follows moves down, and the length no longer covers the last place.
        unsafe {
            let (a, b) = (self.first_place().add(at), self.second_place().add(at));
            let taken = (a.read(), b.read());
            a.copy_from(a.add(1), len - at - 1);
            b.copy_from(b.add(1), len - at - 1);
            self.set_len(len - 1);
            taken
        }
    }

    /// Takes out what is at place `at`; the last element takes its place.
    pub fn swap_remove(&mut self, at: usize) -> (A, B) {
        let parts = self.parts_mut();
        let last = parts.firsts.len().saturating_sub(1);
        parts.firsts.swap(at, last);
        parts.seconds.swap(at, last);
        self.remove(last)
    }

    /// Gives back memory beyond what `len` elements need, or as many as there are.
    pub fn fit(&mut self, len: usize) {
        let capacity = Self::capacity_for(self.len().max(len));
        if capacity < self.capacity() {
            self.make_unique();
            self.resize(capacity);
        }
    }

    /// Hands over all elements, in any order: moved out if nobody shares the block, else cloned.
    pub fn drain(mut self, mut take: impl FnMut(A, B)) {
        if self.is_unique() {
            while let Some(last) = self.len().checked_sub(1) {
                let (first, second) = self.remove(last);
                take(first, second);
            }
        } else {
            for (first, second) in self.firsts().iter().zip(self.seconds()) {
                take(first.clone(), second.clone());
            }
        }
    }
}

impl<H, A, B> Clone for Block<H, A, B> {
    fn clone(&self) -> Self {
        // Relaxed: a new reference comes from an old one, which keeps the allocation alive.
        if self.head().count.fetch_add(1, Ordering::Relaxed) > COUNT_MAX {
            std::process::abort();
        }
        Self {
            head: self.head,
            owns: PhantomData,
        }
    }
}

impl<H, A, B> Drop for Block<H, A, B> {
    fn drop(&mut self) {
        // The only holder needs no atomic change: nobody else can come to hold the block.
        if !self.is_unique() {
            // Release: what we did happens before the last holder frees it.
            if self.head().count.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        let (len, layout) = (self.len(), Self::layout(self.capacity()));
        // SAFETY: the last holder; the arrays are initialised up to `len`; allocated with this layout.
        unsafe {
            std::ptr::slice_from_raw_parts_mut(self.first_place(), len).drop_in_place();
            std::ptr::slice_from_raw_parts_mut(self.second_place(), len).drop_in_place();
            (&raw mut (*self.head.as_ptr()).extra).drop_in_place();
            dealloc(self.head.as_ptr().cast(), layout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    type Counted = Block<(), u16, Arc<u32>>;

    fn filled(len: u32) -> Counted {
        let mut block = Counted::new((), 0);
        for value in 0..len {
            block.push(value as u16, Arc::new(value));
        }
        block
    }

    fn values(block: &Counted) -> Vec<u32> {
        assert_eq!(block.firsts().len(), block.seconds().len());
        let zipped = block.firsts().iter().zip(block.seconds());
        zipped
            .map(|(first, second)| {
                assert_eq!(u32::from(*first), **second);
                **second
            })
            .collect()
    }

    #[test]
    fn arrays_stay_parallel_whatever_is_done() {
        let mut block = filled(100);
        assert_eq!(values(&block), (0..100).collect::<Vec<_>>());
        block.insert(0, 7, Arc::new(7));
        block.insert(50, 8, Arc::new(8));
        assert_eq!((block.len(), *block.remove(50).1, *block.remove(0).1), (102, 8, 7));
        assert_eq!(*block.swap_remove(0).1, 0);
        assert_eq!(values(&block).first(), Some(&99));
        while block.len() > 3 {
            block.swap_remove(1);
        }
        let before = block.heap_bytes();
        block.fit(0);
        assert!(block.heap_bytes() < before / 4, "{} of {before}", block.heap_bytes());
        assert_eq!(values(&block).len(), 3);
    }

    #[test]
    fn a_shared_block_is_copied_before_it_changes() {
        let mut block = filled(20);
        let (one, other) = (block.clone(), block.clone());
        assert_eq!(one.second_place(), block.second_place());
        *block.parts_mut().firsts.first_mut().unwrap() = 0;
        assert_ne!(one.second_place(), block.second_place());
        assert_eq!(block.heap_bytes(), one.heap_bytes());
        block.remove(5);
        assert_eq!((block.len(), one.len(), other.len()), (19, 20, 20));
        assert_eq!(Arc::strong_count(&one.seconds()[0]), 2);
        drop(block);
        assert_eq!(Arc::strong_count(&one.seconds()[0]), 1);
    }

    #[test]
    fn draining_moves_or_clones() {
        let block = filled(10);
        let shared = block.clone();
        let mut taken = Vec::new();
        block.drain(|_, value| taken.push(value));
        assert!(taken.iter().all(|value| Arc::strong_count(value) == 2));
        drop(taken);
        let mut taken = Vec::new();
        shared.drain(|_, value| taken.push(value));
        assert!(taken.len() == 10 && taken.iter().all(|value| Arc::strong_count(value) == 1));
    }

    #[test]
    fn sizes_are_classes_filled_to_the_brim() {
        for len in 0..300 {
            let capacity = Counted::capacity_for(len);
            let bytes = size_class(Counted::bytes_of(len));
            assert!(capacity >= len && Counted::bytes_of(capacity) <= bytes);
            assert!(Counted::bytes_of(capacity + 1) > bytes, "{len}");
            assert_eq!(Counted::capacity_for(capacity), capacity);
        }
        assert_eq!((size_class(65), size_class(256), size_class(257)), (80, 256, 320));
    }

    #[test]
    fn threads_share_and_part() {
        let block = filled(30);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut mine = block.clone();
                scope.spawn(move || {
                    for _ in 0..10 {
                        mine.swap_remove(0);
                    }
                    assert_eq!(mine.len(), 20);
                });
            }
        });
        assert!(block.is_unique());
        assert!(block.seconds().iter().all(|value| Arc::strong_count(value) == 1));
    }
}
