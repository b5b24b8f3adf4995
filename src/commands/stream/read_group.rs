//! Reading as a consumer of a group: XREADGROUP.

use super::common::{MADE_CONSUMER, apply, no_key_or_group, old_stream, read_stream, reply_entry};
use super::id::{packed_ids, parse_id, reply_id};
use super::read::{Answer, Options, streams_keys};
use crate::commands::blocking::Attempt;
use crate::commands::spec::{Group, flag};
use crate::commands::{CmdError, Handler, Spec};
use crate::engine::blocked::Wanted;
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::packed::{Builder, Item};
use crate::page::stream::{StreamId, StreamOp};
use crate::resp::{Args, Reply};

pub(super) const XREADGROUP: Spec = Spec {
    since: "5.0.0",
    flags: flag::BLOCKING | flag::MOVABLE_KEYS,
    acl: &["stream"],
    keys: &[streams_keys(4)],
    summary: "Gives new entries of streams to a consumer of a group, or again what is pending for it",
    complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
    syntax: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
    ..Spec::new("xreadgroup", Group::Stream, -7, Handler::Blocking(xreadgroup))
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
            b">" => StreamId::MAX,
            id => parse_id(id, 0)?,
        });
    }
    let mut reader = Reader {
        group,
        consumer,
        count: options.count,
        no_ack: options.no_ack,
        answer: Answer::new(reply),
    };
    for ((key, _), after) in options.pairs(args).zip(wanted) {
        match after {
            StreamId::MAX => reader.read_new(txn, key, reply)?,
            after => reader.read_again(txn, key, after, reply)?,
        }
    }
    if reader.answer.finish(reply) {
        return Ok(Attempt::Done);
    }
    // The end of the stream, or of the group, ends the waiting, too.
    Ok(options.wait_or_null(Wanted::AnyChange, None, reply))
}

const MEANINGLESS: &str = "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
                           this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID \
                           would just return an empty result set.";

struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    count: usize,
    no_ack: bool,
    answer: Answer,
}

impl Reader<'_> {
    /// Entries that nobody of the group has been given.
    fn read_new(&mut self, txn: &mut Txn<'_, '_>, key: &[u8], reply: &mut Reply) -> Result<(), CmdError> {
        let at_ms = txn.now_ms();
        let stream = old_stream(txn, key)?;
        let Some((stream, group)) = stream.and_then(|stream| Some((stream, stream.group(self.group)?))) else {
            return Ok(());
        };
        // As in Redis, a consumer that gets nothing is not heard of either.
        let Some(entries) = stream.behind(group.last_id, self.count) else {
            return Ok(());
        };
        self.answer.begin_stream(key, reply);
        let array = reply.deferred_array();
        let (mut ids, mut entries_read) = (Vec::new(), group.entries_read);
        for entry in entries {
            entries_read = stream.entries_read_after(entry.id, entries_read);
            reply_entry(reply, &entry);
            ids.push(entry.id);
        }
        reply.finish_array(array, ids.len());
        let makes_consumer = group.consumer(self.consumer).is_none();
        let last_id = ids.last().copied().unwrap_or(group.last_id);
        let ids = if self.no_ack { Vec::new() } else { packed_ids(&ids) };
        let op = StreamOp::Deliver {
            group: self.group,
            consumer: self.consumer,
            at_ms,
            last_id,
            entries_read,
            ids: &ids,
        };
        apply(txn, key, op);
        self.tell_if_made(txn, key, makes_consumer);
        Ok(())
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
        self.answer.begin_stream(key, reply);
        let array = reply.deferred_array();
        let (mut count, mut again) = (0, Builder::default());
        let start = after.next().unwrap_or(StreamId::MAX);
        let consumer = group.consumer(self.consumer);
        let makes_consumer = consumer.is_none();
        for pending in consumer
            .into_iter()
            .flat_map(|number| group.pending_of(number, start))
            .take(self.count)
        {
            count += 1;
            if let Some(entry) = stream.entry(pending.id) {
                reply_entry(reply, &entry);
                let deliveries = pending.deliveries.saturating_add(1);
                for number in [pending.id.ms, pending.id.seq, at_ms, deliveries] {
                    again.push(Item::Int(number as i64));
                }
            } else {
                reply.array(2);
                reply_id(reply, pending.id);
                reply.null_array();
            }
        }
        reply.finish_array(array, count);
        let op = StreamOp::Claim {
            group: self.group,
            consumer: self.consumer,
            at_ms,
            pending: &again.finish(),
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
