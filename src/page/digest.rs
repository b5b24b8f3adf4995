//! A value in 64 bits: values that read the same have the same digest, however they are kept.
//!
//! **Invariant:** no more than an element is held beside the value, or a stream that is not in parts.

use std::ops::ControlFlow;

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use super::container::{Big, Kind};
use super::hash::HashRef;
use super::list::ListRef;
use super::packed::{Item, write_varint};
use super::set::SetRef;
use super::stream::BigStream;
use super::value::ValueRef;
use super::vectors::VectorSet;
use super::zset::ZsetRef;

/// See the module.
pub fn digest(value: ValueRef<'_>) -> u64 {
    let mut sum = Sum::default();
    let visited = match value {
        ValueRef::Str(text) => {
            let mut digest = Xxh3::new();
            text.pieces(0..text.len()).for_each(|piece| digest.update(piece));
            return digest.digest();
        }
        ValueRef::Big(Big::Stream(stream)) => return stream_digest(stream),
        ValueRef::Big(Big::Vectors(set)) => return set.digest(),
        ValueRef::Packed(Kind::Vectors, packed) => return VectorSet::unpack(packed).digest(),
        // Small enough to be written whole.
        ValueRef::Packed(Kind::Stream, packed) => return stream_digest(&BigStream::unpack(packed)),
        ValueRef::Packed(..) | ValueRef::Big(_) => {
            let hash = HashRef::of(value).map(|hash| {
                hash.for_each(|field| {
                    let at_ms = Item::Int(field.expire_at_ms.unwrap_or(0) as i64);
                    sum.add([field.name, field.value, at_ms])
                })
            });
            let set = SetRef::of(value).map(|set| {
                let is_timed = set.expire_min_ms().is_some();
                set.for_each(|member| {
                    let expiry = is_timed.then(|| member.with_bytes(|name| set.expiry_of(name)));
                    sum.add([member].into_iter().chain(time(expiry)))
                })
            });
            let zset = ZsetRef::of(value).map(|zset| {
                let is_timed = zset.expire_min_ms().is_some();
                zset.for_each_from(0, |member| {
                    let expiry = is_timed.then(|| member.name.with_bytes(|name| zset.expiry_of(name)));
                    let both = [member.name, Item::Int(member.score.to_bits() as i64)];
                    sum.add(both.into_iter().chain(time(expiry)))
                })
            });
            let list = ListRef::of(value).map(|list| list.for_each_from(0, |element| sum.append(element)));
            hash.or(set).or(zset).or(list)
        }
    };
    debug_assert!(visited.is_some(), "a value of a type without a digest");
    xxh3_64_with_seed(&sum.total.to_le_bytes(), value.len())
}

/// When a member dies, if it does: one that lives for ever counts as it is.
fn time(expiry: Option<Option<Option<u64>>>) -> Option<Item<'static>> {
    expiry.flatten().flatten().map(|at_ms| Item::Int(at_ms as i64))
}

/// Digests of elements, added up.
#[derive(Default)]
struct Sum {
    total: u64,
    bytes: Vec<u8>,
}

impl Sum {
    fn written<'a>(&mut self, items: impl IntoIterator<Item = Item<'a>>) -> u64 {
        self.bytes.clear();
        for item in items {
            // The same bytes may be kept as a number or as they are.
            item.with_bytes(|bytes| {
                write_varint(&mut self.bytes, bytes.len() as u64);
                self.bytes.extend_from_slice(bytes);
            });
        }
        xxh3_64(&self.bytes)
    }

    /// An element whose place doesn't matter.
    fn add<'a>(&mut self, items: impl IntoIterator<Item = Item<'a>>) -> ControlFlow<()> {
        let one = self.written(items);
        self.total = self.total.wrapping_add(one);
        ControlFlow::Continue(())
    }

    /// The next one of a sequence.
    fn append(&mut self, item: Item<'_>) -> ControlFlow<()> {
        let one = self.written([item]);
        self.total = xxh3_64_with_seed(&one.to_le_bytes(), self.total);
        ControlFlow::Continue(())
    }
}

fn stream_digest(stream: &BigStream) -> u64 {
    let mut sum = Sum::default();
    let mut last = xxh3_64(&stream.pack_head());
    for (id, bytes) in stream.nodes() {
        sum.bytes.clear();
        write_varint(&mut sum.bytes, id.ms);
        write_varint(&mut sum.bytes, id.seq);
        sum.bytes.extend_from_slice(bytes);
        last = xxh3_64_with_seed(&sum.bytes, last);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Packed;
    use crate::page::container::Form;
    use crate::page::packed::pack;
    use crate::page::stream::{self, StreamId, StreamOp};
    use crate::page::text::BigText;
    use crate::page::{Change, StrRef, thresholds};

    #[test]
    fn it_follows_from_what_is_read() {
        for kind in [Kind::Set, Kind::Hash, Kind::List] {
            let (one, other) = ([b"a", b"1", b"b", b"2"], [b"b", b"2", b"a", b"1"]);
            let digests = [one, other].map(|items| {
                let bytes = pack(items.iter().map(|item| item.as_slice()));
                let packed = Packed::new(&bytes);
                let small = digest(ValueRef::Packed(kind, packed));
                assert_eq!(small, digest(ValueRef::Big(&Big::unpack(kind, packed))));
                small
            });
            assert_eq!(digests[0] == digests[1], kind != Kind::List);
        }
        let members = pack([b"1".as_slice(), b"a"]);
        let zset = ValueRef::Packed(Kind::Zset, Packed::new(&members));
        assert_ne!(digest(zset), digest(ValueRef::Packed(Kind::Set, Packed::new(&members))));
    }

    #[test]
    fn a_string_has_one_in_chunks_or_not() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at / 700) as u8).collect();
        let chunked = BigText::of(&bytes);
        let (whole, chunked) = (StrRef::Inline(&bytes), StrRef::Chunked(&chunked));
        assert_eq!(digest(ValueRef::Str(whole)), digest(ValueRef::Str(chunked)));
        assert_ne!(
            digest(ValueRef::Str(whole)),
            digest(ValueRef::Str(StrRef::Inline(&bytes[1..])))
        );
    }

    #[test]
    fn a_stream_has_one_packed_or_not() {
        let fields = pack([b"field".as_slice(), b"value"]);
        let op = StreamOp::Add {
            id: StreamId::new(7, 1),
            fields: &fields,
        };
        let made = stream::apply(Form::Absent, &op, &Change::apart(&thresholds::DEFAULT));
        let crate::page::container::Next::Big(Big::Stream(one)) = made else {
            panic!("no stream")
        };
        let packed = one.pack();
        let whole = digest(ValueRef::Packed(Kind::Stream, Packed::new(&packed)));
        assert_eq!(whole, digest(ValueRef::Big(&Big::Stream(one.clone()))));
        let mut other = one;
        other.apply(&StreamOp::Trim { count: 1 }, &Change::apart(&thresholds::DEFAULT));
        let packed = other.pack();
        assert_ne!(whole, digest(ValueRef::Packed(Kind::Stream, Packed::new(&packed))));
    }
}
