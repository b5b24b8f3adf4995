//! What happens after a session command's handler.

use std::future::Future;
use std::pin::Pin;

use super::error::CmdError;
use crate::resp::Reply;

/// Writes the reply once what the command waited for is there.
pub type LateReply = Box<dyn FnOnce(&mut Reply)>;

/// Something the connection waits for before it goes on; other connections of the worker go on meanwhile.
pub type Waiting = Pin<Box<dyn Future<Output = Result<LateReply, CmdError>>>>;

/// See the module.
pub enum Flow {
    /// The reply is written; go on.
    Done,
    /// The reply is written; close the connection after it is sent.
    Close,
    /// Run the queued transaction.
    Exec,
    /// Wait for work that the command has started, then write the reply. The time counts as the command's.
    Wait(Waiting),
    /// Wait for somebody else or for a time, then write the reply. The time is the client's, not the command's.
    Block(Waiting),
}
