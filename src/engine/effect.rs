//! The vocabulary of change: what the WAL carries, replay applies and replicas will receive.
//!
//! **Invariants**
//! - An effect is deterministic: times are absolute, random choices made, identities generated before.
//! - A record's payload is a sequence of `(collection_id, effect)`; it is applied whole or not at all.
//! - The order of variants is the format: new ones are added at the end only.

use serde::{Deserialize, Serialize};

use super::ids::{CollectionId, DatabaseId};
use super::index::Kind;
use super::settings::Settings;
use crate::page::hash::HashOp;
use crate::page::kind::{ValueType, wire_code};
use crate::page::list::ListOp;
use crate::page::set::SetOp;
use crate::page::spliced::SPLICE_BYTES_MIN;
use crate::page::stream::StreamOp;
use crate::page::thresholds::Limits;
use crate::page::vectors::VectorOp;
use crate::page::zset::ZsetOp;
use crate::page::{Big, Malformed, StrRef, ValueRef, codec};
use crate::shared::Shared;

/// How a collection places its keys; fixed at creation, kept on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Which index.
    pub kind: Kind,
    /// Seed of the key hash.
    pub seed: u64,
    /// How many top bits of the hash choose the shard.
    pub shard_bits: u8,
}

/// One change. `expire_at_ms` 0 means "never".
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Effect<'a> {
    /// The key now has this value and expiry, whatever it had before.
    Put {
        /// The key.
        #[serde(borrow, with = "serde_bytes")]
        key: &'a [u8],
        /// When it dies, Unix milliseconds; 0 = never.
        expire_at_ms: u64,
        /// The value.
        value: ValueRef<'a>,
    },
    /// The key is gone.
    Delete {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
    },
    /// The existing key dies at another time.
    ExpireAt {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
        /// When it dies, Unix milliseconds; 0 = never.
        expire_at_ms: u64,
    },
    /// The bytes from `offset` of the existing string are overwritten, zero-filled up to there if it was shorter.
    StrRange {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
        /// First byte to write.
        offset: u64,
        /// What to write.
        #[serde(with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// A list changes; it is made if there was none, and gone when it is empty.
    List {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
        /// What happens to it.
        #[serde(borrow)]
        op: ListOp<'a>,
    },
    /// A set changes, in the same way.
    Set {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
        /// What happens to it.
        #[serde(borrow)]
        op: SetOp<'a>,
    },
    /// A sorted set changes, in the same way.
    Zset {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
        /// What happens to it.
        #[serde(borrow)]
        op: ZsetOp<'a>,
    },
    /// A hash changes, in the same way.
    Hash {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
        /// What happens to it.
        #[serde(borrow)]
        op: HashOp<'a>,
    },
    /// A stream changes; it is made if there was none.
    Stream {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
        /// What happens to it.
        #[serde(borrow)]
        op: StreamOp<'a>,
    },
    /// A new, empty collection appears in a database slot.
    CollectionCreate {
        /// The slot.
        database: DatabaseId,
        /// Its name.
        name: &'a str,
        /// How it places keys.
        placement: Placement,
    },
    /// The collection is gone, its slot too.
    CollectionDrop,
    /// The collection's slot has another name.
    CollectionRename {
        /// The new name.
        name: &'a str,
    },
    /// The collection is empty.
    CollectionFlush,
    /// The collection and another exchange slots (and so names).
    CollectionSwap {
        /// The other collection.
        with: CollectionId,
    },
    /// A new, empty collection begins to be loaded; it is in no slot yet.
    CollectionLoad {
        /// How it places keys.
        placement: Placement,
    },
    /// The collection that was being loaded is in this slot now, instead of what was there.
    CollectionPublish {
        /// The slot; made if it does not exist.
        database: DatabaseId,
        /// Its name.
        name: &'a str,
    },
    /// The collection's settings are these.
    CollectionConfigure {
        /// All of them.
        settings: Settings,
    },
    /// The key now has the value that another key has at this point of the log; it is gone if that is not there. This
    /// is how a value too large to be written again gets to another key.
    Copy {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
        /// When it dies, Unix milliseconds; 0 = never.
        expire_at_ms: u64,
        /// The collection of the other key.
        source_collection: CollectionId,
        /// The other key.
        #[serde(with = "serde_bytes")]
        source_key: &'a [u8],
        /// What that has. Not in the log: replay has to look.
        #[serde(skip)]
        value: Option<ValueRef<'a>>,
        /// Whether that is deleted by the same record, and is of the same collection: its parts are this key's then,
        /// under the names that they have. Not in the log: replay gives them others.
        #[serde(skip)]
        takes_parts: bool,
    },
    /// The encoding thresholds are these, for every change of any collection from here on. Of
    /// [`CollectionId::NONE`].
    EncodingChanged {
        /// All of them.
        limits: Limits,
    },
    /// There is a library of functions of this name, instead of what it was before. Of [`CollectionId::NONE`], as all
    /// that is done to libraries.
    LibraryPut {
        /// The name.
        #[serde(with = "serde_bytes")]
        name: &'a [u8],
        /// What is in it.
        #[serde(with = "serde_bytes")]
        code: &'a [u8],
    },
    /// A library is gone.
    LibraryDelete {
        /// Its name.
        #[serde(with = "serde_bytes")]
        name: &'a [u8],
    },
    /// All libraries are gone.
    LibrariesFlush,
    /// A vector set changes; it is made if there was none, and gone when it is empty.
    Vectors {
        /// The key.
        #[serde(with = "serde_bytes")]
        key: &'a [u8],
        /// What happens to it.
        #[serde(borrow)]
        op: VectorOp<'a>,
    },
}

impl<'a> Effect<'a> {
    /// Whether there may be something behind it for those who wait for its key. That a consumer was heard of is nothing
    /// to them: each of them is one.
    pub fn may_serve(&self) -> bool {
        let Self::Stream { op, .. } = self else { return true };
        !matches!(op, StreamOp::ConsumerSeen { .. } | StreamOp::ConsumerDelete { .. })
    }

    /// The key, of effects that change one.
    pub fn key(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Put { key, .. }
            | Self::Delete { key }
            | Self::ExpireAt { key, .. }
            | Self::StrRange { key, .. }
            | Self::List { key, .. }
            | Self::Set { key, .. }
            | Self::Zset { key, .. }
            | Self::Hash { key, .. }
            | Self::Stream { key, .. }
            | Self::Vectors { key, .. }
            | Self::Copy { key, .. } => Some(key),
            Self::CollectionCreate { .. }
            | Self::CollectionDrop
            | Self::CollectionRename { .. }
            | Self::CollectionFlush
            | Self::CollectionSwap { .. }
            | Self::CollectionLoad { .. }
            | Self::CollectionPublish { .. }
            | Self::CollectionConfigure { .. }
            | Self::EncodingChanged { .. }
            | Self::LibraryPut { .. }
            | Self::LibraryDelete { .. }
            | Self::LibrariesFlush => None,
        }
    }

    /// A copy with what its source has.
    pub fn with_value(mut self, found: Option<ValueRef<'a>>) -> Self {
        if let Self::Copy { value, .. } = &mut self {
            *value = found;
        }
        self
    }

    /// The same change of its key without regard to any other key. Of a copy whose value is known.
    pub fn standing_alone(self) -> Self {
        match self {
            Self::Copy {
                key,
                expire_at_ms,
                value: Some(value),
                ..
            } => Self::Put {
                key,
                expire_at_ms,
                value,
            },
            Self::Copy { key, value: None, .. } => Self::Delete { key },
            other => other,
        }
    }

    fn large(&self) -> Option<&'a Shared> {
        match self {
            Self::Put { value, .. } => value.shared(),
            _ => None,
        }
    }

    /// Appends this effect on `collection` to a record's payload.
    #[inline]
    pub fn encode(&self, collection: CollectionId, sink: &mut impl codec::Sink) {
        match *self {
            Self::Put {
                key,
                expire_at_ms,
                value: ValueRef::Str(StrRef::Inline(text)),
            } => {
                put_head((collection, key, expire_at_ms), ValueType::Str, text.len(), sink);
                sink.push(text);
            }
            Self::Put {
                key,
                expire_at_ms,
                value: ValueRef::Str(StrRef::Chunked(text)),
            } => {
                put_head((collection, key, expire_at_ms), ValueType::Str, text.len(), sink);
                text.runs(0..text.len()).for_each(|run| sink.link(run.piece()));
            }
            Self::Put {
                key,
                expire_at_ms,
                value: ValueRef::Big(big),
            } => put_big((collection, key, expire_at_ms), big, sink),
            _ => codec::encode(&(collection, self), self.large(), sink),
        }
    }
}

/// What [`codec::encode`] would write for a value before its bytes: in half the time for the most frequent effect of
/// all, and without the bytes for those that are linked.
#[inline]
fn put_head(
    (collection, key, expire_at_ms): (CollectionId, &[u8], u64),
    value_type: ValueType,
    value_bytes: usize,
    sink: &mut impl codec::Sink,
) {
    let put = 0;
    let head = codec::Ints::default()
        .with(collection.get().into())
        .with(put)
        .with(key.len() as u64);
    let middle = codec::Ints::default()
        .with(expire_at_ms)
        .with(wire_code(value_type).into())
        .with(value_bytes as u64);
    sink.push(head.bytes());
    sink.push(key);
    sink.push(middle.bytes());
}

/// A container that becomes long when it is packed is linked: the log need not have it a second time.
#[inline(never)]
fn put_big(place: (CollectionId, &[u8], u64), big: &Big, sink: &mut impl codec::Sink) {
    let packed = big.pack();
    put_head(place, ValueType::Container(big.kind()), packed.len(), sink);
    if packed.len() < SPLICE_BYTES_MIN {
        sink.push(&packed);
    } else {
        sink.link(Shared::new(packed).into());
    }
}

/// The effects of one record's payload, in order.
///
/// # Errors
/// An item is one when the bytes are not effects; iteration ends there.
pub fn decode_all(payload: &[u8]) -> impl Iterator<Item = Result<(CollectionId, Effect<'_>), Malformed>> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        Some(match codec::decode(rest) {
            Ok((effect, taken)) => {
                rest = rest.get(taken..).unwrap_or_default();
                Ok(effect)
            }
            Err(error) => {
                rest = &[];
                Err(error)
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Mark;
    use crate::page::Spliced;
    use crate::page::container::Kind;
    use crate::page::packed::{Packed, pack};
    use crate::page::text::BigText;

    #[test]
    fn the_short_way_writes_what_the_serializer_writes() {
        let lengths = [0, 1, 250, 251, 300, 0xffff, 0x1_0000, 70_000];
        let times = [0, 250, 251, 0xffff, 0x1_0000, 0xffff_ffff, 1 << 32, u64::MAX];
        let ids = [0, 1, 250, 251, 0xffff, 0x1_0000, 70_000, u32::MAX];
        for (at, expire_at_ms, id) in
            (0..8).flat_map(|at| times.into_iter().flat_map(move |time| ids.map(|id| (at, time, id))))
        {
            let (key_bytes, text_bytes) = (lengths[at], lengths[(at + 3) % 8]);
            let (key, text) = (vec![b'k'; key_bytes], vec![b't'; text_bytes]);
            let effect = Effect::Put {
                key: &key,
                expire_at_ms,
                value: ValueRef::Str(StrRef::Inline(&text)),
            };
            let (mut short, mut long) = (Vec::new(), Vec::new());
            effect.encode(CollectionId::new(id), &mut short);
            codec::encode(&(CollectionId::new(id), effect), None, &mut long);
            assert!(short == long, "{key_bytes} {text_bytes} {expire_at_ms} {id}");
        }
    }

    #[test]
    fn chunks_are_written_as_the_same_string_in_one_piece() {
        let mut chunked = BigText::on(Shared::new(vec![7; 300_000]));
        let _clone = chunked.clone();
        chunked.write(100_000, b"changed", Mark::APART);
        let shared = Shared::new(chunked.part(0..chunked.len()).into_owned());
        let [of_chunks, of_one_piece] = [StrRef::Chunked(&chunked), StrRef::Shared(&shared)].map(|text| {
            let mut written = Vec::new();
            let effect = Effect::Put {
                key: b"key",
                expire_at_ms: 70_000,
                value: ValueRef::Str(text),
            };
            effect.encode(CollectionId::new(3), &mut written);
            written
        });
        assert!(of_chunks == of_one_piece);
    }

    #[test]
    fn containers_are_written_as_in_their_packed_form() {
        for members in [3, 50_000] {
            let names: Vec<Vec<u8>> = (0..members).map(|n: u32| n.to_string().into_bytes()).collect();
            let packed = pack(names.iter().map(Vec::as_slice));
            let big = Big::unpack(Kind::List, Packed::new(&packed));
            let values = [ValueRef::Big(&big), ValueRef::Packed(Kind::List, Packed::new(&packed))];
            let [of_big, of_packed] = values.map(|value| {
                let (key, expire_at_ms) = (b"key".as_slice(), 70_000);
                let put = Effect::Put {
                    key,
                    expire_at_ms,
                    value,
                };
                let mut written = Vec::new();
                put.encode(CollectionId::new(3), &mut written);
                written
            });
            assert!(of_big == of_packed, "{members}");
        }
    }

    #[test]
    fn effects_read_back_also_with_a_linked_value() {
        let shared = Shared::new(vec![7; 100_000]);
        let effects = [
            Effect::Put {
                key: b"k",
                expire_at_ms: 5,
                value: ValueRef::Str(StrRef::Shared(&shared)),
            },
            Effect::StrRange {
                key: b"k",
                offset: 9,
                bytes: b"xyz",
            },
            Effect::CollectionFlush,
        ];
        let mut spliced = Spliced::default();
        effects
            .iter()
            .for_each(|effect| effect.encode(CollectionId::new(3), &mut spliced));
        let mut payload = Vec::new();
        spliced
            .for_each_piece(|piece| {
                payload.extend_from_slice(piece);
                Ok::<(), ()>(())
            })
            .unwrap();
        let read: Vec<_> = decode_all(&payload).collect::<Result<_, _>>().unwrap();
        assert_eq!(read.len(), 3);
        assert!(read.iter().all(|(collection, _)| *collection == CollectionId::new(3)));
        assert!(
            matches!(read[0].1, Effect::Put { value: ValueRef::Str(text), .. } if text.contiguous() == &shared[..])
        );
        assert!(matches!(
            read[1].1,
            Effect::StrRange {
                offset: 9,
                bytes: b"xyz",
                ..
            }
        ));
        assert!(decode_all(&payload[..payload.len() - 1]).any(|effect| effect.is_err()));
    }
}
