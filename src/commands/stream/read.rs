//! Reading on from where a client has got to: XREAD, and the arguments it shares with XREADGROUP.

use std::time::Duration;

use super::common::{reply_entries, stream_of};
use super::id::parse_id;
use crate::commands::blocking::{Attempt, Wait, timeout_ms};
use crate::commands::spec::{Begin, Find, Group, KeySpec, first_key, flag};
use crate::commands::value::int_arg;
use crate::commands::{CmdError, Handler, Spec};
use crate::engine::blocked::Wanted;
use crate::engine::txn::Txn;
use crate::page::container::Kind;
use crate::page::stream::{BigStream, StreamId};
use crate::page::value::ValueType;
use crate::resp::{Args, Deferred, Mark, OwnedRequest, Proto, Reply};

/// The keys are the first half of what follows STREAMS.
pub(super) const fn streams_keys(from: usize) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword {
            word: "STREAMS",
            from,
            options: &[("block", 1), ("count", 1), ("group", 2), ("noack", 0)],
        },
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
        ..first_key(&["RO", "access"])
    }
}

pub(super) const XREAD: Spec = Spec {
    since: "5.0.0",
    flags: flag::READONLY | flag::BLOCKING | flag::MOVABLE_KEYS,
    acl: &["stream"],
    keys: &[streams_keys(1)],
    summary: "The entries of streams behind ids, and waits for one if asked to",
    complexity: "For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.",
    syntax: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    ..Spec::new("xread", Group::Stream, -4, Handler::Blocking(xread))
};

fn xread(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Result<Attempt, CmdError> {
    let options = Options::parse(args, false)?;
    let mut ids = Vec::with_capacity(options.streams);
    for (key, id) in options.pairs(args) {
        let stream = txn.get(key).map(stream_of).transpose()?;
        ids.push(match id {
            b"$" => stream.map_or(StreamId::MIN, BigStream::last_id),
            b">" => {
                return Err(CmdError::text(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> \
                     option.",
                ));
            }
            id => parse_id(id, 0)?,
        });
    }
    let mut answer = Answer::new(reply);
    for ((key, _), id) in options.pairs(args).zip(&ids) {
        let Some(stream) = txn.get(key).map(stream_of).transpose()? else {
            continue;
        };
        if let Some(entries) = stream.behind(*id, options.count) {
            answer.begin_stream(key, reply);
            reply_entries(reply, entries);
        }
    }
    if answer.finish(reply) {
        return Ok(Attempt::Done);
    }
    let wanted = Wanted::Value(ValueType::Container(Kind::Stream));
    Ok(options.wait_or_null(wanted, Some(with_ids(args, &ids)), reply))
}

/// The same request with the ids themselves instead of what they were taken from.
fn with_ids(args: Args<'_>, ids: &[StreamId]) -> OwnedRequest {
    let mut request = OwnedRequest::from_slices(&[]);
    let first = args.len() - ids.len();
    (0..first).for_each(|at| request.push(args.at(at)));
    for id in ids {
        request.push(format!("{}-{}", id.ms, id.seq).as_bytes());
    }
    request
}

/// What XREAD and XREADGROUP are asked for.
pub(super) struct Options<'a> {
    /// Entries of each stream.
    pub count: usize,
    /// How long to wait; `Some(None)` without end, `None` not at all.
    block: Option<Option<Duration>>,
    /// XREADGROUP: the group and the consumer.
    pub group: Option<(&'a [u8], &'a [u8])>,
    /// XREADGROUP: nothing becomes pending.
    pub no_ack: bool,
    /// Which argument the first key is, and how many keys there are.
    first: usize,
    streams: usize,
}

impl<'a> Options<'a> {
    pub fn parse(args: Args<'a>, is_group: bool) -> Result<Self, CmdError> {
        let mut options = Self {
            count: usize::MAX,
            block: None,
            group: None,
            no_ack: false,
            first: 0,
            streams: 0,
        };
        let mut at = 1;
        while at < args.len() {
            let more = args.len() - at - 1;
            let is = |name: &[u8]| args.at(at).eq_ignore_ascii_case(name);
            if is(b"block") && more > 0 {
                at += 1;
                options.block = Some(timeout_ms(args.at(at))?);
            } else if is(b"count") && more > 0 {
                at += 1;
                let count = usize::try_from(int_arg(args, at)?).unwrap_or(0);
                options.count = if count == 0 { usize::MAX } else { count };
            } else if is(b"streams") && more > 0 {
                if !more.is_multiple_of(2) {
                    return Err(CmdError::text(UNBALANCED));
                }
                (options.first, options.streams) = (at + 1, more / 2);
                break;
            } else if is(b"group") && more > 1 {
                if !is_group {
                    return Err(CmdError::text(NO_GROUP_HERE));
                }
                options.group = Some((args.at(at + 1), args.at(at + 2)));
                at += 2;
            } else if is(b"noack") {
                if !is_group {
                    return Err(CmdError::text(NO_ACK_HERE));
                }
                options.no_ack = true;
            } else {
                return Err(CmdError::Syntax);
            }
            at += 1;
        }
        if options.streams == 0 {
            return Err(CmdError::Syntax);
        }
        Ok(options)
    }

    /// Keys with their ids.
    pub fn pairs(&self, args: Args<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let streams = self.streams;
        (self.first..self.first + streams).map(move |at| (args.at(at), args.at(at + streams)))
    }

    /// There was nothing: waits, if that was asked for.
    pub fn wait_or_null(&self, wanted: Wanted, retry_as: Option<OwnedRequest>, reply: &mut Reply) -> Attempt {
        let Some(timeout) = self.block else {
            reply.null_array();
            return Attempt::Done;
        };
        Attempt::Nothing(Wait {
            keys: (self.first..self.first + self.streams).collect(),
            timeout,
            on_timeout: Reply::null_array,
            in_transaction: Reply::null_array,
            wanted,
            retry_as,
        })
    }
}

const UNBALANCED: &str = "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.";
const NO_GROUP_HERE: &str = "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
const NO_ACK_HERE: &str = "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";

/// A reply of streams, each with its key: a map in RESP3.
pub(super) struct Answer {
    mark: Mark,
    streams: Deferred,
    count: usize,
}

impl Answer {
    pub fn new(reply: &mut Reply) -> Self {
        Self {
            mark: reply.mark(),
            streams: reply.deferred_array(),
            count: 0,
        }
    }

    /// The entries of this stream follow.
    pub fn begin_stream(&mut self, key: &[u8], reply: &mut Reply) {
        self.count += 1;
        if reply.proto() == Proto::Resp2 {
            reply.array(2);
        }
        reply.bulk(key);
    }

    /// Whether there was any; if not, nothing is written.
    pub fn finish(self, reply: &mut Reply) -> bool {
        match (self.count, reply.proto()) {
            (0, _) => reply.truncate(self.mark),
            (count, Proto::Resp2) => reply.finish_array(self.streams, count),
            (count, Proto::Resp3) => reply.finish_map(self.streams, count),
        }
        self.count > 0
    }
}
