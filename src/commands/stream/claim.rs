//! Giving pending entries to another consumer: XCLAIM.

use std::collections::HashMap;

use super::common::{MADE_CONSUMER, apply, is_long_unseen, no_key_or_group, quoting, read_stream, reply_entry};
use super::id::{packed_ids, parse_id, reply_id};
use crate::commands::spec::{Group as Family, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::packed::{Builder, Item, Packed};
use crate::page::stream::{BigStream, Group, Pending, StreamId, StreamOp};
use crate::resp::{Args, Reply};

pub(super) const XCLAIM: Spec = Spec {
    since: "5.0.0",
    flags: flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "update"])],
    tips: &["nondeterministic_output"],
    summary: "Gives pending entries to a consumer, as if they had been delivered to it",
    complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
    syntax: "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]",
    ..Spec::new("xclaim", Family::Stream, -6, Handler::Write(xclaim))
};

fn xclaim(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let (key, name, consumer) = (args.at(1), args.at(2), args.at(3));
    let missing = || no_key_or_group(key, name, "");
    let stream = read_stream(txn, key)?.ok_or_else(missing)?;
    let group = stream.group(name).ok_or_else(missing)?;
    let options = Options::parse(args, now_ms)?;
    let mut claim = Claim::new(group, consumer);
    claim.raise_last_id(options.last_id);
    let array = reply.deferred_array();
    let mut count = 0;
    for id in &options.ids {
        let taken = claim.take(stream, *id, &options);
        count += usize::from(taken);
        if taken {
            reply_claimed(reply, stream, *id, options.just_ids);
        }
    }
    reply.finish_array(array, count);
    claim.outcome(now_ms).apply(txn, key);
    Ok(())
}

/// Answers with an entry that has been claimed.
pub(super) fn reply_claimed(reply: &mut Reply, stream: &BigStream, id: StreamId, just_ids: bool) {
    match stream.entry(id).filter(|_| !just_ids) {
        Some(entry) => reply_entry(reply, &entry),
        None => reply_id(reply, id),
    }
}

struct Options {
    ids: Vec<StreamId>,
    min_idle_ms: i64,
    delivered_at_ms: u64,
    deliveries: Option<u64>,
    force: bool,
    just_ids: bool,
    last_id: StreamId,
    now_ms: u64,
}

impl Options {
    fn parse(args: Args<'_>, now_ms: u64) -> Result<Self, CmdError> {
        let idle = number(args.at(4), "ERR Invalid min-idle-time argument for XCLAIM")?;
        let ids: Vec<StreamId> = args.skip(5).iter().map_while(|id| parse_id(id, 0).ok()).collect();
        let mut at = 5 + ids.len();
        let mut options = Self {
            ids,
            min_idle_ms: idle.max(0),
            delivered_at_ms: now_ms,
            deliveries: None,
            force: false,
            just_ids: false,
            last_id: StreamId::MIN,
            now_ms,
        };
        let mut delivered_at_ms = -1;
        while let Some(option) = args.get(at) {
            let value = args.get(at + 1);
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            match value {
                _ if is(b"force") => options.force = true,
                _ if is(b"justid") => options.just_ids = true,
                Some(value) if is(b"idle") => {
                    let idle = number(value, "ERR Invalid IDLE option argument for XCLAIM")?;
                    delivered_at_ms = (now_ms as i64).wrapping_sub(idle);
                    at += 1;
                }
                Some(value) if is(b"time") => {
                    delivered_at_ms = number(value, "ERR Invalid TIME option argument for XCLAIM")?;
                    at += 1;
                }
                Some(value) if is(b"retrycount") => {
                    let count = number(value, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
                    options.deliveries = u64::try_from(count).ok();
                    at += 1;
                }
                Some(value) if is(b"lastid") => {
                    options.last_id = parse_id(value, 0)?;
                    at += 1;
                }
                _ => return Err(quoting(&[b"ERR Unrecognized XCLAIM option '", option, b"'"])),
            }
            at += 1;
        }
        // A time that makes no sense is the present.
        if (0..=now_ms as i64).contains(&delivered_at_ms) {
            options.delivered_at_ms = delivered_at_ms as u64;
        }
        Ok(options)
    }
}

fn number(argument: &[u8], why: &'static str) -> Result<i64, CmdError> {
    parse_i64(argument).ok_or(CmdError::text(why))
}

/// What a claim has come to so far. The group itself changes only when it is over.
pub(super) struct Claim<'g, 'n> {
    group: &'g Group,
    name: &'n [u8],
    number: Option<u32>,
    last_id: Option<StreamId>,
    /// What entries have become; `None`: no longer pending.
    changed: HashMap<[u8; StreamId::BYTES], Option<Pending>>,
}

impl<'g, 'n> Claim<'g, 'n> {
    pub fn new(group: &'g Group, consumer: &'n [u8]) -> Self {
        Self {
            group,
            name: consumer,
            number: group.consumer(consumer),
            last_id: None,
            changed: HashMap::new(),
        }
    }

    fn raise_last_id(&mut self, last_id: StreamId) {
        self.last_id = Some(last_id).filter(|id| *id > self.group.last_id);
    }

    /// The entry is no longer pending, since it is no longer there.
    pub fn forget(&mut self, id: StreamId) {
        self.changed.insert(id.to_bytes(), None);
    }

    /// The entry is pending for the consumer now.
    pub fn put(&mut self, pending: Pending) {
        // A consumer that is only being made has no number yet; it is given one when the claim is applied.
        let consumer = self.number.unwrap_or(u32::MAX);
        self.changed
            .insert(pending.id.to_bytes(), Some(Pending { consumer, ..pending }));
    }

    fn pending(&self, id: StreamId) -> Option<Pending> {
        let changed = self.changed.get(&id.to_bytes()).copied();
        changed.unwrap_or_else(|| self.group.pending(id))
    }

    fn take(&mut self, stream: &BigStream, id: StreamId, options: &Options) -> bool {
        let pending = self.pending(id);
        if stream.entry(id).is_none() {
            if pending.is_some() {
                self.forget(id);
            }
            return false;
        }
        let (deliveries, more) = match pending {
            Some(pending) => {
                let idle_ms = options.now_ms as i64 - pending.delivered_at_ms as i64;
                if options.min_idle_ms > 0 && idle_ms < options.min_idle_ms {
                    return false;
                }
                (pending.deliveries, pending.deliveries_after())
            }
            None if options.force => (1, 2),
            None => return false,
        };
        let more = if options.just_ids { deliveries } else { more };
        self.put(Pending {
            id,
            delivered_at_ms: options.delivered_at_ms,
            deliveries: options.deliveries.unwrap_or(more),
            consumer: 0,
        });
        true
    }

    /// What there is to be changed, free of what it was made from.
    pub fn outcome(self, now_ms: u64) -> Outcome<'n> {
        let (mut gone, mut taken) = (Vec::new(), Vec::new());
        for (id, pending) in &self.changed {
            match pending {
                Some(pending) => taken.push(*pending),
                None => gone.push(StreamId::of_bytes(*id)),
            }
        }
        gone.sort_unstable();
        taken.sort_unstable_by_key(|pending| pending.id);
        let mut builder = Builder::default();
        for pending in taken {
            let Pending {
                id,
                delivered_at_ms,
                deliveries,
                ..
            } = pending;
            for number in [id.ms, id.seq, delivered_at_ms, deliveries] {
                builder.push(Item::Int(number as i64));
            }
        }
        Outcome {
            group: self.group.name().to_vec(),
            consumer: self.name,
            now_ms,
            last_id: self.last_id.map(|id| (id, self.group.entries_read)),
            gone,
            pending: builder.finish(),
            makes_consumer: self.number.is_none(),
            is_long_unseen: is_long_unseen(self.group, self.name, now_ms),
        }
    }
}

/// The changes that a claim makes.
pub(super) struct Outcome<'a> {
    group: Vec<u8>,
    consumer: &'a [u8],
    now_ms: u64,
    last_id: Option<(StreamId, Option<u64>)>,
    gone: Vec<StreamId>,
    pending: Vec<u8>,
    makes_consumer: bool,
    is_long_unseen: bool,
}

impl Outcome<'_> {
    pub fn apply(&self, txn: &mut Txn<'_, '_>, key: &[u8]) {
        let group = &*self.group;
        if let Some((last_id, entries_read)) = self.last_id {
            let op = StreamOp::GroupSetId {
                group,
                last_id,
                entries_read,
            };
            apply(txn, key, op);
        }
        if !self.gone.is_empty() {
            let ids = packed_ids(&self.gone);
            apply(txn, key, StreamOp::Acknowledge { group, ids: &ids });
        }
        let (consumer, at_ms) = (self.consumer, self.now_ms);
        if Packed::new(&self.pending).count() > 0 {
            let op = StreamOp::Claim {
                group,
                consumer,
                at_ms,
                pending: &self.pending,
            };
            apply(txn, key, op);
        } else if self.is_long_unseen {
            apply(txn, key, StreamOp::ConsumerSeen { group, consumer, at_ms });
        }
        if self.makes_consumer {
            txn.notify(Classes::STREAM, MADE_CONSUMER, key);
        }
    }
}
