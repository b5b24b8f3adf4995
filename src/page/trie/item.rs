//! What big hashes, sets and sorted sets hold: a key, perhaps a value, perhaps a number, in one shared allocation.
//!
//! ```text
//!   0       4       8
//!   +-------+-------+- - - - -+- - - - - - - - - - - - - -+-----+- - - - +
//!   | count | shape | number? | key length, value length? | key | value? |
//!   | u32   | u32   | u64     | u64, u64                  |     |        |
//!   +-------+-------+- - - - -+- - - - - - - - - - - - - -+-----+- - - - +
//! ```
//!
//! `shape` has both lengths, if they are short, and says which parts there are. The 16 bits of the pointer that no
//! address needs are the tag that a trie gives the item, so that it tells items apart without a look at their memory.
//!
//! **Invariants**
//! - An allocation's address is below 2^48.
//! - The allocation is exactly as long as its shape says, rounded up to 8.
//! - All but `count` changes only through `&mut Item` of an item whose count is one.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use super::Keyed;
use crate::page::prefetch::prefetch_ref;

const ALIGN: usize = 8;
const NUMBER_AT: usize = 8;
const NUMBER_BYTES: usize = 8;
const LENGTHS_BYTES: usize = 16;

const HAS_NUMBER: u32 = 1 << 31;
const HAS_VALUE: u32 = 1 << 30;
/// The lengths are too long for the shape's word and follow the number.
const IS_LONG: u32 = 1 << 29;
const KEY_SHIFT: u32 = 16;
const KEY_SHORT_MAX: usize = (1 << (29 - KEY_SHIFT)) - 1;
const VALUE_SHORT_MAX: usize = (1 << KEY_SHIFT) - 1;

/// A count beyond this means that clones were leaked; far enough below the overflow for all threads to notice.
const COUNT_MAX: u32 = i32::MAX as u32;

#[repr(C)]
struct Head {
    count: AtomicU32,
    shape: u32,
}

const _: () = assert!(size_of::<Head>() == NUMBER_AT);

/// How far behind its begin an item is prefetched once more.
const PREFETCH_BYTES: usize = 32;

const TAG_SHIFT: u32 = 48;
const ADDRESS_MASK: usize = (1 << TAG_SHIFT) - 1;

/// See the module. Cloning counts, it does not copy. The pointer is tagged: see `Item::base`.
#[repr(transparent)]
pub struct Item(NonNull<Head>);

// SAFETY: bytes behind an atomic count, changed only while unique.
unsafe impl Send for Item {}
// SAFETY: as above; `&Item` only reads.
unsafe impl Sync for Item {}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    flags: u32,
    key_bytes: usize,
    value_bytes: usize,
}

impl Shape {
    fn of(key: &[u8], value: Option<&[u8]>, number: Option<u64>) -> Self {
        let (key_bytes, value_bytes) = (key.len(), value.map_or(0, <[u8]>::len));
        let is_long = key_bytes > KEY_SHORT_MAX || value_bytes > VALUE_SHORT_MAX;
        let flag = |given: bool, flag: u32| if given { flag } else { 0 };
        Self {
            flags: flag(number.is_some(), HAS_NUMBER) | flag(value.is_some(), HAS_VALUE) | flag(is_long, IS_LONG),
            key_bytes,
            value_bytes,
        }
    }

    #[inline]
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    #[inline]
    fn lengths_at(flags: u32) -> usize {
        NUMBER_AT + if flags & HAS_NUMBER != 0 { NUMBER_BYTES } else { 0 }
    }

    #[inline]
    fn key_at(&self) -> usize {
        Self::lengths_at(self.flags) + if self.has(IS_LONG) { LENGTHS_BYTES } else { 0 }
    }

    #[inline]
    fn value_at(&self) -> usize {
        self.key_at() + self.key_bytes
    }

    #[inline]
    fn total_bytes(&self) -> usize {
        (self.value_at() + self.value_bytes).next_multiple_of(ALIGN)
    }

    fn layout(&self) -> Layout {
        #[expect(
            clippy::expect_used,
            reason = "both parts are in memory already, bounded by the bulk limit"
        )]
        Layout::from_size_align(self.total_bytes(), ALIGN).expect("item size overflows")
    }

    /// The word of the header.
    fn word(&self) -> u32 {
        if self.has(IS_LONG) {
            return self.flags;
        }
        self.flags | (self.key_bytes as u32) << KEY_SHIFT | self.value_bytes as u32
    }
}

impl Item {
    /// The allocation.
    #[inline]
    fn base(&self) -> *mut Head {
        self.0.as_ptr().map_addr(|address| address & ADDRESS_MASK)
    }

    /// Where it lies in memory.
    pub fn address(&self) -> usize {
        self.base().addr()
    }

    /// Makes an item.
    pub fn new(key: &[u8], value: Option<&[u8]>, number: Option<u64>) -> Self {
        let shape = Shape::of(key, value, number);
        let layout = shape.layout();
        // SAFETY: the layout is not zero-sized: there is a header.
        let raw = unsafe { alloc(layout) }.cast::<Head>();
        let Some(head) = NonNull::new(raw) else {
            handle_alloc_error(layout)
        };
        assert!(
            head.addr().get() <= ADDRESS_MASK,
            "an address that leaves no room for a tag"
        );
        // SAFETY: the allocation is aligned for a header and at least as long.
        unsafe {
            head.write(Head {
                count: AtomicU32::new(1),
                shape: shape.word(),
            });
        }
        let mut item = Self(head);
        item.write_lengths(&shape);
        if let Some(number) = number {
            item.write_at(NUMBER_AT, &number.to_ne_bytes());
        }
        item.write_at(shape.key_at(), key);
        item.write_at(shape.value_at(), value.unwrap_or_default());
        item
    }

    fn write_lengths(&mut self, shape: &Shape) {
        // SAFETY: only called while unique.
        unsafe { (*self.base()).shape = shape.word() };
        if shape.has(IS_LONG) {
            let at = Shape::lengths_at(shape.flags);
            self.write_at(at, &(shape.key_bytes as u64).to_ne_bytes());
            self.write_at(at + 8, &(shape.value_bytes as u64).to_ne_bytes());
        }
    }

    fn write_at(&mut self, at: usize, bytes: &[u8]) {
        // SAFETY: callers pass places from this item's shape, whose total is the allocation's size, while unique.
        unsafe {
            let place = self.base().cast::<u8>().add(at);
            place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    #[inline]
    fn read_u64(&self, at: usize) -> u64 {
        // SAFETY: callers pass places from this item's shape, all multiples of 8.
        unsafe { self.base().byte_add(at).cast::<u64>().read() }
    }

    #[inline]
    fn slice(&self, at: usize, len: usize) -> &[u8] {
        // SAFETY: as in `write_at`; key and value are initialised by `new`.
        unsafe { std::slice::from_raw_parts(self.base().cast::<u8>().add(at), len) }
    }

    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: initialised in `new`; lives as long as any item that counts.
        unsafe { &*self.base() }
    }

    #[inline]
    fn shape(&self) -> Shape {
        let word = self.head().shape;
        let flags = word & (HAS_NUMBER | HAS_VALUE | IS_LONG);
        if word & IS_LONG != 0 {
            let at = Shape::lengths_at(flags);
            return Shape {
                flags,
                key_bytes: self.read_u64(at) as usize,
                value_bytes: self.read_u64(at + 8) as usize,
            };
        }
        Shape {
            flags,
            key_bytes: (word >> KEY_SHIFT) as usize & KEY_SHORT_MAX,
            value_bytes: word as usize & VALUE_SHORT_MAX,
        }
    }

    /// Tells the processor that it will be read: a short one may lie across two cache lines.
    #[inline]
    pub fn prefetch(&self) {
        let base = self.base();
        prefetch_ref(base);
        prefetch_ref(base.wrapping_byte_add(PREFETCH_BYTES));
    }

    /// The key: a member, or a field's name.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let shape = self.shape();
        self.slice(shape.key_at(), shape.key_bytes)
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> Option<&[u8]> {
        let shape = self.shape();
        shape
            .has(HAS_VALUE)
            .then(|| self.slice(shape.value_at(), shape.value_bytes))
    }

    /// The number: a score's bits, or an expiry.
    #[inline]
    pub fn number(&self) -> Option<u64> {
        (self.head().shape & HAS_NUMBER != 0).then(|| self.read_u64(NUMBER_AT))
    }

    /// Gives it this value: in place if nobody shares the item and the value fits this very allocation, else in a new
    /// allocation, which leaves what others share as it was.
    pub fn set_value(&mut self, value: &[u8]) {
        let (old, new) = (self.shape(), Shape::of(self.key(), Some(value), self.number()));
        if new.flags == old.flags && new.total_bytes() == old.total_bytes() && self.is_unique() {
            self.write_lengths(&new);
            self.write_at(new.value_at(), value);
        } else {
            self.replace(Self::new(self.key(), Some(value), self.number()));
        }
    }

    /// Gives it this number, or none: in place if it had one and nobody shares the item, else in a new allocation.
    pub fn set_number(&mut self, number: Option<u64>) {
        match (self.number(), number) {
            (old, new) if old == new => {}
            (Some(_), Some(new)) if self.is_unique() => self.write_at(NUMBER_AT, &new.to_ne_bytes()),
            _ => self.replace(Self::new(self.key(), self.value(), number)),
        }
    }

    /// Makes it another item, in the place of this one: under its tag.
    fn replace(&mut self, mut other: Self) {
        other.set_tag(self.tag());
        *self = other;
    }

    /// Bytes of its allocation.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.shape().total_bytes()
    }

    /// As a clone, without an atomic change where nobody shares the item yet.
    #[inline]
    pub fn share(&mut self) -> Self {
        if !self.is_unique() {
            return self.clone();
        }
        // Nobody else counts meanwhile: that would need an item other than the one borrowed exclusively. Relaxed: who
        // gets the copy in another thread gets it by something that has its order.
        self.head().count.store(2, Ordering::Relaxed);
        Self(self.0)
    }

    /// Whether no other item shares the allocation; if so, none can come to share it while `self` is borrowed
    /// exclusively.
    #[inline]
    fn is_unique(&self) -> bool {
        // Acquire: what others did before they let go of it has happened before what we do now.
        self.head().count.load(Ordering::Acquire) == 1
    }
}

impl Keyed for Item {
    #[inline]
    fn key(&self) -> &[u8] {
        self.key()
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        self.heap_bytes()
    }

    #[inline]
    fn tag(&self) -> u16 {
        (self.0.addr().get() >> TAG_SHIFT) as u16
    }

    #[inline]
    fn set_tag(&mut self, tag: u16) {
        let tag = usize::from(tag) << TAG_SHIFT;
        // The address below the tag is not 0, so neither is the whole.
        let tagged = |word: NonZero<usize>| NonZero::new(word.get() & ADDRESS_MASK | tag).unwrap_or(word);
        self.0 = self.0.map_addr(tagged);
    }
}

impl Clone for Item {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: a new reference comes from an old one, which keeps the allocation alive.
        if self.head().count.fetch_add(1, Ordering::Relaxed) > COUNT_MAX {
            std::process::abort();
        }
        Self(self.0)
    }
}

impl Drop for Item {
    #[inline]
    fn drop(&mut self) {
        // The only holder needs no atomic change: nobody else can come to hold the item.
        if !self.is_unique() {
            // Release: what we did happens before the last holder frees it.
            if self.head().count.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        // SAFETY: the last holder; the allocation was made with this layout.
        unsafe { dealloc(self.base().cast(), self.shape().layout()) }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("key", &self.key().escape_ascii().to_string())
            .field("value", &self.value().map(|value| value.escape_ascii().to_string()))
            .field("number", &self.number())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_reads_back() {
        for key_len in [0, 1, 16, KEY_SHORT_MAX, KEY_SHORT_MAX + 1, 70_000] {
            for value_len in [
                None,
                Some(0),
                Some(32),
                Some(VALUE_SHORT_MAX),
                Some(VALUE_SHORT_MAX + 1),
            ] {
                for number in [None, Some(0), Some(u64::MAX)] {
                    let (key, value) = (vec![b'k'; key_len], value_len.map(|len| vec![b'v'; len]));
                    let item = Item::new(&key, value.as_deref(), number);
                    let copy = item.clone();
                    drop(item);
                    assert_eq!(copy.key(), key);
                    assert_eq!(copy.value(), value.as_deref());
                    assert_eq!(copy.number(), number);
                    let parts = 8 + key_len + value_len.unwrap_or(0);
                    assert!((parts..parts + 32).contains(&copy.heap_bytes()));
                }
            }
        }
    }

    #[test]
    fn short_items_cost_8_bytes_more_than_their_parts() {
        assert_eq!(Item::new(&[b'm'; 16], None, None).heap_bytes(), 24);
        assert_eq!(Item::new(&[b'f'; 16], Some(&[b'v'; 32]), None).heap_bytes(), 56);
        assert_eq!(Item::new(&[b'm'; 16], None, Some(1)).heap_bytes(), 32);
    }

    #[test]
    fn values_change_in_place_only_where_they_fit_and_nobody_looks() {
        let mut item = Item::new(b"key", Some(b"12345"), Some(7));
        let place = item.0;
        item.set_value(b"54");
        assert_eq!(
            (item.0, item.value(), item.number()),
            (place, Some(&b"54"[..]), Some(7))
        );
        item.set_value(&[b'x'; 100]);
        assert_eq!(
            (item.key(), item.value(), item.number()),
            (&b"key"[..], Some(&[b'x'; 100][..]), Some(7))
        );
        let other = item.clone();
        item.set_value(&[b'y'; 100]);
        assert_eq!(
            (other.value(), item.value()),
            (Some(&[b'x'; 100][..]), Some(&[b'y'; 100][..]))
        );
        // What was long becomes short, and back.
        item.set_value(&[b'z'; VALUE_SHORT_MAX + 1]);
        assert_eq!(item.value(), Some(&[b'z'; VALUE_SHORT_MAX + 1][..]));
        item.set_value(&[b'z'; VALUE_SHORT_MAX]);
        assert_eq!(
            (item.key(), item.value().map(<[u8]>::len)),
            (&b"key"[..], Some(VALUE_SHORT_MAX))
        );
        let mut member = Item::new(b"member", None, None);
        member.set_value(b"");
        assert_eq!((member.key(), member.value()), (&b"member"[..], Some(&b""[..])));
    }

    #[test]
    fn numbers_change_in_place_only_when_nobody_looks() {
        let mut item = Item::new(b"member", Some(b"v"), Some(1));
        let place = item.0;
        item.set_number(Some(2));
        assert_eq!((item.0, item.number()), (place, Some(2)));
        let other = item.clone();
        item.set_number(Some(2));
        assert_eq!(item.0, place);
        item.set_number(Some(3));
        assert_eq!((other.number(), item.number()), (Some(2), Some(3)));
        item.set_number(None);
        assert_eq!(
            (item.key(), item.value(), item.number()),
            (&b"member"[..], Some(&b"v"[..]), None)
        );
        item.set_number(Some(4));
        assert_eq!((item.value(), item.number()), (Some(&b"v"[..]), Some(4)));
    }

    #[test]
    fn what_is_shared_lives_as_long_as_either() {
        let mut item = Item::new(b"key", Some(b"value"), Some(3));
        let (mut other, third) = (item.share(), item.share());
        assert!(!item.is_unique() && !other.is_unique());
        drop(item);
        drop(third);
        assert!(other.is_unique());
        let last = other.share();
        drop(other);
        assert!(last.is_unique() && last.value() == Some(b"value") && last.number() == Some(3));
    }

    #[test]
    fn threads_share_and_part() {
        let item = Item::new(b"key", Some(b"value"), None);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut mine = item.clone();
                scope.spawn(move || mine.set_value(b"other"));
            }
        });
        assert!(item.is_unique() && item.value() == Some(b"value"));
    }
}
