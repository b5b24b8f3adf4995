//! A command that waits for a key: entered under the locks of its first try, served by the thread that changes the key.
//!
//! **Invariants**
//! - It is served only what its user may have at that moment.
//! - A blocked command ends once: it is served, times out, is told to stop, or loses its client. Its `Ending`, held
//!   while it tries, decides which. So it answers everything that it takes.
//! - Under `fsync = "always"` it answers only once what it has taken is stable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::call::{Call, OwnedCall};
use super::executor::{NO_COLLECTION, Place, execute};
use crate::client::{Answer, ClientHandle, Ending, HasEnded, Letter, Unblocked, Waiter as ClientWaiter};
use crate::commands::blocking::{Attempt, UNBLOCKED, Wait, sleep};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::spec::flag;
use crate::commands::table::table;
use crate::commands::{misconf, rights};
use crate::engine::Engine;
use crate::engine::blocked::{Numbered, Tried, Waiter, Wanted};
use crate::engine::collection::Collection;
use crate::engine::ids::DatabaseId;
use crate::engine::scope::Scope;
use crate::engine::txn::ReadTxn;
use crate::engine::worker::Kit;
use crate::resp::Reply;
use crate::state::Server;

/// What a key that is waited for takes beside its bytes, which are kept twice: by the command and in the shard's table.
const KEY_BYTES: u64 = 144;

struct Blocked {
    server: Arc<Server>,
    /// The generation of users when it began to wait.
    rights_at: u64,
    call: OwnedCall,
    database: DatabaseId,
    /// What its answer is like.
    blank: Reply,
    client: Arc<ClientHandle>,
    keys: Vec<Box<[u8]>>,
    wanted: Wanted,
    /// What it takes of memory, roughly.
    kept_bytes: u64,
    ending: Arc<Ending>,
    id: u64,
    /// When it tries again though nothing has changed, Unix milliseconds; 0: not at all.
    again_at_ms: AtomicU64,
    me: Weak<Self>,
}

impl Waiter for Blocked {
    fn wanted(&self) -> Wanted {
        self.wanted
    }

    fn try_again(&self, engine: &Engine, kit: &mut Kit) -> Tried {
        // Nothing is taken for a client that has been killed and has not noticed yet.
        if self.client.is_killed() {
            return Tried::Over;
        }
        match self.ending.end_by(|| self.serve(engine, kit)) {
            Ok(None) => Tried::Waits,
            Ok(Some(())) | Err(_) => Tried::Over,
        }
    }
}

impl Blocked {
    /// Runs again, and posts the answer; `None`: there is still nothing for it.
    fn serve(&self, engine: &Engine, kit: &mut Kit) -> Option<()> {
        let mut reply = self.blank.sibling();
        let mut again = Again {
            engine,
            kit,
            blocked: self,
            found_nothing: false,
        };
        let acting = again.kit.told.set_acting(self.client.id);
        let result = execute(&mut again, &self.call.call(), &mut reply);
        again.kit.told.set_acting(acting);
        if again.found_nothing {
            return None;
        }
        self.client.note_written(kit.dependencies().written);
        // The client may have gone in this very moment; what it took went with it, as with any reply.
        self.client.mailbox.post(Letter::Answer(Answer {
            result: result.map(|_| reply).map_err(|error| error.bytes().to_vec()),
            depends_on: kit.dependencies(),
        }));
        Some(())
    }
}

/// Where a blocked command runs again: on the thread that changed its key.
struct Again<'a> {
    engine: &'a Engine,
    kit: &'a mut Kit,
    blocked: &'a Blocked,
    found_nothing: bool,
}

impl Place for Again<'_> {
    fn reader(&self) -> Option<u64> {
        self.blocked.client.reader()
    }

    fn on_keys<R>(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool) -> Result<R, CmdError>,
    ) -> Result<R, CmdError> {
        let slot = self.engine.registry().slot(self.blocked.database).cloned();
        let slot = slot.ok_or(NO_COLLECTION)?;
        let quiet = self.blocked.client.no_touch.load(Ordering::Relaxed);
        let keys = call.key_uses().map(|(key, _)| key);
        let mut scope = Scope::for_keys(self.engine, self.kit, &slot.collection, keys);
        body(&mut scope, &slot.collection, quiet)
    }

    fn blocking(
        &mut self,
        call: &Call<'_>,
        reply: &mut Reply,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool, &mut Reply) -> Result<Attempt, CmdError>,
    ) -> Result<Flow<Waiting>, CmdError> {
        let blocked = self.blocked;
        let attempt = self.on_keys(call, |scope, collection, quiet| {
            if !blocked.is_due(&mut ReadTxn::new(scope, collection, quiet)) {
                return Ok(None);
            }
            blocked.admit()?;
            let attempt = body(scope, collection, quiet, reply)?;
            // Under the lock: what changes the keys from here on is told behind the answer.
            blocked
                .client
                .caching
                .set_answered(!matches!(attempt, Attempt::Nothing(_)));
            Ok(Some(attempt))
        })?;
        if let Some(Attempt::Nothing(wait)) = &attempt {
            blocked.set_alarm(wait.again_at_ms);
        }
        self.found_nothing = matches!(attempt, None | Some(Attempt::Nothing(_)));
        Ok(Flow::Done)
    }
}

impl Blocked {
    /// Whether it may still run, now that there is something for it: rights and memory may be others than they were.
    fn admit(&self) -> Result<(), CmdError> {
        let (server, call) = (&self.server, self.call.call());
        let asked = ((call.command, call.args), self.database);
        rights::check_again((server, table()), &self.client, asked, self.rights_at)?;
        if call.has(flag::DENY_OOM) && server.is_out_of_memory() {
            return Err(CmdError::OutOfMemory);
        }
        Ok(())
    }

    /// Has it try again at this time, and no longer at the one before.
    fn set_alarm(&self, again_at_ms: Option<u64>) {
        let before = self.again_at_ms.swap(again_at_ms.unwrap_or(0), Ordering::Relaxed);
        if before > 0 {
            self.server.alarms.clear(before, self.id);
        }
        if let (Some(at_ms), Some(waiter)) = (again_at_ms, self.me.upgrade()) {
            self.server.alarms.set(at_ms, self.id, Numbered { id: self.id, waiter });
        }
    }

    /// Whether one of its keys has what it waits for: all are looked at, since this try counts for all of them, and the
    /// key that it is because of may have changed once more meanwhile.
    fn is_due(&self, txn: &mut ReadTxn<'_, '_>) -> bool {
        let (Wanted::Value(wanted) | Wanted::Enough(wanted)) = self.wanted else {
            return true;
        };
        let mut keys = self.keys.iter();
        keys.any(|key| txn.peek(key).is_some_and(|entry| entry.value().value_type() == wanted))
    }
}

/// The places where a blocked command is entered; they are left when this is dropped, which must be outside of a pass.
struct Entered {
    /// The gate's cell of the connection's worker.
    cell: usize,
    blocked: Arc<Blocked>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.blocked.ending.end();
        self.blocked.client.let_go(self.blocked.kept_bytes);
        let engine = &self.blocked.server.engine;
        self.blocked.set_alarm(None);
        let _pass = engine.gate().enter(self.cell);
        let Some(slot) = engine.registry().slot(self.blocked.database).cloned() else {
            return;
        };
        for key in &self.blocked.keys {
            let shard = slot.collection.shard_of(slot.collection.key(key).hash);
            if let Some(shard) = slot.collection.shard_if_any(shard) {
                shard.lock().waiters.remove(key, self.blocked.id);
            }
        }
    }
}

/// Whose command blocks.
pub(super) struct Blocker<'a> {
    pub server: &'a Arc<Server>,
    pub client: &'a Arc<ClientHandle>,
    pub database: DatabaseId,
    /// An empty buffer like the one for its replies.
    pub blank: Reply,
}

/// Enters a waiter for each key that the command waits for; `scope` still holds the locks it looked under.
pub(super) fn enter(
    blocker: Blocker<'_>,
    scope: &mut Scope<'_>,
    collection: &Collection,
    call: &Call<'_>,
    wait: Wait,
) -> Flow<Waiting> {
    let Wait {
        keys,
        timeout,
        on_timeout,
        wanted,
        retry_as,
        again_at_ms,
        in_transaction: _,
    } = wait;
    let mut keys: Vec<Box<[u8]>> = keys.iter().filter_map(|at| call.args.get(*at)).map(Box::from).collect();
    keys.sort();
    keys.dedup();
    let waiter = blocker.client.block();
    let call = match retry_as {
        Some(request) => OwnedCall::of_request(call, request),
        None => OwnedCall::new(call, call.handler),
    };
    let of_keys = keys.iter().map(|key| KEY_BYTES + 2 * key.len() as u64);
    let kept_bytes = call.heap_bytes() as u64 + of_keys.sum::<u64>();
    blocker.client.keep(kept_bytes);
    let id = scope.next_waiter_id();
    let blocked = Arc::new_cyclic(|me| Blocked {
        server: Arc::clone(blocker.server),
        rights_at: blocker.server.acl.generation(),
        call,
        kept_bytes,
        database: blocker.database,
        blank: blocker.blank,
        client: Arc::clone(blocker.client),
        keys,
        wanted,
        ending: waiter.ending(),
        id,
        again_at_ms: AtomicU64::new(0),
        me: Weak::clone(me),
    });
    for key in &blocked.keys {
        let waiter: Arc<dyn Waiter> = blocked.clone();
        scope.add_waiter(collection, key, Numbered { id, waiter });
    }
    blocked.set_alarm(again_at_ms);
    let entered = Entered {
        cell: scope.worker().cell(),
        blocked,
    };
    Flow::Blocked(wait_for(entered, waiter, timeout, on_timeout))
}

fn wait_for(entered: Entered, waiter: ClientWaiter, timeout: Option<Duration>, on_timeout: fn(&mut Reply)) -> Waiting {
    Box::pin(async move {
        match waiter.until(sleep(timeout)).await {
            Err(HasEnded::Otherwise) => answer(&entered).await,
            Err(HasEnded::Unblocked(Unblocked::Refused)) => Err(UNBLOCKED),
            Ok(()) | Err(HasEnded::Unblocked(Unblocked::TimedOut)) => {
                let late: LateReply = Box::new(move |_, reply| on_timeout(reply));
                Ok(late)
            }
        }
    })
}

/// The answer that came, once it may go.
async fn answer(entered: &Entered) -> Result<LateReply, CmdError> {
    let letter = entered.blocked.client.mailbox.take().pop();
    let Some(Letter::Answer(Answer { result, depends_on })) = letter else {
        return Err(CmdError::text("ERR the blocked command was lost"));
    };
    let engine = &entered.blocked.server.engine;
    let (wal, due) = (engine.wal(), depends_on.due(engine));
    let is_logged = async {
        wal.wait_written(depends_on.seen).await?;
        wal.make_stable(due).await
    };
    let logged = is_logged.await;
    logged.map_err(|error| misconf::not_logged(&error))?;
    let reply = result.map_err(CmdError::Quoting)?;
    Ok(Box::new(move |_, out| out.extend(reply)))
}
