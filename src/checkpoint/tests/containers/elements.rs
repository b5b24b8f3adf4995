//! Changes of the elements of sorted sets and hashes, to the model.

use std::collections::BTreeMap;

use super::change::Change;
use super::model::Zset;

type Bytes = Vec<u8>;

impl Change {
    pub(super) fn apply_to_zset(&self, zset: &mut Zset) {
        match self {
            Self::AddScored { members, keeps_expiry } => members
                .iter()
                .for_each(|member| zset.insert(member.clone(), *keeps_expiry)),
            Self::ExpireScored { members, at_ms } => members
                .iter()
                .filter(|member| zset.scores.contains_key(*member))
                .cloned()
                .collect::<Vec<_>>()
                .iter()
                .for_each(|member| zset.expire(member, *at_ms)),
            Self::RemoveScored(members) => members.iter().for_each(|member| zset.remove(member)),
            Self::RemoveRanks { start, len } => {
                let gone = zset.order.iter().skip(*start as usize).take(*len as usize);
                let gone: Vec<Bytes> = gone.map(|(_, name)| name.clone()).collect();
                gone.iter().for_each(|member| zset.remove(member));
            }
            other => panic!("{other:?} of a sorted set"),
        }
    }

    pub(super) fn apply_to_hash(&self, hash: &mut BTreeMap<Bytes, (Bytes, u64)>) {
        match self {
            Self::SetFields { pairs, keeps_expiry } => {
                for (field, value) in pairs {
                    let before = hash.get(field).map_or(0, |(_, at_ms)| *at_ms);
                    let at_ms = if *keeps_expiry { before } else { 0 };
                    hash.insert(field.clone(), (value.clone(), at_ms));
                }
            }
            Self::RemoveFields(fields) => fields.iter().for_each(|field| drop(hash.remove(field))),
            Self::ExpireFields { fields, at_ms } => {
                for field in fields {
                    if let Some(held) = hash.get_mut(field) {
                        held.1 = *at_ms;
                    }
                }
            }
            other => panic!("{other:?} of a hash"),
        }
    }
}
