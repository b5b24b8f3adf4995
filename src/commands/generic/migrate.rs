//! MIGRATE: keys are sent to another server, and deleted here once it has them.
//!
//! The values are read under the locks of all the keys at once; the connection then waits for the other server, and no
//! one else does. The keys are watched meanwhile: one that has been written or removed is left alone, and the client is
//! told. Values are not compared: the other server may be this one, which has written the same value anew.
//!
//! **Invariants**
//! - A key is gone from here only after the other server has answered that it has it.
//! - What was read is watched until the batch is dropped, whichever way the command ends.

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
use crate::engine::watch::WatchFlag;
use crate::engine::worker::{Worker, unix_ms};
use crate::rdb;
use crate::resp::{Args, Reply};
use crate::state::Server;

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
    syntax: "host port <key | empty-string> destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] [KEYS key [key ...]]",
    support: Support::Partial("not in transactions and scripts: it waits for the other server (D57)"),
    is_secret: is_login,
    ..Spec::new(
        "migrate",
        Group::Generic,
        -6,
        Handler::Maintenance(Maintenance::new(migrate)),
    )
};

/// Whether argument `at` is a user or a password; also of requests that [`Options::parse`] refuses.
fn is_login(args: Args<'_>, at: usize) -> bool {
    // The timeout may have been forgotten.
    let mut option_at = 5;
    while option_at < at {
        let option = args.get(option_at).unwrap_or_default();
        let values = if option.eq_ignore_ascii_case(b"AUTH") {
            1
        } else if option.eq_ignore_ascii_case(b"AUTH2") {
            2
        } else if option.eq_ignore_ascii_case(b"KEYS") {
            return false;
        } else {
            0
        };
        if at <= option_at + values {
            return true;
        }
        option_at += 1 + values;
    }
    false
}

fn migrate(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let options = Options::parse(args)?;
    let (client, database) = (cx.client.handle.id, cx.client.database);
    let server = Arc::clone(cx.server);
    let batch = read(&server.engine, cx.worker, database, &options.keys)?;
    if batch.sent.is_empty() {
        reply.simple("NOKEY");
        return Ok(Flow::Done);
    }
    // A client that leaves is not waited for: its keys stay.
    Ok(Flow::Blocked(Box::pin(async move {
        let mut there = Vec::new();
        let outcome = send(options.target, &batch.sent, options.is_replace, &mut there).await;
        let deletes = !options.is_copy && there.contains(&true);
        if deletes {
            wait_until_writes_go_on(&server).await;
        }
        let late: LateReply = Box::new(move |late, reply| {
            let changed = deletes.then(|| delete(late, client, &batch, &there)).flatten();
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

/// The deletion is a write, which CLIENT PAUSE holds back as any other.
async fn wait_until_writes_go_on(server: &Server) {
    while holds_writes(server, unix_ms()) {
        server.pause.wait(unix_ms()).await;
    }
}

fn holds_writes(server: &Server, now_ms: u64) -> bool {
    server.pause.holds(true, now_ms) || server.pause.is_before_the_end()
}

const HELD_BACK: CmdError =
    CmdError::text("ERR The keys were copied, but not deleted: writes have been held back in the meantime");

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
struct Sent {
    key: Vec<u8>,
    payload: Vec<u8>,
    expire_at_ms: Option<u64>,
    /// Raised when the key changes.
    flag: WatchFlag,
}

/// Keys that are sent together, and watched meanwhile. It must be dropped outside of a pass.
struct Batch {
    engine: Arc<Engine>,
    /// The gate's cell of the connection's worker.
    cell: usize,
    database: DatabaseId,
    sent: Vec<Sent>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        let _pass = self.engine.gate().enter(self.cell);
        // A collection that was dropped has taken its tables with it.
        let Some(slot) = self.engine.registry().slot(self.database).cloned() else {
            return;
        };
        for Sent { key, flag, .. } in &self.sent {
            let shard = slot.collection.shard_of(slot.collection.key(key).hash);
            if let Some(shard) = slot.collection.shard_if_any(shard) {
                shard.lock().watches.remove(key, flag);
            }
        }
    }
}

/// What there is of the keys, all at one moment.
fn read(engine: &Arc<Engine>, worker: &mut Worker, database: DatabaseId, keys: &[Vec<u8>]) -> Result<Batch, CmdError> {
    let mut batch = Batch {
        engine: Arc::clone(engine),
        cell: worker.cell(),
        database,
        sent: Vec::new(),
    };
    let _pass = worker.enter(engine);
    let Some(slot) = engine.registry().slot(database).cloned() else {
        return Ok(batch);
    };
    let keys = || keys.iter().map(Vec::as_slice);
    let mut scope = Scope::for_keys(engine, worker, &slot.collection, keys());
    let sent = look_at_all(&mut Txn::new(&mut scope, &slot.collection, false), keys())?;
    // Behind the look, which may have removed what was dead.
    for sent in &sent {
        scope.watch(&slot.collection, &sent.key, &sent.flag);
    }
    batch.sent = sent;
    Ok(batch)
}

fn look_at_all<'k>(txn: &mut Txn<'_, '_>, keys: impl Iterator<Item = &'k [u8]>) -> Result<Vec<Sent>, CmdError> {
    let mut bytes = 0_usize;
    let mut all = Vec::new();
    for key in keys {
        let Some(sent) = look(txn, key)? else { continue };
        bytes = bytes.saturating_add(sent.payload.len());
        if bytes > BYTES_MAX {
            return Err(CmdError::text(
                "ERR the keys are too large to be migrated in one command",
            ));
        }
        all.push(sent);
    }
    Ok(all)
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
        flag: WatchFlag::default(),
    }))
}

/// Sends the keys; pushes for each in turn whether the other server has it.
async fn send(target: Target, sent: &[Sent], is_replace: bool, there: &mut Vec<bool>) -> Result<(), CmdError> {
    let mut connection = target.connect().await?;
    for sent in sent {
        // One that has died meanwhile is there as briefly as can be. The connection may have taken its time.
        let ttl_ms = sent
            .expire_at_ms
            .map_or(0, |at_ms| at_ms.saturating_sub(unix_ms()).max(1));
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

/// Deletes the keys that are `there` and have not changed; what is said if some have.
fn delete(late: &mut LateCx<'_>, client: u64, batch: &Batch, there: &[bool]) -> Option<CmdError> {
    let worker = &mut *late.worker.borrow_mut();
    worker.refresh_clock();
    // Since it was waited for the end of a pause another may have begun, or the end of the server.
    if holds_writes(late.server, worker.now_ms()) {
        return Some(HELD_BACK);
    }
    let delivered = batch.sent.iter().zip(there).filter(|(_, is_there)| **is_there);
    let delivered: Vec<&Sent> = delivered.map(|(sent, _)| sent).collect();
    let acting = worker.told.set_acting(client);
    let changed = delete_unchanged(worker, batch, &delivered);
    worker.told.set_acting(acting);
    late.has_changed = true;
    changed.map(has_changed)
}

/// One of `delivered` that has changed.
fn delete_unchanged<'b>(worker: &mut Worker, batch: &'b Batch, delivered: &[&'b Sent]) -> Option<&'b Sent> {
    let engine = &batch.engine;
    let _pass = worker.enter(engine);
    // A database that is gone took its keys with it.
    let Some(slot) = engine.registry().slot(batch.database).cloned() else {
        return delivered.first().copied();
    };
    let keys = delivered.iter().map(|sent| sent.key.as_slice());
    let mut scope = Scope::for_keys(engine, worker, &slot.collection, keys);
    let mut txn = Txn::new(&mut scope, &slot.collection, true);
    let mut changed = None;
    for sent in delivered {
        // Before the look, which removes what is dead.
        let is_raised = sent.flag.is_raised();
        let is_there = txn.exists(&sent.key);
        let is_over = sent.expire_at_ms.is_some_and(|at_ms| at_ms <= txn.now_ms());
        if is_there && !is_raised {
            txn.remove(&sent.key);
        } else if is_there || !is_over {
            // One whose time has come is gone as it should be.
            changed = Some(*sent);
        }
    }
    changed
}

fn has_changed(sent: &Sent) -> CmdError {
    let text = [
        b"ERR Key '",
        shown(&sent.key, usize::MAX),
        b"' has changed while it was migrated, and was not deleted",
    ];
    CmdError::Quoting(text.concat())
}
