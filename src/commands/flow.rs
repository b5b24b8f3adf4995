//! What happens after the handler of a command has returned.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::error::CmdError;
use crate::engine::worker::Worker;
use crate::resp::Reply;
use crate::state::Server;

/// What a reply is written with once what the command waited for is there.
pub struct LateCx<'a> {
    /// Everything shared.
    pub server: &'a Arc<Server>,
    /// The connection's worker, for what is still to be done.
    pub worker: &'a RefCell<Worker>,
    /// Whether that has changed something: others are told, and served.
    pub has_changed: bool,
}

/// Writes the reply once what the command waited for is there.
pub type LateReply = Box<dyn FnOnce(&mut LateCx<'_>, &mut Reply)>;

/// Answers that it is done.
pub fn late_ok(_: &mut LateCx<'_>, reply: &mut Reply) {
    reply.ok();
}

/// Something the connection waits for before it goes on; other connections of the worker go on meanwhile.
pub type Waiting = Pin<Box<dyn Future<Output = Result<LateReply, CmdError>>>>;

/// What becomes of a transaction when one of its commands fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The others run, as in Redis.
    GoOn,
    /// All of it is taken back.
    RollBack,
}

/// See the module. `W` is what may be waited for: nothing, unless the handler's type says so.
pub enum Flow<W = Infallible> {
    /// The reply is written; go on.
    Done,
    /// The reply is written; close the connection after it is sent.
    Close,
    /// Run the queued transaction.
    Exec(OnError),
    /// Wait for work that the command has started, then write the reply. The time counts as the command's.
    Later(W),
    /// Wait for somebody else or for a time, then write the reply. The time is the client's, not the command's.
    Blocked(W),
}

impl Flow {
    /// The same where others may wait.
    pub fn may_wait(self) -> Flow<Waiting> {
        match self {
            Self::Done => Flow::Done,
            Self::Close => Flow::Close,
            Self::Exec(on_error) => Flow::Exec(on_error),
            Self::Later(never) | Self::Blocked(never) => match never {},
        }
    }
}
