//! Giving pending entries back to their group: XNACK.

use std::collections::BTreeMap;

use super::common::{apply, no_key_or_group, quoting, read_stream};
use super::id::parse_id;
use crate::commands::spec::{Group as Family, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::page::packed::{Builder, Item};
use crate::page::stream::{BigStream, Group, StreamId, StreamOp};
use crate::resp::{Args, Reply};

pub(super) const XNACK: Spec = Spec {
    since: "8.8.0",
    flags: flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Gives pending entries back to their group, so that they can be given to another consumer at once",
    complexity: "O(1) for each message ID processed.",
    syntax: "key group <SILENT | FAIL | FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]",
    ..Spec::new("xnack", Family::Stream, -7, Handler::Write(xnack))
};

fn xnack(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (key, name) = (args.at(1), args.at(2));
    let missing = || no_key_or_group(key, name, "");
    let stream = read_stream(txn, key)?.ok_or_else(missing)?;
    let group = stream.group(name).ok_or_else(missing)?;
    let options = Options::parse(args)?;
    let mut released = BTreeMap::new();
    let mut count = 0;
    for id in &options.ids {
        let before = released.get(&id.to_bytes()).copied();
        if let Some(deliveries) = options.deliveries(stream, group, *id, before) {
            released.insert(id.to_bytes(), deliveries);
            count += 1;
        }
    }
    if count > 0 {
        let mut pending = Builder::default();
        for (id, deliveries) in released {
            let id = StreamId::of_bytes(id);
            for number in [id.ms, id.seq, deliveries] {
                pending.push(Item::Int(number as i64));
            }
        }
        let op = StreamOp::Release {
            group: name,
            pending: &pending.finish(),
        };
        apply(txn, key, op);
    }
    reply.int(count);
    Ok(())
}

/// What it says of how often entries were delivered that they are given back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Once less.
    Silent,
    /// As often as they were.
    Fail,
    /// As often as can be told.
    Fatal,
}

struct Options {
    mode: Mode,
    ids: Vec<StreamId>,
    deliveries: Option<u64>,
    force: bool,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CmdError> {
        let is = |at: usize, name: &[u8]| args.at(at).eq_ignore_ascii_case(name);
        let mode = if is(3, b"silent") {
            Mode::Silent
        } else if is(3, b"fail") {
            Mode::Fail
        } else if is(3, b"fatal") {
            Mode::Fatal
        } else {
            return Err(CmdError::text("ERR mode must be SILENT, FAIL, or FATAL"));
        };
        let mut made = Self {
            mode,
            ids: Vec::new(),
            deliveries: None,
            force: false,
        };
        let (mut given, mut at) = (None, 4);
        while let Some(option) = args.get(at) {
            let value = args.get(at + 1);
            match value {
                _ if is(at, b"force") => made.force = true,
                Some(value) if is(at, b"retrycount") => {
                    let count = parse_i64(value).ok_or(CmdError::NotInteger)?;
                    let count = u64::try_from(count);
                    made.deliveries =
                        Some(count.map_err(|_| CmdError::text("ERR Invalid RETRYCOUNT value, must be >= 0"))?);
                    at += 1;
                }
                Some(value) if is(at, b"ids") && given.is_none() => {
                    let ids = given_ids(args, at + 2, value)?;
                    at += 1 + ids.len();
                    given = Some(ids);
                }
                _ => return Err(quoting(&[b"ERR Unrecognized XNACK option '", option, b"'"])),
            }
            at += 1;
        }
        let given = given.ok_or(CmdError::text("ERR syntax error, expected IDS keyword"))?;
        made.ids = given.into_iter().map(|id| parse_id(id, 0)).collect::<Result<_, _>>()?;
        Ok(made)
    }

    /// How often the entry is said to have been delivered as it is given back; `None` if it is not. `before`: what this
    /// command has said of it already.
    fn deliveries(&self, stream: &BigStream, group: &Group, id: StreamId, before: Option<u64>) -> Option<u64> {
        const MOST: u64 = i64::MAX as u64;
        stream.entry(id)?;
        let pending = before.or_else(|| group.pending(id).map(|pending| pending.deliveries));
        if pending.is_none() && !self.force {
            return None;
        }
        let deliveries = self.deliveries.unwrap_or_else(|| match (self.mode, pending) {
            (Mode::Fatal, _) => MOST,
            (Mode::Silent, Some(deliveries)) => deliveries.saturating_sub(1),
            (Mode::Fail, Some(deliveries)) => deliveries,
            (Mode::Silent | Mode::Fail, None) => 0,
        });
        Some(deliveries.min(MOST))
    }
}

/// As many ids as `count` says, from the argument at `from` on.
fn given_ids<'a>(args: Args<'a>, from: usize, count: &[u8]) -> Result<Vec<&'a [u8]>, CmdError> {
    let count = parse_i64(count).filter(|count| *count > 0);
    let count = count.ok_or(CmdError::text("ERR numids must be a positive integer"))?;
    let rest = args.skip(from);
    let count = usize::try_from(count).ok().filter(|count| *count <= rest.len());
    let count = count.ok_or(CmdError::text("ERR number of IDs doesn't match numids"))?;
    Ok(rest.iter().take(count).collect())
}
