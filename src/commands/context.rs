//! What a session command may see: the server, and the client whose command it is.
//!
//! **Invariant:** a [`Client`] belongs to its connection's worker; what other threads may see or ask of it is in its
//! [`ClientHandle`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use std::task::Waker;

use tokio::sync::{Notify, oneshot};

use super::table::Command;
use crate::config::params::Params;
use crate::engine::Engine;
use crate::engine::effect::DatabaseId;
use crate::engine::watch::WatchFlag;
use crate::engine::worker::Worker;
use crate::metrics::Stats;
use crate::resp::{OwnedRequest, Proto};

/// Everything the threads share.
pub struct Server {
    /// The data.
    pub engine: Arc<Engine>,
    /// Configuration, changeable ones included.
    pub params: Arc<Params>,
    /// Connected clients.
    pub clients: Clients,
    /// Counters, slow log, latency samples.
    pub stats: Stats,
    /// Takes checkpoints.
    pub checkpoints: Arc<crate::checkpoint::Checkpointer>,
    /// Ends the server.
    pub shutdown: Shutdown,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// Whether the expiry sweep runs (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expire: AtomicBool,
    /// When the process started.
    pub started: Instant,
    /// When the process started, Unix seconds.
    pub started_s: u64,
    /// 40 hexadecimal digits, new at each start.
    pub run_id: String,
    /// The port in use.
    pub port: u16,
}

/// How the server is told to end.
#[derive(Default)]
pub struct Shutdown {
    requested: AtomicBool,
    /// Skip the final checkpoint (`SHUTDOWN NOSAVE`), or demand it (`SAVE`).
    save: Mutex<Option<bool>>,
    notify: Notify,
}

impl Shutdown {
    /// Asks the server to end. `save`: whether to take a final checkpoint, `None` = as configured.
    pub fn request(&self, save: Option<bool>) {
        *self.save.lock() = save;
        self.requested.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Whether the server is ending.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// What was said about the final checkpoint.
    pub fn save(&self) -> Option<bool> {
        *self.save.lock()
    }

    /// Returns once the server is ending.
    pub async fn wait(&self) {
        let notified = self.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.is_requested() {
            notified.await;
        }
    }
}

/// CLIENT PAUSE: until when, and whether reads wait too.
#[derive(Default)]
pub struct Pause {
    until_ms: AtomicU64,
    all: AtomicBool,
    notify: Notify,
}

impl Pause {
    /// Pauses until `until_ms` (Unix): writes, or `all` commands. A longer pause that already holds stays.
    pub fn set(&self, until_ms: u64, all: bool, now_ms: u64) {
        let active = self.until_ms.load(Ordering::Relaxed) > now_ms;
        let all = all || (active && self.all.load(Ordering::Relaxed));
        self.all.store(all, Ordering::Relaxed);
        let until_ms = if active {
            until_ms.max(self.until_ms.load(Ordering::Relaxed))
        } else {
            until_ms
        };
        self.until_ms.store(until_ms, Ordering::Release);
    }

    /// Ends the pause.
    pub fn clear(&self) {
        self.until_ms.store(0, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Whether a command must wait now.
    #[inline]
    pub fn holds(&self, is_write: bool, now_ms: u64) -> bool {
        self.until_ms.load(Ordering::Acquire) > now_ms && (is_write || self.all.load(Ordering::Relaxed))
    }

    /// Returns when the pause may have ended.
    pub async fn wait(&self, now_ms: u64) {
        let left_ms = self.until_ms.load(Ordering::Acquire).saturating_sub(now_ms);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(left_ms), self.notify.notified()).await;
    }
}

/// What other threads may see of a client, and ask of it.
pub struct ClientHandle {
    /// Number, ascending, never reused.
    pub id: u64,
    /// Peer address.
    pub addr: String,
    /// Local address.
    pub laddr: String,
    /// File descriptor.
    pub fd: i32,
    /// Whether it came over the Unix socket.
    pub is_unix: bool,
    /// When it connected, Unix milliseconds.
    pub connected_ms: u64,
    /// When it last sent a command, Unix milliseconds.
    pub active_ms: AtomicU64,
    /// Name, library name and version as it gave them.
    pub labels: Mutex<Labels>,
    /// Selected database.
    pub database: AtomicU32,
    /// Commands queued by MULTI; -1 outside.
    pub queued: AtomicI64,
    /// Keys watched.
    pub watched: AtomicU32,
    /// Protocol version, 2 or 3.
    pub proto: AtomicU8,
    /// CLIENT NO-EVICT.
    pub no_evict: AtomicBool,
    /// CLIENT NO-TOUCH.
    pub no_touch: AtomicBool,
    /// The last command's number in the table, plus one; 0 = none.
    pub last_command: AtomicU32,
    /// Bytes of the query buffer and of its free part, of the output buffer, and all bytes the client takes.
    pub query_bytes: AtomicU64,
    /// Free bytes in the query buffer.
    pub query_free_bytes: AtomicU64,
    /// Bytes of replies waiting to be sent.
    pub output_bytes: AtomicU64,
    /// Bytes of arguments of an incomplete or queued command.
    pub args_bytes: AtomicU64,
    /// Commands executed.
    pub commands: AtomicU64,
    killed: AtomicBool,
    /// Wakes its connection, in whichever state that is.
    waker: Waker,
    blocked: Mutex<Option<oneshot::Sender<Unblocked>>>,
}

/// How CLIENT UNBLOCK ends a blocking command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblocked {
    /// As if its time were over.
    TimedOut,
    /// With an error.
    Refused,
}

/// Names a client gave itself.
#[derive(Default, Clone)]
pub struct Labels {
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Vec<u8>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_version: Vec<u8>,
}

impl ClientHandle {
    /// A handle for a new connection.
    pub fn new(id: u64, addr: String, laddr: String, (fd, is_unix): (i32, bool), waker: Waker, now_ms: u64) -> Self {
        Self {
            id,
            addr,
            laddr,
            fd,
            is_unix,
            connected_ms: now_ms,
            active_ms: AtomicU64::new(now_ms),
            labels: Mutex::default(),
            database: AtomicU32::new(0),
            queued: AtomicI64::new(-1),
            watched: AtomicU32::new(0),
            proto: AtomicU8::new(2),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            last_command: AtomicU32::new(0),
            query_bytes: AtomicU64::new(0),
            query_free_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            args_bytes: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            killed: AtomicBool::new(false),
            waker,
            blocked: Mutex::default(),
        }
    }

    /// Lets CLIENT UNBLOCK reach the command that is about to block, as long as the receiver lives.
    pub fn block(&self) -> oneshot::Receiver<Unblocked> {
        let (sender, receiver) = oneshot::channel();
        *self.blocked.lock() = Some(sender);
        receiver
    }

    /// Whether a blocking command is waiting.
    pub fn is_blocked(&self) -> bool {
        self.blocked.lock().as_ref().is_some_and(|sender| !sender.is_closed())
    }

    /// Ends a blocking command; whether there was one.
    pub fn unblock(&self, how: Unblocked) -> bool {
        self.blocked
            .lock()
            .take()
            .is_some_and(|sender| sender.send(how).is_ok())
    }

    /// Closes the connection, from any thread.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        self.waker.wake_by_ref();
    }

    /// Whether it was killed.
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }
}

/// All connected clients.
#[derive(Default)]
pub struct Clients {
    handles: RwLock<BTreeMap<u64, Arc<ClientHandle>>>,
    next_id: AtomicU64,
    /// What all clients hold.
    held_bytes: AtomicU64,
    /// Connections accepted since start.
    pub accepted: AtomicU64,
    /// Connections refused because of `maxclients`.
    pub rejected: AtomicU64,
}

impl Clients {
    /// The number of the next client.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Lists a new client.
    pub fn add(&self, handle: Arc<ClientHandle>) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.handles.write().insert(handle.id, handle);
    }

    /// Takes a client off the list.
    pub fn remove(&self, id: u64) {
        self.handles.write().remove(&id);
    }

    /// What a client holds has changed.
    pub fn recharge(&self, before_bytes: u64, bytes: u64) {
        self.held_bytes
            .fetch_add(bytes.wrapping_sub(before_bytes), Ordering::Relaxed);
    }

    /// What all clients hold.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.handles.read().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.handles.read().is_empty()
    }

    /// One client.
    pub fn get(&self, id: u64) -> Option<Arc<ClientHandle>> {
        self.handles.read().get(&id).cloned()
    }

    /// All clients, by number.
    pub fn all(&self) -> Vec<Arc<ClientHandle>> {
        self.handles.read().values().cloned().collect()
    }
}

/// CLIENT REPLY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// Replies are sent.
    On,
    /// No replies.
    Off,
    /// No reply to the next command.
    SkipNext,
    /// No reply to this command.
    Skip,
}

/// A command waiting in MULTI's queue.
pub struct Queued {
    /// The command.
    pub command: Command,
    /// Its arguments.
    pub request: OwnedRequest,
}

/// A transaction being queued.
#[derive(Default)]
pub struct Multi {
    /// Commands so far.
    pub queue: Vec<Queued>,
    /// A command was refused while queueing: EXEC will abort.
    pub aborted: bool,
}

/// One watched key.
pub struct Watch {
    /// In which database.
    pub database: DatabaseId,
    /// The key.
    pub key: Vec<u8>,
    /// It was dead already when WATCH was called.
    pub was_expired: bool,
}

/// The state of one connection.
pub struct Client {
    /// What others see of it.
    pub handle: Arc<ClientHandle>,
    /// Selected database.
    pub database: DatabaseId,
    /// Whether it may run commands.
    pub authenticated: bool,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// MULTI, when inside one.
    pub multi: Option<Multi>,
    /// Watched keys.
    pub watches: Vec<Watch>,
    /// Raised when a watched key changes.
    pub watch_flag: WatchFlag,
}

impl Client {
    /// A fresh connection's state.
    pub fn new(handle: Arc<ClientHandle>, authenticated: bool) -> Self {
        Self {
            handle,
            database: 0,
            authenticated,
            reply_mode: ReplyMode::On,
            multi: None,
            watches: Vec::new(),
            watch_flag: WatchFlag::default(),
        }
    }

    /// Selects a database.
    pub fn select(&mut self, database: DatabaseId) {
        self.database = database;
        self.handle.database.store(database, Ordering::Relaxed);
    }
}

/// What a session command works on.
pub struct SessionCx<'a> {
    /// Everything shared.
    pub server: &'a Arc<Server>,
    /// The client.
    pub client: &'a mut Client,
    /// The worker's way into the engine. A session handler runs *without* a pass: it may take one with
    /// [`Worker::enter`], or the exclusive one.
    pub worker: &'a mut Worker,
    /// The command's number; subcommands have their own.
    pub command: Command,
    /// Whether EXEC runs it: then nothing can be waited for.
    pub in_exec: bool,
}

impl SessionCx<'_> {
    /// Switches the reply protocol; the reply being written must be switched too.
    pub fn note_proto(&self, proto: Proto) {
        let version = if proto == Proto::Resp3 { 3 } else { 2 };
        self.client.handle.proto.store(version, Ordering::Relaxed);
    }
}
