//! What `OBJECT ENCODING` calls a list or a set: the name of the encoding that Redis would give to what it is now.
//!
//! **Invariant:** this is a matter of words. How a container is kept does not follow from it, nor what is logged.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::list::ListRef;
use super::listpack::{EMPTY_BYTES, item_bytes};
use super::set::SetRef;

/// What -1 stands for as the size of a list, bytes; each number below doubles it, down to -5.
const LIST_BYTES: usize = 4096;
const LIST_DOUBLINGS_MAX: u64 = 4;
/// Beside a limit of elements.
const COUNTED_LIST_BYTES: usize = 8192;

/// Up to which size lists and sets have the compact name.
#[derive(Debug)]
pub struct Naming {
    /// `list-max-listpack-size`: elements, or bytes in steps (-1: 4 KiB, … -5: 64 KiB).
    pub list_size: AtomicI64,
    /// `set-max-listpack-entries`
    pub set_entries_max: AtomicU64,
    /// `set-max-listpack-value`, bytes.
    pub set_value_bytes_max: AtomicU64,
}

impl Naming {
    /// Redis's defaults.
    pub const fn new() -> Self {
        Self {
            list_size: AtomicI64::new(-2),
            set_entries_max: AtomicU64::new(128),
            set_value_bytes_max: AtomicU64::new(64),
        }
    }

    /// The name of a list. Looks at no more elements than a compact one has.
    pub fn list(&self, list: ListRef<'_>) -> &'static str {
        let size = self.list_size.load(Relaxed);
        let (count_max, bytes_max) = match u64::try_from(size) {
            Ok(count) => (count.max(1), COUNTED_LIST_BYTES),
            Err(_) => {
                let doublings = (size.unsigned_abs() - 1).min(LIST_DOUBLINGS_MAX);
                (u64::MAX, LIST_BYTES << doublings)
            }
        };
        let mut bytes = EMPTY_BYTES;
        let walk = list.for_each_from(0, |item| {
            bytes += item_bytes(item);
            if bytes > bytes_max {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        match list.len() <= count_max && walk.is_continue() {
            true => "listpack",
            false => "quicklist",
        }
    }

    /// The name of a set that is not one of few integers. Looks at no more members than a compact one has.
    pub fn set(&self, set: SetRef<'_>) -> &'static str {
        let value_bytes_max = self.set_value_bytes_max.load(Relaxed);
        let is_compact = set.len() <= self.set_entries_max.load(Relaxed)
            && set
                .for_each(|member| match member.bytes_len() as u64 <= value_bytes_max {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                })
                .is_continue();
        if is_compact { "listpack" } else { "hashtable" }
    }
}

impl Default for Naming {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::packed::{Builder, Item, Packed};

    fn packed(items: &[&[u8]]) -> Vec<u8> {
        let mut builder = Builder::default();
        items.iter().for_each(|item| builder.push(Item::of(item)));
        builder.finish()
    }

    fn list(naming: &Naming, items: &[&[u8]]) -> &'static str {
        naming.list(ListRef::Packed(Packed::new(&packed(items))))
    }

    fn set(naming: &Naming, items: &[&[u8]]) -> &'static str {
        naming.set(SetRef::Packed(Packed::new(&packed(items))))
    }

    #[test]
    fn lists_end_by_bytes_or_elements() {
        let naming = Naming::new();
        // A header and an end of 7 bytes; 5 in front of the text and 2 behind it.
        let (fits, long) = ([b'x'; 8192 - 14], [b'x'; 8192 - 13]);
        assert_eq!(
            (list(&naming, &[&fits]), list(&naming, &[&long])),
            ("listpack", "quicklist")
        );
        naming.list_size.store(2, Relaxed);
        assert_eq!(
            (list(&naming, &[b"1", b"2"]), list(&naming, &[b"1", b"2", b"3"])),
            ("listpack", "quicklist")
        );
        assert_eq!(list(&naming, &[&long]), "quicklist");
        naming.list_size.store(0, Relaxed);
        assert_eq!(
            (list(&naming, &[b"1"]), list(&naming, &[b"1", b"2"])),
            ("listpack", "quicklist")
        );
        naming.list_size.store(i64::MIN, Relaxed);
        assert_eq!(list(&naming, &[&long, &long]), "listpack");
    }

    #[test]
    fn sets_end_by_members_or_their_bytes() {
        let naming = Naming::new();
        assert_eq!(
            (set(&naming, &[b"a", b"b"]), set(&naming, &[&[b'x'; 65]])),
            ("listpack", "hashtable")
        );
        naming.set_entries_max.store(1, Relaxed);
        assert_eq!(
            (set(&naming, &[&[b'x'; 64]]), set(&naming, &[b"a", b"b"])),
            ("listpack", "hashtable")
        );
    }
}
