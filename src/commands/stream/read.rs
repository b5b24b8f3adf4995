//! Reading on from where a client has got to: XREAD, and the arguments it shares with XREADGROUP.

use std::time::Duration;

use super::common::{reply_entry, stream_of};
use super::id::parse_id;
use crate::commands::blocking::{Attempt, Wait, timeout_ms};
use crate::commands::spec::{Begin, Find, Group, KeySpec, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::value::int_arg;
use crate::commands::{CmdError, Handler, Spec};
use crate::engine::blocked::Wanted;
use crate::engine::txn::Txn;
use crate::page::container::Kind;
use crate::page::stream::{BigStream, Entry, StreamId};
use crate::page::value::ValueType;
use crate::resp::{Args, Deferred, Mark, OwnedRequest, Proto, Reply};

/// The keys are the first half of what follows STREAMS.
pub(super) const fn streams_keys(from: usize) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword {
            word: "STREAMS",
            from,
            options: &[
                ("block", 1),
                ("claim", 1),
                ("count", 1),
                ("group", 2),
                ("maxcount", 1),
                ("maxsize", 1),
                ("noack", 0),
            ],
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
    syntax: "[COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    ..Spec::new("xread", Group::Stream, -4, Handler::Blocking(xread))
};

fn xread(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Result<Attempt, CmdError> {
    let options = Options::parse(args, false)?;
    let mut wanted = Vec::with_capacity(options.streams);
    for (key, id) in options.pairs(args) {
        let stream = txn.get(key).map(stream_of).transpose()?;
        wanted.push(match id {
            b"$" => From::Behind(stream.map_or(StreamId::MIN, BigStream::last_id)),
            b"+" => From::Last,
            b">" => {
                return Err(CmdError::text(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> \
                     option.",
                ));
            }
            id => From::Behind(parse_id(id, 0)?),
        });
    }
    let mut answer = Answer::new(&options, reply);
    for ((key, _), from) in options.pairs(args).zip(&wanted) {
        let Some(stream) = txn.get(key).map(stream_of).transpose()? else {
            continue;
        };
        match from {
            From::Behind(id) => {
                if let Some(entries) = stream.behind(*id, options.count) {
                    answer.give(key, entries, reply);
                }
            }
            From::Last => {
                let last = stream.range_back(StreamId::MIN, StreamId::MAX).next();
                answer.give(key, last.into_iter(), reply);
            }
        }
    }
    if answer.finish(reply) {
        return Ok(Attempt::Done);
    }
    let retry_as = Some(with_ids(args, &wanted));
    let wanted = Wanted::Value(ValueType::Container(Kind::Stream));
    Ok(options.wait_or_null(wanted, retry_as, None, reply))
}

/// From where XREAD reads a stream.
enum From {
    /// What follows this id.
    Behind(StreamId),
    /// The last entry there is.
    Last,
}

/// The same request with the ids themselves instead of what they were taken from.
fn with_ids(args: Args<'_>, wanted: &[From]) -> OwnedRequest {
    let mut request = OwnedRequest::from_slices(&[]);
    let first = args.len() - wanted.len();
    (0..first).for_each(|at| request.push(args.at(at)));
    for from in wanted {
        match from {
            From::Behind(id) => request.push(format!("{}-{}", id.ms, id.seq).as_bytes()),
            From::Last => request.push(b"+"),
        }
    }
    request
}

/// What XREAD and XREADGROUP are asked for.
pub(super) struct Options<'a> {
    /// Entries of each stream.
    pub count: usize,
    /// Entries of all streams together.
    count_max: usize,
    /// Bytes of the reply, where they are limited.
    bytes_max: Option<usize>,
    /// XREADGROUP: what has been pending for so long is given, too, milliseconds.
    pub claim_idle_ms: Option<u64>,
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
            count_max: usize::MAX,
            bytes_max: None,
            claim_idle_ms: None,
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
            } else if more > 0 && options.take_newer(args.at(at), args.at(at + 1), is_group)? {
                at += 1;
            } else if is(b"streams") && more > 0 {
                if !more.is_multiple_of(2) {
                    return Err(CmdError::text(if is_group { UNBALANCED_GROUP } else { UNBALANCED }));
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
        if options.count != usize::MAX && options.count > options.count_max {
            return Err(CmdError::text("ERR MAXCOUNT must be greater than or equal to COUNT"));
        }
        Ok(options)
    }

    /// Takes an option with its value, if it is one of those that came after Redis 8.2.
    fn take_newer(&mut self, option: &[u8], value: &[u8], is_group: bool) -> Result<bool, CmdError> {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        if is(b"maxcount") {
            self.count_max = positive(value, "ERR MAXCOUNT must be a positive integer")?;
        } else if is(b"maxsize") {
            self.bytes_max = Some(positive(value, "ERR MAXSIZE must be a positive integer")?);
        } else if is(b"claim") && is_group {
            self.claim_idle_ms = Some(min_idle_ms(value)?);
        } else if is(b"claim") {
            return Err(CmdError::text(NO_CLAIM_HERE));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Keys with their ids.
    pub fn pairs(&self, args: Args<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let streams = self.streams;
        (self.first..self.first + streams).map(move |at| (args.at(at), args.at(at + streams)))
    }

    /// There was nothing: waits, if that was asked for, and tries again at a time.
    pub fn wait_or_null(
        &self,
        wanted: Wanted,
        retry_as: Option<OwnedRequest>,
        again_at_ms: Option<u64>,
        reply: &mut Reply,
    ) -> Attempt {
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
            again_at_ms,
        })
    }
}

const UNBALANCED: &str =
    "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.";
const UNBALANCED_GROUP: &str =
    "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.";
const NO_GROUP_HERE: &str = "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
const NO_CLAIM_HERE: &str = "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.";
const NO_ACK_HERE: &str = "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";

fn positive(argument: &[u8], why: &'static str) -> Result<usize, CmdError> {
    let number = parse_i64(argument).ok_or(CmdError::NotInteger)?;
    let number = usize::try_from(number).ok().filter(|number| *number > 0);
    number.ok_or(CmdError::text(why))
}

fn min_idle_ms(argument: &[u8]) -> Result<u64, CmdError> {
    const NOT_INTEGER: CmdError = CmdError::text("ERR min-idle-time is not an integer or out of range");
    let number = parse_i64(argument).ok_or(NOT_INTEGER)?;
    u64::try_from(number).map_err(|_| CmdError::text("ERR min-idle-time must be a positive integer"))
}

/// A reply of streams, each with its key: a map in RESP3. What it may hold of all streams together is limited.
pub(super) struct Answer {
    mark: Mark,
    streams: Deferred,
    count: usize,
    /// How many entries there may still be.
    left: usize,
    bytes_max: Option<usize>,
    /// What keys and entries take so far.
    bytes: usize,
    is_first: bool,
}

/// A stream's part of the answer.
pub(super) struct Begun {
    mark: Mark,
    entries: Deferred,
}

impl Answer {
    pub fn new(options: &Options<'_>, reply: &mut Reply) -> Self {
        Self {
            mark: reply.mark(),
            streams: reply.deferred_array(),
            count: 0,
            left: options.count_max,
            bytes_max: options.bytes_max,
            bytes: 0,
            is_first: true,
        }
    }

    /// The entries of this stream follow.
    pub fn begin_stream(&mut self, key: &[u8], reply: &mut Reply) -> Begun {
        let mark = reply.mark();
        if reply.proto() == Proto::Resp2 {
            reply.array(2);
        }
        reply.bulk(key);
        self.bytes += reply.bytes_since(mark);
        let entries = reply.deferred_array();
        Begun { mark, entries }
    }

    /// Writes an entry, if there may be one more; whether it is written. The first one may be larger than all may be:
    /// else a reader would never come past it.
    pub fn entry(&mut self, reply: &mut Reply, write: impl FnOnce(&mut Reply)) -> bool {
        if self.left == 0 {
            return false;
        }
        let before = reply.mark();
        write(reply);
        self.bytes += reply.bytes_since(before);
        if !self.is_first && self.bytes_max.is_some_and(|bytes_max| self.bytes > bytes_max) {
            reply.truncate(before);
            self.left = 0;
            return false;
        }
        self.is_first = false;
        self.left -= 1;
        true
    }

    /// That was so many entries; a stream without any is left out unless `is_shown`.
    pub fn end_stream(&mut self, begun: Begun, count: usize, is_shown: bool, reply: &mut Reply) {
        if count > 0 || is_shown {
            reply.finish_array(begun.entries, count);
            self.count += 1;
        } else {
            reply.truncate(begun.mark);
        }
    }

    /// Whether there may be no more entries.
    pub fn is_full(&self) -> bool {
        self.left == 0
    }

    /// The entries of a stream, as many as there may be.
    fn give<'a>(&mut self, key: &[u8], entries: impl Iterator<Item = Entry<'a>>, reply: &mut Reply) {
        let begun = self.begin_stream(key, reply);
        let mut count = 0;
        for entry in entries {
            if !self.entry(reply, |reply| reply_entry(reply, &entry)) {
                break;
            }
            count += 1;
        }
        self.end_stream(begun, count, false, reply);
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
