//! Whether two values are the same to their users, however each server keeps them.
//!
//! **Invariant:** what changes by being looked at, or by where it is, does not count: when a consumer last got
//! something, the ids of producers, who is linked to whom in a vector set.

use std::collections::BTreeMap;

use crate::page::packed::Item;
use crate::rdb::{Elements, Group, Hash, Object, Stream, VectorNode, Vectors};

/// Whether they are, at `now_ms`: fields that have expired by then do not count.
pub fn are_same(one: &Object, other: &Object, now_ms: u64) -> bool {
    match (one, other) {
        (Object::String(one), Object::String(other)) => one == other,
        (Object::List(one), Object::List(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other.iter())
                    .all(|(one, other)| bytes(one) == bytes(other))
        }
        (Object::Set(one), Object::Set(other)) => one.len() == other.len() && members(one) == members(other),
        (Object::Zset(one), Object::Zset(other)) => one.len() == other.len() && scores(one) == scores(other),
        (Object::Hash(one), Object::Hash(other)) => fields(one, now_ms) == fields(other, now_ms),
        (Object::Stream(one), Object::Stream(other)) => are_same_streams(one, other),
        (Object::Vectors(one), Object::Vectors(other)) => {
            one.shape == other.shape && one.nodes.len() == other.nodes.len() && elements_of(one) == elements_of(other)
        }
        // Each by its name, so that a new type is not forgotten.
        (
            Object::String(_)
            | Object::List(_)
            | Object::Set(_)
            | Object::Zset(_)
            | Object::Hash(_)
            | Object::Stream(_)
            | Object::Vectors(_),
            _,
        ) => false,
    }
}

/// By name: the vector with what belongs to it, and the attributes. Who is linked to whom is the server's own affair.
fn elements_of(vectors: &Vectors) -> BTreeMap<&[u8], impl PartialEq> {
    let of_node = |node: &VectorNode| {
        (
            node.vector.clone(),
            node.range.to_bits(),
            node.norm.to_bits(),
            node.attributes.clone(),
        )
    };
    let nodes = vectors.nodes.iter();
    nodes.map(|node| (node.name.as_slice(), of_node(node))).collect()
}

fn bytes(item: Item<'_>) -> Vec<u8> {
    item.with_bytes(<[u8]>::to_vec)
}

fn members(elements: &Elements) -> Vec<Vec<u8>> {
    let mut members: Vec<_> = elements.iter().map(bytes).collect();
    members.sort_unstable();
    members
}

fn scores(elements: &Elements) -> BTreeMap<Vec<u8>, u64> {
    let mut items = elements.iter();
    let mut scores = BTreeMap::new();
    while let (Some(member), Some(score)) = (items.next(), items.next()) {
        // Zero has two signs, and is one score.
        let score = score.number().map_or(f64::NAN, |score| score + 0.0);
        scores.insert(bytes(member), score.to_bits());
    }
    scores
}

fn fields(hash: &Hash, now_ms: u64) -> BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)> {
    let alive = hash
        .iter()
        .filter(|(_, _, at_ms)| at_ms.is_none_or(|at_ms| at_ms > now_ms));
    alive
        .map(|(field, value, at_ms)| (bytes(field), (bytes(value), at_ms)))
        .collect()
}

fn are_same_streams(one: &Stream, other: &Stream) -> bool {
    let marks = |stream: &Stream| {
        (
            stream.len(),
            stream.last_id,
            stream.max_deleted_id,
            stream.entries_added,
        )
    };
    let same_entries = || {
        one.iter().zip(other.iter()).all(|(one, other)| {
            let pairs = one.pairs.iter().zip(&other.pairs);
            one.id == other.id
                && one.pairs.len() == other.pairs.len()
                && pairs.into_iter().all(|(one, other)| bytes(*one) == bytes(*other))
        })
    };
    marks(one) == marks(other) && groups(one) == groups(other) && same_entries()
}

/// By name: the last id, how many were read, consumers and when they were seen, what is pending with whom.
fn groups(stream: &Stream) -> BTreeMap<&[u8], impl PartialEq> {
    let of_group = |group: &Group| {
        let consumers: BTreeMap<Vec<u8>, u64> = group
            .consumers
            .iter()
            .map(|consumer| (consumer.name.clone(), consumer.seen_at_ms))
            .collect();
        let pending: BTreeMap<_, _> = group
            .pending
            .iter()
            .map(|pending| {
                let owner = pending.consumer.and_then(|place| group.consumers.get(place));
                let owner = owner.map(|consumer| consumer.name.clone());
                (pending.id, (owner, pending.delivered_at_ms, pending.deliveries))
            })
            .collect();
        (group.last_id, group.entries_read, consumers, pending)
    };
    stream
        .groups
        .iter()
        .map(|group| (group.name.as_slice(), of_group(group)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::vectors::{Quant, Shape};

    fn elements(all: &[&str]) -> Elements {
        let mut elements = Elements::default();
        all.iter().for_each(|text| elements.push_bytes(text.as_bytes()));
        elements
    }

    #[test]
    fn order_counts_in_lists_only() {
        let (one, other) = (elements(&["a", "1"]), elements(&["1", "a"]));
        assert!(are_same(&Object::Set(one.clone()), &Object::Set(other.clone()), 0));
        assert!(!are_same(&Object::List(one.clone()), &Object::List(other.clone()), 0));
        assert!(!are_same(
            &Object::Set(one),
            &Object::Set(elements(&["1", "a", "b"])),
            0
        ));
        assert!(!are_same(
            &Object::String(b"a".to_vec()),
            &Object::Set(elements(&["a"])),
            0
        ));
    }

    #[test]
    fn fields_that_have_expired_do_not_count() {
        let hash = |expiry: Option<u64>| {
            let mut hash = Hash::new(true);
            hash.push(Item::Bytes(b"a"), Item::Int(1), None);
            if expiry != Some(0) {
                hash.push(Item::Bytes(b"b"), Item::Int(2), expiry);
            }
            Object::Hash(hash)
        };
        assert!(are_same(&hash(Some(0)), &hash(Some(5)), 5));
        assert!(!are_same(&hash(Some(0)), &hash(Some(5)), 4));
        assert!(!are_same(&hash(Some(9)), &hash(Some(8)), 1));
        assert!(!are_same(&hash(None), &hash(Some(8)), 1));
    }

    #[test]
    fn vectors_and_attributes_belong_to_elements() {
        let set = |dim: u32, nodes: &[(&str, u8, Option<&str>)]| {
            let node = |(name, byte, attributes): &(&str, u8, Option<&str>)| VectorNode {
                name: name.as_bytes().to_vec(),
                attributes: attributes.map(|text| text.as_bytes().to_vec()),
                vector: vec![*byte; dim as usize * 4],
                range: 0.0,
                norm: 1.0,
                levels: Vec::new(),
            };
            Object::Vectors(Box::new(Vectors {
                shape: Shape {
                    quant: Quant::F32,
                    m: 16,
                    dim,
                    input_dim: None,
                },
                last_id: 9,
                nodes: nodes.iter().map(node).collect(),
            }))
        };
        let one = set(2, &[("a", 1, None), ("b", 2, Some("{}"))]);
        assert!(are_same(&one, &set(2, &[("b", 2, Some("{}")), ("a", 1, None)]), 0));
        for other in [
            set(2, &[("a", 1, None)]),
            set(2, &[("a", 1, None), ("b", 2, None)]),
            set(2, &[("a", 1, None), ("b", 3, Some("{}"))]),
            set(2, &[("a", 1, None), ("c", 2, Some("{}"))]),
            set(3, &[("a", 1, None), ("b", 2, Some("{}"))]),
        ] {
            assert!(!are_same(&one, &other, 0));
        }
    }

    #[test]
    fn scores_belong_to_members() {
        let zset = |pairs: &[(&str, f64)]| {
            let mut elements = Elements::default();
            for (member, score) in pairs {
                elements.push_bytes(member.as_bytes());
                elements.push(Item::of_f64(*score));
            }
            Object::Zset(elements)
        };
        assert!(are_same(
            &zset(&[("a", 1.5), ("b", -0.0)]),
            &zset(&[("b", 0.0), ("a", 1.5)]),
            0
        ));
        assert!(!are_same(
            &zset(&[("a", 1.5), ("b", 2.0)]),
            &zset(&[("b", 1.5), ("a", 2.0)]),
            0
        ));
    }
}
