//! ACL LOG.

use super::common::{admin, wrong_form};
use crate::acl::Entry;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Handler, Spec};
use crate::commands::support::number::parse_i64;
use crate::engine::worker::unix_ms;
use crate::resp::{Args, Reply};

pub(super) const LOG: Spec = Spec {
    summary: "Tells what was denied lately, or forgets it",
    complexity: "O(N) with N being the number of entries shown.",
    syntax: "[count | RESET]",
    ..admin("log", -2, Handler::Session(log))
};

/// Entries that are shown when it is not told.
const COUNT_DEFAULT: usize = 10;

fn log(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let count = match args.get(2) {
        _ if args.len() > 3 => return Err(wrong_form(args)),
        Some(word) if word.eq_ignore_ascii_case(b"reset") => {
            cx.server.acl.log.lock().clear();
            reply.ok();
            return Ok(Flow::Done);
        }
        Some(count) => usize::try_from(parse_i64(count).ok_or(CmdError::NotInteger)?).unwrap_or_default(),
        None => COUNT_DEFAULT,
    };
    let log = cx.server.acl.log.lock();
    let entries = log.entries();
    let now_ms = unix_ms();
    reply.array(count.min(entries.len()));
    entries.take(count).for_each(|entry| write(entry, now_ms, reply));
    Ok(Flow::Done)
}

fn write(entry: &Entry, now_ms: u64, reply: &mut Reply) {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    reply.map(10);
    reply.bulk(b"count");
    reply.int(number(entry.count));
    reply.bulk(b"reason");
    reply.bulk(entry.reason.name().as_bytes());
    reply.bulk(b"context");
    reply.bulk(entry.context.name().as_bytes());
    reply.bulk(b"object");
    reply.bulk(&entry.object);
    reply.bulk(b"username");
    reply.bulk(&entry.user);
    reply.bulk(b"age-seconds");
    reply.double(now_ms.saturating_sub(entry.updated_ms) as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(entry.client.as_bytes());
    reply.bulk(b"entry-id");
    reply.int(number(entry.id));
    reply.bulk(b"timestamp-created");
    reply.int(number(entry.created_ms));
    reply.bulk(b"timestamp-last-updated");
    reply.int(number(entry.updated_ms));
}
