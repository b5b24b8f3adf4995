//! One key with its value, in one allocation.
//!
//! ```text
//!   0      1         2          4          8
//!   +------+---------+----------+----------+- - - - - - - -+- - - - -+- - - - - -+-----+- - - - +
//!   | flags| key_len | value_len| access   | expire_at_ms? | large?  | key_len?  | key | value? |
//!   | u8   | u8      | u16      | u32      | u64           | pointer | u32       |     |        |
//!   +------+---------+----------+----------+- - - - - - - -+- - - - -+- - - - - -+-----+- - - - +
//! ```
//!
//! A key of 255 bytes or more sets the first `key_len` to 255 and stores its length in the second. A string longer than
//! [`INLINE_BYTES_MAX`](super::value::INLINE_BYTES_MAX) is a pointer to its [`Shared`] allocation, or to its chunks in
//! a [`BigText`], instead of bytes at the end, a container that does not stay packed a pointer to its [`Big`]. The
//! upper half of `flags` is the container's kind, 0 for a string.
//!
//! **Invariants:** the allocation is exactly as long as its shape says, computed from the header alone; the header
//! of a live entry changes only through `&mut Entry`, but for its [`Access`], an atomic that readers set.

mod borrowed;
mod relocate;
mod shape;
#[cfg(test)]
mod tests;

use std::alloc::{alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::access::Access;
use super::change::Mark;
use super::container::{Big, Kind};
use super::mortal::Mortal;
use super::packed::Packed;
use super::text::{BigText, CHUNKED_BYTES_MIN};
use super::value::{StrRef, ValueRef};
use crate::shared::{self, Shared};
use shape::{ALIGN, FLAG_CHUNKED, FLAG_EXPIRE, FLAG_RAW, FLAG_SHARED, KEY_LEN_EXTENDED, KIND_SHIFT, Shape};

pub use borrowed::{EntryMut, EntryRef};

const HEADER_BYTES: usize = 8;
/// Of containers whose elements may die.
const MORTAL_KINDS: std::ops::RangeInclusive<u8> = Kind::Set as u8..=Kind::Hash as u8;
const ACCESS_OFFSET: usize = 4;

const _: () = assert!(align_of::<Shared>() <= ALIGN);
// Each pointer takes the same place.
const _: () = assert!(size_of::<Shared>() == size_of::<Box<Big>>() && align_of::<Box<Big>>() <= ALIGN);
const _: () = assert!(size_of::<Shared>() == size_of::<Box<BigText>>() && align_of::<Box<BigText>>() <= ALIGN);

/// An owned entry: eight bytes that own one heap allocation.
#[repr(transparent)]
pub struct Entry(NonNull<u8>);

// SAFETY: an entry owns its allocation and (through an Arc) its large value; it has no thread affinity.
unsafe impl Send for Entry {}
// SAFETY: `&Entry` only reads.
unsafe impl Sync for Entry {}

impl Entry {
    /// Makes an entry. `expire_at_ms` is a Unix time; `None` lives for ever.
    pub fn new(key: &[u8], value: ValueRef<'_>, expire_at_ms: Option<u64>, access: impl Into<Access>) -> Self {
        let shape = Shape::of(key, value, expire_at_ms);
        let layout = shape.layout();
        // SAFETY: the layout is never zero-sized (there is always a header).
        let raw = unsafe { alloc(layout) };
        let Some(base) = NonNull::new(raw) else {
            handle_alloc_error(layout)
        };
        // Not an `Entry` in `Drop`'s eyes until it is whole; nothing between here and the return can unwind.
        let mut entry = ManuallyDrop::new(Self(base));
        entry.write_header(&shape, access.into(), expire_at_ms);
        entry.write_at(shape.key_offset(), key);
        entry.write_value(&shape, value);
        ManuallyDrop::into_inner(entry)
    }

    /// The same entry once more. A large value is shared.
    pub fn copy(&self) -> Self {
        let mut copy = Self::new(self.key(), self.value(), self.expire_at_ms(), self.access());
        if self.is_raw() {
            copy.set_raw();
        }
        copy
    }

    fn write_header(&mut self, shape: &Shape, access: Access, expire_at_ms: Option<u64>) {
        let key_len = u8::try_from(shape.key_bytes).unwrap_or(KEY_LEN_EXTENDED);
        self.write_at(0, &[shape.flags, key_len]);
        self.write_at(2, &(shape.inline_bytes as u16).to_le_bytes());
        self.set_access(access);
        if let Some(at_ms) = expire_at_ms {
            self.write_at(HEADER_BYTES, &at_ms.to_le_bytes());
        }
        if key_len == KEY_LEN_EXTENDED {
            self.write_at(shape.key_len_offset(), &(shape.key_bytes as u32).to_le_bytes());
        }
    }

    fn write_value(&mut self, shape: &Shape, value: ValueRef<'_>) {
        let shared = match value {
            ValueRef::Str(StrRef::Inline(bytes)) if !shape.has(FLAG_SHARED) => {
                return self.write_at(shape.value_offset(), bytes);
            }
            ValueRef::Str(StrRef::Shared(shared)) if !shape.has(FLAG_SHARED) => {
                return self.write_at(shape.value_offset(), shared);
            }
            ValueRef::Str(StrRef::Chunked(text)) => return self.write_text(shape, text.clone()),
            ValueRef::Packed(_, packed) if !shape.has(FLAG_SHARED) => {
                return self.write_at(shape.value_offset(), packed.bytes());
            }
            ValueRef::Str(StrRef::Shared(shared)) => Shared::clone(shared),
            ValueRef::Str(StrRef::Inline(bytes)) => Shared::new(bytes.to_vec()),
            ValueRef::Packed(kind, packed) => return self.write_big(shape, Big::unpack(kind, packed)),
            ValueRef::Big(big) => return self.write_big(shape, big.clone()),
        };
        // SAFETY: the offset is a multiple of 8 inside the allocation, whose alignment is 8; the place is vacant.
        unsafe { self.shared_place(shape).write(shared) }
    }

    fn write_big(&mut self, shape: &Shape, big: Big) {
        // SAFETY: as for a shared value; the shape says that this place holds a container.
        unsafe { self.big_place(shape).write(Box::new(big)) }
    }

    fn write_text(&mut self, shape: &Shape, text: BigText) {
        // SAFETY: as for a shared value; the shape says that this place holds chunks.
        unsafe { self.text_place(shape).write(Box::new(text)) }
    }

    fn text_place(&self, shape: &Shape) -> *mut Box<BigText> {
        self.shared_place(shape).cast()
    }

    fn big_place(&self, shape: &Shape) -> *mut Box<Big> {
        self.shared_place(shape).cast()
    }

    fn shared_place(&self, shape: &Shape) -> *mut Shared {
        // SAFETY: the offset lies inside the allocation when FLAG_SHARED is set, which callers have checked.
        unsafe { self.0.as_ptr().add(shape.shared_offset()).cast::<Shared>() }
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        // SAFETY: callers pass offsets from this entry's shape, whose total is the allocation's size.
        unsafe {
            self.0
                .as_ptr()
                .add(offset)
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        }
    }

    fn read<const N: usize>(&self, offset: usize) -> [u8; N] {
        // SAFETY: as in `write_at`; `[u8; N]` has alignment 1.
        unsafe { self.0.as_ptr().add(offset).cast::<[u8; N]>().read() }
    }

    fn slice(&self, offset: usize, len: usize) -> &[u8] {
        // SAFETY: as in `write_at`; keys and inline values are initialised at creation.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(offset), len) }
    }

    #[inline]
    fn shape(&self) -> Shape {
        let [flags, key_len, low, high] = self.read::<4>(0);
        let inline_bytes = u16::from_le_bytes([low, high]) as usize;
        let mut shape = Shape {
            flags,
            key_bytes: key_len as usize,
            inline_bytes,
        };
        if key_len == KEY_LEN_EXTENDED {
            shape.key_bytes = u32::from_le_bytes(self.read::<4>(shape.key_len_offset())) as usize;
        }
        shape
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let shape = self.shape();
        self.slice(shape.key_offset(), shape.key_bytes)
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_> {
        let shape = self.shape();
        if let Some(kind) = shape.kind() {
            return self.container(&shape, kind);
        }
        ValueRef::Str(if shape.has(FLAG_SHARED) {
            self.large(&shape)
        } else {
            StrRef::Inline(self.slice(shape.value_offset(), shape.inline_bytes))
        })
    }

    fn large(&self, shape: &Shape) -> StrRef<'_> {
        if shape.has(FLAG_CHUNKED) {
            // SAFETY: FLAG_CHUNKED says that an initialised box of chunks lives at this aligned place.
            return StrRef::Chunked(unsafe { &*self.text_place(shape) });
        }
        // SAFETY: FLAG_SHARED without it says that an initialised Arc does.
        StrRef::Shared(unsafe { &*self.shared_place(shape) })
    }

    fn container(&self, shape: &Shape, kind: Kind) -> ValueRef<'_> {
        if let Some(big) = self.big(shape) {
            return ValueRef::Big(big);
        }
        let packed = self.slice(shape.value_offset(), shape.inline_bytes);
        ValueRef::Packed(kind, Packed::new(packed))
    }

    /// The big container, if the value is one.
    #[inline]
    fn big(&self, shape: &Shape) -> Option<&Big> {
        // SAFETY: FLAG_SHARED and a kind say that an initialised box lives at this aligned place.
        shape.has_big().then(|| unsafe { &**self.big_place(shape) })
    }

    /// Makes the parts of its value those of the collection that it is put into. A long string gets them by that.
    pub fn adopt(&mut self, mark: Mark<'_>) {
        if !self.shape().has(FLAG_SHARED) {
            return;
        }
        if self.shared_mut().is_some_and(|shared| shared.len() > CHUNKED_BYTES_MIN) {
            self.chunk(BigText::on);
        }
        if let Some(big) = self.big_mut() {
            big.adopt(mark);
        } else if let Some(text) = self.text_mut() {
            text.adopt(mark);
        }
    }

    /// The big container for changing in place, if the value is one.
    pub fn big_mut(&mut self) -> Option<&mut Big> {
        let shape = self.shape();
        // SAFETY: as in `big`; `&mut self` makes the access exclusive.
        shape.has_big().then(|| unsafe { &mut **self.big_place(&shape) })
    }

    /// The string's large allocation for writing in place, if the value is one.
    pub fn shared_mut(&mut self) -> Option<&mut Shared> {
        let shape = self.shape();
        // SAFETY: as in `value`; `&mut self` makes the access exclusive.
        shape.has_shared().then(|| unsafe { &mut *self.shared_place(&shape) })
    }

    /// The string's chunks for changing in place, if it is in chunks.
    pub fn text_mut(&mut self) -> Option<&mut BigText> {
        let shape = self.shape();
        // SAFETY: as in `large`; `&mut self` makes the access exclusive.
        shape
            .has(FLAG_CHUNKED)
            .then(|| unsafe { &mut **self.text_place(&shape) })
    }

    /// Turns the string into chunks, if it is a large allocation.
    pub fn chunk(&mut self, into_chunks: impl FnOnce(Shared) -> BigText) {
        let Some(shared) = self.shared_mut() else { return };
        let text = Box::new(into_chunks(std::mem::take(shared)));
        let mut shape = self.shape();
        // SAFETY: the place holds the empty Arc that was left there; it is dropped once, and chunks take its place and
        // its flag before anybody looks, or anything can unwind.
        unsafe {
            self.shared_place(&shape).drop_in_place();
            shape.flags |= FLAG_CHUNKED;
            self.text_place(&shape).write(text);
        }
        self.write_at(0, &[shape.flags]);
    }

    /// The string's bytes for writing in place, if it lives inside the entry.
    pub fn inline_mut(&mut self) -> Option<&mut [u8]> {
        let shape = self.shape();
        if shape.has(FLAG_SHARED) || shape.kind().is_some() {
            return None;
        }
        // SAFETY: the range lies inside the allocation and is initialised; `&mut self` makes the access exclusive.
        Some(unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr().add(shape.value_offset()), shape.inline_bytes) })
    }

    /// When the key dies, Unix milliseconds.
    #[inline]
    pub fn expire_at_ms(&self) -> Option<u64> {
        let [flags] = self.read::<1>(0);
        (flags & FLAG_EXPIRE != 0).then(|| u64::from_le_bytes(self.read(HEADER_BYTES)))
    }

    /// Whether the key is dead at `now_ms`.
    #[inline]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expire_at_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// When something of the entry dies: its key, or an element. Unix milliseconds; what pages keep count of.
    #[inline]
    pub fn due_at_ms(&self) -> Option<u64> {
        match (self.expire_at_ms(), self.element_at_ms()) {
            (Some(key), Some(element)) => Some(key.min(element)),
            (one, other) => one.or(other),
        }
    }

    /// When the first element of the container dies, if some do.
    #[inline]
    fn element_at_ms(&self) -> Option<u64> {
        let [flags] = self.read::<1>(0);
        if MORTAL_KINDS.contains(&(flags >> KIND_SHIFT)) {
            self.element_of_mortal_at_ms()
        } else {
            None
        }
    }

    /// The same, of a container whose elements may. By itself, so that others pay for a look at their flags only.
    #[inline(never)]
    fn element_of_mortal_at_ms(&self) -> Option<u64> {
        if let Some(big) = self.big(&self.shape()) {
            return big.expire_min_ms();
        }
        Mortal::of(self.value())?.expire_min_ms()
    }

    /// Whether it is a container with elements that die.
    #[inline]
    pub fn is_timed(&self) -> bool {
        self.element_at_ms().is_some()
    }

    /// Whether it is a set or sorted set with members that are dead at `now_ms`. (Who reads a hash passes over dead
    /// fields.)
    #[inline]
    pub fn has_dead_members(&self, now_ms: u64) -> bool {
        let [flags] = self.read::<1>(0);
        let is_of_members = flags >> KIND_SHIFT != Kind::Hash as u8;
        is_of_members && self.element_at_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// Whether something of the entry is dead at `now_ms`.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.due_at_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// Sets the value in place if it fits this very allocation, keeping the key; otherwise changes nothing.
    #[inline]
    pub fn try_overwrite(&mut self, value: ValueRef<'_>, expire_at_ms: Option<u64>) -> bool {
        let old = self.shape();
        let new = Shape::of(self.slice(old.key_offset(), old.key_bytes), value, expire_at_ms);
        if old.has(FLAG_SHARED) || new.flags != old.flags & !FLAG_RAW || new.total_bytes() != old.total_bytes() {
            return false;
        }
        let access = self.access();
        self.write_header(&new, access, expire_at_ms);
        self.write_value(&new, value);
        true
    }

    /// Sets when the key dies, Unix milliseconds, if that needs no other allocation; otherwise changes nothing.
    pub fn try_set_expiry(&mut self, expire_at_ms: Option<u64>) -> bool {
        if let (Some(_), Some(at_ms)) = (self.expire_at_ms(), expire_at_ms) {
            self.write_at(HEADER_BYTES, &at_ms.to_le_bytes());
        }
        self.expire_at_ms() == expire_at_ms
    }

    /// When and how often it was used.
    #[inline]
    pub fn access(&self) -> Access {
        Access::from(self.access_place().load(Ordering::Relaxed))
    }

    /// Sets that: no change to the data, and by whoever has the lock that it was found under.
    #[inline]
    pub fn set_access(&self, access: Access) {
        self.access_place().store(access.word(), Ordering::Relaxed);
    }

    #[inline]
    fn access_place(&self) -> &AtomicU32 {
        // SAFETY: the place lies in the header, is a multiple of 4 behind an address that is one of 8, and is only ever
        // accessed as an atomic.
        unsafe { AtomicU32::from_ptr(self.0.as_ptr().add(ACCESS_OFFSET).cast()) }
    }

    /// Whether the value was last changed in part (`APPEND`, `SETRANGE`), which `OBJECT ENCODING` calls `raw`.
    pub fn is_raw(&self) -> bool {
        self.read::<1>(0)[0] & FLAG_RAW != 0
    }

    /// Marks the value as changed in part.
    pub fn set_raw(&mut self) {
        let [flags] = self.read::<1>(0);
        self.write_at(0, &[flags | FLAG_RAW]);
    }

    /// Bytes of heap this entry owns, its large value included.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        let shape = self.shape();
        let large = match self.value() {
            ValueRef::Str(StrRef::Shared(shared)) => shared::heap_bytes(shared),
            ValueRef::Str(StrRef::Chunked(text)) => size_of::<BigText>() + text.heap_bytes(),
            ValueRef::Str(StrRef::Inline(_)) | ValueRef::Packed(..) => 0,
            ValueRef::Big(big) => size_of::<Big>() + big.heap_bytes(),
        };
        shape.total_bytes() + large
    }

    /// Bytes of heap that a copy of it takes: what they share apart.
    pub fn copied_bytes(&self) -> usize {
        let own = match self.value() {
            ValueRef::Str(StrRef::Chunked(_)) => size_of::<BigText>(),
            ValueRef::Str(_) | ValueRef::Packed(..) => 0,
            ValueRef::Big(_) => size_of::<Big>(),
        };
        self.shape().total_bytes() + own
    }

    /// Whether it is a container that copies share.
    pub fn is_big(&self) -> bool {
        self.shape().has_big()
    }

    /// Whether its large string, if it has one, goes with it: nobody else has a share of that.
    pub fn is_sole_owner(&self) -> bool {
        match self.value() {
            ValueRef::Str(StrRef::Shared(shared)) => Shared::strong_count(shared) == 1,
            ValueRef::Str(StrRef::Chunked(text)) => !text.is_shared(),
            ValueRef::Str(StrRef::Inline(_)) | ValueRef::Packed(..) | ValueRef::Big(_) => true,
        }
    }

    /// The entry, borrowed as pages lend theirs.
    #[inline]
    pub fn lend(&self) -> EntryRef<'_> {
        EntryRef::new(self.0)
    }

    /// The entry, borrowed exclusively as pages lend theirs.
    #[inline]
    pub fn lend_mut(&mut self) -> EntryMut<'_> {
        EntryMut::new(Self(self.0))
    }

    /// Where the allocation begins, for prefetching it.
    pub fn base(&self) -> *const u8 {
        self.0.as_ptr()
    }

    /// Gives up ownership as a raw address, for a page slot. Below 2^48 on the supported targets.
    pub fn into_address(self) -> u64 {
        ManuallyDrop::new(self).0.as_ptr() as u64
    }

    /// Where it lies in memory.
    #[inline]
    pub fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// Takes ownership back.
    ///
    /// # Safety
    /// `address` must come from [`Entry::into_address`] and not have been taken back already.
    #[inline]
    pub unsafe fn from_address(address: u64) -> Self {
        // SAFETY: addresses from `into_address` are not null.
        Self(unsafe { NonNull::new_unchecked(address as *mut u8) })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let shape = self.shape();
        // SAFETY: the allocation was made with this layout, and what it points to (if anything) is dropped exactly
        // once.
        unsafe {
            if shape.has_big() {
                self.big_place(&shape).drop_in_place();
            } else if shape.has(FLAG_CHUNKED) {
                self.text_place(&shape).drop_in_place();
            } else if shape.has(FLAG_SHARED) {
                self.shared_place(&shape).drop_in_place();
            }
            dealloc(self.0.as_ptr(), shape.layout());
        }
    }
}
