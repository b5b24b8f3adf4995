//! Streams against a plain model, from printed seeds: both orders, trims, groups, clones, and the way to the wire and
//! back.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::page::Change;
use crate::page::container::Kind;
use crate::page::packed::{Builder, Item, Packed, pack};
use crate::page::thresholds::Thresholds;

type Fields = Vec<Vec<u8>>;

#[derive(Clone, Default)]
struct Model {
    entries: BTreeMap<StreamId, Fields>,
    /// Id → consumer (none: ""), time, deliveries.
    pending: BTreeMap<StreamId, (String, u64, u64)>,
}

fn fields_of(entry: &Entry<'_>) -> Fields {
    let mut fields = Fields::new();
    entry.for_each(|item| fields.push(item.bytes().into_owned()));
    fields
}

fn check_same(stream: &BigStream, model: &Model) {
    let all = |entry: Entry<'_>| (entry.id, fields_of(&entry));
    let forward: Vec<_> = stream.range(StreamId::MIN, StreamId::MAX).map(all).collect();
    let expected: Vec<_> = model.entries.clone().into_iter().collect();
    assert_eq!(forward, expected);
    for id in model.entries.keys() {
        let behind = StreamId::new(id.ms, id.seq.saturating_add(1));
        for from in [*id, behind] {
            let expected = model.entries.range(from..).next();
            let found = stream.range(from, StreamId::MAX).next().map(all);
            assert_eq!(
                found,
                expected.map(|(id, fields)| (*id, fields.clone())),
                "from {from:?}"
            );
            assert_eq!(stream.entry(from).is_some(), model.entries.contains_key(&from));
        }
    }
    let mut back: Vec<_> = stream.range_back(StreamId::MIN, StreamId::MAX).map(all).collect();
    back.reverse();
    assert_eq!(back, expected);
    assert_eq!(stream.len(), expected.len() as u64);
    let group = stream.group(b"g").unwrap();
    let pending = |pending: &Pending| {
        let name = String::from_utf8(group.consumer_name(pending.consumer).to_vec()).unwrap();
        (pending.id, (name, pending.delivered_at_ms, pending.deliveries))
    };
    let by_id: Vec<_> = group.pending_from(StreamId::MIN).map(pending).collect();
    assert_eq!(by_id, model.pending.clone().into_iter().collect::<Vec<_>>());
    let mut by_time: Vec<_> = model
        .pending
        .iter()
        .map(|(id, (_, time_ms, _))| (*time_ms, *id))
        .collect();
    by_time.sort_unstable();
    let waited = group
        .pending_since(u64::MAX)
        .map(|pending| (pending.delivered_at_ms, pending.id));
    assert_eq!(waited.collect::<Vec<_>>(), by_time);
    assert_eq!(group.first_delivery_ms(), by_time.first().map(|(time_ms, _)| *time_ms));
    for (number, consumer) in group.consumers() {
        let own: Vec<StreamId> = group
            .pending_of(number, StreamId::MIN)
            .map(|pending| pending.id)
            .collect();
        let name = String::from_utf8(consumer.name.to_vec()).unwrap();
        let of_model: Vec<StreamId> = model
            .pending
            .iter()
            .filter(|(_, (owner, ..))| *owner == name)
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(own, of_model);
        assert_eq!(consumer.pending, own.len() as u64);
    }
    let released = model.pending.values().filter(|(owner, ..)| owner.is_empty()).count();
    assert_eq!(group.released_len(), released as u64);
}

fn round_trip(stream: &BigStream) -> BigStream {
    let bytes = stream.pack();
    let packed = Packed::new(&bytes);
    check(packed).unwrap();
    assert_eq!(len(packed), stream.len());
    assert!(!Kind::Stream.stays_packed(packed));
    let again = BigStream::unpack(packed);
    assert_eq!(again.pack(), bytes);
    let recounted: usize = again.groups().iter().map(Group::heap_bytes).sum();
    assert!(again.heap_bytes() > recounted);
    let nodes =
        |stream: &BigStream| -> Vec<usize> { stream.entries().nodes().map(|node| node.listpack_bytes()).collect() };
    assert_eq!(nodes(stream), nodes(&again));
    again
}

/// What a group owns must be what its parts own, however it came to it.
fn check_bytes(stream: &BigStream) {
    let groups = stream.groups();
    let own: usize = groups.iter().map(Group::heap_bytes).sum();
    let without = stream.clone().with_groups(Vec::new());
    assert_eq!(stream.heap_bytes(), without.heap_bytes() + own + stream.list_bytes());
}

fn random_fields(random: &mut StdRng) -> Fields {
    let value = |random: &mut StdRng| match random.random_range(0..4) {
        0 => random.random_range(-300_000_i64..300_000).to_string().into_bytes(),
        1 => vec![b'x'; random.random_range(0..200)],
        _ => random.random_range(0..100_u8).to_string().into_bytes(),
    };
    match random.random_range(0..5) {
        0 => vec![b"other".to_vec(), value(random)],
        1 => vec![b"a".to_vec(), value(random), b"c".to_vec(), value(random)],
        _ => vec![b"a".to_vec(), value(random), b"7".to_vec(), value(random)],
    }
}

#[test]
fn behaves_like_a_model() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let thresholds = Thresholds::new();
    thresholds.stream_node_entries_max.store(20, Relaxed);
    let mut stream = BigStream::default();
    let mut model = Model::default();
    let create = StreamOp::GroupCreate {
        group: b"g",
        last_id: StreamId::MIN,
        entries_read: Some(0),
    };
    stream.apply(&create, &Change::apart(&thresholds));
    let mut clones = Vec::new();
    let mut last = StreamId::new(1000, 0);
    for step in 0..6000_u64 {
        let some_id = |random: &mut StdRng, model: &Model| {
            let at = random.random_range(0..model.entries.len().max(1));
            model.entries.keys().nth(at).copied().unwrap_or_default()
        };
        match random.random_range(0..20) {
            0..10 => {
                last = match random.random_range(0..3) {
                    0 => last.next().unwrap(),
                    1 => StreamId::new(last.ms + random.random_range(1..100_000), 0),
                    _ => StreamId::new(last.ms + 1, random.random_range(0..1 << 40)),
                };
                let fields = random_fields(&mut random);
                let packed = pack(fields.iter().map(Vec::as_slice));
                let op = StreamOp::Add {
                    id: last,
                    fields: &packed,
                };
                stream.apply(&op, &Change::apart(&thresholds));
                model.entries.insert(last, fields);
            }
            10..13 => {
                let ids = [some_id(&mut random, &model), some_id(&mut random, &model)];
                stream.apply(
                    &StreamOp::Delete {
                        ids: &ids_to_bytes(ids),
                    },
                    &Change::apart(&thresholds),
                );
                ids.iter().for_each(|id| drop(model.entries.remove(id)));
            }
            13 if random.random_range(0..8) == 0 => {
                let count = random.random_range(0..60);
                stream.apply(&StreamOp::Trim { count }, &Change::apart(&thresholds));
                (0..count).for_each(|_| drop(model.entries.pop_first()));
            }
            13 if random.random_range(0..8) == 1 => {
                let mut ids: Vec<_> = (0..4).map(|_| some_id(&mut random, &model)).collect();
                ids.sort_unstable();
                let runs = ids_to_bytes(ids.iter().copied());
                stream.apply(&StreamOp::TrimRuns { runs: &runs }, &Change::apart(&thresholds));
                let within = |id: &StreamId| ids.chunks(2).any(|run| run[0] <= *id && *id <= run[1]);
                model.entries.retain(|id, _| !within(id));
            }
            14 => {
                let id = some_id(&mut random, &model);
                let found: Vec<_> = stream.range(id, StreamId::MAX).take(9).map(|entry| entry.id).collect();
                let expected: Vec<_> = model.entries.range(id..).take(9).map(|(id, _)| *id).collect();
                assert_eq!(found, expected);
                let found: Vec<_> = stream
                    .range_back(StreamId::MIN, id)
                    .take(9)
                    .map(|entry| entry.id)
                    .collect();
                let expected: Vec<_> = model.entries.range(..=id).rev().take(9).map(|(id, _)| *id).collect();
                assert_eq!(found, expected);
            }
            15..18 => {
                let consumer = format!("c{}", random.random_range(0..4));
                let id = some_id(&mut random, &model);
                let deliveries = random.random_range(1..9_u64);
                let numbers = [id.ms, id.seq, step, deliveries].map(|number| Item::Int(number as i64));
                let op = StreamOp::Claim {
                    group: b"g",
                    consumer: consumer.as_bytes(),
                    at_ms: step,
                    pending: &numbers.into_iter().collect::<Builder>().finish(),
                };
                stream.apply(&op, &Change::apart(&thresholds));
                model.pending.insert(id, (consumer, step, deliveries));
            }
            18 => {
                let id = some_id(&mut random, &model);
                let ids = ids_to_bytes([id]);
                stream.apply(
                    &StreamOp::Acknowledge { group: b"g", ids: &ids },
                    &Change::apart(&thresholds),
                );
                model.pending.remove(&id);
            }
            19 if random.random_range(0..3) == 0 => {
                let id = some_id(&mut random, &model);
                let deliveries = i64::MAX as u64;
                let numbers = [id.ms, id.seq, deliveries].map(|number| Item::Int(number as i64));
                let op = StreamOp::Release {
                    group: b"g",
                    pending: &numbers.into_iter().collect::<Builder>().finish(),
                };
                stream.apply(&op, &Change::apart(&thresholds));
                model.pending.insert(id, (String::new(), 0, deliveries));
            }
            19 if random.random_range(0..2) == 0 => {
                let (producer, message) = (step.to_string(), (step % 7).to_string());
                let op = StreamOp::Remember {
                    producer: &producer.as_bytes()[..1],
                    message: message.as_bytes(),
                    id: last,
                    counts: true,
                };
                stream.apply(&op, &Change::apart(&thresholds));
            }
            _ if random.random_range(0..40) == 0 => {
                let op = StreamOp::ConsumerDelete {
                    group: b"g",
                    consumer: b"c1",
                };
                stream.apply(&op, &Change::apart(&thresholds));
                model.pending.retain(|_, (consumer, ..)| consumer != "c1");
            }
            _ => {}
        }
        if step % 500 == 0 {
            check_same(&stream, &model);
            check_bytes(&stream);
            clones.push((stream.clone(), model.clone()));
        }
        if step % 1500 == 1499 {
            stream = round_trip(&stream);
            check_same(&stream, &model);
        }
    }
    clones.iter().for_each(|(stream, model)| check_same(stream, model));
}

#[test]
fn counters_stop_at_the_end() {
    let thresholds = Thresholds::new();
    let mut stream = BigStream::default();
    let op = StreamOp::SetId {
        last_id: StreamId::new(1, 0),
        max_deleted_id: StreamId::MIN,
        entries_added: u64::MAX,
    };
    stream.apply(&op, &Change::apart(&thresholds));
    let fields = pack([&b"f"[..], b"v"]);
    let id = StreamId::MAX;
    stream.apply(&StreamOp::Add { id, fields: &fields }, &Change::apart(&thresholds));
    assert_eq!(stream.entries_added(), u64::MAX);
    assert_eq!(stream.entries_up_to(id), Some(u64::MAX));
    assert_eq!(stream.entries_read_after(id, Some(id), Some(u64::MAX)), Some(u64::MAX));
}

#[test]
fn nodes_end_where_those_of_redis_do() {
    let thresholds = Thresholds::new();
    let mut stream = BigStream::default();
    for number in 1..=250_u64 {
        let fields = pack([&b"f"[..], b"v"]);
        let id = StreamId::new(number, 0);
        stream.apply(&StreamOp::Add { id, fields: &fields }, &Change::apart(&thresholds));
    }
    let sizes: Vec<u64> = stream.entries().nodes().map(|node| node.total()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(stream.count_to_trim(Trim::MaxLen(120), true, 0), 100);
    assert_eq!(stream.count_to_trim(Trim::MaxLen(120), false, 0), 130);
    assert_eq!(stream.count_to_trim(Trim::MaxLen(0), true, 150), 100);
    assert_eq!(stream.count_to_trim(Trim::MinId(StreamId::new(150, 0)), true, 0), 100);
    assert_eq!(stream.count_to_trim(Trim::MinId(StreamId::new(150, 0)), false, 0), 149);
    assert_eq!(stream.radix_nodes(), 8);
}

#[test]
fn damaged_bytes_are_refused() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let thresholds = Thresholds::new();
    let mut stream = BigStream::default();
    for number in 1..=30_u64 {
        let fields = pack([&b"field"[..], number.to_string().as_bytes()]);
        let id = StreamId::new(number * 7, number % 3);
        stream.apply(&StreamOp::Add { id, fields: &fields }, &Change::apart(&thresholds));
    }
    let create = StreamOp::GroupCreate {
        group: b"g",
        last_id: StreamId::MIN,
        entries_read: None,
    };
    stream.apply(&create, &Change::apart(&thresholds));
    let ids = ids_to_bytes(stream.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id));
    let deliver = StreamOp::Deliver {
        group: b"g",
        consumer: b"c",
        at_ms: 5,
        last_id: stream.last_id(),
        entries_read: Some(30),
        ids: &ids,
    };
    stream.apply(&deliver, &Change::apart(&thresholds));
    let whole = stream.pack();
    assert!(check(Packed::new(&whole)).is_ok());
    for cut in 0..whole.len() {
        assert!(check(Packed::new(&whole[..cut])).is_err(), "{cut}");
    }
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random_range(0..=u8::MAX);
        }
        // What passes must be a stream, which packs into the same again.
        if check(Packed::new(&bytes)).is_ok() {
            let again = BigStream::unpack(Packed::new(&bytes));
            assert!(again.range(StreamId::MIN, StreamId::MAX).count() as u64 == again.len());
            assert!(check(Packed::new(&again.pack())).is_ok());
        }
    }
}

#[test]
fn groups_come_and_go_in_place() {
    const COUNT: u32 = 50_000;
    let thresholds = Thresholds::new();
    let mut stream = BigStream::default();
    let name = |number: u32| format!("group-{number:05}").into_bytes();
    // Were the list copied for each of them, this would take minutes.
    for number in 0..COUNT {
        let create = StreamOp::GroupCreate {
            group: &name(number),
            last_id: StreamId::MIN,
            entries_read: None,
        };
        stream.apply(&create, &Change::apart(&thresholds));
    }
    check_bytes(&stream);
    let kept = stream.clone();
    let destroy = |stream: &mut BigStream, number| {
        stream.apply(
            &StreamOp::GroupDestroy { group: &name(number) },
            &Change::apart(&thresholds),
        );
    };
    (10..COUNT).rev().for_each(|number| destroy(&mut stream, number));
    check_bytes(&stream);
    assert_eq!((stream.groups().len(), kept.groups().len()), (10, COUNT as usize));
    assert!(stream.list_bytes() * 100 < kept.list_bytes());
    check_bytes(&kept);
    (0..10).for_each(|number| destroy(&mut stream, number));
    assert_eq!(stream.heap_bytes(), BigStream::default().heap_bytes());
}

/// A stream of 300 entries, and groups that have read up to ids with some of those pending.
fn stream_with_groups(random: &mut StdRng, thresholds: &Thresholds, groups: u64) -> BigStream {
    let mut stream = BigStream::default();
    let mut apply = |op: StreamOp<'_>| stream.apply(&op, &Change::apart(thresholds));
    for number in 1..=300_u64 {
        let fields = pack([&b"f"[..], b"v"]);
        apply(StreamOp::Add {
            id: StreamId::new(number, 0),
            fields: &fields,
        });
    }
    for number in 0..groups {
        let name = number.to_string().into_bytes();
        let (read, one_in) = (random.random_range(100..300), random.random_range(2..50));
        apply(StreamOp::GroupCreate {
            group: &name,
            last_id: StreamId::MIN,
            entries_read: None,
        });
        let ids = (1..=read).filter(|_| random.random_range(0..one_in) == 0);
        let ids = ids_to_bytes(ids.map(|ms| StreamId::new(ms, 0)));
        let (group, last_id) = (&*name, StreamId::new(read, 0));
        apply(StreamOp::Deliver {
            group,
            consumer: b"c",
            at_ms: 1,
            last_id,
            entries_read: None,
            ids: &ids,
        });
    }
    let gone = (0..20).map(|_| StreamId::new(random.random_range(1..300), 0));
    apply(StreamOp::Delete {
        ids: &ids_to_bytes(gone),
    });
    stream
}

#[test]
fn references_are_those_of_every_group() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let thresholds = Thresholds::new();
    for groups in [0, 1, 2, 5, 9] {
        let stream = stream_with_groups(&mut random, &thresholds, groups);
        let pending = |id: StreamId| stream.groups().iter().filter(move |group| group.pending(id).is_some());
        let has = |id: StreamId| pending(id).count() > 0 || stream.groups().iter().any(|group| group.last_id < id);
        let step = random.random_range(1..40);
        let ids = || (1..=310).step_by(step).map(|ms| StreamId::new(ms, 0));
        let mut references = References::from(&stream, StreamId::new(1, 0), None);
        let found: Vec<bool> = ids().map(|id| references.has(id)).collect();
        assert_eq!(found, ids().map(has).collect::<Vec<_>>());
        let mut references = References::from(&stream, StreamId::new(1, 0), None);
        for id in ids() {
            let mut names = Vec::new();
            references.for_each_pending(id, |group| names.push(group.name()));
            names.sort_unstable();
            assert_eq!(names, pending(id).map(Group::name).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_trim_passes_over_what_is_referred_to() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let thresholds = Thresholds::new();
    for _ in 0..20 {
        let groups = random.random_range(0..4);
        let mut stream = stream_with_groups(&mut random, &thresholds, groups);
        let before: Vec<StreamId> = stream
            .range(StreamId::MIN, StreamId::MAX)
            .map(|entry| entry.id)
            .collect();
        let first = StreamId::new(random.random_range(1..310), 0);
        let is_referred_to = |id: StreamId| {
            let groups = stream.groups().iter();
            groups
                .clone()
                .any(|group| group.last_id < id || group.pending(id).is_some())
        };
        let kept: Vec<StreamId> = before
            .iter()
            .copied()
            .filter(|id| *id >= first || is_referred_to(*id))
            .collect();
        let runs = stream.runs_to_trim(Trim::MinId(first), false, 0);
        assert_eq!(runs.count() as usize, before.len() - kept.len());
        let count = random.random_range(0..before.len());
        for (group, ids) in stream.pending_among_first(count as u64) {
            let among = before
                .iter()
                .copied()
                .take(count)
                .filter(|id| group.pending(*id).is_some());
            assert_eq!(ids, among.collect::<Vec<_>>());
        }
        let runs = ids_to_bytes(runs.ids());
        stream.apply(&StreamOp::TrimRuns { runs: &runs }, &Change::apart(&thresholds));
        let after: Vec<StreamId> = stream
            .range(StreamId::MIN, StreamId::MAX)
            .map(|entry| entry.id)
            .collect();
        assert_eq!(after, kept);
        assert_eq!(round_trip(&stream).len(), kept.len() as u64);
    }
}
