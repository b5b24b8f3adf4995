//! What commands on the connection or the server work on, and those that publish.
//!
//! **Invariant:** a session command runs under a pass, or alone, and has no way to the gate; a maintenance command runs
//! without a pass and has one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::spec::{Command, Table};
use crate::client::Client;
use crate::engine::gate::{ExclusivePass, Pass};
use crate::engine::worker::{Kit, Worker};
use crate::pubsub::{Outlet, PubSub};
use crate::resp::Proto;
use crate::state::Server;

/// What a command that publishes works with.
pub struct PublishCx<'a> {
    /// Who has subscribed to what.
    pub pubsub: &'a PubSub,
    /// How the worker publishes.
    pub outlet: &'a Outlet,
    /// The worker, which knows what has been done before in the same batch.
    pub kit: &'a Kit,
}

/// What a session command works on.
pub struct SessionCx<'a> {
    /// Everything shared.
    pub server: &'a Arc<Server>,
    /// All commands.
    pub commands: &'static Table,
    /// The client.
    pub client: &'a mut Client,
    /// The worker's clock and its way into shards.
    pub kit: &'a mut Kit,
    /// Leave to look into the engine.
    pub pass: &'a Pass<'a>,
    /// The right to work alone, within a transaction.
    pub alone: Option<&'a ExclusivePass<'a>>,
    /// The command's number; subcommands have their own.
    pub command: Command,
}

impl SessionCx<'_> {
    /// Switches the reply protocol; the reply being written must be switched too.
    pub fn note_proto(&self, proto: Proto) {
        let version = if proto == Proto::Resp3 { 3 } else { 2 };
        self.client.handle.proto.store(version, Ordering::Relaxed);
    }
}

/// What a maintenance command works on.
pub struct MaintenanceCx<'a> {
    /// Everything shared.
    pub server: &'a Arc<Server>,
    /// All commands.
    pub commands: &'static Table,
    /// The client.
    pub client: &'a mut Client,
    /// The worker, which may pass the gate, or take it.
    pub worker: &'a mut Worker,
    /// The command's number; subcommands have their own.
    pub command: Command,
}

impl MaintenanceCx<'_> {
    /// Runs what a session command could do, under a pass.
    pub fn as_session<R>(&mut self, body: impl FnOnce(&mut SessionCx<'_>) -> R) -> R {
        let pass = self.worker.enter(&self.server.engine);
        body(&mut SessionCx {
            server: self.server,
            commands: self.commands,
            client: self.client,
            kit: self.worker,
            pass: &pass,
            alone: None,
            command: self.command,
        })
    }
}
