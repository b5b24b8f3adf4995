//! Streams, from and to the engine's.

use crate::page::Change;
use crate::page::packed::{Builder, Item};
use crate::page::stream::{self, BigStream, Idempotence, Limits, Message, StreamId, StreamOp};
use crate::page::thresholds::Thresholds;

use super::super::stream::{Consumer, Group, Id, Messages, Pending, Stream};

fn of_id(id: Id) -> StreamId {
    StreamId::new(id.ms, id.seq)
}

fn to_id(id: StreamId) -> Id {
    Id { ms: id.ms, seq: id.seq }
}

/// The packed form; whether it is whole is for the caller to check.
pub(super) fn pack(stream: &Stream, thresholds: &Thresholds) -> Vec<u8> {
    let change = Change::apart(thresholds);
    let mut made = BigStream::default();
    for entry in stream.iter() {
        let fields = entry.pairs.into_iter().collect::<Builder>().finish();
        let op = StreamOp::Add {
            id: of_id(entry.id),
            fields: &fields,
        };
        made.apply(&op, &change);
    }
    let op = StreamOp::SetId {
        last_id: of_id(stream.last_id),
        max_deleted_id: of_id(stream.max_deleted_id),
        entries_added: stream.entries_added,
    };
    made.apply(&op, &change);
    // In order of names, whatever the file's: each goes behind those before.
    let mut groups: Vec<&Group> = stream.groups.iter().collect();
    groups.sort_by_key(|group| &*group.name);
    for group in groups {
        add_group(&mut made, group, &change);
    }
    match &stream.messages {
        None => made.pack(),
        Some(messages) => made.with_idempotence(idempotence(messages)).pack(),
    }
}

fn idempotence(messages: &Messages) -> Idempotence {
    let limits = Limits {
        duration_s: messages.duration_s,
        ids_max: messages.ids_max,
    };
    let mut made = Idempotence::new(limits, messages.added, messages.duplicates);
    for (producer, ids) in &messages.producers {
        // In the order in which they came: there may be more than are known.
        let mut ids: Vec<&(Vec<u8>, Id)> = ids.iter().collect();
        ids.sort_by_key(|(_, id)| *id);
        for (name, id) in ids {
            let id = of_id(*id);
            made.remember(Message { producer, name, id });
        }
    }
    made
}

fn add_group(made: &mut BigStream, group: &Group, change: &Change<'_>) {
    let op = StreamOp::GroupCreate {
        group: &group.name,
        last_id: of_id(group.last_id),
        entries_read: group.entries_read,
    };
    made.apply(&op, change);
    let mut of_consumers: Vec<Vec<Item<'_>>> = vec![Vec::new(); group.consumers.len()];
    let mut released: Vec<Item<'_>> = Vec::new();
    for pending in &group.pending {
        let Pending {
            id,
            delivered_at_ms,
            deliveries,
            ..
        } = *pending;
        let Some(place) = pending.consumer else {
            released.extend([id.ms, id.seq, deliveries].map(|number| Item::Int(number as i64)));
            continue;
        };
        if let Some(items) = of_consumers.get_mut(place) {
            items.extend([id.ms, id.seq, delivered_at_ms, deliveries].map(|number| Item::Int(number as i64)));
        }
    }
    let mut consumers: Vec<_> = group.consumers.iter().zip(of_consumers).collect();
    consumers.sort_by_key(|(consumer, _)| &*consumer.name);
    for (consumer, items) in consumers {
        let op = StreamOp::Claim {
            group: &group.name,
            consumer: &consumer.name,
            at_ms: consumer.seen_at_ms,
            pending: &items.into_iter().collect::<Builder>().finish(),
        };
        made.apply(&op, change);
        let op = StreamOp::ConsumerTimes {
            group: &group.name,
            consumer: &consumer.name,
            seen_at_ms: consumer.seen_at_ms,
            active_at_ms: consumer.active_at_ms,
        };
        made.apply(&op, change);
    }
    let op = StreamOp::Release {
        group: &group.name,
        pending: &released.into_iter().collect::<Builder>().finish(),
    };
    made.apply(&op, change);
}

/// As the format has it.
pub(super) fn object(stream: &BigStream) -> Stream {
    let mut object = Stream::default();
    object.last_id = to_id(stream.last_id());
    object.first_id = to_id(stream.first_id());
    object.max_deleted_id = to_id(stream.max_deleted_id());
    object.entries_added = stream.entries_added();
    for entry in stream.range(StreamId::MIN, StreamId::MAX) {
        let mut pairs = Vec::with_capacity(entry.len() * 2);
        entry.for_each(|item| pairs.push(item));
        object.push(to_id(entry.id), &pairs);
    }
    object.groups = stream.groups().iter().map(group_object).collect();
    object.messages = stream.idempotence().map(messages_object);
    object
}

fn messages_object(known: &Idempotence) -> Messages {
    let ids = |messages: Vec<Message<'_>>| {
        let ids = messages.into_iter();
        ids.map(|message| (message.name.to_vec(), to_id(message.id))).collect()
    };
    let producers = known.by_producer().into_iter();
    Messages {
        duration_s: known.limits().duration_s,
        ids_max: known.limits().ids_max,
        added: known.added(),
        duplicates: known.duplicates(),
        producers: producers
            .map(|(name, messages)| (name.to_vec(), ids(messages)))
            .collect(),
    }
}

fn group_object(group: &stream::Group) -> Group {
    let mut places = std::collections::HashMap::new();
    let mut consumers = Vec::with_capacity(group.consumers_len());
    for (place, (number, consumer)) in group.consumers().enumerate() {
        places.insert(number, place);
        consumers.push(Consumer {
            name: consumer.name.to_vec(),
            seen_at_ms: consumer.seen_at_ms,
            active_at_ms: consumer.active_at_ms,
        });
    }
    let pending = group.pending_from(StreamId::MIN).map(|pending| Pending {
        id: to_id(pending.id),
        consumer: places.get(&pending.consumer).copied(),
        delivered_at_ms: pending.delivered_at_ms,
        deliveries: pending.deliveries,
    });
    Group {
        name: group.name().to_vec(),
        last_id: to_id(group.last_id),
        entries_read: group.entries_read,
        pending: pending.collect(),
        consumers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Packed;

    #[test]
    fn a_stream_goes_there_and_back() {
        let thresholds = Thresholds::new();
        let mut stream = Stream::default();
        stream.last_id = Id { ms: 900, seq: 1 };
        stream.max_deleted_id = Id { ms: 3, seq: 0 };
        stream.entries_added = 400;
        for number in 10..310_u64 {
            let pairs = [Item::Bytes(b"field"), Item::Int(number as i64)];
            stream.push(
                Id {
                    ms: number,
                    seq: number % 3,
                },
                &pairs,
            );
        }
        stream.first_id = Id { ms: 10, seq: 1 };
        let consumer = |name: &[u8], seen_at_ms| Consumer {
            name: name.to_vec(),
            seen_at_ms,
            active_at_ms: None,
        };
        let pending = |ms: u64, consumer: usize| Pending {
            id: Id { ms, seq: ms % 3 },
            consumer: Some(consumer).filter(|_| !ms.is_multiple_of(7)),
            delivered_at_ms: if ms.is_multiple_of(7) { 0 } else { ms * 5 },
            deliveries: ms % 7 + 1,
        };
        stream.groups = vec![Group {
            name: b"g".to_vec(),
            last_id: Id { ms: 100, seq: 1 },
            entries_read: Some(17),
            consumers: vec![consumer(b"a", 7), consumer(b"b", 9), consumer(b"idle", 1)],
            pending: (10..100).map(|ms| pending(ms, (ms % 2) as usize)).collect(),
        }];
        let id = |ms| Id { ms, seq: 0 };
        stream.messages = Some(Messages {
            duration_s: 7,
            ids_max: 3,
            added: 20,
            duplicates: 2,
            producers: vec![
                (b"p".to_vec(), vec![(b"b".to_vec(), id(3)), (b"a".to_vec(), id(9))]),
                (b"q".to_vec(), vec![(b"a".to_vec(), id(5))]),
            ],
        });
        let packed = pack(&stream, &thresholds);
        crate::page::stream::check(Packed::new(&packed)).unwrap();
        assert_eq!(object(&BigStream::unpack(Packed::new(&packed))), stream);
    }
}
