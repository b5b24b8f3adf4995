//! `WAL READ`: the changes from an LSN on, in order, each once.
//!
//! A reply is bounded by the count of records and by [`REPLY_BYTES_MAX`]; at least one record is in it if there is one.
//! A client goes on behind the last LSN it got, also after a restart of either side. What is shown: see `wal::feed`.
//!
//! **Invariant:** files are read, and replies made of them, on the log's reader threads, never on a worker.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::enabled_wal;
use crate::client::{HasEnded, Unblocked};
use crate::commands::blocking::{UNBLOCKED, sleep};
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::spec::{Group, Handler, Maintenance, Spec, flag};
use crate::commands::support::number::{parse_i64, parse_u64};
use crate::engine::Engine;
use crate::engine::effect::{Effect, decode_all};
use crate::engine::field::{Field, Unfit, of_effect};
use crate::engine::ids::CollectionId;
use crate::page::Malformed;
use crate::resp::{Args, Proto, Reply};
use crate::wal::{Lsn, Record, WalError};

const COUNT_DEFAULT: u64 = 1000;
const COUNT_MAX: u64 = 100_000;
/// A reply ends with the record that makes it at least this long.
const REPLY_BYTES_MAX: usize = 1 << 20;

/// `WAL READ from-lsn [COUNT n] [BLOCK ms]`
pub const READ: Spec = Spec {
    since: "0.1.0",
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI | flag::BLOCKING,
    acl: &["keyspace"],
    tips: &["nondeterministic_output"],
    summary: "Returns the changes from an LSN on, in order, waiting for the first one if asked to",
    complexity: "O(N) where N is the number of changes returned, when it goes on where an earlier call ended.",
    syntax: "from-lsn [COUNT count] [BLOCK milliseconds]",
    ..Spec::new(
        "read",
        Group::Collection,
        -3,
        Handler::Maintenance(Maintenance::new(read)),
    )
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    from: Lsn,
    count: u64,
    /// How long to wait for the first record; 0 = for ever.
    block_ms: Option<u64>,
}

fn parse(args: Args<'_>) -> Result<Request, CmdError> {
    let mut request = Request {
        from: Lsn::new(parse_u64(args.at(2)).ok_or(CmdError::NotInteger)?),
        count: COUNT_DEFAULT,
        block_ms: None,
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
        } else {
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
    let reading = records(Arc::clone(&cx.server.engine), request, reply.proto());
    if from <= wal.visible_lsn() {
        return Ok(Flow::Later(Box::pin(reading)));
    }
    let Some(block_ms) = request.block_ms else {
        reply.array(0);
        return Ok(Flow::Done);
    };
    let block = (block_ms > 0).then(|| Duration::from_millis(block_ms));
    let waiter = cx.client.handle.block();
    Ok(Flow::Blocked(Box::pin(async move {
        let event = async {
            tokio::select! {
                there = wal.wait_visible(from) => Some(there),
                () = sleep(block) => None,
            }
        };
        match waiter.until(event).await {
            Ok(Some(there)) => there.map_err(error)?,
            Err(HasEnded::Unblocked(Unblocked::Refused)) => return Err(UNBLOCKED),
            Ok(None) | Err(_) => {
                let nothing: LateReply = Box::new(|reply| reply.array(0));
                return Ok(nothing);
            }
        }
        reading.await
    })))
}

/// The records as a reply, made on a reader thread.
async fn records(engine: Arc<Engine>, request: Request, proto: Proto) -> Result<LateReply, CmdError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let wal = engine.wal().clone();
    wal.on_reader(move || {
        // The receiver is gone when the client is.
        let _ = sender.send(encode(&engine, request, proto));
    })
    .map_err(error)?;
    let made = receiver
        .await
        .map_err(|_| CmdError::text("ERR reading the log was given up"))??;
    Ok(Box::new(move |reply| reply.extend(made)))
}

fn error(error: WalError) -> CmdError {
    match error {
        WalError::Trimmed { from, oldest } => {
            format!("LSNGONE record {from} is not in the log any more, the oldest is {oldest}").into()
        }
        WalError::Busy => CmdError::text("ERR too many clients read the log at the same time, try again"),
        other => format!("ERR {other}").into(),
    }
}

fn encode(engine: &Engine, request: Request, proto: Proto) -> Result<Reply, CmdError> {
    let mut encoder = Encoder {
        engine,
        names: None,
        reply: Reply::new(proto),
        records: 0,
        refused: None,
    };
    let array = encoder.reply.deferred_array();
    let outcome = engine.wal().visit(request.from, &mut |record| {
        encoder.record(record);
        let full = encoder.records >= request.count || encoder.reply.len_bytes() >= REPLY_BYTES_MAX;
        if full || encoder.refused.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    // What comes before a record that cannot be read is delivered; the next call begins with that record.
    if encoder.records == 0 {
        outcome.map_err(error)?;
        if let Some(reason) = encoder.refused {
            return Err(reason.into());
        }
    }
    encoder.reply.finish_array(array, encoder.records as usize);
    Ok(encoder.reply)
}

struct Encoder<'a> {
    engine: &'a Engine,
    /// Collections by id, as they are called now.
    names: Option<HashMap<CollectionId, Arc<str>>>,
    reply: Reply,
    records: u64,
    /// Why a record is not shown.
    refused: Option<String>,
}

impl Encoder<'_> {
    fn record(&mut self, record: &Record<'_>) {
        let effects: Result<Vec<_>, Malformed> = decode_all(record.payload).collect();
        let effects = effects.map_err(|error| error.to_string()).and_then(|effects| {
            let trees = effects.iter().map(|(id, effect)| tree(*id, effect));
            trees.collect::<Result<Vec<_>, _>>().map_err(|unfit| unfit.to_string())
        });
        match effects {
            Ok(effects) => {
                self.reply.array(3);
                self.reply.int(record.lsn.get() as i64);
                self.reply.int(record.wall_ms as i64);
                self.reply.array(effects.len());
                effects.iter().for_each(|effect| self.effect(effect));
                self.records += 1;
            }
            Err(reason) => self.refused = Some(format!("ERR record {} is not understood: {reason}", record.lsn)),
        }
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
        };
        assert_eq!(parsed("wal read 7"), Ok(plain));
        let all = Request {
            count: 5,
            block_ms: Some(0),
            ..plain
        };
        assert_eq!(parsed("wal read 7 BLOCK 0 count 5"), Ok(all));
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
