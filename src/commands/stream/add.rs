//! Appending: XADD.

use super::common::{apply, old_stream};
use super::id::{Wanted, reply_id};
use super::produced::stale;
use super::trim::Options;
use crate::commands::spec::{Group, KeySpec, first_key, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::packed::pack;
use crate::page::stream::{StreamId, StreamOp};
use crate::resp::{Args, Reply};

/// Longest that the fields and values of an entry may be together.
const ENTRY_BYTES_MAX: usize = 1 << 30;

pub(super) const XADD: Spec = Spec {
    since: "5.0.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["stream"],
    keys: &[KeySpec {
        notes: Some("UPDATE instead of INSERT because of the optional trimming feature"),
        ..first_key(&["RW", "update"])
    }],
    tips: &["nondeterministic_output"],
    summary: "Appends an entry to a stream, which is made if there is none, and trims it if asked to",
    complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
    syntax: "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO producer-id | IDMP producer-id idempotent-id] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
    ..Spec::new("xadd", Group::Stream, -5, Handler::Write(xadd))
};

fn xadd(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = Options::parse(args, true)?;
    let fields = args.skip(options.id_at + 1);
    if fields.len() < 2 || !fields.len().is_multiple_of(2) {
        return Err(CmdError::Arity(XADD.name.to_owned()));
    }
    if options
        .wanted
        .is_some_and(|wanted| wanted.id == StreamId::MIN && !wanted.any_seq)
    {
        return Err(CmdError::text("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let key = args.at(1);
    let now_ms = txn.now_ms();
    let stream = old_stream(txn, key)?;
    let last_id = stream.map(|stream| stream.last_id());
    if last_id.is_none() && options.no_make {
        reply.null();
        return Ok(());
    }
    let message = options.produced.map(|produced| produced.message(args, fields));
    let known = stream.and_then(|stream| message.as_ref()?.known(stream, now_ms));
    if let Some(id) = known {
        apply(txn, key, StreamOp::Recognise);
        reply_id(reply, id);
        return Ok(());
    }
    let stale = stream.map_or(0, |stream| stale(stream, now_ms));
    let id = next_id(last_id.unwrap_or_default(), options.wanted, now_ms)?;
    if fields.iter().map(<[u8]>::len).sum::<usize>() > ENTRY_BYTES_MAX {
        return Err(CmdError::text("ERR Elements are too large to be stored"));
    }
    let fields = pack(fields.iter());
    apply(txn, key, StreamOp::Add { id, fields: &fields });
    if stale > 0 {
        apply(txn, key, StreamOp::ForgetMessages { count: stale });
    }
    if let Some(message) = message {
        message.remember(txn, key, id);
    }
    txn.notify(Classes::STREAM, "xadd", key);
    options.trim(txn, key)?;
    reply_id(reply, id);
    Ok(())
}

/// The id of the entry that comes behind `last`.
fn next_id(last: StreamId, wanted: Option<Wanted>, now_ms: u64) -> Result<StreamId, CmdError> {
    const EXHAUSTED: CmdError =
        CmdError::text("ERR The stream has exhausted the last possible ID, unable to add more items");
    const NOT_ABOVE: CmdError =
        CmdError::text("ERR The ID specified in XADD is equal or smaller than the target stream top item");
    let next = last.next().ok_or(EXHAUSTED)?;
    let id = match wanted {
        None if now_ms > last.ms => StreamId::new(now_ms, 0),
        None => next,
        Some(Wanted { id, any_seq: true }) if id.ms == last.ms && next.ms != last.ms => return Err(NOT_ABOVE),
        Some(Wanted { id, any_seq: true }) if id.ms == last.ms => next,
        Some(Wanted { id, .. }) => id,
    };
    if id <= last { Err(NOT_ABOVE) } else { Ok(id) }
}
