//! One client's connection: a state machine that its worker drives in turns.
//!
//! A turn receives, runs, settles and sends for all connections that have something to do (`super::hub`). Replies that
//! the client does not take are kept while it goes on sending (a client may pipeline more than the socket buffers hold
//! before it reads), up to its output buffer limit; then it is closed.
//!
//! **Invariants**
//! - Under `fsync = "always"` a batch's replies leave only once all it wrote or read is on disk.
//! - An idle connection holds no buffers; one that waits holds what it has sent, and no more.
//! - In whichever state it is, a connection that is killed ends in the next turn.

mod budget;
mod handshake;
mod meanwhile;
mod news;
mod receive;
mod send;
mod work;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use self::budget::Budget;
use self::handshake::Secured;
use self::receive::Received;
use self::work::Work;
use super::ready::Slot;
use super::socket::Socket;
use crate::client::ClientHandle;
use crate::commands::error::CmdError;
use crate::commands::misconf;
use crate::engine::dependencies::Dependencies;
use crate::engine::worker::unix_ms;
use crate::pubsub::Subscriber;
use crate::resp::{ParserLimits, Reply, RequestParser};
use crate::session::{LateCall, LateReply, Looked, Ran, Session, Waiting, WorkerCx};

/// How long a closing connection waits for some of its last replies to be taken.
const LAST_REPLIES_MAX: Duration = Duration::from_secs(5);

/// What a connection is in the middle of.
enum State {
    /// It agrees with its client on TLS, until then at most.
    Handshaking(Instant),
    /// It waits for requests.
    Reading,
    /// Requests have arrived, and run in this turn or the next.
    Running,
    /// Its replies wait for the log, or until writers may go on; the worker says when they may leave.
    Settling(Ran),
    /// A request waits for something; the run goes on behind it.
    Blocked(Box<Blocked>),
    /// The request that waited has its answer, which is written in this turn or the next, behind what was told before.
    Answered(Box<Answered>),
    /// CLIENT PAUSE holds the next request back, or a want of memory that is about to end.
    Paused(Pin<Box<dyn Future<Output = ()>>>),
    /// The last replies are sent; until then some of them have to be taken.
    Closing(Instant),
}

/// A request that waits.
struct Blocked {
    waiting: Waiting,
    /// The call to account for: work that goes on. `None`: the client is only blocked, and may leave.
    call: Option<LateCall>,
}

/// What a request that waited is answered, and the call to account for.
struct Answered {
    result: Result<LateReply, CmdError>,
    call: Option<LateCall>,
}

/// What a connection needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until it is woken.
    Rest,
    /// To go on after others, since there is much to do.
    Later,
    /// To run.
    Run,
    /// To be dropped.
    End,
}

/// See the module.
pub struct Connection {
    socket: Socket,
    /// What it has beside that, if it speaks TLS.
    tls: Option<Box<Secured>>,
    slot: Arc<Slot>,
    waker: Waker,
    cx: Rc<WorkerCx>,
    handle: Arc<ClientHandle>,
    session: Session,
    parser: RequestParser,
    /// Received and not yet run.
    buf: Vec<u8>,
    state: State,
    /// What the replies of its last run depend on.
    depends_on: Dependencies,
    /// How often it has run.
    run_count: u64,
    /// Some of its requests have been answered in the middle of a turn: what was found out of them before is not of
    /// those that are left.
    has_run_meanwhile: bool,
    work: Option<Work>,
    budget: Budget,
    /// Something may have arrived that no readiness tells of any more.
    is_unread: bool,
    /// Nothing has arrived yet.
    is_new: bool,
    /// The socket has no room for what is to be sent.
    is_stuck: bool,
    /// The server ends: what has been received whole runs, then the connection closes.
    is_ending: bool,
    /// There are messages among what is to be sent that it has not been tried to send.
    has_news: bool,
    /// News that belong behind the answer which its blocked command waits for.
    behind_answer: Option<Box<Reply>>,
}

impl Connection {
    /// A connection over `socket`, which `slot` wakes, and which has this number on its worker; listed as a client
    /// until it is dropped.
    pub fn new(socket: Socket, addresses: [String; 2], (slot, number): (Arc<Slot>, usize), cx: Rc<WorkerCx>) -> Self {
        let server = Arc::clone(&cx.server);
        let waker = Waker::from(Arc::clone(&slot));
        let [addr, laddr] = addresses;
        let handle = ClientHandle::new(
            server.clients.next_id(),
            addr,
            laddr,
            (socket.number(), socket.is_unix()),
            waker.clone(),
            unix_ms(),
        );
        // It is new.
        let _ = handle.seat.set((cx.desk.worker(), number));
        let handle = Arc::new(handle);
        server.clients.add(Arc::clone(&handle));
        let user = server.acl.default_user();
        let authenticated = user.is_open();
        let session = Session::new(Arc::clone(&handle), user, Subscriber::new(Rc::clone(&cx.desk), number));
        let parser = RequestParser::new(ParserLimits {
            authenticated,
            ..ParserLimits::default()
        });
        Self {
            socket,
            tls: None,
            slot,
            waker,
            cx,
            handle,
            session,
            parser,
            buf: Vec::new(),
            state: State::Reading,
            depends_on: Dependencies::default(),
            work: None,
            budget: Budget::default(),
            is_unread: true,
            run_count: 0,
            has_run_meanwhile: false,
            is_new: true,
            is_stuck: false,
            is_ending: false,
            has_news: false,
            behind_answer: None,
        }
    }

    /// It is an administrator's, whom others must not crowd out.
    pub fn spare(&self) {
        self.handle.no_evict.store(true, Ordering::Relaxed);
    }

    /// Its ticket has been taken from the list: what wakes it from here on is noted anew. Not at any other time: while
    /// the ticket is on the list it must not come there twice.
    pub fn rest(&self) {
        self.slot.rest();
    }

    /// Sees what has happened since the last turn, or wants to later.
    pub fn wake_up(&mut self) -> Next {
        let is_later = match self.state {
            State::Reading => self.is_large(),
            State::Handshaking(_) => true,
            _ => false,
        };
        if is_later && !self.is_to_end() {
            return Next::Later;
        }
        self.go_on()
    }

    /// Whether it has been killed.
    pub fn is_to_end(&self) -> bool {
        self.handle.is_killed()
    }

    /// Sees what has happened since it last did. What comes meanwhile is noted, or its ticket is on the list already.
    pub fn go_on(&mut self) -> Next {
        if self.handle.is_killed() {
            return Next::End;
        }
        if self.handle.take_loses_channels() && !self.session.client().may_keep_channels(&self.cx.server.acl) {
            tracing::info!(
                client = self.handle.id,
                "closing: its user may not have all that it has subscribed to"
            );
            self.handle.kill();
            return Next::End;
        }
        match &mut self.state {
            State::Handshaking(_) => self.shake_hands(),
            State::Reading => self.wake_up_reading(),
            State::Running | State::Answered(_) => Next::Run,
            State::Settling(_) => Next::Rest,
            State::Blocked(_) => self.wake_up_blocked(),
            State::Paused(ended) => {
                let ended = ended.as_mut().poll(&mut Context::from_waker(&self.waker));
                self.wake_up_paused(ended.is_ready())
            }
            State::Closing(_) => self.close(),
        }
    }

    /// The server ends; whatever the connection does, it is to be woken.
    pub fn end_soon(&mut self) {
        self.is_ending = true;
        self.waker.wake_by_ref();
    }

    /// Looks after what no event tells of: clients that are idle, or slow for too long.
    pub fn tick(&mut self, now: Instant) -> Next {
        if self.handle.is_killed() {
            return Next::End;
        }
        let is_over = match self.state {
            State::Handshaking(until) if now >= until => return self.time_out(),
            State::Closing(_) => {
                // A socket tells of room only when there is much of it, and a slow reader makes little.
                self.is_stuck = false;
                self.close() == Next::End || matches!(self.state, State::Closing(until) if now >= until)
            }
            State::Reading => self.is_idle_too_long(),
            _ => false,
        };
        if is_over || !self.judge() {
            return Next::End;
        }
        Next::Rest
    }

    fn wake_up_reading(&mut self) -> Next {
        if self.is_stuck && self.send_or_end() == Next::End {
            return Next::End;
        }
        if self.is_ending {
            return self.close();
        }
        match self.receive() {
            Ok(Received::Nothing) => Next::Rest,
            Ok(Received::Bytes) => self.begin_work(),
            Ok(Received::End) => self.close(),
            Err(error) => self.note_error(&error),
        }
    }

    fn wake_up_paused(&mut self, has_ended: bool) -> Next {
        if self.is_ending {
            // What did not run is not acknowledged.
            return self.close();
        }
        if !has_ended {
            if self.has_left() {
                return self.close();
            }
            return self.send_or_end();
        }
        self.state = State::Running;
        Next::Run
    }

    fn wake_up_blocked(&mut self) -> Next {
        let State::Blocked(blocked) = &mut self.state else {
            return Next::Rest;
        };
        let polled = blocked.waiting.as_mut().poll(&mut Context::from_waker(&self.waker));
        let Poll::Ready(result) = polled else {
            // Work that goes on is waited for; a client that is only blocked may leave.
            let is_client_blocked = blocked.call.is_none();
            if is_client_blocked && (self.is_ending || self.has_left()) {
                return self.close();
            }
            return self.send_or_end();
        };
        let call = blocked.call.take();
        self.state = State::Answered(Box::new(Answered { result, call }));
        Next::Run
    }

    /// Writes the answer to a request that has waited.
    fn write_answer(&mut self, answered: Answered) {
        self.session.reply_late(&self.cx, answered.call, answered.result);
        self.release_news();
        self.note_active();
    }

    /// Runs what has arrived; what its replies depend on, and which run it was. Until that is [`settled`](Self::settled)
    /// they do not leave.
    pub fn run(&mut self, looked: Option<&Looked>) -> (Dependencies, u64) {
        let has_run_meanwhile = std::mem::take(&mut self.has_run_meanwhile);
        let looked = looked.filter(|_| !has_run_meanwhile);
        self.run_count += 1;
        if let State::Answered(answered) = std::mem::replace(&mut self.state, State::Running) {
            self.write_answer(*answered);
        }
        let ran = self.run_work(looked);
        self.state = State::Settling(ran);
        let depends_on = self.cx.worker.borrow_mut().take_dependencies();
        self.handle.note_written(depends_on.written);
        self.depends_on = depends_on;
        (depends_on, self.run_count)
    }

    /// Its changes did not reach the log: it is told so, and closed.
    pub fn refuse(&mut self, why: &str) -> Next {
        let reply = self.session.reply();
        reply.clear();
        reply.error_bytes(&misconf::not_logged(&why).bytes());
        self.close()
    }

    /// Whether it waits for what that run owes: it may have been settled while something else went on, and have run again
    /// since.
    pub fn awaits(&self, run: u64) -> bool {
        matches!(self.state, State::Settling(_)) && run == self.run_count
    }

    /// What it has run may be shown: sends the replies, and goes on with what comes behind.
    pub fn settled(&mut self) -> Next {
        let ran = match std::mem::replace(&mut self.state, State::Running) {
            State::Settling(ran) => ran,
            other => {
                self.state = other;
                return Next::Rest;
            }
        };
        if self.handle.is_killed() {
            return Next::End;
        }
        if self.session.reply().is_over_limit() {
            return self.note_over_limit();
        }
        if let Err(error) = self.send() {
            return self.note_error(&error);
        }
        if !self.judge() {
            return Next::End;
        }
        match ran {
            Ran::All => self.end_batch(),
            Ran::Full { next } => {
                if let Some(work) = &mut self.work {
                    work.next = next;
                }
                Next::Later
            }
            Ran::Close => self.close(),
            Ran::Paused { next } => {
                self.keep_from(next);
                let server = Arc::clone(&self.cx.server);
                self.state = State::Paused(Box::pin(async move { server.pause.wait(unix_ms()).await }));
                self.wake_up()
            }
            Ran::Busy { next } => {
                self.keep_from(next);
                let server = Arc::clone(&self.cx.server);
                self.state = State::Paused(Box::pin(async move { server.busy.wait().await }));
                self.wake_up()
            }
            Ran::Short { next } => {
                self.keep_from(next);
                let server = Arc::clone(&self.cx.server);
                let since = self.session.short_since().unwrap_or_else(Instant::now);
                self.state = State::Paused(Box::pin(async move { server.wait_for_memory(since).await }));
                self.wake_up()
            }
            Ran::Waiting { next, waiting, call } => {
                self.keep_from(next);
                self.state = State::Blocked(Box::new(Blocked { waiting, call }));
                self.wake_up()
            }
        }
    }

    /// To be woken for the next turn, although nothing happens.
    pub fn wake_later(&self) {
        self.waker.wake_by_ref();
    }

    /// Sends what is left as long as the client takes some of it now and then, and ends.
    fn close(&mut self) -> Next {
        if self.handle.is_killed() || self.session.reply().is_over_limit() {
            return Next::End;
        }
        let left = self.unsent_bytes();
        let sent = self.send();
        let takes_some = self.unsent_bytes() < left;
        if takes_some || !matches!(self.state, State::Closing(_)) {
            self.state = State::Closing(Instant::now() + LAST_REPLIES_MAX);
        }
        match sent {
            Ok(()) if self.has_unsent() => Next::Rest,
            Ok(()) => {
                self.say_goodbye();
                Next::End
            }
            Err(error) => self.note_error(&error),
        }
    }

    fn send_or_end(&mut self) -> Next {
        if self.session.reply().is_over_limit() {
            return self.note_over_limit();
        }
        match self.send() {
            Ok(()) if self.judge() => Next::Rest,
            Ok(()) => Next::End,
            Err(error) => self.note_error(&error),
        }
    }

    fn note_error(&self, error: &std::io::Error) -> Next {
        tracing::debug!(client = self.handle.id, %error, "connection ended");
        Next::End
    }

    /// The client takes or gives something, though no request runs.
    fn note_active(&self) {
        self.handle.active_ms.store(unix_ms(), Ordering::Relaxed);
    }

    fn is_idle_too_long(&self) -> bool {
        let timeout_s = self.cx.server.params.live().timeout_s();
        let idle_ms = unix_ms().saturating_sub(self.handle.active_ms.load(Ordering::Relaxed));
        let listens = self.handle.is_subscriber() || self.handle.is_monitor.load(Ordering::Relaxed);
        timeout_s > 0 && !listens && idle_ms >= timeout_s.saturating_mul(1000)
    }
}

impl Connection {
    /// Lets go of some of what the session holds in the engine, now that the connection is over; whether that was all.
    pub fn let_go(&mut self) -> bool {
        let is_all = self.session.let_go(&self.cx);
        if !is_all {
            // Nothing else is done for it, and others see it go.
            self.handle.kill();
            self.charge();
        }
        is_all
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Whoever still knows the client hands it nothing more.
        self.handle.mailbox.close();
        // What it waits for is left before what the session holds.
        self.state = State::Reading;
        if let Some(work) = self.work.take() {
            self.cx.give_batch(work.batch);
        }
        self.session.end(&self.cx);
        self.uncharge();
        self.cx.server.clients.remove(self.handle.id);
    }
}
