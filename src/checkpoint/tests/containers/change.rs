//! Changes of containers: as effects to the engine, and to the model.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::model::{Stream, Value, Zset, score_of};
use super::stream_change::StreamChange;
use crate::engine::effect::Effect;
use crate::engine::elements::expiry;
use crate::page::hash::HashOp;
use crate::page::list::ListOp;
use crate::page::packed::pack;
use crate::page::set::SetOp;
use crate::page::zset::{ZsetOp, pack_pairs};

pub(super) type Bytes = Vec<u8>;
/// A member with its score, in quarters.
pub type Scored = (i64, Bytes);

/// A change of a container.
#[derive(Clone, Debug)]
pub enum Change {
    Push {
        front: bool,
        elements: Vec<Bytes>,
    },
    Pop {
        front: bool,
        count: u64,
    },
    Rotate {
        from_front: bool,
        to_front: bool,
    },
    SetAt {
        index: u64,
        element: Bytes,
    },
    Insert {
        index: u64,
        element: Bytes,
    },
    Trim {
        start: u64,
        len: u64,
    },
    RemoveEqual {
        count: u64,
        front: bool,
        element: Bytes,
    },
    AddMembers(Vec<Bytes>),
    RemoveMembers(Vec<Bytes>),
    ExpireMembers {
        members: Vec<Bytes>,
        at_ms: u64,
    },
    AddScored {
        members: Vec<Scored>,
        keeps_expiry: bool,
    },
    RemoveScored(Vec<Bytes>),
    ExpireScored {
        members: Vec<Bytes>,
        at_ms: u64,
    },
    RemoveRanks {
        start: u64,
        len: u64,
    },
    SetFields {
        pairs: Vec<(Bytes, Bytes)>,
        keeps_expiry: bool,
    },
    RemoveFields(Vec<Bytes>),
    ExpireFields {
        fields: Vec<Bytes>,
        at_ms: u64,
    },
    Stream(StreamChange),
}

/// The group of each stream.
pub const GROUP: &[u8] = b"group";

pub(super) fn packed(items: &[Bytes]) -> Bytes {
    pack(items.iter().map(Vec::as_slice))
}

impl Change {
    /// Gives the effect that it is to `body`.
    pub fn with_effect<R>(&self, key: &[u8], body: impl FnOnce(&Effect<'_>) -> R) -> R {
        match self {
            Self::AddMembers(members) => body(&Effect::Set {
                key,
                op: SetOp::Add {
                    members: &packed(members),
                },
            }),
            Self::RemoveMembers(members) => body(&Effect::Set {
                key,
                op: SetOp::Remove {
                    members: &packed(members),
                },
            }),
            Self::ExpireMembers { members, at_ms } => body(&expiry(
                crate::page::container::Kind::Set,
                key,
                &packed(members),
                *at_ms,
            )),
            Self::ExpireScored { members, at_ms } => body(&expiry(
                crate::page::container::Kind::Zset,
                key,
                &packed(members),
                *at_ms,
            )),
            Self::AddScored { members, keeps_expiry } => {
                let pairs = members.iter().map(|(score, name)| (score_of(*score), name.as_slice()));
                let members = &pack_pairs(pairs);
                let op = match keeps_expiry {
                    true => ZsetOp::Rescore { members },
                    false => ZsetOp::Add { members },
                };
                body(&Effect::Zset { key, op })
            }
            Self::RemoveScored(members) => {
                let members = &packed(members);
                let op = ZsetOp::Remove { members };
                body(&Effect::Zset { key, op })
            }
            Self::RemoveRanks { start, len } => {
                let (start, len) = (*start, *len);
                let op = ZsetOp::RemoveRange { start, len };
                body(&Effect::Zset { key, op })
            }
            Self::SetFields { pairs, keeps_expiry } => {
                let items = pairs.iter().flat_map(|(field, value)| [field.as_slice(), value]);
                let (pairs, keeps_expiry) = (&pack(items), *keeps_expiry);
                let op = HashOp::Set { pairs, keeps_expiry };
                body(&Effect::Hash { key, op })
            }
            Self::RemoveFields(fields) => {
                let fields = &packed(fields);
                let op = HashOp::Remove { fields };
                body(&Effect::Hash { key, op })
            }
            Self::ExpireFields { fields, at_ms } => {
                let (fields, expire_at_ms) = (&packed(fields), *at_ms);
                let op = HashOp::ExpireAt { fields, expire_at_ms };
                body(&Effect::Hash { key, op })
            }
            Self::Stream(change) => change.with_op(|op| body(&Effect::Stream { key, op })),
            on_list => on_list.with_list_op(|op| body(&Effect::List { key, op })),
        }
    }

    fn with_list_op<R>(&self, body: impl FnOnce(ListOp<'_>) -> R) -> R {
        match self {
            Self::Push { front, elements } => {
                let (front, elements) = (*front, &packed(elements));
                body(ListOp::Push { front, elements })
            }
            &Self::Pop { front, count } => body(ListOp::Pop { front, count }),
            &Self::Rotate { from_front, to_front } => body(ListOp::Rotate { from_front, to_front }),
            Self::SetAt { index, element } => {
                let index = *index;
                body(ListOp::Set { index, element })
            }
            Self::Insert { index, element } => {
                let index = *index;
                body(ListOp::Insert { index, element })
            }
            &Self::Trim { start, len } => body(ListOp::Trim { start, len }),
            Self::RemoveEqual { count, front, element } => {
                let (count, front) = (*count, *front);
                body(ListOp::Remove { count, front, element })
            }
            other => panic!("{other:?} is not of a list"),
        }
    }

    /// What there is before it, where there is nothing; `None`: there is nothing after it either.
    pub fn makes(&self) -> Option<Value> {
        match self {
            Self::Push { .. } => Some(Value::List(VecDeque::new())),
            Self::AddMembers(_) => Some(Value::Set(BTreeMap::new())),
            Self::AddScored { .. } => Some(Value::Zset(Zset::default())),
            Self::SetFields { .. } => Some(Value::Hash(BTreeMap::new())),
            Self::Stream(StreamChange::Add { .. }) => Some(Value::Stream(Stream::default())),
            _ => None,
        }
    }

    /// Does it; whether the key stays.
    pub fn apply(&self, value: &mut Value) -> bool {
        match (self, value) {
            (Self::Stream(change), Value::Stream(stream)) => {
                change.apply(stream);
                true
            }
            (_, Value::List(list)) => {
                self.apply_to_list(list);
                !list.is_empty()
            }
            (Self::AddMembers(members), Value::Set(set)) => {
                for member in members {
                    set.entry(member.clone()).or_insert(0);
                }
                true
            }
            (Self::ExpireMembers { members, at_ms }, Value::Set(set)) => {
                for member in members {
                    set.entry(member.clone()).and_modify(|time| *time = *at_ms);
                }
                true
            }
            (Self::RemoveMembers(members), Value::Set(set)) => {
                for member in members {
                    set.remove(member);
                }
                !set.is_empty()
            }
            (_, Value::Zset(zset)) => {
                self.apply_to_zset(zset);
                !zset.order.is_empty()
            }
            (_, Value::Hash(hash)) => {
                self.apply_to_hash(hash);
                !hash.is_empty()
            }
            (change, value) => panic!("{change:?} of {value:?}"),
        }
    }

    fn apply_to_list(&self, list: &mut VecDeque<Bytes>) {
        let pop = |list: &mut VecDeque<Bytes>, front, count: u64| {
            let count = (count as usize).min(list.len());
            if front {
                list.drain(..count);
            } else {
                list.truncate(list.len() - count);
            }
        };
        match self {
            Self::Push { front: true, elements } => elements.iter().for_each(|item| list.push_front(item.clone())),
            Self::Push { elements, .. } => list.extend(elements.iter().cloned()),
            Self::Pop { front, count } => pop(list, *front, *count),
            Self::Rotate { from_front, to_front } if from_front != to_front && list.len() > 1 => {
                if *from_front {
                    list.rotate_left(1);
                } else {
                    list.rotate_right(1);
                }
            }
            Self::Rotate { .. } => {}
            Self::SetAt { index, element } => {
                if let Some(held) = list.get_mut(*index as usize) {
                    held.clone_from(element);
                }
            }
            Self::Insert { index, element } => list.insert((*index as usize).min(list.len()), element.clone()),
            Self::Trim { start, len } => {
                pop(list, true, *start);
                let beyond = (list.len() as u64).saturating_sub(*len);
                pop(list, false, beyond);
            }
            Self::RemoveEqual { count, front, element } => {
                let most = if *count == 0 { usize::MAX } else { *count as usize };
                let places: Vec<usize> = (0..list.len()).filter(|at| list[*at] == *element).collect();
                let skipped = if *front { 0 } else { places.len().saturating_sub(most) };
                let gone: BTreeSet<usize> = places.into_iter().skip(skipped).take(most).collect();
                let mut at = 0;
                list.retain(|_| {
                    at += 1;
                    !gone.contains(&(at - 1))
                });
            }
            other => panic!("{other:?} of a list"),
        }
    }
}
