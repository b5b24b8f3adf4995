//! Reading as a consumer of a group: XREADGROUP.

use super::common::{
    MADE_CONSUMER, apply, is_long_unseen, no_key_or_group, old_stream, read_stream, reply_entry, reply_fields,
};
use super::id::{packed_ids, parse_id, reply_id};
use super::read::{Answer, Options, streams_keys};
use crate::commands::blocking::Attempt;
use crate::commands::spec::{Group as Family, flag};
use crate::commands::{CmdError, Handler, Spec};
use crate::engine::blocked::Wanted;
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::packed::{Builder, Item};
use crate::page::stream::{BigStream, Entry, Group, Pending, StreamId, StreamOp};
use crate::resp::{Args, Reply};

pub(super) const XREADGROUP: Spec = Spec {
    since: "5.0.0",
    flags: flag::BLOCKING | flag::MOVABLE_KEYS,
    acl: &["stream"],
    keys: &[streams_keys(4)],
    summary: "Gives new entries of streams to a consumer of a group, or again what is pending for it",
    complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
    syntax: "GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]",
    ..Spec::new("xreadgroup", Family::Stream, -7, Handler::Blocking(xreadgroup))
};

fn xreadgroup(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Result<Attempt, CmdError> {
    let options = Options::parse(args, true)?;
    let group = options.group;
    let (group, consumer) = group.ok_or(CmdError::text("ERR Missing GROUP option for XREADGROUP"))?;
    let mut wanted = Vec::new();
    for (key, id) in options.pairs(args) {
        let stream = read_stream(txn, key)?;
        if stream.is_none_or(|stream| stream.group(group).is_none()) {
            return Err(no_key_or_group(key, group, " in XREADGROUP with GROUP option"));
        }
        wanted.push(match id {
            b"$" => return Err(CmdError::text(MEANINGLESS)),
            b"+" => return Err(CmdError::text(MEANINGLESS_LAST)),
            b">" => StreamId::MAX,
            id => parse_id(id, 0)?,
        });
    }
    let mut reader = Reader {
        group,
        consumer,
        count: options.count,
        no_ack: options.no_ack,
        claim_idle_ms: options.claim_idle_ms,
        again_at_ms: None,
        answer: Answer::new(&options, reply),
    };
    for ((key, _), after) in options.pairs(args).zip(wanted) {
        if reader.answer.is_full() {
            break;
        }
        match after {
            StreamId::MAX => reader.read_new(txn, key, reply)?,
            after => reader.read_again(txn, key, after, reply)?,
        }
    }
    let again_at_ms = reader.again_at_ms;
    if reader.answer.finish(reply) {
        return Ok(Attempt::Done);
    }
    // The end of the stream, or of the group, ends the waiting, too.
    Ok(options.wait_or_null(Wanted::AnyChange, None, again_at_ms, reply))
}

const MEANINGLESS: &str = "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
                           this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID \
                           would just return an empty result set.";

const MEANINGLESS_LAST: &str = "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history \
                                of this consumer by specifying a proper ID, or use the > ID to get new messages. The \
                                + ID would just return an empty result set.";

/// Pending entries that are looked at for each that is asked for.
const ATTEMPTS: usize = 10;

struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    count: usize,
    no_ack: bool,
    claim_idle_ms: Option<u64>,
    /// When the first of what is pending has waited for so long.
    again_at_ms: Option<u64>,
    answer: Answer,
}

/// What a consumer is given of what was pending.
#[derive(Default)]
struct Claimed {
    count: usize,
    /// As [`StreamOp::Claim`] carries it.
    pending: Builder,
    /// Pending entries that are no longer there.
    gone: Vec<StreamId>,
}

impl Claimed {
    fn take(&mut self, pending: &Pending, at_ms: u64) {
        self.count += 1;
        let deliveries = pending.deliveries_after();
        for number in [pending.id.ms, pending.id.seq, at_ms, deliveries] {
            self.pending.push(Item::Int(number as i64));
        }
    }
}

/// What a consumer is given that nobody of the group has been given.
struct Delivered {
    ids: Vec<StreamId>,
    entries_read: Option<u64>,
}

impl Reader<'_> {
    /// Entries that nobody of the group has been given; before those, if asked to, what has been pending for long.
    fn read_new(&mut self, txn: &mut Txn<'_, '_>, key: &[u8], reply: &mut Reply) -> Result<(), CmdError> {
        let at_ms = txn.now_ms();
        let stream = old_stream(txn, key)?;
        let Some((stream, group)) = stream.and_then(|stream| Some((stream, stream.group(self.group)?))) else {
            return Ok(());
        };
        let begun = self.answer.begin_stream(key, reply);
        let claimed = self.claim(stream, group, at_ms, reply);
        let new = self.deliver(stream, group, self.count - claimed.count, reply);
        self.answer
            .end_stream(begun, claimed.count + new.ids.len(), false, reply);
        self.note_next_claim(group, &claimed);
        let gets_some = claimed.count + new.ids.len() > 0;
        let makes_consumer = group.consumer(self.consumer).is_none();
        if !gets_some && is_long_unseen(group, self.consumer, at_ms) {
            let (group, consumer) = (self.group, self.consumer);
            apply(txn, key, StreamOp::ConsumerSeen { group, consumer, at_ms });
        }
        self.apply_claimed(txn, key, at_ms, claimed);
        self.apply_delivered(txn, key, at_ms, &new);
        self.tell_if_made(txn, key, makes_consumer);
        Ok(())
    }

    /// What has been pending for long enough, what has been so for longest in front.
    fn claim(&mut self, stream: &BigStream, group: &Group, at_ms: u64, reply: &mut Reply) -> Claimed {
        let mut claimed = Claimed::default();
        let Some(since_ms) = self.claim_idle_ms.and_then(|idle_ms| at_ms.checked_sub(idle_ms)) else {
            return claimed;
        };
        for pending in group.pending_since(since_ms).take(self.count.saturating_mul(ATTEMPTS)) {
            if claimed.count == self.count {
                break;
            }
            let Some(entry) = stream.entry(pending.id) else {
                claimed.gone.push(pending.id);
                continue;
            };
            let idle_ms = pending.told_idle_ms(at_ms);
            if !self.answer.entry(reply, |reply| {
                reply_entry_with(reply, &entry, idle_ms, pending.deliveries as i64);
            }) {
                break;
            }
            claimed.take(&pending, at_ms);
        }
        claimed
    }

    fn deliver(&mut self, stream: &BigStream, group: &Group, count: usize, reply: &mut Reply) -> Delivered {
        let mut new = Delivered {
            ids: Vec::new(),
            entries_read: group.entries_read,
        };
        let mut before = Some(group.last_id).filter(|id| stream.begins_up_to(*id));
        for entry in stream.behind(group.last_id, count).into_iter().flatten() {
            let is_claim = self.claim_idle_ms.is_some();
            if !self.answer.entry(reply, |reply| match is_claim {
                true => reply_entry_with(reply, &entry, 0, 0),
                false => reply_entry(reply, &entry),
            }) {
                break;
            }
            new.entries_read = stream.entries_read_after(entry.id, before, new.entries_read);
            before = Some(entry.id);
            new.ids.push(entry.id);
        }
        new
    }

    /// When the next pending entry will have waited for long enough.
    fn note_next_claim(&mut self, group: &Group, claimed: &Claimed) {
        let Some(idle_ms) = self.claim_idle_ms.filter(|_| claimed.count == 0) else {
            return;
        };
        if let Some(first_ms) = group.first_delivery_ms() {
            let due_ms = first_ms.saturating_add(idle_ms);
            self.again_at_ms = Some(self.again_at_ms.map_or(due_ms, |before| before.min(due_ms)));
        }
    }

    fn apply_claimed(&self, txn: &mut Txn<'_, '_>, key: &[u8], at_ms: u64, claimed: Claimed) {
        let group = self.group;
        if !claimed.gone.is_empty() {
            let ids = packed_ids(&claimed.gone);
            apply(txn, key, StreamOp::Acknowledge { group, ids: &ids });
        }
        if claimed.count > 0 {
            let op = StreamOp::Claim {
                group,
                consumer: self.consumer,
                at_ms,
                pending: &claimed.pending.finish(),
            };
            apply(txn, key, op);
        }
    }

    fn apply_delivered(&self, txn: &mut Txn<'_, '_>, key: &[u8], at_ms: u64, new: &Delivered) {
        let Some(last_id) = new.ids.last().copied() else {
            return;
        };
        let ids = if self.no_ack { Vec::new() } else { packed_ids(&new.ids) };
        let op = StreamOp::Deliver {
            group: self.group,
            consumer: self.consumer,
            at_ms,
            last_id,
            entries_read: new.entries_read,
            ids: &ids,
        };
        apply(txn, key, op);
    }

    /// Entries behind an id that are pending for the consumer.
    fn read_again(
        &mut self,
        txn: &mut Txn<'_, '_>,
        key: &[u8],
        after: StreamId,
        reply: &mut Reply,
    ) -> Result<(), CmdError> {
        let at_ms = txn.now_ms();
        let stream = old_stream(txn, key)?;
        let Some((stream, group)) = stream.and_then(|stream| Some((stream, stream.group(self.group)?))) else {
            return Ok(());
        };
        let begun = self.answer.begin_stream(key, reply);
        let (mut count, mut again) = (0, Claimed::default());
        let start = after.next().unwrap_or(StreamId::MAX);
        let consumer = group.consumer(self.consumer);
        let makes_consumer = consumer.is_none();
        for pending in consumer
            .into_iter()
            .flat_map(|number| group.pending_of(number, start))
            .take(self.count)
        {
            let entry = stream.entry(pending.id);
            if !self
                .answer
                .entry(reply, |reply| reply_pending(reply, pending.id, entry.as_ref()))
            {
                break;
            }
            count += 1;
            if entry.is_some() {
                again.take(&pending, at_ms);
            }
        }
        // A history without entries is shown, one that did not fit is not.
        let is_shown = !self.answer.is_full();
        self.answer.end_stream(begun, count, is_shown, reply);
        if count == 0 && !is_shown {
            return Ok(());
        }
        let op = StreamOp::Redeliver {
            group: self.group,
            consumer: self.consumer,
            at_ms,
            pending: &again.pending.finish(),
        };
        apply(txn, key, op);
        self.tell_if_made(txn, key, makes_consumer);
        Ok(())
    }

    fn tell_if_made(&self, txn: &mut Txn<'_, '_>, key: &[u8], makes_consumer: bool) {
        if makes_consumer {
            txn.notify(Classes::STREAM, MADE_CONSUMER, key);
        }
    }
}

/// Answers with an entry, for how long it had been pending, and how often it had been delivered.
fn reply_entry_with(reply: &mut Reply, entry: &Entry<'_>, idle_ms: i64, deliveries: i64) {
    reply.array(4);
    reply_id(reply, entry.id);
    reply_fields(reply, entry);
    reply.int(idle_ms);
    reply.int(deliveries);
}

/// Answers with an entry that is pending, of which its id may be all that is left.
fn reply_pending(reply: &mut Reply, id: StreamId, entry: Option<&Entry<'_>>) {
    let Some(entry) = entry else {
        reply.array(2);
        reply_id(reply, id);
        reply.null_array();
        return;
    };
    reply_entry(reply, entry);
}
