//! What other threads may see of a client, and ask of it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};

use super::caching::Caching;
use super::ending::{Ending, Unblocked, Waiter};
use super::mailbox::Mailbox;
use crate::acl::UserId;
use crate::lsn::Lsn;
use crate::pubsub::{TopicKind, WorkerNo};

/// What a connection costs that holds nothing.
const CONNECTION_BYTES: u64 = 2048;

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
    labels: Mutex<Labels>,
    /// Who it is; `None` before it is anybody.
    user: Mutex<Option<Arc<UserId>>>,
    /// It has to see whether it may have its subscriptions.
    loses_channels: AtomicBool,
    /// Selected database.
    pub database: AtomicU32,
    /// Commands queued by MULTI; -1 outside.
    pub queued: AtomicI64,
    /// Keys watched.
    pub watched: AtomicU32,
    /// Subscriptions, by the place of their kind in `TopicKind::ALL`.
    pub subscriptions: [AtomicU32; TopicKind::ALL.len()],
    /// Protocol version, 2 or 3.
    pub proto: AtomicU8,
    /// MONITOR.
    pub is_monitor: AtomicBool,
    /// CLIENT CAPA redirect.
    pub follows_redirects: AtomicBool,
    /// CLIENT NO-EVICT.
    pub no_evict: AtomicBool,
    /// CLIENT NO-TOUCH.
    pub no_touch: AtomicBool,
    /// Client-side caching.
    pub caching: Caching,
    /// Its worker, and its connection's number there.
    pub seat: OnceLock<(WorkerNo, usize)>,
    /// The last command's number in the table, plus one; 0 = none.
    pub last_command: AtomicU32,
    /// What it has sent and has not run, an argument that is still arriving included.
    pub query_bytes: AtomicU64,
    /// Free bytes in the query buffer.
    pub query_free_bytes: AtomicU64,
    /// Bytes of replies waiting to be sent.
    pub output_bytes: AtomicU64,
    /// What the calls take that MULTI has queued.
    pub queued_bytes: AtomicU64,
    /// What its session keeps beside requests and replies: names, watched keys, keys that it is blocked at.
    kept_bytes: AtomicU64,
    /// What of the sum over all clients is its own.
    pub(super) charged_bytes: AtomicU64,
    /// Commands executed.
    pub commands: AtomicU64,
    /// Bytes that it has sent, all told; its connection alone counts them.
    pub received_bytes: AtomicU64,
    /// Bytes that it has been sent, likewise.
    pub sent_bytes: AtomicU64,
    /// The last record that it has written; 0 = none.
    written_lsn: AtomicU64,
    /// What others hand to its connection; closed once it has been killed.
    pub mailbox: Mailbox,
    /// The end of what it waits for, or waited for last.
    ending: Mutex<Option<Arc<Ending>>>,
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

impl Labels {
    fn bytes(&self) -> u64 {
        (self.name.len() + self.lib_name.len() + self.lib_version.len()) as u64
    }
}

impl ClientHandle {
    /// Its number, if it is told when keys change that it reads now.
    #[inline]
    pub fn reader(&self) -> Option<u64> {
        self.caching.remembers().then_some(self.id)
    }

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
            user: Mutex::default(),
            loses_channels: AtomicBool::new(false),
            database: AtomicU32::new(0),
            queued: AtomicI64::new(-1),
            watched: AtomicU32::new(0),
            subscriptions: Default::default(),
            proto: AtomicU8::new(2),
            is_monitor: AtomicBool::new(false),
            follows_redirects: AtomicBool::new(false),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            caching: Caching::default(),
            seat: OnceLock::new(),
            last_command: AtomicU32::new(0),
            query_bytes: AtomicU64::new(0),
            query_free_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            queued_bytes: AtomicU64::new(0),
            kept_bytes: AtomicU64::new(0),
            charged_bytes: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            written_lsn: AtomicU64::new(0),
            mailbox: Mailbox::new(waker),
            ending: Mutex::default(),
        }
    }

    /// What its connection holds, as it was last told.
    pub fn held_bytes(&self) -> u64 {
        CONNECTION_BYTES
            + self.query_bytes.load(Ordering::Relaxed)
            + self.query_free_bytes.load(Ordering::Relaxed)
            + self.output_bytes.load(Ordering::Relaxed)
            + self.queued_bytes.load(Ordering::Relaxed)
            + self.kept_bytes()
            + self.mailbox.held_bytes()
    }

    /// It, or who served it while it was blocked, has written this record, if any.
    #[inline]
    pub fn note_written(&self, written: Lsn) {
        if written > Lsn::ZERO {
            self.written_lsn.fetch_max(written.get(), Ordering::Relaxed);
        }
    }

    /// The last record that it has written; 0 = none.
    pub fn written_lsn(&self) -> Lsn {
        Lsn::new(self.written_lsn.load(Ordering::Relaxed))
    }

    /// What its session keeps beside requests and replies.
    pub fn kept_bytes(&self) -> u64 {
        self.kept_bytes.load(Ordering::Relaxed)
    }

    /// Its session keeps so much more.
    pub fn keep(&self, bytes: u64) {
        self.kept_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Its session has let go of so much that it [kept](Self::keep).
    pub fn let_go(&self, bytes: u64) {
        self.kept_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Its connection has received and sent so many bytes more.
    pub fn note_traffic(&self, received: u64, sent: u64) {
        for (total, more) in [(&self.received_bytes, received), (&self.sent_bytes, sent)] {
            if more > 0 {
                total.store(total.load(Ordering::Relaxed) + more, Ordering::Relaxed);
            }
        }
    }

    /// Who it is.
    pub fn user(&self) -> Option<Arc<UserId>> {
        self.user.lock().clone()
    }

    pub(super) fn set_user(&self, user: Arc<UserId>) {
        *self.user.lock() = Some(user);
    }

    /// Has its connection see whether it may have its subscriptions, from any thread.
    pub fn check_channels(&self) {
        self.loses_channels.store(true, Ordering::Release);
        self.mailbox.wake();
    }

    /// Whether it has to, since it was last asked.
    #[inline]
    pub fn take_loses_channels(&self) -> bool {
        self.loses_channels.load(Ordering::Acquire) && self.loses_channels.swap(false, Ordering::AcqRel)
    }

    /// Name, library name and version as it gave them.
    pub fn labels(&self) -> MutexGuard<'_, Labels> {
        self.labels.lock()
    }

    /// Changes them.
    pub fn relabel(&self, change: impl FnOnce(&mut Labels)) {
        let mut labels = self.labels.lock();
        let before = labels.bytes();
        change(&mut labels);
        self.keep(labels.bytes());
        self.let_go(before);
    }

    /// A command is about to block; CLIENT UNBLOCK reaches it as long as the waiter lives.
    pub fn block(&self) -> Waiter {
        let (ending, waiter) = Ending::begin();
        *self.ending.lock() = Some(ending);
        waiter
    }

    /// Whether a blocking command is waiting.
    pub fn is_blocked(&self) -> bool {
        self.ending.lock().as_ref().is_some_and(|ending| ending.is_open())
    }

    /// Ends a blocking command; whether this did.
    pub fn unblock(&self, how: Unblocked) -> bool {
        // Not while it is held: a wait that is being served takes as long as its command does.
        let ending = self.ending.lock().clone();
        ending.is_some_and(|ending| ending.unblock(how))
    }

    /// How many subscriptions of a kind it has.
    pub fn subscription_count(&self, kind: TopicKind) -> u32 {
        let told = self.subscriptions.get(kind.index());
        told.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Whether it has any subscription.
    pub fn is_subscriber(&self) -> bool {
        self.subscriptions.iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Closes the connection, from any thread.
    pub fn kill(&self) {
        self.mailbox.kill();
    }

    /// Whether it was killed.
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.mailbox.is_closed()
    }
}
