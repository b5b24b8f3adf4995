//! What a session command works on: the server, and the client whose command it is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::spec::{Command, Table};
use crate::client::Client;
use crate::engine::worker::Worker;
use crate::resp::Proto;
use crate::state::Server;

/// What a session command works on.
pub struct SessionCx<'a> {
    /// Everything shared.
    pub server: &'a Arc<Server>,
    /// All commands.
    pub commands: &'static Table,
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
