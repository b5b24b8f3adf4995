//! Where a call runs while nobody else does: within a transaction, or called by a script.

use std::sync::atomic::Ordering;

use super::beside::resolve;
use super::call::Call;
use super::cx::WorkerCx;
use super::executor::{Place, Series, two_slots};
use super::script::{self, OnScripts, RunsScripts, Stage};
use crate::client::Client;
use crate::commands::collections::check_collection;
use crate::commands::context::{PublishCx, Scripting, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::scripting::Start;
use crate::commands::spec::{Across, CmdResult};
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::gate::ExclusivePass;
use crate::engine::ids::DatabaseId;
use crate::engine::registry::Slot;
use crate::engine::scope::Scope;
use crate::engine::worker::Kit;
use crate::resp::Reply;

/// See the module.
pub(super) struct Alone<'r> {
    pub cx: &'r WorkerCx,
    pub client: &'r mut Client,
    pub kit: &'r mut Kit,
    pub engine: &'r Engine,
    pub gate: &'r ExclusivePass<'r>,
}

impl Alone<'_> {
    /// SELECT within the transaction may have led to a collection that takes no changes.
    fn check(&self, call: &Call<'_>) -> CmdResult {
        check_collection(self.engine, self.client.database, call.flags_on_selected())
    }

    fn quiet(&self) -> bool {
        self.client.handle.no_touch.load(Ordering::Relaxed)
    }
}

impl Series for Alone<'_> {
    fn kit(&mut self) -> &mut Kit {
        self.kit
    }

    fn client(&self) -> &Client {
        self.client
    }
}

impl Stage for Alone<'_> {
    fn client_mut(&mut self) -> &mut Client {
        self.client
    }
}

impl Place for Alone<'_> {
    fn reader(&self) -> Option<u64> {
        self.client.handle.reader()
    }

    fn on_keys<R>(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool) -> Result<R, CmdError>,
    ) -> Result<R, CmdError> {
        self.check(call)?;
        let quiet = self.quiet();
        let collection = resolve(self.cx, self.client.database)?;
        let mut scope = Scope::exclusive(self.engine, self.kit, self.gate);
        body(&mut scope, &collection, quiet)
    }

    fn across(
        &mut self,
        call: &Call<'_>,
        across: &Across,
        body: impl FnOnce(&mut Scope<'_>, &Slot, &Slot, bool) -> CmdResult,
    ) -> CmdResult {
        let quiet = self.quiet();
        let (source, target) = two_slots(self.engine, self.client.database, call, across)?;
        let mut scope = Scope::exclusive(self.engine, self.kit, self.gate);
        body(&mut scope, &source, &target, quiet)
    }

    fn on_collection(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection) -> CmdResult,
    ) -> CmdResult {
        self.check(call)?;
        let collection = resolve(self.cx, self.client.database)?;
        let mut scope = Scope::exclusive(self.engine, self.kit, self.gate);
        body(&mut scope, &collection)
    }

    fn alone(&mut self, body: impl FnOnce(&mut Scope<'_>, DatabaseId) -> CmdResult) -> CmdResult {
        let mut scope = Scope::exclusive(self.engine, self.kit, self.gate);
        body(&mut scope, self.client.database)
    }

    fn publishing(&mut self, body: impl FnOnce(&PublishCx<'_>) -> CmdResult) -> CmdResult {
        body(&self.cx.publish_cx(self.kit))
    }

    fn session(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut SessionCx<'_>) -> Result<Flow, CmdError>,
    ) -> Result<Flow, CmdError> {
        let pass = self.gate.as_pass();
        body(&mut SessionCx {
            server: &self.cx.server,
            commands: self.cx.commands,
            client: self.client,
            kit: self.kit,
            pass: &pass,
            alone: Some(self.gate),
            command: call.command,
        })
    }

    fn scripting(&mut self, call: &Call<'_>, body: impl FnOnce(&mut dyn Scripting) -> CmdResult) -> CmdResult {
        body(&mut OnScripts { place: self, call })
    }
}

impl RunsScripts for Alone<'_> {
    fn cx(&self) -> &WorkerCx {
        self.cx
    }

    fn client(&self) -> &Client {
        self.client
    }

    fn run_script(&mut self, request: (&Call<'_>, &Start<'_>), reply: &mut Reply) -> CmdResult {
        let (cx, engine, gate) = (self.cx, self.engine, self.gate);
        let client = &mut *self.client;
        let ran = Scope::exclusive(engine, self.kit, gate).attempt(|scope| {
            let kit = scope.worker();
            let mut place = Alone {
                cx,
                client,
                kit,
                engine,
                gate,
            };
            script::run(cx, &mut place, request, reply)
        });
        ran.or_else(|stopped| stopped.into_result(request.1))
    }
}
