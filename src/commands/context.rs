//! What commands on the connection or the server work on, and those that publish.
//!
//! **Invariant:** a session command runs under a pass, or alone, and has no way to the gate; a maintenance command runs
//! without a pass and has one.

use std::sync::Arc;

use super::error::CmdError;
use super::scripting::Start;
use super::spec::{CmdResult, Command, Table};
use crate::client::Client;
use crate::engine::gate::{ExclusivePass, Pass};
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::worker::{Kit, Worker};
use crate::pubsub::{Outlet, PubSub};
use crate::resp::Reply;
use crate::state::{Script, Server};

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

/// What a command works with while a script keeps everybody out.
pub struct BusyCx<'a> {
    /// Everything shared.
    pub server: &'a Arc<Server>,
    /// All commands.
    pub commands: &'static Table,
    /// The client.
    pub client: &'a mut Client,
}

/// A change of the libraries of functions.
pub type ChangeLibraries<'c> = &'c mut dyn FnMut(&mut ExclusiveTxn<'_, '_>) -> CmdResult;

/// What a command on scripts works with.
pub trait Scripting {
    /// Everything shared.
    fn server(&self) -> &Arc<Server>;

    /// Shows the request to the clients in MONITOR, before what the script calls.
    fn show(&self);

    /// Compiles a script, unless that has been done.
    ///
    /// # Errors
    /// When it is no script, or there is no memory for it.
    fn compile(&mut self, script: &Script) -> Result<(), CmdError>;

    /// Changes the libraries of functions, while nobody else runs.
    ///
    /// # Errors
    /// Those of the change.
    fn change_libraries(&mut self, change: ChangeLibraries<'_>) -> CmdResult;

    /// Runs a script or a function, whose answer is written to `reply`.
    ///
    /// # Errors
    /// When it could not run, or was ended.
    fn run(&mut self, start: &Start<'_>, reply: &mut Reply) -> CmdResult;
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
