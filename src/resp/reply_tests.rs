//! Tests of the reply writer, with the crate `redis-protocol` as the independent decoder.

use super::{Proto, Reply, format_double};
use crate::shared::Shared;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis_protocol::resp2::types::OwnedFrame as Resp2;
use redis_protocol::resp3::types::{OwnedFrame as Resp3, VerbatimStringFormat};
use redis_protocol::{resp2, resp3};
use std::collections::{HashMap, HashSet};
use std::io::IoSlice;
use std::sync::Arc;

/// A reply as a tree, to be written in both protocols.
#[derive(Clone, Debug)]
enum Tree {
    Ok,
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Shared(Shared),
    Range(Shared, usize, usize),
    BulkInt(i64),
    Null,
    NullArray,
    Double(f64),
    Boolean(bool),
    BigNumber(String),
    Verbatim(String),
    List(Kind, bool, Vec<Tree>),
    Map(bool, Vec<(Tree, Tree)>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Array,
    Set,
    Push,
}

fn random_tree(rng: &mut StdRng, depth: usize, ids: &mut i64) -> Tree {
    *ids += 1;
    let id = *ids;
    let text = format!("text {id}");
    let bytes = |rng: &mut StdRng, max: usize| {
        let mut bytes = vec![rng.random(); rng.random_range(0..max)];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    match rng.random_range(0..if depth == 0 { 14 } else { 22 }) {
        0 => Tree::Ok,
        1 => Tree::Simple(text),
        2 => Tree::Error(format!("ERR {text}")),
        3 => Tree::Int(if rng.random() { id } else { rng.random() }),
        4 | 5 => Tree::Bulk(bytes(rng, 300)),
        6 => Tree::Shared(Arc::new(bytes(rng, 40_000))),
        7 => {
            let shared = Arc::new(bytes(rng, 100_000));
            let start = rng.random_range(0..=shared.len());
            let end = rng.random_range(start..=shared.len() + 10);
            Tree::Range(shared, start, end)
        }
        8 => Tree::BulkInt(rng.random()),
        9 => [Tree::Null, Tree::NullArray][rng.random_range(0..2)].clone(),
        10 => Tree::Double(if rng.random() { 0.1 * id as f64 } else { f64::INFINITY }),
        11 => Tree::Boolean(rng.random()),
        12 => Tree::BigNumber(format!("123456789012345678901234567890{id}")),
        13 => Tree::Verbatim(text),
        14..19 => {
            let kind = if depth == 3 && rng.random_bool(0.2) {
                Kind::Push
            } else {
                [Kind::Array, Kind::Array, Kind::Set][rng.random_range(0..3)]
            };
            // A set's elements must differ, also for a decoder that hashes them: distinct texts.
            let n = rng.random_range(0..12);
            let items = (0..n).map(|_| match kind {
                Kind::Set => Tree::Bulk(distinct(ids)),
                _ => random_tree(rng, depth - 1, ids),
            });
            let items = items.collect();
            Tree::List(kind, rng.random(), items)
        }
        _ => {
            let n = rng.random_range(0..12);
            let pairs = (0..n)
                .map(|_| (Tree::Bulk(distinct(ids)), random_tree(rng, depth - 1, ids)))
                .collect();
            Tree::Map(rng.random(), pairs)
        }
    }
}

fn distinct(ids: &mut i64) -> Vec<u8> {
    *ids += 1;
    format!("key {ids}").into_bytes()
}

fn write(reply: &mut Reply, tree: &Tree) {
    match tree {
        Tree::Ok => reply.ok(),
        Tree::Simple(text) => reply.simple(text),
        Tree::Error(text) => reply.error(text),
        Tree::Int(value) => reply.int(*value),
        Tree::Bulk(bytes) => reply.bulk(bytes),
        Tree::Shared(shared) => reply.bulk_shared(shared),
        Tree::Range(shared, start, end) => reply.bulk_shared_range(shared, *start..*end),
        Tree::BulkInt(value) => reply.bulk_int(*value),
        Tree::Null => reply.null(),
        Tree::NullArray => reply.null_array(),
        Tree::Double(value) => reply.double(*value),
        Tree::Boolean(value) => reply.boolean(*value),
        Tree::BigNumber(digits) => reply.big_number(digits),
        Tree::Verbatim(text) => reply.verbatim(b"txt", text),
        Tree::List(kind, deferred, items) => {
            let deferred = (*deferred && *kind != Kind::Push).then(|| reply.deferred_array());
            if deferred.is_none() {
                match kind {
                    Kind::Array => reply.array(items.len()),
                    Kind::Set => reply.set(items.len()),
                    Kind::Push => reply.push(items.len()),
                }
            }
            items.iter().for_each(|item| write(reply, item));
            match deferred {
                Some(deferred) if *kind == Kind::Set => reply.finish_set(deferred, items.len()),
                Some(deferred) => reply.finish_array(deferred, items.len()),
                None => {}
            }
        }
        Tree::Map(deferred, pairs) => {
            let deferred = deferred.then(|| reply.deferred_map());
            if deferred.is_none() {
                reply.map(pairs.len());
            }
            for (key, value) in pairs {
                write(reply, key);
                write(reply, value);
            }
            if let Some(deferred) = deferred {
                reply.finish_map(deferred, pairs.len());
            }
        }
    }
}

fn as_resp2(tree: &Tree) -> Resp2 {
    let bulk = |text: &str| Resp2::BulkString(text.as_bytes().to_vec());
    match tree {
        Tree::Ok => Resp2::SimpleString(b"OK".to_vec()),
        Tree::Simple(text) => Resp2::SimpleString(text.clone().into_bytes()),
        Tree::Error(text) => Resp2::Error(text.clone()),
        Tree::Int(value) => Resp2::Integer(*value),
        Tree::Bulk(bytes) => Resp2::BulkString(bytes.clone()),
        Tree::Shared(shared) => Resp2::BulkString(shared.to_vec()),
        Tree::Range(shared, start, end) => Resp2::BulkString(shared[*start..shared.len().min(*end)].to_vec()),
        Tree::BulkInt(value) => bulk(&value.to_string()),
        Tree::Null | Tree::NullArray => Resp2::Null,
        Tree::Double(value) => bulk(&format_double(*value)),
        Tree::Boolean(value) => Resp2::Integer((*value).into()),
        Tree::BigNumber(digits) => bulk(digits),
        Tree::Verbatim(text) => bulk(text),
        Tree::List(_, _, items) => Resp2::Array(items.iter().map(as_resp2).collect()),
        Tree::Map(_, pairs) => Resp2::Array(pairs.iter().flat_map(|(k, v)| [as_resp2(k), as_resp2(v)]).collect()),
    }
}

fn as_resp3(tree: &Tree) -> Resp3 {
    let attributes = None;
    let bulk = |data: &[u8]| Resp3::BlobString {
        data: data.to_vec(),
        attributes: None,
    };
    match tree {
        Tree::Ok => Resp3::SimpleString {
            data: b"OK".to_vec(),
            attributes,
        },
        Tree::Simple(text) => Resp3::SimpleString {
            data: text.clone().into_bytes(),
            attributes,
        },
        Tree::Error(text) => Resp3::SimpleError {
            data: text.clone(),
            attributes,
        },
        Tree::Int(data) => Resp3::Number {
            data: *data,
            attributes,
        },
        Tree::Bulk(bytes) => bulk(bytes),
        Tree::Shared(shared) => bulk(shared),
        Tree::Range(shared, start, end) => bulk(&shared[*start..shared.len().min(*end)]),
        Tree::BulkInt(value) => bulk(value.to_string().as_bytes()),
        Tree::Null | Tree::NullArray => Resp3::Null,
        Tree::Double(data) => Resp3::Double {
            data: *data,
            attributes,
        },
        Tree::Boolean(data) => Resp3::Boolean {
            data: *data,
            attributes,
        },
        Tree::BigNumber(digits) => Resp3::BigNumber {
            data: digits.clone().into_bytes(),
            attributes,
        },
        Tree::Verbatim(text) => {
            let format = VerbatimStringFormat::Text;
            Resp3::VerbatimString {
                data: text.clone().into_bytes(),
                format,
                attributes,
            }
        }
        Tree::List(Kind::Array, _, items) => Resp3::Array {
            data: items.iter().map(as_resp3).collect(),
            attributes,
        },
        Tree::List(Kind::Push, _, items) => Resp3::Push {
            data: items.iter().map(as_resp3).collect(),
            attributes,
        },
        Tree::List(Kind::Set, _, items) => Resp3::Set {
            data: items.iter().map(as_resp3).collect::<HashSet<_>>(),
            attributes,
        },
        Tree::Map(_, pairs) => {
            let data: HashMap<_, _> = pairs.iter().map(|(k, v)| (as_resp3(k), as_resp3(v))).collect();
            Resp3::Map { data, attributes }
        }
    }
}

/// Drains a reply in writes of random sizes, through few slices.
fn drain(reply: &mut Reply, rng: &mut StdRng) -> Vec<u8> {
    let mut sent = Vec::new();
    while !reply.is_empty() {
        let before = reply.len_bytes();
        let mut slices = [IoSlice::new(&[]); 3];
        let used = reply.io_slices(&mut slices);
        assert!(used > 0 && slices[..used].iter().all(|slice| !slice.is_empty()));
        let chunk = slices[..used]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect::<Vec<u8>>();
        let n = rng.random_range(1..=chunk.len());
        sent.extend_from_slice(&chunk[..n]);
        reply.advance(n);
        assert_eq!(reply.len_bytes(), before - n);
    }
    sent
}

fn decode2(mut bytes: &[u8]) -> Vec<Resp2> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, len) = resp2::decode::decode(bytes).unwrap().expect("a whole frame");
        frames.push(frame);
        bytes = &bytes[len..];
    }
    frames
}

fn decode3(mut bytes: &[u8]) -> Vec<Resp3> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, len) = resp3::decode::complete::decode(bytes).unwrap().expect("a whole frame");
        frames.push(frame);
        bytes = &bytes[len..];
    }
    frames
}

#[test]
fn random_replies_decode_to_themselves() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for round in 0..300 {
        let mut ids = 0;
        let trees: Vec<Tree> = (0..rng.random_range(1..8))
            .map(|_| random_tree(&mut rng, 3, &mut ids))
            .collect();
        for proto in [Proto::Resp2, Proto::Resp3] {
            let mut reply = Reply::new(proto);
            for tree in &trees {
                match rng.random_range(0..4) {
                    // Half of another reply, dropped again.
                    0 => {
                        let mark = reply.mark();
                        let before = reply.len_bytes();
                        let dropped = random_tree(&mut rng, 3, &mut ids);
                        write(&mut reply, &dropped);
                        reply.truncate(mark);
                        assert_eq!(reply.len_bytes(), before, "seed {seed} round {round}");
                        write(&mut reply, tree);
                    }
                    // By way of another buffer.
                    1 => {
                        let mut other = Reply::new(proto);
                        other.simple("gone");
                        write(&mut other, tree);
                        other.advance(b"+gone\r\n".len());
                        reply.extend(other);
                    }
                    _ => write(&mut reply, tree),
                }
            }
            let whole = reply.to_vec();
            assert_eq!(whole.len(), reply.len_bytes());
            assert!(drain(&mut reply, &mut rng) == whole, "seed {seed} round {round}");
            if proto == Proto::Resp2 {
                assert!(
                    decode2(&whole) == trees.iter().map(as_resp2).collect::<Vec<_>>(),
                    "seed {seed} {round}"
                );
            } else {
                assert!(
                    decode3(&whole) == trees.iter().map(as_resp3).collect::<Vec<_>>(),
                    "seed {seed} {round}"
                );
            }
        }
    }
}

#[test]
fn frames_come_out_as_they_are() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..200 {
        let frame = as_resp3(&random_tree(&mut rng, 3, &mut 0));
        let mut reply = Reply::new(Proto::Resp3);
        reply.frame(&frame);
        assert!(decode3(&reply.to_vec()) == [frame.clone()], "seed {seed}");
        let mut reply = Reply::new(Proto::Resp2);
        reply.frame(&frame);
        assert_eq!(decode2(&reply.to_vec()).len(), 1, "seed {seed}");
    }
}

fn written(proto: Proto, write: impl FnOnce(&mut Reply)) -> String {
    let mut reply = Reply::new(proto);
    write(&mut reply);
    String::from_utf8(reply.to_vec()).unwrap()
}

#[test]
fn exact_bytes_in_both_protocols() {
    let all = |reply: &mut Reply| {
        reply.ok();
        reply.error("ERR a\r\nb");
        reply.int(-5);
        reply.int(1);
        reply.bulk(b"");
        reply.bulk(&[b'x'; 12]);
        reply.bulk_int(123);
        reply.null();
        reply.null_array();
        reply.map(1);
        reply.set(2);
        reply.push(123);
        reply.double(3.1);
        reply.double(f64::NEG_INFINITY);
        reply.boolean(true);
        reply.big_number("99");
        reply.verbatim(b"txt", "hi");
    };
    let start = "+OK\r\n-ERR a  b\r\n:-5\r\n:1\r\n$0\r\n\r\n$12\r\nxxxxxxxxxxxx\r\n$3\r\n123\r\n";
    let resp2 = "$-1\r\n*-1\r\n*2\r\n*2\r\n*123\r\n$3\r\n3.1\r\n$4\r\n-inf\r\n:1\r\n$2\r\n99\r\n$2\r\nhi\r\n";
    let resp3 = "_\r\n_\r\n%1\r\n~2\r\n>123\r\n,3.1\r\n,-inf\r\n#t\r\n(99\r\n=6\r\ntxt:hi\r\n";
    assert_eq!(written(Proto::Resp2, all), [start, resp2].concat());
    assert_eq!(written(Proto::Resp3, all), [start, resp3].concat());
}

#[test]
fn the_protocol_can_change_between_replies() {
    let bytes = written(Proto::Resp2, |reply| {
        reply.null();
        reply.set_proto(Proto::Resp3);
        assert_eq!(reply.proto(), Proto::Resp3);
        reply.null();
    });
    assert_eq!(bytes, "$-1\r\n_\r\n");
}

#[test]
fn a_small_part_of_a_long_value_does_not_keep_it() {
    let shared: Shared = Arc::new(vec![b'v'; 1 << 20]);
    let mut reply = Reply::default();
    reply.bulk_shared_range(&shared, 10..100_010);
    assert_eq!((Arc::strong_count(&shared), reply.len_bytes()), (1, 100_011));
}

#[test]
fn replies_over_the_limit_are_dropped_and_those_behind_them_too() {
    let shared: Shared = Arc::new(vec![b'v'; 300_000]);
    let mut reply = Reply::default();
    reply.set_held_bytes_max(1 << 20);
    let mark = reply.mark();
    let deferred = reply.deferred_array();
    (0..3).for_each(|_| reply.bulk_shared(&shared));
    assert!(!reply.is_over_limit() && reply.is_full(800_000) && !reply.is_full(1 << 20));
    reply.bulk_shared(&shared);
    assert!(reply.is_over_limit() && reply.is_full(1 << 20));
    assert!(Arc::strong_count(&shared) == 1 && reply.len_bytes() < 10);
    // Whoever was in the middle of a reply may go on.
    (0..100_000).for_each(|_| reply.bulk(b"a value that goes nowhere"));
    reply.finish_array(deferred, 100_004);
    reply.truncate(mark);
    assert!(reply.held_bytes() < 200_000);
}

#[test]
fn copied_replies_count_as_well() {
    let mut reply = Reply::default();
    reply.set_held_bytes_max(1 << 20);
    let mut count = 0;
    while !reply.is_over_limit() {
        reply.bulk(&[b'v'; 1000]);
        count += 1;
    }
    assert!((1000..1100).contains(&count), "{count}");
}

#[test]
fn long_shared_values_are_linked() {
    let shared: Shared = Arc::new(vec![b'v'; 1 << 20]);
    let mut reply = Reply::default();
    reply.bulk_shared(&shared);
    reply.bulk_shared_range(&shared, 10..600_010);
    reply.bulk_shared_range(&shared, 10..20);
    reply.bulk_shared_range(&shared, 5_000_000..6_000_000);
    assert_eq!(Arc::strong_count(&shared), 3);
    // A link counts as what is sent of it, whoever owns the value.
    assert!(reply.held_bytes() > (1 << 20) + 600_000 && reply.held_bytes() < (1 << 20) + 610_000);
    let mut slices = [IoSlice::new(&[]); 16];
    let used = reply.io_slices(&mut slices);
    assert!(
        slices[..used]
            .iter()
            .any(|slice| slice.as_ptr() == shared[10..].as_ptr() && slice.len() == 600_000)
    );
    reply.advance((1 << 20) + 20);
    assert_eq!(Arc::strong_count(&shared), 2);
    assert!(reply.to_vec().ends_with(b"$10\r\nvvvvvvvvvv\r\n$0\r\n\r\n"));
    reply.clear();
    assert!(reply.is_empty() && Arc::strong_count(&shared) == 1);
}

#[test]
fn deferred_headers_before_links_and_across_segments() {
    let shared: Shared = Arc::new(vec![b'v'; 20_000]);
    let mut reply = Reply::default();
    let outer = reply.deferred_array();
    let inner = reply.deferred_array();
    // The link must follow the headers although nothing was written before it.
    let mark = reply.mark();
    reply.bulk_shared(&shared);
    reply.truncate(mark);
    for _ in 0..10_000 {
        reply.bulk(b"0123456789");
    }
    reply.finish_array(inner, 10_000);
    reply.finish_array(outer, 1);
    let Resp2::Array(outer) = decode2(&reply.to_vec()).remove(0) else {
        panic!("no array")
    };
    assert!(matches!(&outer[0], Resp2::Array(inner) if inner.len() == 10_000));
}

#[test]
fn sending_frees_memory_and_clearing_keeps_little() {
    let mut reply = Reply::default();
    for _ in 0..100_000 {
        reply.bulk(&[b'x'; 100]);
    }
    let full = reply.held_bytes();
    reply.advance(reply.len_bytes() / 2);
    assert!(reply.held_bytes() < full * 6 / 10, "{} of {full}", reply.held_bytes());
    reply.clear();
    assert!(reply.held_bytes() < 32 * 1024, "{}", reply.held_bytes());
}
