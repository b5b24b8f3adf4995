//! What is delivered and not acknowledged: XPENDING.

use super::common::{no_key_or_group, stream_of};
use super::id::{parse_end, parse_start, reply_id};
use crate::commands::spec::{Group as Family, first_key};
use crate::commands::value::int_arg;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::stream::{Group, Pending, StreamId};
use crate::resp::{Args, Reply};

pub(super) const XPENDING: Spec = Spec {
    since: "5.0.0",
    acl: &["stream"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "What a group has been given and has not acknowledged: in short, or one by one",
    complexity: "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
    syntax: "key group [[IDLE min-idle-time] start end count [consumer]]",
    ..Spec::new("xpending", Family::Stream, -3, Handler::Read(xpending))
};

fn xpending(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let query = match args.len() {
        3 => None,
        6..=9 => Some(Query::parse(args)?),
        _ => return Err(CmdError::Syntax),
    };
    let now_ms = txn.now_ms();
    let (key, name) = (args.at(1), args.at(2));
    let stream = txn.get(key).map(stream_of).transpose()?;
    let group = stream.and_then(|stream| stream.group(name));
    let group = group.ok_or_else(|| no_key_or_group(key, name, ""))?;
    match query {
        None => reply_summary(group, reply),
        Some(query) => query.reply(group, now_ms, reply),
    }
    Ok(())
}

fn reply_summary(group: &Group, reply: &mut Reply) {
    reply.array(4);
    reply.int(group.pending_len() as i64);
    let first = group.pending_from(StreamId::MIN).next();
    let (Some(first), Some(last)) = (first, group.last_pending()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, first.id);
    reply_id(reply, last.id);
    let array = reply.deferred_array();
    let mut count = 0;
    for (_, consumer) in group.consumers().filter(|(_, consumer)| consumer.pending > 0) {
        reply.array(2);
        reply.bulk(&consumer.name);
        reply.bulk_int(consumer.pending as i64);
        count += 1;
    }
    reply.finish_array(array, count);
}

/// Which pending entries are asked for.
struct Query<'a> {
    idle_ms: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Query<'a> {
    fn parse(args: Args<'a>) -> Result<Self, CmdError> {
        let (mut idle_ms, mut at) = (0, 3);
        if args.at(3).eq_ignore_ascii_case(b"idle") {
            idle_ms = int_arg(args, 4)?;
            if args.len() < 8 {
                return Err(CmdError::Syntax);
            }
            at = 5;
        }
        let count = int_arg(args, at + 2)?;
        Ok(Self {
            idle_ms,
            count: usize::try_from(count).unwrap_or(0),
            start: parse_start(args.at(at))?,
            end: parse_end(args.at(at + 1))?,
            consumer: args.get(at + 3),
        })
    }

    fn reply(&self, group: &Group, now_ms: u64, reply: &mut Reply) {
        let Some(name) = self.consumer else {
            return self.reply_each(group, group.pending_from(self.start).copied(), now_ms, reply);
        };
        match group.consumer(name) {
            Some(number) => self.reply_each(group, group.pending_of(number, self.start), now_ms, reply),
            None => reply.array(0),
        }
    }

    fn reply_each(&self, group: &Group, all: impl Iterator<Item = Pending>, now_ms: u64, reply: &mut Reply) {
        let idle_ms = |pending: &Pending| now_ms as i64 - pending.delivered_at_ms as i64;
        let array = reply.deferred_array();
        let mut count = 0;
        let asked = all
            .take_while(|pending| pending.id <= self.end)
            .filter(|pending| self.idle_ms == 0 || idle_ms(pending) >= self.idle_ms);
        for pending in asked.take(self.count) {
            reply.array(4);
            reply_id(reply, pending.id);
            reply.bulk(group.consumer_name(pending.consumer));
            reply.int(pending.told_idle_ms(now_ms));
            reply.int(pending.deliveries as i64);
            count += 1;
        }
        reply.finish_array(array, count);
    }
}
