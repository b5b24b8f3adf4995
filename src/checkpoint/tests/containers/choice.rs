//! Random changes that fit what a key holds.

use rand::RngExt;
use rand::rngs::SmallRng;

use super::change::{Change, GROUP};
use super::model::{Op, Place, Stream, Value};
use super::stream_change::StreamChange;
use crate::page::container::Kind;
use crate::page::stream::StreamId;

/// Names of elements there are.
const NAMES: u32 = 6_000;
const FAR_MS: u64 = 4_000_000_000_000;

/// How a container is to change.
#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    Grow,
    Shrink,
    /// In one place.
    Once,
}

fn below(random: &mut SmallRng, n: u64) -> u64 {
    random.random_range(0..n.max(1))
}

/// An element of a list, or a value: bytes of all lengths, some as long as parts, and numbers.
pub fn element(random: &mut SmallRng) -> Vec<u8> {
    let (choice, number) = (below(random, 2_000), below(random, 100_000));
    match choice {
        0 => vec![b'x'; 6_000 + number as usize % 9_000],
        1..20 => (0..200 + number % 800).map(|_| random.random()).collect(),
        20..400 => number.to_string().into_bytes(),
        _ => format!("{number}:{}", "v".repeat(number as usize % 40)).into_bytes(),
    }
}

/// The name of a member or field.
fn name(random: &mut SmallRng) -> Vec<u8> {
    let number = random.random_range(0..NAMES);
    match number % 61 {
        0..7 => number.to_string().into_bytes(),
        7 => format!("{number}:{}", "long".repeat(70)).into_bytes(),
        _ => format!("name:{number:05}:{}", "n".repeat(number as usize % 25)).into_bytes(),
    }
}

/// When elements are to die, 0 for never.
fn time(random: &mut SmallRng) -> u64 {
    [0, FAR_MS + below(random, 1_000)][random.random_range(0..2)]
}

fn names(random: &mut SmallRng, count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|_| name(random)).collect()
}

/// How many elements change at a time: few, and now and then many.
fn count(random: &mut SmallRng, way: Way) -> u64 {
    match (way, below(random, 60)) {
        (Way::Once, _) => 1,
        (_, 0..2) => 1 + below(random, 400),
        _ => 1 + below(random, 40),
    }
}

/// A change of a string of `len` bytes; 0 where there is none.
pub fn string_op(random: &mut SmallRng, place: Place, len: usize, way: Way) -> Op {
    let text = |random: &mut SmallRng, max: u64| {
        let len = below(random, max) as usize;
        let byte: u8 = random.random();
        (0..len)
            .map(|at| byte.wrapping_add((at / 7) as u8))
            .collect::<Vec<u8>>()
    };
    let within = below(random, len as u64 + 1) as usize;
    match (way, below(random, 40)) {
        (Way::Grow, 0) => Op::Put(place, text(random, 200_000)),
        (Way::Grow, 1..3) => Op::Write(place, len + below(random, 100_000) as usize, text(random, 90_000)),
        (Way::Grow, 3..20) => Op::Write(place, len, text(random, 4_000)),
        (Way::Shrink, 0..4) => Op::Put(place, text(random, len as u64)),
        (Way::Shrink, 4) => Op::Delete(place),
        _ if len == 0 => Op::Put(place, text(random, 30_000)),
        _ => Op::Write(place, within, text(random, 300)),
    }
}

/// Changes of a container of this type that is `value`, one after another in one record.
pub fn changes(random: &mut SmallRng, kind: Kind, value: Option<&Value>, way: Way) -> Vec<Change> {
    let count = count(random, way);
    match (kind, value) {
        (Kind::List, Some(Value::List(list))) => vec![of_list(random, list, (count, way))],
        (Kind::List, _) => vec![push(random, count)],
        (Kind::Set, Some(Value::Set(set))) if way == Way::Shrink || below(random, 5) == 0 => {
            let from = name(random);
            let some = set.range(from..).take(count as usize);
            let members = some.map(|(name, _)| name.clone()).collect();
            vec![match below(random, 10) {
                1.. if way == Way::Shrink => Change::RemoveMembers(members),
                _ => Change::ExpireMembers {
                    members,
                    at_ms: time(random),
                },
            }]
        }
        (Kind::Set, _) => vec![Change::AddMembers(names(random, count))],
        (Kind::Zset, Some(Value::Zset(zset))) if way == Way::Shrink || below(random, 5) == 0 => {
            let (from, len) = (name(random), zset.order.len() as u64);
            let gone = zset.scores.range(from..).take(count as usize);
            let gone = gone.map(|(name, _)| name.clone()).collect();
            let start = below(random, len);
            vec![match below(random, 10) {
                1..4 if way == Way::Shrink => Change::RemoveRanks { start, len: count },
                4.. if way == Way::Shrink => Change::RemoveScored(gone),
                _ => Change::ExpireScored {
                    members: gone,
                    at_ms: time(random),
                },
            }]
        }
        (Kind::Zset, _) => {
            let range = [5, 4_000][random.random_range(0..2)];
            let scored = names(random, count).into_iter();
            let scored = scored.map(|name| (random.random_range(-range..range), name));
            vec![Change::AddScored {
                members: scored.collect(),
                keeps_expiry: random.random(),
            }]
        }
        (Kind::Hash, Some(Value::Hash(hash))) => {
            let from = name(random);
            let some = hash.range(from..).take(count as usize);
            let some = some.map(|(name, _)| name.clone()).collect();
            vec![of_hash(random, some, (count, way))]
        }
        (Kind::Hash, _) => vec![of_hash(random, Vec::new(), (count, Way::Once))],
        (Kind::Stream, Some(Value::Stream(stream))) => of_stream(random, stream, (count, way)),
        (Kind::Stream, _) => added(random, StreamId::MIN, count),
        // Their histories are those of `page/vectors/tests`.
        (Kind::Vectors, _) => Vec::new(),
    }
}

fn push(random: &mut SmallRng, count: u64) -> Change {
    Change::Push {
        front: random.random(),
        elements: (0..count).map(|_| element(random)).collect(),
    }
}

fn of_list(random: &mut SmallRng, list: &std::collections::VecDeque<Vec<u8>>, (count, way): (u64, Way)) -> Change {
    let len = list.len() as u64;
    let (index, front) = (below(random, len + 1), random.random());
    match (way, below(random, 12)) {
        (Way::Shrink, 0) => Change::RemoveEqual {
            count: below(random, 3),
            front,
            element: list[below(random, len) as usize].clone(),
        },
        (Way::Shrink, 1) => Change::Trim {
            start: count % 5,
            len: len.saturating_sub(count),
        },
        (Way::Shrink, _) | (Way::Once, 0..2) => Change::Pop { front, count },
        (Way::Grow, 0) => Change::Rotate {
            from_front: front,
            to_front: random.random(),
        },
        (_, 2..4) => Change::SetAt {
            index,
            element: element(random),
        },
        (_, 4..7) => Change::Insert {
            index,
            element: element(random),
        },
        _ => push(random, count),
    }
}

/// `some`: fields that are there.
fn of_hash(random: &mut SmallRng, some: Vec<Vec<u8>>, (count, way): (u64, Way)) -> Change {
    match (way, below(random, 10)) {
        (Way::Shrink, 1..) => Change::RemoveFields(some),
        (Way::Grow, 0..2) | (Way::Shrink, 0) => Change::ExpireFields {
            fields: some,
            at_ms: time(random),
        },
        _ => {
            let names = names(random, count).into_iter();
            Change::SetFields {
                pairs: names.map(|name| (name, element(random))).collect(),
                keeps_expiry: random.random(),
            }
        }
    }
}

/// Entries behind `last`.
fn added(random: &mut SmallRng, last: StreamId, count: u64) -> Vec<Change> {
    let (mut id, pairs) = (last, 1 + below(random, 3));
    let add = |_| {
        id = match below(random, 3) {
            0 => StreamId::new(id.ms, id.seq + 1),
            step => StreamId::new(id.ms + step, below(random, 3)),
        };
        let fields = (0..pairs).flat_map(|nth| [format!("field{nth}").into_bytes(), element(random)]);
        let fields = fields.collect();
        Change::Stream(StreamChange::Add { id, fields })
    };
    (0..count).map(add).collect()
}

fn of_stream(random: &mut SmallRng, stream: &Stream, (count, way): (u64, Way)) -> Vec<Change> {
    let from = StreamId::new(below(random, stream.last_id.ms + 1), 0);
    let ids: Vec<StreamId> = stream
        .entries
        .range(from..)
        .map(|(id, _)| *id)
        .take(count as usize)
        .collect();
    let chosen = match (way, below(random, 12)) {
        (Way::Shrink, 0..6) => StreamChange::Delete(ids),
        (Way::Shrink, 6..9) => StreamChange::Trim { count },
        (Way::Shrink, 9) if below(random, 3) == 0 => StreamChange::ForgetMessages { count },
        (Way::Shrink, 9) => StreamChange::TrimRuns(runs_of(random, &ids)),
        (Way::Shrink, _) | (Way::Grow, 0..3) => return of_group(random, stream, ids),
        (Way::Grow, 3) if below(random, 30) == 0 => StreamChange::LimitMessages {
            ids_max: 1 + below(random, 5),
        },
        (Way::Grow, 3) if below(random, 3) > 0 => StreamChange::Remember {
            producer: format!("producer {}", below(random, 3)).into_bytes(),
            message: format!("message {}", below(random, 40)).into_bytes(),
            id: ids.first().copied().unwrap_or(stream.last_id),
        },
        (Way::Grow, 3) => StreamChange::SetId {
            last_id: StreamId::new(stream.last_id.ms + 1, 0),
            max_deleted_id: stream.max_deleted_id,
            entries_added: stream.entries_added + count,
        },
        _ => return added(random, stream.last_id, count),
    };
    vec![Change::Stream(chosen)]
}

/// Some runs of these ids.
fn runs_of(random: &mut SmallRng, ids: &[StreamId]) -> Vec<(StreamId, StreamId)> {
    let chunks = ids.chunks(1 + below(random, 40) as usize);
    let runs = chunks.filter_map(|run| Some((*run.first()?, *run.last()?)));
    runs.filter(|_| below(random, 3) > 0).collect()
}

/// `ids`: of entries that are there.
fn of_group(random: &mut SmallRng, stream: &Stream, ids: Vec<StreamId>) -> Vec<Change> {
    let consumer = format!("consumer {}", below(random, 4)).into_bytes();
    let at_ms = FAR_MS / 2 + below(random, 1_000);
    let (last_id, entries_read) = (stream.last_id, Some(below(random, 99)));
    let Some(group) = stream.groups.get(GROUP) else {
        return vec![Change::Stream(StreamChange::GroupCreate { last_id, entries_read })];
    };
    let from = StreamId::new(below(random, stream.last_id.ms + 1), 0);
    let pending = group.pending.range(from..).map(|(id, _)| *id).take(ids.len());
    vec![Change::Stream(match below(random, 40) {
        0 => StreamChange::GroupDestroy,
        1 => StreamChange::ConsumerDelete { consumer },
        2 => StreamChange::GroupSetId { last_id, entries_read },
        3..6 => StreamChange::ConsumerSeen { consumer, at_ms },
        6..16 => StreamChange::Acknowledge(pending.collect()),
        16..20 => StreamChange::Claim {
            consumer,
            at_ms,
            ids,
            deliveries: 1 + below(random, 300),
        },
        20..23 => StreamChange::Release {
            ids,
            deliveries: below(random, 300),
        },
        _ => StreamChange::Deliver { consumer, at_ms, ids },
    })]
}
