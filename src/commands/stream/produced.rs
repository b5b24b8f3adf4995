//! Messages of producers, each of which becomes an entry once however often it is sent: IDMP and IDMPAUTO of XADD,
//! XCFGSET, XIDMPRECORD.

use xxhash_rust::xxh3::Xxh3;

use super::common::{apply, old_stream};
use super::id::parse_id;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::value::int_arg;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::page::stream::{BigStream, Limits, StreamId, StreamOp};
use crate::resp::{Args, Reply};

/// Messages too old to be known that an appended entry takes along at most, so that none pays for many.
const FORGOTTEN_PER_ENTRY: usize = 100;
const DURATION_S_MAX: i64 = 86_400;
const IDS_MAX: i64 = 10_000;

const NO_PRODUCER: CmdError = CmdError::text("ERR IDMP requires a non-empty producer ID");
const NO_PRODUCER_AUTO: CmdError = CmdError::text("ERR IDMPAUTO requires a non-empty producer ID");
const NO_MESSAGE: CmdError = CmdError::text("ERR IDMP requires a non-empty idempotent ID");

/// A producer's message as the options of XADD name it: which arguments say so.
#[derive(Clone, Copy, Debug)]
pub(super) enum Produced {
    /// The producer, and behind it what it calls the message.
    Named(usize),
    /// The producer; its message is known by what is in it.
    Auto(usize),
}

/// Reads what stands behind an option; where the last of that is.
pub(super) type Parse = fn(Args<'_>, usize) -> Result<(Produced, usize), CmdError>;

impl Produced {
    /// What reads the arguments of this option, if it is one.
    pub fn option(option: &[u8]) -> Option<Parse> {
        if option.eq_ignore_ascii_case(b"idmp") {
            Some(|args, at| {
                if args.at(at + 1).is_empty() {
                    return Err(NO_PRODUCER);
                }
                match args.get(at + 2) {
                    None => Err(CmdError::Syntax),
                    Some(b"") => Err(NO_MESSAGE),
                    Some(_) => Ok((Self::Named(at + 1), at + 2)),
                }
            })
        } else if option.eq_ignore_ascii_case(b"idmpauto") {
            Some(|args, at| match args.at(at + 1) {
                b"" => Err(NO_PRODUCER_AUTO),
                _ => Ok((Self::Auto(at + 1), at + 1)),
            })
        } else {
            None
        }
    }

    /// The message that consists of these fields and values.
    pub fn message<'a>(self, args: Args<'a>, fields: Args<'a>) -> Message<'a> {
        match self {
            Self::Named(at) => Message {
                producer: args.at(at),
                name: Name::Given(args.at(at + 1)),
            },
            Self::Auto(at) => Message {
                producer: args.at(at),
                name: Name::Digest(digest(fields).to_be_bytes()),
            },
        }
    }
}

enum Name<'a> {
    Given(&'a [u8]),
    Digest([u8; 16]),
}

/// A producer's message.
pub(super) struct Message<'a> {
    producer: &'a [u8],
    name: Name<'a>,
}

impl Message<'_> {
    fn name(&self) -> &[u8] {
        match &self.name {
            Name::Given(name) => name,
            Name::Digest(digest) => digest,
        }
    }

    /// The entry that it became before, if that is known.
    pub fn known(&self, stream: &BigStream, now_ms: u64) -> Option<StreamId> {
        stream.idempotence()?.find(self.producer, self.name(), now_ms)
    }

    /// Knows from now on which entry it has become.
    pub fn remember(&self, txn: &mut Txn<'_, '_>, key: &[u8], id: StreamId) {
        let op = StreamOp::Remember {
            producer: self.producer,
            message: self.name(),
            id,
            counts: true,
        };
        apply(txn, key, op);
    }
}

/// The sum of the digests of all fields with their values: their order does not matter.
fn digest(fields: Args<'_>) -> u128 {
    let mut sum = 0_u128;
    for at in (0..fields.len()).step_by(2) {
        let mut pair = Xxh3::new();
        pair.update(&(fields.at(at).len() as u64).to_le_bytes());
        pair.update(fields.at(at));
        pair.update(fields.at(at + 1));
        sum = sum.wrapping_add(pair.digest128());
    }
    sum
}

/// How many messages a stream is to forget as it gets an entry, since they are too old.
pub(super) fn stale(stream: &BigStream, now_ms: u64) -> u64 {
    let known = stream.idempotence();
    known.map_or(0, |known| known.stale(now_ms).min(FORGOTTEN_PER_ENTRY) as u64)
}

pub(super) const XCFGSET: Spec = Spec {
    since: "8.6.0",
    flags: flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets for how long and how many messages of its producers a stream knows",
    complexity: "O(1)",
    syntax: "key [IDMP-DURATION idmp-duration] [IDMP-MAXSIZE idmp-maxsize]",
    ..Spec::new("xcfgset", Group::Stream, -2, Handler::Write(xcfgset))
};

fn xcfgset(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (duration_s, ids_max) = parse_limits(args)?;
    let key = args.at(1);
    let stream = old_stream(txn, key)?.ok_or(CmdError::NoSuchKey)?;
    let before = stream.idempotence().map_or(Limits::DEFAULT, |known| known.limits());
    let limits = Limits {
        duration_s: duration_s.unwrap_or(before.duration_s),
        ids_max: ids_max.unwrap_or(before.ids_max),
    };
    // What was told once is shown, even if it is what holds anyway.
    if limits != before || stream.idempotence().is_none() {
        let Limits { duration_s, ids_max } = limits;
        apply(txn, key, StreamOp::LimitMessages { duration_s, ids_max });
    }
    reply.ok();
    Ok(())
}

fn parse_limits(args: Args<'_>) -> Result<(Option<u64>, Option<u64>), CmdError> {
    let (mut duration_s, mut ids_max) = (None, None);
    for at in (2..args.len()).step_by(2) {
        let is = |name: &[u8]| args.at(at).eq_ignore_ascii_case(name);
        let (limit, max, outside) = if is(b"idmp-duration") {
            const OUTSIDE: &str = "ERR IDMP-DURATION must be between 1 and 86400 seconds";
            (&mut duration_s, DURATION_S_MAX, OUTSIDE)
        } else if is(b"idmp-maxsize") {
            const OUTSIDE: &str = "ERR IDMP-MAXSIZE must be between 1 and 10000 entries";
            (&mut ids_max, IDS_MAX, OUTSIDE)
        } else {
            return Err(CmdError::Syntax);
        };
        if at + 1 == args.len() {
            return Err(CmdError::Syntax);
        }
        let number = int_arg(args, at + 1)?;
        if !(1..=max).contains(&number) {
            return Err(CmdError::text(outside));
        }
        *limit = Some(number as u64);
    }
    if duration_s.is_none() && ids_max.is_none() {
        return Err(CmdError::text("ERR At least one parameter must be specified"));
    }
    Ok((duration_s, ids_max))
}

pub(super) const XIDMPRECORD: Spec = Spec {
    since: "8.8.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Tells a stream which entry a producer's message has become",
    complexity: "O(1)",
    syntax: "key pid iid stream-id",
    ..Spec::new("xidmprecord", Group::Stream, 5, Handler::Write(xidmprecord))
};

fn xidmprecord(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (key, producer, message) = (args.at(1), args.at(2), args.at(3));
    if producer.is_empty() {
        return Err(NO_PRODUCER);
    }
    if message.is_empty() {
        return Err(NO_MESSAGE);
    }
    let id = parse_id(args.at(4), 0)?;
    let now_ms = txn.now_ms();
    let stream = old_stream(txn, key)?.ok_or(CmdError::NoSuchKey)?;
    if stream.entry(id).is_none() {
        return Err(CmdError::text(
            "ERR The specified stream ID was deleted or doesn't exist",
        ));
    }
    let known = stream.idempotence();
    match known.and_then(|known| known.find(producer, message, now_ms)) {
        Some(other) if other != id => {
            return Err(CmdError::text(
                "ERR The specified IDMP producer-id/idempotent-id pair maps to a different stream ID",
            ));
        }
        Some(_) => {}
        None => {
            let op = StreamOp::Remember {
                producer,
                message,
                id,
                counts: false,
            };
            apply(txn, key, op);
        }
    }
    reply.ok();
    Ok(())
}
