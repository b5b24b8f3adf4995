//! MIGRATE: keys are sent to another server, and deleted here once it has them.
//!
//! The values are read under the locks of all the keys at once; the connection then waits for the other server, and no
//! one else does. A key is deleted only if it is still what was sent: one that has changed meanwhile stays, and the
//! client is told.
//!
//! **Invariant:** a key is gone from here only after the other server has answered that it has it.

use std::sync::Arc;
use std::time::Duration;

use super::migrate_target::{Login, Target};
use crate::commands::context::MaintenanceCx;
use crate::commands::error::{CmdError, shown};
use crate::commands::flow::{Flow, LateCx, LateReply, Waiting};
use crate::commands::spec::{Group, Handler, KeySpec, Maintenance, Spec, Support, flag, key_at, keys_behind};
use crate::commands::value::int_arg;
use crate::engine::Engine;
use crate::engine::ids::DatabaseId;
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::engine::worker::Worker;
use crate::rdb;
use crate::resp::{Args, Reply};

/// What payloads may have together.
const BYTES_MAX: usize = 1 << 30;
const TIMEOUT_DEFAULT_MS: u64 = 1000;

pub(super) const MIGRATE: Spec = Spec {
    since: "2.6.0",
    flags: flag::WRITE | flag::MOVABLE_KEYS,
    acl: &["keyspace", "dangerous"],
    keys: &[
        KeySpec {
            notes: None,
            ..key_at(3, &["RW", "access", "delete"])
        },
        keys_behind("KEYS", 6, &["RW", "access", "delete"]),
    ],
    tips: &["nondeterministic_output"],
    summary: "Sends keys to another server, and deletes them here once it has them",
    complexity: "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target instance. See the pages of these commands for time complexity. Also an O(N) data transfer between the two instances is performed.",
    syntax: "host port <key | \"\"> destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] [KEYS key [key ...]]",
    support: Support::Partial("not in transactions and scripts: it waits for the other server (D57)"),
    ..Spec::new(
        "migrate",
        Group::Generic,
        -6,
        Handler::Maintenance(Maintenance::new(migrate)),
    )
};

fn migrate(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let options = Options::parse(args)?;
    let (client, database) = (cx.client.handle.id, cx.client.database);
    let server = Arc::clone(cx.server);
    let sent = read(&server.engine, cx.worker, database, &options)?;
    if sent.is_empty() {
        reply.simple("NOKEY");
        return Ok(Flow::Done);
    }
    let Options {
        target,
        is_copy,
        is_replace,
        ..
    } = options;
    Ok(Flow::Later(Box::pin(async move {
        let mut there = Vec::new();
        let outcome = send(target, &sent, is_replace, &mut there).await;
        let late: LateReply = Box::new(move |late, reply| {
            let delivered = sent
                .into_iter()
                .zip(there)
                .filter_map(|(sent, is_there)| is_there.then_some(sent));
            let delivered: Vec<Sent> = delivered.collect();
            let changed = match is_copy || delivered.is_empty() {
                true => None,
                false => delete(late, client, database, &delivered),
            };
            match outcome.err().or(changed) {
                None => reply.ok(),
                Some(error) => {
                    let text = error.bytes();
                    reply.error_bytes(&text);
                    late.server.stats.count_error(&text);
                }
            }
        });
        Ok(late)
    })))
}

struct Options {
    target: Target,
    is_copy: bool,
    is_replace: bool,
    keys: Vec<Vec<u8>>,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CmdError> {
        const NOT_EMPTY: CmdError =
            CmdError::text("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
        let (mut is_copy, mut is_replace, mut login) = (false, false, None);
        let mut keys = vec![args.at(3).to_vec()];
        let mut at = 6;
        while let Some(option) = args.get(at) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if is(b"copy") {
                is_copy = true;
            } else if is(b"replace") {
                is_replace = true;
            } else if is(b"auth") {
                let password = args.get(at + 1).ok_or(CmdError::Syntax)?;
                login = Some(Login {
                    user: None,
                    password: password.to_vec(),
                });
                at += 1;
            } else if is(b"auth2") {
                let password = args.get(at + 2).ok_or(CmdError::Syntax)?;
                login = Some(Login {
                    user: Some(args.at(at + 1).to_vec()),
                    password: password.to_vec(),
                });
                at += 2;
            } else if is(b"keys") {
                if !args.at(3).is_empty() {
                    return Err(NOT_EMPTY);
                }
                keys = args.skip(at + 1).iter().map(<[u8]>::to_vec).collect();
                keys.sort_unstable();
                keys.dedup();
                break;
            } else {
                return Err(CmdError::Syntax);
            }
            at += 1;
        }
        let timeout_ms = int_arg(args, 5)?;
        let database = int_arg(args, 4)?;
        let timeout_ms = u64::try_from(timeout_ms).ok().filter(|timeout_ms| *timeout_ms > 0);
        Ok(Self {
            target: Target {
                host: args.at(1).to_vec(),
                port: args.at(2).to_vec(),
                database,
                login,
                timeout: Duration::from_millis(timeout_ms.unwrap_or(TIMEOUT_DEFAULT_MS)),
            },
            is_copy,
            is_replace,
            keys,
        })
    }
}

/// A key as it is sent.
#[derive(PartialEq, Eq)]
struct Sent {
    key: Vec<u8>,
    payload: Vec<u8>,
    expire_at_ms: Option<u64>,
    at_ms: u64,
}

/// What there is of the keys, all at one moment.
fn read(engine: &Engine, worker: &mut Worker, database: DatabaseId, options: &Options) -> Result<Vec<Sent>, CmdError> {
    let _pass = worker.enter(engine);
    let Some(slot) = engine.registry().slot(database).cloned() else {
        return Ok(Vec::new());
    };
    let keys = || options.keys.iter().map(Vec::as_slice);
    let mut scope = Scope::for_keys(engine, worker, &slot.collection, keys());
    let mut txn = Txn::new(&mut scope, &slot.collection, false);
    let mut bytes = 0_usize;
    let mut sent = Vec::new();
    for key in keys() {
        let Some(found) = look(&mut txn, key)? else { continue };
        bytes = bytes.saturating_add(found.payload.len());
        if bytes > BYTES_MAX {
            return Err(CmdError::text(
                "ERR the keys are too large to be migrated in one command",
            ));
        }
        sent.push(found);
    }
    Ok(sent)
}

fn look(txn: &mut Txn<'_, '_>, key: &[u8]) -> Result<Option<Sent>, CmdError> {
    let at_ms = txn.now_ms();
    let Some(entry) = txn.old(key) else { return Ok(None) };
    let expire_at_ms = entry.expire_at_ms();
    let object = rdb::convert::object_of(entry.value(), at_ms).map_err(|reason| format!("ERR {reason}"))?;
    Ok(object.map(|object| Sent {
        key: key.to_vec(),
        payload: rdb::dump(&object),
        expire_at_ms,
        at_ms,
    }))
}

/// Sends the keys; pushes for each in turn whether the other server has it.
async fn send(target: Target, sent: &[Sent], is_replace: bool, there: &mut Vec<bool>) -> Result<(), CmdError> {
    let mut connection = target.connect().await?;
    for sent in sent {
        // One that has died meanwhile is there as briefly as can be.
        let ttl_ms = sent
            .expire_at_ms
            .map_or(0, |at_ms| at_ms.saturating_sub(sent.at_ms).max(1));
        connection.restore(&sent.key, ttl_ms, &sent.payload, is_replace).await?;
    }
    let mut refused = None;
    for _ in sent {
        let answer = connection.answer().await?;
        there.push(answer.is_ok());
        refused = refused.or(answer.err());
    }
    refused.map_or(Ok(()), Err)
}

/// Deletes keys that are still what was sent; what is said if some are not.
fn delete(late: &mut LateCx<'_>, client: u64, database: DatabaseId, sent: &[Sent]) -> Option<CmdError> {
    let engine = &late.server.engine;
    let worker = &mut *late.worker.borrow_mut();
    worker.refresh_clock();
    let acting = worker.told.set_acting(client);
    let mut changed = None;
    {
        let _pass = worker.enter(engine);
        let slot = engine.registry().slot(database).cloned()?;
        let keys = sent.iter().map(|sent| sent.key.as_slice());
        let mut scope = Scope::for_keys(engine, worker, &slot.collection, keys);
        let mut txn = Txn::new(&mut scope, &slot.collection, true);
        for sent in sent {
            let now = look(&mut txn, &sent.key).ok().flatten();
            match now {
                Some(now) if (&now.payload, now.expire_at_ms) == (&sent.payload, sent.expire_at_ms) => {
                    txn.remove(&sent.key);
                }
                Some(_) => changed = Some(sent.key.as_slice()),
                None => {}
            }
        }
    }
    worker.told.set_acting(acting);
    late.has_changed = true;
    changed.map(|key| {
        let text = [
            b"ERR Key '",
            shown(key, usize::MAX),
            b"' has changed while it was migrated, and was not deleted",
        ];
        CmdError::Quoting(text.concat())
    })
}
