//! Values of every type, small and large, and payloads of every encoding.

use crate::page::packed::Item;
use crate::rdb::{Consumer, Elements, Group, Hash, Id, Messages, Object, Pending, Stream, dump};

/// A payload of this type and value.
pub fn payload(kind: u8, value: &[u8], version: u16) -> Vec<u8> {
    let mut payload = vec![kind];
    payload.extend_from_slice(value);
    payload.extend(version.to_le_bytes());
    payload.extend(super::super::checksum::of(&payload).to_le_bytes());
    payload
}

/// A string of the format, plain and short.
pub fn short(bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 64);
    [&[bytes.len() as u8], bytes].concat()
}

pub fn elements<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Elements {
    items.into_iter().map(Item::of).collect()
}

fn words(count: u32, prefix: &str) -> Elements {
    let words: Vec<String> = (0..count).map(|n| format!("{prefix}{n}")).collect();
    elements(words.iter().map(|word| word.as_bytes()))
}

fn scored(count: u32) -> Elements {
    let mut elements = Elements::default();
    for n in 0..count {
        elements.push_bytes(format!("member{n}").as_bytes());
        elements.push(Item::of_f64(f64::from(n) * 0.25 - 3.0));
    }
    for (member, score) in [
        ("inf", f64::INFINITY),
        ("-inf", f64::NEG_INFINITY),
        ("tiny", 5e-324),
        ("-0", -0.0),
    ] {
        elements.push_bytes(member.as_bytes());
        elements.push(Item::of_f64(score));
    }
    elements
}

pub fn hash(count: u32, value_bytes: usize) -> Object {
    let mut hash = Hash::new(false);
    for n in 0..count {
        let value = format!("{n}").repeat(1 + value_bytes / 4);
        hash.push(Item::of(format!("f{n}").as_bytes()), Item::of(value.as_bytes()), None);
    }
    Object::Hash(hash)
}

fn timed_hash() -> Object {
    let mut hash = Hash::new(true);
    hash.push(Item::of(b"never"), Item::of(b"v"), None);
    hash.push(Item::of(b"first"), Item::of(b"1"), Some(1_900_000_000_000));
    hash.push(Item::of(b"later"), Item::of(b"x"), Some(1_900_000_500_000));
    Object::Hash(hash)
}

/// What Redis 8.6 has beside what others do; with `released`, what 8.8 has.
fn with_messages(stream: Object, released: bool) -> Object {
    let Object::Stream(mut stream) = stream else {
        panic!("a stream")
    };
    let id = |ms| Id { ms, seq: 2 };
    stream.messages = Some(Messages {
        duration_s: 86_400,
        ids_max: 10_000,
        added: 70_000,
        duplicates: 3,
        producers: vec![
            (b"p".to_vec(), vec![(b"one".to_vec(), id(4)), (vec![0xff; 100], id(9))]),
            (vec![0; 70], vec![(b"one".to_vec(), id(5))]),
        ],
    });
    if released {
        let given_back = stream.groups[0].pending.iter_mut().take(2);
        given_back.for_each(|pending| (pending.consumer, pending.delivered_at_ms) = (None, 0));
    }
    Object::Stream(stream)
}

fn stream(count: u64) -> Object {
    let mut stream = Stream::default();
    for n in 1..=count {
        let id = Id {
            ms: 1_700_000_000_000 + n / 3,
            seq: n % 3,
        };
        let (number, text) = (n.to_string(), "t".repeat(n as usize % 90));
        let pairs = [&b"temperature"[..], number.as_bytes(), b"note", text.as_bytes()].map(Item::of);
        // Every seventh has a field of its own.
        let pairs = if n % 7 == 0 { &pairs[..2] } else { &pairs[..] };
        stream.push(id, pairs);
        stream.last_id = id;
        if n == 1 {
            stream.first_id = id;
        }
    }
    stream.entries_added = count + 5;
    stream.max_deleted_id = Id { ms: 7, seq: 9 };
    let consumer = |name: &str| Consumer {
        name: name.into(),
        seen_at_ms: 1_700_000_000_123,
        active_at_ms: Some(1_700_000_000_123),
    };
    let pending = |ms, consumer| Pending {
        id: Id { ms, seq: 1 },
        consumer: Some(consumer),
        delivered_at_ms: 1_700_000_000_001,
        deliveries: 3,
    };
    stream.groups = vec![
        Group {
            name: b"workers".to_vec(),
            last_id: stream.last_id,
            entries_read: Some(3),
            consumers: vec![consumer("alice"), consumer("bob"), consumer("idle")],
            pending: vec![pending(5, 1), pending(6, 0), pending(7, 1)],
        },
        Group {
            name: b"empty".to_vec(),
            ..Group::default()
        },
    ];
    Object::Stream(Box::new(stream))
}

/// Values of every type.
pub fn objects() -> Vec<Object> {
    let text = |bytes: &[u8]| Object::String(bytes.to_vec());
    let mut large = elements([&b"head"[..], &[b'L'; 20_000], b"", b"17"]);
    (0..40_u8).for_each(|n| large.push_bytes(&[n; 1_000]));
    let huge_ints = [&b"-9223372036854775808"[..], b"5", b"70000"];
    vec![
        text(b""),
        text(b"plain"),
        text(b"-129"),
        text(b"2147483648"),
        text(b"007"),
        text(&[b'z'; 70_000]),
        Object::List(words(3, "x")),
        Object::List(words(5_000, "element")),
        Object::List(large),
        Object::Set(words(300, "member")),
        Object::Set(words(400, "")),
        Object::Set(words(600, "")),
        Object::Set(elements(huge_ints)),
        Object::Zset(scored(3)),
        Object::Zset(scored(700)),
        hash(3, 5),
        hash(100, 200),
        hash(1_000, 10),
        timed_hash(),
        stream(0),
        stream(3),
        stream(1_000),
        with_messages(stream(20), false),
        with_messages(stream(0), true),
    ]
}

/// Payloads of encodings that are read and never written, with the value of each.
pub fn old_payloads() -> Vec<(Vec<u8>, Object)> {
    let pair = || {
        let mut hash = Hash::new(false);
        hash.push(Item::of(b"a"), Item::of(b"1"), None);
        Object::Hash(hash)
    };
    let at = |at_ms| {
        let mut hash = Hash::new(true);
        hash.push(Item::of(b"a"), Item::of(b"1"), at_ms);
        Object::Hash(hash)
    };
    let zset = |score| Object::Zset([Item::of(b"a"), score].into_iter().collect());
    let list = || Object::List(elements([&b"a"[..], b"1"]));
    let ziplist = short(b"\x10\0\0\0\x0d\0\0\0\x02\0\0\x01a\x03\xf2\xff");
    let listpack = short(b"\x0c\0\0\0\x02\0\x81a\x02\x01\x01\xff");
    let timed = short(b"\x16\0\0\0\x03\0\x81a\x02\x01\x01\xf4\0\x3e\xd3\x60\xba\x01\0\0\x09\xff");
    let ms = 1_900_000_001_536_u64.to_le_bytes();
    let length_ms = [&[0x81][..], &1_900_000_001_536_u64.to_be_bytes()].concat();
    let some = Some(1_900_000_001_536);
    [
        (1, b"\x02\x01a\xc0\x01".to_vec(), list()),
        (2, b"\x01\x01a".to_vec(), Object::Set(elements([&b"a"[..]]))),
        (3, b"\x01\x01a\x041e20".to_vec(), zset(Item::Double(1e20))),
        (3, b"\x01\x01a\xfe".to_vec(), zset(Item::Double(f64::INFINITY))),
        (4, b"\x01\x01a\x011".to_vec(), pair()),
        (9, short(b"\x01\x01a\x01\x001\xff"), pair()),
        (10, ziplist.clone(), list()),
        (12, ziplist.clone(), zset(Item::Int(1))),
        (13, ziplist.clone(), pair()),
        (14, [&b"\x01"[..], &ziplist].concat(), list()),
        (16, listpack.clone(), pair()),
        (17, listpack.clone(), zset(Item::Int(1))),
        (20, listpack, Object::Set(elements([&b"a"[..], b"1"]))),
        (22, [&b"\x01"[..], &length_ms, b"\x01a\x011"].concat(), at(some)),
        (23, timed.clone(), at(some)),
        (24, [&ms[..], b"\x01\x01\x01a\x011"].concat(), at(some)),
        (24, [&ms[..], b"\x01\x00\x01a\x011"].concat(), at(None)),
        (25, [&ms[..], &timed].concat(), at(some)),
    ]
    .into_iter()
    .map(|(kind, value, object)| (payload(kind, &value, 12), object))
    .collect()
}

/// Payloads of all encodings.
pub fn payloads() -> Vec<Vec<u8>> {
    let written = objects().iter().map(dump).collect::<Vec<_>>();
    written
        .into_iter()
        .chain(old_payloads().into_iter().map(|(payload, _)| payload))
        .collect()
}
