//! Where a script's calls run while others run, too: under the locks of the keys that it was given.
//!
//! What needs more than these has strayed: all that the script has done is taken back, and it starts again alone. So it
//! never waits for a lock while it holds others, which is why no deadlock can be.
//!
//! **Invariant:** nothing is touched outside of what is locked.

use std::sync::atomic::Ordering;

use super::Stage;
use crate::client::Client;
use crate::commands::collections::check_collection;
use crate::commands::context::{PublishCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Across, CmdResult, flag};
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::gate::Pass;
use crate::engine::ids::DatabaseId;
use crate::engine::registry::Slot;
use crate::engine::scope::Scope;
use crate::engine::worker::Kit;
use crate::session::call::{Call, Keys};
use crate::session::cx::WorkerCx;
use crate::session::executor::{Place, Series};

/// Never shown: the script starts again.
const STRAYED: CmdError = CmdError::text("ERR the script needs more than the keys that it was given");

/// See the module.
pub(in crate::session) struct Within<'r, 's> {
    pub cx: &'r WorkerCx,
    pub client: &'r mut Client,
    pub scope: &'r mut Scope<'s>,
    pub collection: &'r Collection,
    pub engine: &'r Engine,
    pub pass: &'r Pass<'r>,
    pub has_strayed: bool,
}

impl Within<'_, '_> {
    fn stray<R>(&mut self) -> Result<R, CmdError> {
        self.has_strayed = true;
        Err(STRAYED)
    }

    /// Whether all keys of the call are locked; the scope is ready for it then.
    #[inline]
    fn begin(&mut self, call: &Call<'_>) -> bool {
        let (scope, collection) = (&mut *self.scope, self.collection);
        match call.keys {
            Keys::One { index, .. } => scope.begin_with(collection, call.args.get(index).unwrap_or_default()),
            Keys::Told(_) => call.key_uses().all(|(key, _)| scope.has_locked(collection, key)),
            Keys::Untold(_) => false,
        }
    }
}

impl Series for Within<'_, '_> {
    fn kit(&mut self) -> &mut Kit {
        self.scope.worker()
    }

    fn client(&self) -> &Client {
        self.client
    }
}

impl Stage for Within<'_, '_> {
    fn client_mut(&mut self) -> &mut Client {
        self.client
    }

    fn has_strayed(&self) -> bool {
        self.has_strayed
    }
}

impl Place for Within<'_, '_> {
    fn reader(&self) -> Option<u64> {
        self.client.handle.reader()
    }

    fn on_keys<R>(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool) -> Result<R, CmdError>,
    ) -> Result<R, CmdError> {
        if self.engine.is_restricted() {
            check_collection(self.engine, self.client.database, call.flags_on_selected())?;
        }
        if !self.begin(call) {
            return self.stray();
        }
        let quiet = self.client.handle.no_touch.load(Ordering::Relaxed);
        let result = body(self.scope, self.collection, quiet);
        self.scope.end_with();
        result
    }

    fn across(
        &mut self,
        _: &Call<'_>,
        _: &Across,
        _: impl FnOnce(&mut Scope<'_>, &Slot, &Slot, bool) -> CmdResult,
    ) -> CmdResult {
        self.stray()
    }

    fn on_collection(&mut self, _: &Call<'_>, _: impl FnOnce(&mut Scope<'_>, &Collection) -> CmdResult) -> CmdResult {
        self.stray()
    }

    fn alone(&mut self, _: impl FnOnce(&mut Scope<'_>, DatabaseId) -> CmdResult) -> CmdResult {
        self.stray()
    }

    fn publishing(&mut self, body: impl FnOnce(&PublishCx<'_>) -> CmdResult) -> CmdResult {
        body(&self.cx.publish_cx(self.scope.worker()))
    }

    fn session(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut SessionCx<'_>) -> Result<Flow, CmdError>,
    ) -> Result<Flow, CmdError> {
        if !call.has(flag::TOUCHES_NOTHING) {
            return self.stray();
        }
        body(&mut SessionCx {
            server: &self.cx.server,
            commands: self.cx.commands,
            client: self.client,
            kit: self.scope.worker(),
            pass: self.pass,
            alone: None,
            command: call.command,
        })
    }
}
