//! Giving pending entries that nobody minds to a consumer: XAUTOCLAIM.

use super::claim::{Claim, reply_claimed};
use super::common::{no_key_or_group, read_stream};
use super::id::{parse_start, reply_id};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::page::stream::{Pending, StreamId};
use crate::resp::{Args, Reply};

/// Pending entries that are looked at for each that is asked for.
const ATTEMPTS: i64 = 10;

pub(super) const XAUTOCLAIM: Spec = Spec {
    since: "6.2.0",
    flags: flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "delete"])],
    tips: &["nondeterministic_output"],
    summary: "Gives pending entries that have been idle for long to a consumer, a few at a time",
    complexity: "O(1) if COUNT is small.",
    syntax: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
    ..Spec::new("xautoclaim", Group::Stream, -6, Handler::Write(xautoclaim))
};

fn xautoclaim(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let (key, name, consumer) = (args.at(1), args.at(2), args.at(3));
    let missing = || no_key_or_group(key, name, "");
    // The key is looked up first, and its type judged last.
    let found = read_stream(txn, key);
    let options = Options::parse(args)?;
    let stream = found?.ok_or_else(missing)?;
    let group = stream.group(name).ok_or_else(missing)?;
    let mut claim = Claim::new(group, consumer);
    let (mut taken, mut deleted) = (Vec::new(), Vec::new());
    let mut left = options.count;
    let mut attempts = options.count.saturating_mul(ATTEMPTS);
    let mut rest = group.pending_from(options.start);
    while attempts > 0 && left > 0 {
        let Some(pending) = rest.next() else { break };
        attempts -= 1;
        let idle_ms = now_ms as i64 - pending.delivered_at_ms as i64;
        if stream.entry(pending.id).is_none() {
            claim.forget(pending.id);
            deleted.push(pending.id);
            left -= 1;
        } else if options.min_idle_ms == 0 || idle_ms >= options.min_idle_ms {
            claim.put(Pending {
                delivered_at_ms: now_ms,
                deliveries: if options.just_ids {
                    pending.deliveries
                } else {
                    pending.deliveries_after()
                },
                ..*pending
            });
            taken.push(pending.id);
            left -= 1;
        }
    }
    reply.array(3);
    reply_id(reply, rest.next().map_or(StreamId::MIN, |pending| pending.id));
    reply.array(taken.len());
    for id in taken {
        reply_claimed(reply, stream, id, options.just_ids);
    }
    reply.array(deleted.len());
    deleted.into_iter().for_each(|id| reply_id(reply, id));
    drop(rest);
    claim.outcome(now_ms).apply(txn, key);
    Ok(())
}

struct Options {
    min_idle_ms: i64,
    start: StreamId,
    count: i64,
    just_ids: bool,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CmdError> {
        const COUNT_MAX: i64 = i64::MAX / StreamId::BYTES as i64;
        let idle = parse_i64(args.at(4));
        let idle = idle.ok_or(CmdError::text("ERR Invalid min-idle-time argument for XAUTOCLAIM"))?;
        let mut options = Self {
            min_idle_ms: idle.max(0),
            start: parse_start(args.at(5))?,
            count: 100,
            just_ids: false,
        };
        let mut at = 6;
        while let Some(option) = args.get(at) {
            match args.get(at + 1) {
                Some(count) if option.eq_ignore_ascii_case(b"count") => {
                    let count = parse_i64(count).filter(|count| (1..=COUNT_MAX).contains(count));
                    options.count = count.ok_or(CmdError::text("ERR COUNT must be > 0"))?;
                    at += 1;
                }
                _ if option.eq_ignore_ascii_case(b"justid") => options.just_ids = true,
                _ => return Err(CmdError::Syntax),
            }
            at += 1;
        }
        Ok(options)
    }
}
