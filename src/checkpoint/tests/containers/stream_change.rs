//! Changes of streams: as operations, and of the model.

use std::collections::BTreeMap;

use super::change::{Bytes, GROUP, packed};
use super::model::{Group, Stream};
use crate::page::stream::{StreamId, StreamOp, ids_to_bytes};

/// A change of a stream; of a group, the one there is.
#[derive(Clone, Debug)]
pub enum StreamChange {
    Add {
        id: StreamId,
        fields: Vec<Bytes>,
    },
    Delete(Vec<StreamId>),
    Trim {
        count: u64,
    },
    TrimRuns(Vec<(StreamId, StreamId)>),
    SetId {
        last_id: StreamId,
        max_deleted_id: StreamId,
        entries_added: u64,
    },
    GroupCreate {
        last_id: StreamId,
        entries_read: Option<u64>,
    },
    GroupSetId {
        last_id: StreamId,
        entries_read: Option<u64>,
    },
    GroupDestroy,
    ConsumerSeen {
        consumer: Bytes,
        at_ms: u64,
    },
    ConsumerDelete {
        consumer: Bytes,
    },
    Deliver {
        consumer: Bytes,
        at_ms: u64,
        ids: Vec<StreamId>,
    },
    Claim {
        consumer: Bytes,
        at_ms: u64,
        ids: Vec<StreamId>,
        deliveries: u64,
    },
    Acknowledge(Vec<StreamId>),
    Release {
        ids: Vec<StreamId>,
        deliveries: u64,
    },
    LimitMessages {
        ids_max: u64,
    },
    Remember {
        producer: Vec<u8>,
        message: Vec<u8>,
        id: StreamId,
    },
    ForgetMessages {
        count: u64,
    },
}

impl StreamChange {
    pub(super) fn with_op<R>(&self, body: impl FnOnce(StreamOp<'_>) -> R) -> R {
        let group = GROUP;
        match self {
            Self::Add { id, fields } => {
                let (id, fields) = (*id, &packed(fields));
                body(StreamOp::Add { id, fields })
            }
            Self::Delete(ids) => {
                let ids = &ids_to_bytes(ids.iter().copied());
                body(StreamOp::Delete { ids })
            }
            &Self::Trim { count } => body(StreamOp::Trim { count }),
            Self::TrimRuns(runs) => {
                let runs = &ids_to_bytes(runs.iter().flat_map(|(first, last)| [*first, *last]));
                body(StreamOp::TrimRuns { runs })
            }
            &Self::SetId {
                last_id,
                max_deleted_id,
                entries_added,
            } => body(StreamOp::SetId {
                last_id,
                max_deleted_id,
                entries_added,
            }),
            &Self::GroupCreate { last_id, entries_read } => body(StreamOp::GroupCreate {
                group,
                last_id,
                entries_read,
            }),
            &Self::GroupSetId { last_id, entries_read } => body(StreamOp::GroupSetId {
                group,
                last_id,
                entries_read,
            }),
            Self::GroupDestroy => body(StreamOp::GroupDestroy { group }),
            Self::ConsumerSeen { consumer, at_ms } => {
                let at_ms = *at_ms;
                body(StreamOp::ConsumerSeen { group, consumer, at_ms })
            }
            Self::ConsumerDelete { consumer } => body(StreamOp::ConsumerDelete { group, consumer }),
            Self::Deliver { consumer, at_ms, ids } => body(StreamOp::Deliver {
                group,
                consumer,
                at_ms: *at_ms,
                last_id: ids.last().copied().unwrap_or_default(),
                entries_read: None,
                ids: &ids_to_bytes(ids.iter().copied()),
            }),
            Self::Claim {
                consumer,
                at_ms,
                ids,
                deliveries,
            } => {
                let numbers = ids.iter().flat_map(|id| [id.ms, id.seq, *at_ms, *deliveries]);
                let numbers: Vec<Bytes> = numbers.map(|number| number.to_string().into_bytes()).collect();
                let (at_ms, pending) = (*at_ms, &packed(&numbers));
                body(StreamOp::Claim {
                    group,
                    consumer,
                    at_ms,
                    pending,
                })
            }
            Self::Acknowledge(ids) => {
                let ids = &ids_to_bytes(ids.iter().copied());
                body(StreamOp::Acknowledge { group, ids })
            }
            Self::Release { ids, deliveries } => {
                let numbers = ids.iter().flat_map(|id| [id.ms, id.seq, *deliveries]);
                let numbers: Vec<Bytes> = numbers.map(|number| number.to_string().into_bytes()).collect();
                let pending = &packed(&numbers);
                body(StreamOp::Release { group, pending })
            }
            &Self::LimitMessages { ids_max } => body(StreamOp::LimitMessages {
                duration_s: 100,
                ids_max,
            }),
            Self::Remember { producer, message, id } => body(StreamOp::Remember {
                producer,
                message,
                id: *id,
                counts: true,
            }),
            &Self::ForgetMessages { count } => body(StreamOp::ForgetMessages { count }),
        }
    }

    pub(super) fn apply(&self, stream: &mut Stream) {
        match self {
            Self::Add { id, fields } => {
                assert!(*id > stream.last_id, "{id:?} behind {:?}", stream.last_id);
                stream.entries.insert(*id, fields.clone());
                stream.last_id = *id;
                stream.entries_added += 1;
            }
            Self::Delete(ids) => {
                for id in ids {
                    if stream.entries.remove(id).is_some() {
                        stream.max_deleted_id = stream.max_deleted_id.max(*id);
                    }
                }
            }
            Self::Trim { count } => {
                let kept = stream.entries.keys().nth(*count as usize).copied();
                stream.entries = kept.map_or_else(BTreeMap::new, |id| stream.entries.split_off(&id));
            }
            Self::TrimRuns(runs) => stream
                .entries
                .retain(|id, _| !runs.iter().any(|(first, last)| (first..=last).contains(&id))),
            &Self::SetId {
                last_id,
                max_deleted_id,
                entries_added,
            } => {
                (stream.last_id, stream.max_deleted_id, stream.entries_added) = (last_id, max_deleted_id, entries_added)
            }
            &Self::GroupCreate { last_id, entries_read } => {
                stream.groups.entry(GROUP.to_vec()).or_insert(Group {
                    last_id,
                    entries_read,
                    ..Group::default()
                });
            }
            Self::GroupDestroy => drop(stream.groups.remove(GROUP)),
            &Self::LimitMessages { ids_max } => {
                let known = stream.messages.get_or_insert_default();
                if known.ids_max != ids_max {
                    (known.ids_max, known.messages) = (ids_max, Vec::new());
                }
            }
            Self::Remember { producer, message, id } => {
                let known = stream.messages.get_or_insert_default();
                known.remember(producer, message, *id);
            }
            Self::ForgetMessages { count } => {
                let known = stream.messages.get_or_insert_default();
                let count = known.messages.len().min(*count as usize);
                known.messages.drain(..count);
            }
            on_group => {
                if let Some(group) = stream.groups.get_mut(GROUP) {
                    on_group.apply_to_group(group);
                }
            }
        }
    }

    fn apply_to_group(&self, group: &mut Group) {
        match self {
            &Self::GroupSetId { last_id, entries_read } => {
                (group.last_id, group.entries_read) = (last_id, entries_read)
            }
            Self::ConsumerSeen { consumer, at_ms } => group.touch(consumer, *at_ms),
            Self::ConsumerDelete { consumer } => {
                group.consumers.remove(consumer);
                group.pending.retain(|_, (_, _, name)| name != consumer);
            }
            Self::Deliver { consumer, at_ms, ids } => {
                (group.last_id, group.entries_read) = (ids.last().copied().unwrap_or_default(), None);
                group.touch(consumer, *at_ms);
                let pending = ids.iter().map(|id| (*id, (*at_ms, 1, consumer.clone())));
                group.pending.extend(pending);
            }
            Self::Claim {
                consumer,
                at_ms,
                ids,
                deliveries,
            } => {
                group.touch(consumer, *at_ms);
                let pending = ids.iter().map(|id| (*id, (*at_ms, *deliveries, consumer.clone())));
                group.pending.extend(pending);
            }
            Self::Acknowledge(ids) => ids.iter().for_each(|id| drop(group.pending.remove(id))),
            Self::Release { ids, deliveries } => {
                let pending = ids.iter().map(|id| (*id, (0, *deliveries, Bytes::new())));
                group.pending.extend(pending);
            }
            other => panic!("{other:?} of a group"),
        }
    }
}
