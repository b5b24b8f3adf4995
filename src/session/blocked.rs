//! A command that waits for a key: entered under the locks of its first try, served by whoever changes the key.
//!
//! **Invariants**
//! - A blocked command ends once: it is served, or its time is over, or it is told to stop, or its client is gone; which
//!   of them is decided under its own lock, which is held while it tries. So what it takes it also answers.
//! - Under `fsync = "always"` it answers only once what it has taken is stable.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::client::{ClientHandle, Unblocked};
use crate::commands::blocking::{Attempt, Wait};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::spec::{BlockingHandler, Command};
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::effect::DatabaseId;
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::engine::waiters::{Numbered, Tried, Waiter, Wanted};
use crate::engine::worker::{Dependencies, Worker};
use crate::resp::{Args, OwnedRequest, Proto, Reply};
use crate::state::Server;

/// What a blocked command was served with.
struct Served {
    result: Result<Reply, CmdError>,
    /// What the answer depends on.
    depends_on: Dependencies,
}

struct Blocked {
    command: Command,
    handler: BlockingHandler,
    request: OwnedRequest,
    database: DatabaseId,
    proto: Proto,
    client: Arc<ClientHandle>,
    wanted: Wanted,
    /// Where to answer; `None` once it is over.
    answer: Mutex<Option<oneshot::Sender<Served>>>,
}

impl Waiter for Blocked {
    fn wanted(&self) -> Wanted {
        self.wanted
    }

    fn try_again(&self, engine: &Engine, worker: &mut Worker, key: Option<&[u8]>) -> Tried {
        let mut answer = self.answer.lock();
        if answer.is_none() {
            return Tried::Over;
        }
        let mut reply = Reply::new(self.proto);
        let result = match self.run(engine, worker, key, &mut reply) {
            Ok(None | Some(Attempt::Wait(_))) => return Tried::Waits,
            Ok(Some(Attempt::Done)) => Ok(reply),
            Err(error) => Err(error),
        };
        if let Some(answer) = answer.take() {
            // The client may have gone in this very moment; what it took went with it, as with any reply.
            let _ = answer.send(Served {
                result,
                depends_on: worker.dependencies(),
            });
        }
        Tried::Over
    }
}

impl Blocked {
    /// Runs the command once more; `None`: not yet, since `woken_by` has nothing for it.
    fn run(
        &self,
        engine: &Engine,
        worker: &mut Worker,
        woken_by: Option<&[u8]>,
        reply: &mut Reply,
    ) -> Result<Option<Attempt>, CmdError> {
        let slot = engine.registry().slot(self.database).cloned();
        let slot = slot.ok_or(super::run::NO_COLLECTION)?;
        let args = self.request.args();
        let quiet = self.client.no_touch.load(Ordering::Relaxed);
        let indices = self.command.spec.key_indices_or_all(args);
        let keys = indices.iter().filter_map(|at| args.get(*at));
        let mut scope = Scope::for_keys(engine, worker, &slot.collection, keys);
        let mut txn = Txn::new(&mut scope, &slot.collection, quiet);
        if let (Wanted::Value(wanted), Some(key)) = (self.wanted, woken_by) {
            let found = txn.peek(key).map(|entry| entry.value().value_type());
            if found != Some(wanted) {
                return Ok(None);
            }
        }
        (self.handler)(&mut txn, args, reply).map(Some)
    }

    /// Gives up, unless it has been served.
    fn give_up(&self) -> bool {
        self.answer.lock().take().is_some()
    }
}

/// The places where a blocked command is entered; they are left when this is dropped, which must be outside of a pass.
struct Entered {
    server: Arc<Server>,
    /// The gate's cell of the connection's worker.
    cell: usize,
    keys: Vec<Box<[u8]>>,
    id: u64,
    blocked: Arc<Blocked>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.blocked.give_up();
        let engine = &self.server.engine;
        let _pass = engine.gate().enter(self.cell);
        let Some(slot) = engine.registry().slot(self.blocked.database).cloned() else {
            return;
        };
        for key in &self.keys {
            let shard = slot.collection.shard_of(slot.collection.key(key).hash);
            if let Some(shard) = slot.collection.shards_if_any().get(shard) {
                shard.lock().waiters.remove(key, self.id);
            }
        }
    }
}

/// Whose command blocks.
pub(super) struct Blocker<'a> {
    pub server: &'a Arc<Server>,
    pub client: &'a Arc<ClientHandle>,
    pub database: DatabaseId,
    pub proto: Proto,
    pub command: Command,
    pub handler: BlockingHandler,
}

/// Enters a waiter for each key that the command waits for; `scope` still holds the locks it looked under.
pub(super) fn enter(
    blocker: Blocker<'_>,
    scope: &mut Scope<'_>,
    collection: &Collection,
    args: Args<'_>,
    wait: Wait,
) -> Flow {
    let Wait {
        keys,
        timeout,
        on_timeout,
        wanted,
        retry_as,
        in_transaction: _,
    } = wait;
    let (sender, served) = oneshot::channel();
    let mut keys: Vec<Box<[u8]>> = keys.iter().filter_map(|at| args.get(*at)).map(Box::from).collect();
    keys.sort();
    keys.dedup();
    let unblocked = blocker.client.block();
    let blocked = Arc::new(Blocked {
        command: blocker.command,
        handler: blocker.handler,
        request: retry_as.unwrap_or_else(|| args.to_owned()),
        database: blocker.database,
        proto: blocker.proto,
        client: Arc::clone(blocker.client),
        wanted,
        answer: Mutex::new(Some(sender)),
    });
    let id = scope.next_waiter_id();
    for key in &keys {
        let waiter: Arc<dyn Waiter> = blocked.clone();
        scope.add_waiter(collection, key, Numbered { id, waiter });
    }
    let entered = Entered {
        server: Arc::clone(blocker.server),
        cell: scope.worker().cell(),
        keys,
        id,
        blocked,
    };
    Flow::Block(wait_for(entered, served, unblocked, timeout, on_timeout))
}

fn wait_for(
    entered: Entered,
    mut served: oneshot::Receiver<Served>,
    unblocked: oneshot::Receiver<Unblocked>,
    timeout: Option<Duration>,
    on_timeout: fn(&mut Reply),
) -> Waiting {
    Box::pin(async move {
        let ended = tokio::select! {
            biased;
            served = &mut served => return answer(&entered, served.ok()).await,
            Ok(how) = unblocked => how,
            () = sleep(timeout) => Unblocked::TimedOut,
        };
        if !entered.blocked.give_up() {
            // It was served just before.
            return answer(&entered, served.await.ok()).await;
        }
        if ended == Unblocked::Refused {
            return Err(CmdError::text("UNBLOCKED client unblocked via CLIENT UNBLOCK"));
        }
        let late: LateReply = Box::new(on_timeout);
        Ok(late)
    })
}

async fn sleep(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// The answer that came, once it may go.
async fn answer(entered: &Entered, served: Option<Served>) -> Result<LateReply, CmdError> {
    let Served { result, depends_on } = served.ok_or(CmdError::text("ERR the blocked command was lost"))?;
    let engine = &entered.server.engine;
    let due = depends_on.due(engine);
    if engine.wal().stable_lsn() < due {
        let stable = engine.wal().make_stable(due).await;
        stable.map_err(|error| CmdError::from(format!("MISCONF Errors writing to the AOF file: {error}")))?;
    }
    let reply = result?;
    Ok(Box::new(move |out: &mut Reply| out.extend(reply)))
}
