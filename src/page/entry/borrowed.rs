//! Entries as pages lend them: eight bytes that own nothing.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::Entry;
use crate::page::value::ValueRef;

/// A borrowed entry of a page.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    address: NonNull<u8>,
    owner: PhantomData<&'a Entry>,
}

impl<'a> EntryRef<'a> {
    /// For an entry that lives, unchanged, for `'a`.
    #[inline]
    pub(super) fn new(address: NonNull<u8>) -> Self {
        Self {
            address,
            owner: PhantomData,
        }
    }

    /// # Safety
    /// `address` must be that of an entry which lives, unchanged, for `'a`.
    #[inline]
    pub unsafe fn from_address(address: u64) -> Self {
        Self {
            // SAFETY: addresses of entries are not null.
            address: unsafe { NonNull::new_unchecked(address as *mut u8) },
            owner: PhantomData,
        }
    }

    /// Its address, as for [`EntryRef::from_address`].
    #[inline]
    pub fn address(&self) -> u64 {
        self.address.as_ptr() as u64
    }

    #[inline]
    fn entry(&self) -> &Entry {
        // SAFETY: `Entry` is a transparent pointer, so a pointer to our address is a pointer to an `Entry`.
        unsafe { &*(&raw const self.address).cast::<Entry>() }
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        // SAFETY: the key lies in the entry's allocation, which lives, unchanged, for 'a.
        unsafe { std::mem::transmute::<&[u8], &'a [u8]>(self.entry().key()) }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'a> {
        // SAFETY: as for the key.
        unsafe { std::mem::transmute::<ValueRef<'_>, ValueRef<'a>>(self.entry().value()) }
    }
}

impl std::ops::Deref for EntryRef<'_> {
    type Target = Entry;

    #[inline]
    fn deref(&self) -> &Entry {
        self.entry()
    }
}

/// An entry of a page, borrowed exclusively.
pub struct EntryMut<'a> {
    entry: ManuallyDrop<Entry>,
    owner: PhantomData<&'a mut Entry>,
}

impl EntryMut<'_> {
    /// `entry`: a second owner of one that is borrowed exclusively.
    #[inline]
    pub(super) fn new(entry: Entry) -> Self {
        Self {
            entry: ManuallyDrop::new(entry),
            owner: PhantomData,
        }
    }

    /// # Safety
    /// `address` must be that of an entry which lives for `'a` and is reachable in no other way meanwhile.
    #[inline]
    pub unsafe fn from_address(address: u64) -> Self {
        Self {
            // SAFETY: passed on to the caller.
            entry: ManuallyDrop::new(unsafe { Entry::from_address(address) }),
            owner: PhantomData,
        }
    }
}

impl std::ops::Deref for EntryMut<'_> {
    type Target = Entry;

    #[inline]
    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl std::ops::DerefMut for EntryMut<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Entry {
        &mut self.entry
    }
}
