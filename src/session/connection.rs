//! One connection's session: its client, MULTI's queue, the replies so far; how its runs end.

use std::sync::Arc;
use std::time::Instant;

use super::account::LateCall;
use super::call::Queue;
use super::cx::WorkerCx;
use crate::acl::{Acl, User};
use crate::client::{Client, ClientHandle};
use crate::commands::error::CmdError;
use crate::commands::flow::{LateCx, LateReply, Waiting};
use crate::commands::pubsub::forget_some_subscriptions;
use crate::commands::transactions::forget_some;
use crate::engine::blocked;
use crate::pubsub::Subscriber;
use crate::resp::{Proto, Reply};

/// How a run over a batch ended.
pub enum Ran {
    /// All requests have run.
    All,
    /// The request before `next` waits; when it is done, its reply is due and the run goes on at `next`.
    Waiting {
        /// Where to go on.
        next: usize,
        /// What is waited for.
        waiting: Waiting,
        /// The call to account for when it is done, unless that has been done.
        call: Option<LateCall>,
    },
    /// It has taken long, or there are replies enough to be sent first; the run goes on at `next`.
    Full {
        /// Where to go on.
        next: usize,
    },
    /// CLIENT PAUSE holds the request at `next` back.
    Paused {
        /// Where to go on.
        next: usize,
    },
    /// The request at `next` waits for the end of a script that keeps everybody out.
    Busy {
        /// Where to go on.
        next: usize,
    },
    /// The request at `next` needs memory, of which more is about to be free.
    Short {
        /// Where to go on.
        next: usize,
    },
    /// The connection is to be closed once the replies are sent; later requests do not run.
    Close,
}

/// One connection's session.
pub struct Session {
    pub(super) client: Client,
    /// Commands that MULTI has queued.
    pub(super) queue: Queue,
    pub(super) reply: Reply,
    /// Since when the next request waits for memory.
    pub(super) short_since: Option<Instant>,
    /// The last run has left requests that arrived with those that ran.
    pub(super) is_cut: bool,
}

impl Session {
    /// A session for a new connection, which begins as this user.
    pub fn new(handle: Arc<ClientHandle>, user: Arc<User>, subscriber: Subscriber) -> Self {
        Self {
            client: Client::new(handle, user, subscriber),
            queue: Queue::default(),
            reply: Reply::new(Proto::Resp2),
            short_since: None,
            is_cut: false,
        }
    }

    /// Replies written so far.
    pub fn reply(&mut self) -> &mut Reply {
        &mut self.reply
    }

    /// The client's state.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Logs the connection in as the user of this name, without a password: whoever calls this has made sure of it.
    /// Whether there is such a user, and it may log in.
    pub fn log_in_as(&mut self, acl: &Acl, name: &[u8]) -> bool {
        let user = acl.user(name).filter(|user| user.is_on());
        let is_there = user.is_some();
        if let Some(user) = user {
            self.client.log_in_as(acl, user);
        }
        is_there
    }

    /// Whether the last run has left requests that arrived with those that ran.
    pub fn take_cut(&mut self) -> bool {
        std::mem::take(&mut self.is_cut)
    }

    /// Since when the next request waits for memory.
    pub fn short_since(&self) -> Option<Instant> {
        self.short_since
    }

    /// Writes the reply of a command that has waited, and accounts for it.
    pub fn reply_late(&mut self, cx: &WorkerCx, call: Option<LateCall>, result: Result<LateReply, CmdError>) {
        let mark = self.reply.mark();
        match result {
            Ok(write) => {
                let mut late = LateCx {
                    server: &cx.server,
                    worker: &cx.worker,
                    has_changed: false,
                };
                write(&mut late, &mut self.reply);
                if late.has_changed {
                    see_to_others(cx);
                }
            }
            Err(error) => {
                let text = error.bytes();
                self.reply.error_bytes(&text);
                cx.server.stats.count_error(&text);
                cx.worker.borrow().counters().errors.add(1);
            }
        }
        if let Some(call) = call {
            let mut worker = cx.worker.borrow_mut();
            worker.refresh_clock();
            call.note(cx, &worker, &self.client.handle, self.reply.bytes_since(mark));
        }
        self.reply.end_request();
        self.client.handle.caching.set_answered(false);
        if self.client.caching_said && self.client.multi.is_none() {
            self.client.end_said();
        }
    }

    /// Lets go of what the session holds in the engine, when its connection ends.
    pub fn end(&mut self, cx: &WorkerCx) {
        while !self.let_go(cx) {}
    }

    /// Lets go of some of it; whether that was all.
    pub fn let_go(&mut self, cx: &WorkerCx) -> bool {
        if !forget_some_subscriptions(&cx.server, &mut self.client) {
            return false;
        }
        if !self.client.forget_some_caching(cx.server.engine.tracking()) {
            return false;
        }
        if self.client.watches.is_empty() {
            return true;
        }
        let engine = &cx.server.engine;
        let pass = cx.worker.borrow().enter(engine);
        forget_some(engine, &mut self.client, &pass)
    }
}

/// Serves and tells those for whom what a request has done late means something.
fn see_to_others(cx: &WorkerCx) {
    let worker = &mut *cx.worker.borrow_mut();
    cx.tell_others(worker);
    if blocked::are_ready(worker) {
        worker.refresh_clock();
        blocked::serve(&cx.server.engine, worker);
    }
    cx.tell_replied(worker);
}
