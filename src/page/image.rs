//! A page as bytes: what pre-images, checkpoints and `PERSIST` write.
//!
//! The image is a sequence of bincode tuples `(key, expire_at_ms, value)` (`expire_at_ms` 0 = never), one per entry;
//! the number of entries, the page's identity and the checksum live in the page directory that points to it. Of a
//! container in parts it has the names of them.

use serde::{Deserialize, Serialize};

use super::entry::EntryRef;
use super::join::Whole;
use super::kind::wire_code;
use super::malformed::Malformed;
use super::value::{Stored, WIRE_CODE_PARTED};
use super::{Spliced, StrRef, ValueRef, codec};
use crate::lsn::Lsn;
use crate::page::PageId;

/// One entry, as far as it is not in parts as it is written.
#[derive(Serialize)]
pub struct EntryImage<'a> {
    /// The key.
    #[serde(with = "serde_bytes")]
    pub key: &'a [u8],
    /// When it dies, Unix milliseconds; 0 = never.
    pub expire_at_ms: u64,
    /// The value.
    pub value: ValueRef<'a>,
}

/// One entry as it is read.
#[derive(Serialize, Deserialize)]
pub struct StoredEntry<'a> {
    /// The key.
    #[serde(borrow, with = "serde_bytes")]
    pub key: &'a [u8],
    /// When it dies, Unix milliseconds; 0 = never.
    pub expire_at_ms: u64,
    /// The value, or what there is of it.
    #[serde(borrow)]
    pub value: Stored<'a>,
}

impl<'a> StoredEntry<'a> {
    /// The same with this value.
    pub fn with<'v>(&self, value: ValueRef<'v>) -> EntryImage<'v>
    where
        'a: 'v,
    {
        EntryImage {
            key: self.key,
            expire_at_ms: self.expire_at_ms,
            value,
        }
    }
}

/// Where in its shard a page belongs. Pages of ordered kinds have none: the order of their keys tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Anchor {
    /// The hash bits all keys of the page share, left-aligned behind the shard bits.
    pub prefix: u32,
    /// How many bits of `prefix` count.
    pub depth: u8,
}

/// The point-in-time content of one page.
#[derive(Debug)]
pub struct PageImage {
    /// The page's identity within its collection.
    pub page_id: PageId,
    /// LSN of the page's last change.
    pub version: Lsn,
    /// Where the page belongs.
    pub anchor: Anchor,
    /// Entries in the image.
    pub entries: u32,
    /// The encoded entries.
    pub content: Spliced,
}

impl PageImage {
    /// Encodes `entries`, linking their large values; [`Spliced::settle`] is left to do.
    pub fn of<'a>(page_id: PageId, version: Lsn, entries: impl Iterator<Item = EntryRef<'a>>) -> Self {
        let mut image = Self {
            page_id,
            version,
            anchor: Anchor::default(),
            entries: 0,
            content: Spliced::default(),
        };
        for entry in entries {
            image.push(entry);
        }
        image
    }

    /// The same at its place.
    pub fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    fn push(&mut self, entry: EntryRef<'_>) {
        let (key, value) = (entry.key(), entry.value());
        let expire_at_ms = entry.expire_at_ms().unwrap_or(0);
        let parted = Whole::of(value);
        // The same bytes as of an `EntryImage`, but for the value's own.
        let code = match parted {
            Some(_) => WIRE_CODE_PARTED,
            None => wire_code(value.value_type()),
        };
        let head = (serde_bytes::Bytes::new(key), expire_at_ms, code);
        match (parted, value) {
            (Some(whole), _) => {
                codec::encode(&head, None, &mut self.content);
                self.content.link_parted(whole);
            }
            (None, ValueRef::Big(big)) => {
                codec::encode(&head, None, &mut self.content);
                self.content.link_big(big.clone());
            }
            (None, ValueRef::Str(StrRef::Chunked(text))) => {
                codec::encode(&head, None, &mut self.content);
                self.content.link_text(text.clone());
            }
            (None, ValueRef::Str(_) | ValueRef::Packed(..)) => {
                let image = EntryImage {
                    key,
                    expire_at_ms,
                    value,
                };
                codec::encode(&image, value.shared(), &mut self.content);
            }
        }
        self.entries += 1;
    }
}

/// Decodes an image, giving each entry to `visit`, whose error ends it.
///
/// # Errors
/// When the bytes are not exactly `entries` entries.
pub fn decode<'a, E: From<Malformed>>(
    bytes: &'a [u8],
    entries: u32,
    mut visit: impl FnMut(StoredEntry<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = bytes;
    for index in 0..entries {
        let (image, taken) = codec::decode(rest).map_err(|error| Malformed::Entry {
            index,
            entries,
            error: Box::new(error),
        })?;
        visit(image)?;
        rest = rest.get(taken..).unwrap_or_default();
    }
    if rest.is_empty() {
        return Ok(());
    }
    let bytes = rest.len();
    Err(Malformed::Behind { bytes, entries }.into())
}
