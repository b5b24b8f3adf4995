//! Containers through effects: made, changed, emptied, imaged; figures exact.

use std::collections::BTreeMap;

use super::Harness;
use crate::engine::effect::Effect;
use crate::engine::ids::DatabaseId;
use crate::page::PageId;
use crate::page::container::Kind;
use crate::page::hash::HashOp;
use crate::page::image::{self, PageImage};
use crate::page::join::Whole;
use crate::page::packed::pack;
use crate::page::value::Stored;
use crate::page::{Malformed, Packed, ValueRef};
use crate::wal::Lsn;

fn packed(pairs: usize, value: &[u8]) -> Vec<u8> {
    let fields: Vec<Vec<u8>> = (0..pairs).map(|n| format!("field:{n}").into_bytes()).collect();
    pack(fields.iter().flat_map(|field| [field.as_slice(), value]))
}

#[test]
fn a_container_is_made_grows_big_and_goes_when_empty() {
    let mut harness = Harness::new(1);
    for (pairs, is_big) in [(1, false), (3, false), (1000, true), (2, false)] {
        let content = packed(pairs, b"value");
        harness.with_keys(DatabaseId::DEFAULT, &[b"h"], |txn| {
            let put = Effect::Put {
                key: b"h",
                expire_at_ms: 0,
                value: ValueRef::Packed(Kind::Hash, Packed::new(&content)),
            };
            txn.apply(&put);
            let value = txn.peek(b"h").unwrap().value();
            assert_eq!((value.len(), matches!(value, ValueRef::Big(_))), (pairs as u64, is_big));
        });
    }
    let before = harness.collection(DatabaseId::DEFAULT).totals(Lsn::ZERO);
    assert_eq!(before.keys, 1);
    harness.with_keys(DatabaseId::DEFAULT, &[b"h"], |txn| {
        let fields = pack([&b"field:0"[..], b"field:1"]);
        let op = HashOp::Remove { fields: &fields };
        txn.apply(&Effect::Hash { key: b"h", op });
        assert!(txn.peek(b"h").is_none());
    });
    let after = harness.collection(DatabaseId::DEFAULT).totals(Lsn::ZERO);
    assert_eq!(after.keys, 0);
    assert_eq!(harness.engine.meter().used_bytes(), after.bytes);
}

#[test]
fn a_page_image_has_big_containers_as_they_were() {
    let mut harness = Harness::new(1);
    let (small, large) = (packed(2, b"x"), packed(2000, b"y"));
    let put = |txn: &mut crate::engine::txn::Txn<'_, '_>, key, content: &[u8]| {
        txn.apply(&Effect::Put {
            key,
            expire_at_ms: 77,
            value: ValueRef::Packed(Kind::Hash, Packed::new(content)),
        });
    };
    harness.set_clock(1);
    harness.with_keys(DatabaseId::DEFAULT, &[b"s"], |txn| put(txn, b"s", &small));
    harness.with_keys(DatabaseId::DEFAULT, &[b"l"], |txn| put(txn, b"l", &large));
    let collection = harness.collection(DatabaseId::DEFAULT);
    let states: Vec<_> = collection.shards().iter().map(|shard| shard.lock()).collect();
    let entries = [b"s", b"l"].map(|key| {
        let key = collection.key(key);
        states[collection.shard_of(key.hash).index()].index.get(key).unwrap()
    });
    let mut image = PageImage::of(PageId::FIRST, Lsn::FIRST, entries.into_iter());
    drop(states);
    harness.with_keys(DatabaseId::DEFAULT, &[b"l"], |txn| assert!(txn.delete(b"l")));
    // The large one is in parts; its share has what they are made of.
    let parted: Vec<Whole> = image.content.parted().cloned().collect();
    let [Whole::Big(parted)] = &parted[..] else {
        panic!("one is in parts")
    };
    image.content.settle();
    let mut bytes = Vec::new();
    image
        .content
        .for_each_piece(|piece| {
            bytes.extend_from_slice(piece);
            Ok::<(), ()>(())
        })
        .unwrap();
    assert_eq!(bytes.len(), image.content.len());
    let mut read = Vec::new();
    image::decode(&bytes, 2, |entry| {
        let bytes = match entry.value {
            Stored::Whole(ValueRef::Packed(Kind::Hash, packed)) => packed.bytes().to_vec(),
            Stored::Parted(_) => parted.pack(),
            Stored::Whole(_) => return Err(Malformed::Container("another type")),
        };
        read.push((entry.key.to_vec(), entry.expire_at_ms, fields(Packed::new(&bytes))));
        Ok(())
    })
    .unwrap();
    let expected = [
        (b"s".to_vec(), 77, fields(Packed::new(&small))),
        (b"l".to_vec(), 77, fields(Packed::new(&large))),
    ];
    assert!(read == expected);
}

/// Names and values in one order, whatever order they stand in.
fn fields(packed: Packed<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let items: Vec<Vec<u8>> = packed.items().map(|item| item.bytes().into_owned()).collect();
    items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}
