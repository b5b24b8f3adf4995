//! What a connection is in the middle of: authentication, selected collection, MULTI, WATCH; runs batches.
//!
//! **Invariants**
//! - Requests of a connection run in order, each whole; a batch holds its worker's pass, and gives it up for commands
//!   that need the engine to themselves or that wait.
//! - No file I/O and no waiting inside a batch.

mod admit;
mod current;
mod exec;
mod run;

use std::cell::RefCell;
use std::sync::Arc;

use crate::commands::context::{Client, ClientHandle, Server};
use crate::commands::flow::Waiting;
use crate::engine::worker::Worker;
use crate::resp::{Proto, Reply};
use current::Current;

pub use run::CHUNK_REQUESTS;

/// What the connections of one worker thread share.
pub struct WorkerCx {
    /// Everything shared by all threads.
    pub server: Arc<Server>,
    /// This thread's way into the engine.
    pub worker: RefCell<Worker>,
}

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
    },
    /// CLIENT PAUSE holds the request at `next` back.
    Paused {
        /// Where to go on.
        next: usize,
    },
    /// The connection is to be closed once the replies are sent; later requests do not run.
    Close,
}

/// One connection's session.
pub struct Session {
    client: Client,
    current: Current,
    reply: Reply,
}

impl Session {
    /// A session for a new connection.
    pub fn new(handle: Arc<ClientHandle>, authenticated: bool) -> Self {
        Self {
            client: Client::new(handle, authenticated),
            current: Current::default(),
            reply: Reply::new(Proto::Resp2),
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

    /// Lets go of what the session holds in the engine, when its connection ends.
    pub fn end(&mut self, cx: &WorkerCx) {
        let mut worker = cx.worker.borrow_mut();
        crate::commands::transactions::unwatch_all(&cx.server, &mut self.client, &mut worker);
    }
}
