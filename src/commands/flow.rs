//! What happens after the handler of a command has returned.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use super::error::CmdError;
use crate::resp::Reply;

/// Writes the reply once what the command waited for is there.
pub type LateReply = Box<dyn FnOnce(&mut Reply)>;

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
