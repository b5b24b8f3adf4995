//! What a connection is in the middle of: authentication, selected collection, MULTI, WATCH; runs batches.
//!
//! **Invariants**
//! - Requests of a connection run in order, each whole; a batch holds its worker's pass, and gives it up for commands
//!   that need the engine to themselves or that wait.
//! - No file I/O and no waiting inside a batch.

mod account;
mod admit;
mod beside;
mod blocked;
pub mod call;
mod current;
mod exec;
pub mod executor;
mod held;
mod http;
mod prepare;
mod run;

use std::cell::RefCell;
use std::sync::Arc;

use crate::client::{Client, ClientHandle};
use crate::commands::error::CmdError;
use crate::commands::flow::LateReply;
pub use crate::commands::flow::Waiting;
use crate::commands::spec::Table;
use crate::commands::table::table;
use crate::commands::transactions::forget_watches;
use crate::engine::worker::Worker;
use crate::resp::{Batch, Proto, Reply};
use crate::state::Server;
use call::Queue;
pub use current::CurrentCollections;
pub use prepare::{Ahead, Looked};

pub use account::LateCall;
pub use run::CHUNK_REQUESTS;

/// Read buffers a worker keeps for its connections.
const BUFFERS_KEPT: usize = 64;
/// Batches a worker keeps for them.
const BATCHES_KEPT: usize = 64;
/// Larger read buffers are freed rather than kept.
const BUFFER_BYTES_KEPT: usize = 128 * 1024;

/// What the connections of one worker thread share.
pub struct WorkerCx {
    /// Everything shared by all threads.
    pub server: Arc<Server>,
    /// All commands.
    pub commands: &'static Table,
    /// This thread's way into the engine.
    pub worker: RefCell<Worker>,
    /// Collections that clients of this worker have selected.
    pub collections: CurrentCollections,
    /// What has been found out of requests that are about to run.
    ahead: RefCell<Ahead>,
    buffers: RefCell<Vec<Vec<u8>>>,
    batches: RefCell<Vec<Box<Batch>>>,
}

impl WorkerCx {
    /// For a new worker thread.
    pub fn new(server: Arc<Server>, worker: Worker) -> Self {
        Self {
            server,
            commands: table(),
            worker: RefCell::new(worker),
            collections: CurrentCollections::default(),
            ahead: RefCell::default(),
            buffers: RefCell::default(),
            batches: RefCell::default(),
        }
    }

    /// The first stages of the preparation of several connections' requests, all under one pass: `look` asks each.
    pub fn look_ahead(&self, look: impl FnOnce(&mut Ahead)) {
        let (worker, mut ahead) = (self.worker.borrow(), self.ahead.borrow_mut());
        let _pass = worker.enter(&self.server.engine);
        ahead.clear();
        look(&mut ahead);
    }

    /// An empty read buffer.
    pub fn take_buffer(&self) -> Vec<u8> {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives an empty read buffer back.
    pub fn give_buffer(&self, buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < BUFFERS_KEPT && (1..=BUFFER_BYTES_KEPT).contains(&buffer.capacity()) {
            buffers.push(buffer);
        }
    }

    /// An empty batch.
    pub fn take_batch(&self) -> Box<Batch> {
        self.batches.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives a batch back.
    pub fn give_batch(&self, mut batch: Box<Batch>) {
        let mut batches = self.batches.borrow_mut();
        if batches.len() < BATCHES_KEPT {
            batch.clear();
            batches.push(batch);
        }
    }
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
        /// The call to account for when it is done, unless that has been done.
        call: Option<LateCall>,
    },
    /// Replies enough to be sent first; the run goes on at `next`.
    Full {
        /// Where to go on.
        next: usize,
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
    /// Commands that MULTI has queued.
    queue: Queue,
    reply: Reply,
}

impl Session {
    /// A session for a new connection.
    pub fn new(handle: Arc<ClientHandle>, authenticated: bool) -> Self {
        Self {
            client: Client::new(handle, authenticated),
            queue: Queue::default(),
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

    /// Writes the reply of a command that has waited, and accounts for it.
    pub fn reply_late(&mut self, cx: &WorkerCx, call: Option<LateCall>, result: Result<LateReply, CmdError>) {
        if let Some(call) = call {
            let mut worker = cx.worker.borrow_mut();
            worker.refresh_clock();
            call.note(cx, &worker, &self.client.handle);
        }
        let mark = self.reply.mark();
        match result {
            Ok(write) => write(&mut self.reply),
            Err(error) => {
                let text = error.bytes();
                self.reply.error_bytes(&text);
                cx.server.stats.count_error(&text);
                cx.worker.borrow().counters().errors.add(1);
            }
        }
        self.mute(mark);
    }

    /// Lets go of what the session holds in the engine, when its connection ends.
    pub fn end(&mut self, cx: &WorkerCx) {
        if !self.client.watches.is_empty() {
            let engine = &cx.server.engine;
            let pass = cx.worker.borrow().enter(engine);
            forget_watches(engine, &mut self.client, &pass);
        }
    }
}
