//! What an entry's header says: where in its allocation everything lies.

use std::alloc::Layout;

use super::HEADER_BYTES;
use crate::page::container::{Kind, PACKED_BYTES_MAX};
use crate::page::value::{INLINE_BYTES_MAX, StrRef, ValueRef};
use crate::shared::Shared;

const EXPIRE_BYTES: usize = 8;
const KEY_LEN_BYTES: usize = 4;
pub(super) const ALIGN: usize = 8;
pub(super) const KEY_LEN_EXTENDED: u8 = u8::MAX;

pub(super) const FLAG_EXPIRE: u8 = 1;
/// There is a pointer to the value.
pub(super) const FLAG_SHARED: u8 = 2;
pub(super) const FLAG_RAW: u8 = 4;
/// It is one to a string's chunks.
pub(super) const FLAG_CHUNKED: u8 = 8;
pub(super) const KIND_SHIFT: u32 = 4;

const _: () = assert!(INLINE_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(PACKED_BYTES_MAX <= u16::MAX as usize);

#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub flags: u8,
    pub key_bytes: usize,
    pub inline_bytes: usize,
}

impl Shape {
    pub fn of(key: &[u8], value: ValueRef<'_>, expire_at_ms: Option<u64>) -> Self {
        let expire = if expire_at_ms.is_some() { FLAG_EXPIRE } else { 0 };
        let (kind, inline_bytes) = match value {
            ValueRef::Str(StrRef::Chunked(_)) => {
                return Self {
                    flags: expire | FLAG_SHARED | FLAG_CHUNKED,
                    key_bytes: key.len(),
                    inline_bytes: 0,
                };
            }
            ValueRef::Str(text) => (0, Some(text.len()).filter(|len| *len <= INLINE_BYTES_MAX)),
            ValueRef::Packed(kind, packed) => {
                let inline = kind.stays_packed(packed).then_some(packed.bytes().len());
                (kind as u8, inline)
            }
            ValueRef::Big(big) => (big.kind() as u8, None),
        };
        Self {
            flags: expire | kind << KIND_SHIFT | if inline_bytes.is_none() { FLAG_SHARED } else { 0 },
            key_bytes: key.len(),
            inline_bytes: inline_bytes.unwrap_or(0),
        }
    }

    /// The kind of container; `None` for a string.
    #[inline]
    pub fn kind(&self) -> Option<Kind> {
        match self.flags >> KIND_SHIFT {
            0 => None,
            code => Kind::of_code(code),
        }
    }

    /// Whether there is a pointer to a string in one piece.
    #[inline]
    pub fn has_shared(&self) -> bool {
        self.has(FLAG_SHARED) && !self.has(FLAG_CHUNKED) && self.flags >> KIND_SHIFT == 0
    }

    /// Whether there is a pointer to a container.
    #[inline]
    pub fn has_big(&self) -> bool {
        self.has(FLAG_SHARED) && self.flags >> KIND_SHIFT != 0
    }

    #[inline]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    #[inline]
    pub fn shared_offset(&self) -> usize {
        HEADER_BYTES + if self.has(FLAG_EXPIRE) { EXPIRE_BYTES } else { 0 }
    }

    #[inline]
    pub fn key_len_offset(&self) -> usize {
        self.shared_offset() + if self.has(FLAG_SHARED) { size_of::<Shared>() } else { 0 }
    }

    #[inline]
    pub fn key_offset(&self) -> usize {
        self.key_len_offset()
            + if self.key_bytes >= KEY_LEN_EXTENDED as usize {
                KEY_LEN_BYTES
            } else {
                0
            }
    }

    #[inline]
    pub fn value_offset(&self) -> usize {
        self.key_offset() + self.key_bytes
    }

    #[inline]
    pub fn total_bytes(&self) -> usize {
        (self.value_offset() + self.inline_bytes).next_multiple_of(ALIGN)
    }

    #[inline]
    pub fn layout(&self) -> Layout {
        #[expect(
            clippy::expect_used,
            reason = "keys are bounded by the bulk limit, far below isize::MAX"
        )]
        Layout::from_size_align(self.total_bytes(), ALIGN).expect("entry size overflows")
    }
}
