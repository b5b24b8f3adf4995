//! `WAL READ`: the changes from an LSN on, in order, each once.
//!
//! A reply is bounded by the count of records and by [`REPLY_BYTES_MAX`]; at least one record is in it if there is one.
//! A client goes on behind the last LSN it got, also after a restart of either side. What is shown: see `wal::feed`.
//!
//! With a filter (`filter`) records of which nothing is shown are left out, but for the last one that was looked at:
//! that comes without changes, and says how far the reading has come.
//!
//! **Invariant:** files are read, and replies made of them, on the log's reader threads, never on a worker.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::enabled_wal;
use super::filter::{Filter, Judge};
use crate::client::{HasEnded, Unblocked};
use crate::commands::blocking::{UNBLOCKED, sleep};
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::rights;
use crate::commands::spec::{Access, Group, Handler, Maintenance, Spec, flag};
use crate::commands::support::number::{parse_i64, parse_u64};
use crate::engine::Engine;
use crate::engine::effect::{Effect, decode_all};
use crate::engine::field::{Field, Unfit, of_effect};
use crate::engine::ids::CollectionId;
use crate::page::Malformed;
use crate::resp::{Args, OwnedRequest, Proto, Reply};
use crate::wal::{Lsn, Record, WalError};

const COUNT_DEFAULT: u64 = 1000;
const COUNT_MAX: u64 = 100_000;
/// A reply ends with the record that makes it at least this long.
const REPLY_BYTES_MAX: usize = 1 << 20;
/// A reading ends with the record that makes what it has looked at at least this long: most of it may not be shown.
const LOOKED_BYTES_MAX: usize = 16 << 20;
/// A reading ends with the record at which it has taken at least this long: others wait for the thread.
const LOOKED_TIME_MAX: Duration = Duration::from_millis(100);
/// How long it is waited before new records are looked at, when none of those before was to be shown.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// `WAL READ from-lsn [COUNT n] [BLOCK ms] [COLLECTION name …] [MATCH pattern …] [EFFECT kind …]`
pub const READ: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI | flag::BLOCKING,
    acl: &["keyspace"],
    tips: &["nondeterministic_output"],
    summary: "Returns the changes from an LSN on, in order, waiting for the first one if asked to",
    complexity: "O(N) where N is the number of changes returned, when it goes on where an earlier call ended.",
    syntax: "from-lsn [COUNT count] [BLOCK milliseconds] [COLLECTION name [COLLECTION name ...]] \
             [MATCH pattern [MATCH pattern ...]] [EFFECT kind [EFFECT kind ...]]",
    ..Spec::new(
        "read",
        Group::Collection,
        -3,
        Handler::Maintenance(Maintenance::new(read)),
    )
};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Request {
    from: Lsn,
    count: u64,
    /// How long to wait for the first record; 0 = for ever.
    block_ms: Option<u64>,
    filter: Filter,
}

fn parse(args: Args<'_>) -> Result<Request, CmdError> {
    let mut request = Request {
        from: Lsn::new(parse_u64(args.at(2)).ok_or(CmdError::NotInteger)?),
        count: COUNT_DEFAULT,
        block_ms: None,
        filter: Filter::default(),
    };
    let mut at = 3;
    while let Some(option) = args.get(at) {
        let value = args.get(at + 1).ok_or(CmdError::Syntax)?;
        if option.eq_ignore_ascii_case(b"count") {
            request.count = match parse_i64(value).ok_or(CmdError::NotInteger)? {
                1.. => parse_u64(value).ok_or(CmdError::NotInteger)?.min(COUNT_MAX),
                _ => return Err(CmdError::OutOfRange),
            };
        } else if option.eq_ignore_ascii_case(b"block") {
            let ms = parse_i64(value).ok_or(CmdError::text("ERR timeout is not an integer or out of range"))?;
            let ms = u64::try_from(ms).map_err(|_| CmdError::text("ERR timeout is negative"))?;
            request.block_ms = Some(ms);
        } else if !request.filter.take(option, value)? {
            return Err(CmdError::Syntax);
        }
        at += 2;
    }
    Ok(request)
}

fn read(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let request = parse(args)?;
    let wal = enabled_wal(cx.server)?;
    let (oldest, from) = (wal.first_lsn(), request.from);
    if from < oldest {
        return Err(error(WalError::Trimmed { from, oldest }));
    }
    let is_there = from <= wal.visible_lsn();
    let Some(block_ms) = request.block_ms else {
        if !is_there {
            reply.array(0);
            return Ok(Flow::Done);
        }
        let reading = read_once(Arc::clone(&cx.server.engine), request, reply.proto());
        return Ok(Flow::Later(Box::pin(async move { Ok(late(reading.await?.reply)) })));
    };
    let following = Following {
        engine: Arc::clone(&cx.server.engine),
        proto: reply.proto(),
        passed: Cell::new(None),
    };
    if is_there && request.filter.is_none() {
        let reading = read_once(following.engine, request, following.proto);
        return Ok(Flow::Later(Box::pin(async move { Ok(late(reading.await?.reply)) })));
    }
    let block = (block_ms > 0).then(|| Duration::from_millis(block_ms));
    let waiter = cx.client.handle.block();
    let (server, commands, command) = (Arc::clone(cx.server), cx.commands, cx.command);
    let (handle, database, rights_at) = (
        Arc::clone(&cx.client.handle),
        cx.client.database,
        server.acl.generation(),
    );
    let asked = OwnedRequest::from_slices(&args.iter().collect::<Vec<_>>());
    Ok(Flow::Blocked(Box::pin(async move {
        match waiter.until(following.first_shown(request, block)).await {
            Ok(Ok(Some(made))) => {
                // Its rights may be others than when it began to wait.
                let asked = ((command, asked.args()), database);
                rights::check_again((&server, commands), &handle, asked, rights_at)?;
                Ok(late(made))
            }
            Ok(Err(error)) => Err(error),
            Err(HasEnded::Unblocked(Unblocked::Refused)) => Err(UNBLOCKED),
            Ok(Ok(None)) | Err(_) => Ok(following.nothing()),
        }
    })))
}

/// What waits for the first change that passes a filter.
struct Following {
    engine: Arc<Engine>,
    proto: Proto,
    /// The last record that has been looked at.
    passed: Cell<Option<Passed>>,
}

/// A record of which nothing was shown: a follower goes on behind it.
#[derive(Clone, Copy)]
struct Passed {
    lsn: Lsn,
    wall_ms: u64,
}

impl Passed {
    fn write(self, reply: &mut Reply) {
        reply.array(3);
        reply.int(self.lsn.get() as i64);
        reply.int(self.wall_ms as i64);
        reply.array(0);
    }
}

impl Following {
    /// The records from the first one on of which something is shown; or how far the search has come, where that is
    /// far. `None`: there has been none in time. What is there is looked at once, however short that is.
    async fn first_shown(&self, mut request: Request, block: Option<Duration>) -> Result<Option<Reply>, CmdError> {
        let mut time = pin!(sleep(block));
        loop {
            tokio::select! {
                biased;
                there = self.engine.wal().wait_visible(request.from) => there.map_err(error)?,
                () = &mut time => return Ok(None),
            }
            let made = read_once(Arc::clone(&self.engine), request.clone(), self.proto).await?;
            let Some(passed) = made.passed.filter(|_| made.goes_on) else {
                return Ok(Some(made.reply));
            };
            self.passed.set(Some(passed));
            request.from = passed.lsn.next();
            // While others write what is not wanted, it is looked for now and then.
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = &mut time => return Ok(None),
            }
        }
    }

    /// What is answered when the time is over.
    fn nothing(&self) -> LateReply {
        let passed = self.passed.get();
        Box::new(move |_, reply| {
            reply.array(usize::from(passed.is_some()));
            passed.into_iter().for_each(|passed| passed.write(reply));
        })
    }
}

fn late(made: Reply) -> LateReply {
    Box::new(move |_, reply| reply.extend(made))
}

/// The records as a reply, made on a reader thread.
async fn read_once(engine: Arc<Engine>, request: Request, proto: Proto) -> Result<Made, CmdError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let wal = engine.wal().clone();
    let job = move || {
        // The receiver is gone when the client is.
        let is_wanted = || !sender.is_closed();
        if is_wanted() {
            let made = encode(&engine, &request, proto, &is_wanted);
            let _ = sender.send(made);
        }
    };
    wal.on_reader(job).await.map_err(error)?;
    receiver
        .await
        .map_err(|_| CmdError::text("ERR reading the log was given up"))?
}

fn error(error: WalError) -> CmdError {
    match error {
        WalError::Trimmed { from, oldest } => {
            format!("LSNGONE record {from} is not in the log any more, the oldest is {oldest}").into()
        }
        other => format!("ERR {other}").into(),
    }
}

/// What a reading has made.
struct Made {
    reply: Reply,
    /// The last record, if nothing of it was shown; it stands at the end of the reply.
    passed: Option<Passed>,
    /// That is all there is in the reply, and all there was to look at.
    goes_on: bool,
}

fn encode(engine: &Engine, request: &Request, proto: Proto, is_wanted: &dyn Fn() -> bool) -> Result<Made, CmdError> {
    let begun = Instant::now();
    let mut encoder = Encoder {
        engine,
        judge: (!request.filter.is_none()).then(|| request.filter.judge(engine)),
        names: None,
        reply: Reply::new(proto),
        records: 0,
        looked_bytes: 0,
        passed: None,
        refused: None,
    };
    let array = encoder.reply.deferred_array();
    let mut is_cut = false;
    let outcome = engine.wal().visit(request.from, &mut |record| {
        encoder.record(record);
        let is_full = encoder.records >= request.count || encoder.reply.len_bytes() >= REPLY_BYTES_MAX;
        let is_long = encoder.looked_bytes >= LOOKED_BYTES_MAX || begun.elapsed() >= LOOKED_TIME_MAX;
        is_cut = is_full || is_long || encoder.refused.is_some() || !is_wanted();
        if is_cut {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    // What comes before a record that cannot be read is delivered; the next call begins with that record.
    if encoder.records == 0 && encoder.passed.is_none() {
        outcome.map_err(error)?;
        if let Some(reason) = encoder.refused {
            return Err(reason.into());
        }
    }
    let (passed, mut records) = (encoder.passed, encoder.records as usize);
    if let Some(passed) = passed {
        passed.write(&mut encoder.reply);
        records += 1;
    }
    encoder.reply.finish_array(array, records);
    Ok(Made {
        reply: encoder.reply,
        passed,
        goes_on: encoder.records == 0 && !is_cut,
    })
}

struct Encoder<'a> {
    engine: &'a Engine,
    /// What decides which changes are shown, if not all are.
    judge: Option<Judge<'a>>,
    /// Collections by id, as they are called now.
    names: Option<HashMap<CollectionId, Arc<str>>>,
    reply: Reply,
    records: u64,
    /// Payload of the records that have been looked at.
    looked_bytes: usize,
    /// The last record, if nothing of it is shown.
    passed: Option<Passed>,
    /// Why a record is not shown.
    refused: Option<String>,
}

impl Encoder<'_> {
    fn record(&mut self, record: &Record<'_>) {
        self.looked_bytes += record.payload.len();
        match self.shown_effects(record) {
            Ok(effects) if effects.is_empty() && self.judge.is_some() => {
                self.passed = Some(Passed {
                    lsn: record.lsn,
                    wall_ms: record.wall_ms,
                });
            }
            Ok(effects) => {
                self.reply.array(3);
                self.reply.int(record.lsn.get() as i64);
                self.reply.int(record.wall_ms as i64);
                self.reply.array(effects.len());
                effects.iter().for_each(|effect| self.effect(effect));
                self.records += 1;
                self.passed = None;
            }
            Err(reason) => self.refused = Some(format!("ERR record {} is not understood: {reason}", record.lsn)),
        }
    }

    fn shown_effects(&self, record: &Record<'_>) -> Result<Vec<EffectTree>, String> {
        let mut shown = Vec::new();
        for decoded in decode_all(record.payload) {
            let (id, effect) = decoded.map_err(|error: Malformed| error.to_string())?;
            if self.judge.as_ref().is_none_or(|judge| judge.shows(id, &effect)) {
                shown.push(tree(id, &effect).map_err(|unfit| unfit.to_string())?);
            }
        }
        Ok(shown)
    }

    fn effect(&mut self, (id, kind, fields): &(CollectionId, String, Vec<(String, Field)>)) {
        let name = self.name(*id);
        let reply = &mut self.reply;
        reply.map(3 + fields.len());
        reply.bulk(b"collection");
        match name {
            Some(name) => reply.bulk(name.as_bytes()),
            None => reply.null(),
        }
        reply.bulk(b"collection-id");
        reply.int(i64::from(id.get()));
        reply.bulk(b"effect");
        reply.bulk(kind.as_bytes());
        for (name, value) in fields {
            reply.bulk(name.as_bytes());
            field(reply, value);
        }
    }

    fn name(&mut self, id: CollectionId) -> Option<Arc<str>> {
        let names = self.names.get_or_insert_with(|| {
            let registry = self.engine.registry();
            let slots = registry.slots();
            slots
                .map(|slot| (slot.collection.id(), Arc::clone(&slot.name)))
                .collect()
        });
        names.get(&id).cloned()
    }
}

type EffectTree = (CollectionId, String, Vec<(String, Field)>);

fn tree(id: CollectionId, effect: &Effect<'_>) -> Result<EffectTree, Unfit> {
    let (kind, fields) = of_effect(effect)?;
    Ok((id, kind, fields))
}

fn field(reply: &mut Reply, value: &Field) {
    match value {
        Field::Null => reply.null(),
        Field::Bool(value) => reply.boolean(*value),
        Field::Int(number) => reply.int(*number),
        Field::Uint(number) => match i64::try_from(*number) {
            Ok(number) => reply.int(number),
            Err(_) => reply.big_number(&number.to_string()),
        },
        Field::Double(number) => reply.double(*number),
        Field::Text(text) => reply.bulk(text.as_bytes()),
        Field::Bytes(bytes) => reply.bulk_shared(bytes),
        Field::List(items) => {
            reply.array(items.len());
            items.iter().for_each(|item| field(reply, item));
        }
        Field::Map(fields) => {
            reply.map(fields.len());
            for (name, value) in fields {
                reply.bulk(name.as_bytes());
                field(reply, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    fn parsed(line: &str) -> Result<Request, CmdError> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        parse(OwnedRequest::from_slices(&words).args())
    }

    #[test]
    fn arguments() {
        let plain = Request {
            from: Lsn::new(7),
            count: COUNT_DEFAULT,
            block_ms: None,
            filter: Filter::default(),
        };
        assert_eq!(parsed("wal read 7"), Ok(plain.clone()));
        let all = Request {
            count: 5,
            block_ms: Some(0),
            ..plain
        };
        assert_eq!(parsed("wal read 7 BLOCK 0 count 5"), Ok(all));
        let filtered = parsed("wal read 7 match a* effect put collection c match b*").unwrap();
        assert!(!filtered.filter.is_none() && parsed("wal read 7 effect nosuch").is_err());
        assert_eq!(parsed("wal read 7 count 9999999").unwrap().count, COUNT_MAX);
        assert_eq!(parsed("wal read 7 count 0"), Err(CmdError::OutOfRange));
        assert_eq!(parsed("wal read 7 count"), Err(CmdError::Syntax));
        assert_eq!(parsed("wal read 7 since 5"), Err(CmdError::Syntax));
        assert_eq!(parsed("wal read x"), Err(CmdError::NotInteger));
        assert_eq!(
            parsed("wal read 1 block -1"),
            Err(CmdError::text("ERR timeout is negative"))
        );
    }
}
