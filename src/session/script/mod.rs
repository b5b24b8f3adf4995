//! Scripts and functions: where one runs, and how the commands that it calls do: through the executor, like all others.

mod host;
mod judge;
mod machine;
mod samples;
mod stop_at;
#[cfg(test)]
mod tests;
mod within;

use std::sync::Arc;

use smallvec::SmallVec;

use super::call::Call;
use super::cx::WorkerCx;
use super::executor::{Place, Series, exclusive};
use super::monitor;
use crate::client::Client;
use crate::commands::context::{ChangeLibraries, Scripting};
use crate::commands::error::CmdError;
use crate::commands::scripting::Start;
use crate::commands::spec::CmdResult;
use crate::config::values::OnScriptError;
use crate::resp::Reply;
use crate::script::{Outcome, Stop};
use crate::state::{Callee, Script, Server};
use host::Running;

pub use machine::Machine;
pub(super) use within::Within;

/// Where a script's calls run.
pub(super) trait Stage: Series {
    /// The client whose request runs the script.
    fn client_mut(&mut self) -> &mut Client;

    /// Whether a call has needed more than there is here.
    fn has_strayed(&self) -> bool {
        false
    }
}

/// Where a command on scripts runs.
pub(super) trait RunsScripts: Place {
    /// What the worker has.
    fn cx(&self) -> &WorkerCx;

    /// The client whose command it is.
    fn client(&self) -> &Client;

    /// Runs a script for the call, and writes what it answers.
    fn run_script(&mut self, request: (&Call<'_>, &Start<'_>), reply: &mut Reply) -> CmdResult;
}

/// A command on scripts.
pub(super) struct OnScripts<'q, P> {
    pub place: &'q mut P,
    pub call: &'q Call<'q>,
}

impl<P: RunsScripts> Scripting for OnScripts<'_, P> {
    fn server(&self) -> &Arc<Server> {
        &self.place.cx().server
    }

    fn show(&self) {
        monitor::show_first(self.place.cx(), self.place.client(), self.call);
    }

    fn compile(&mut self, script: &Script) -> Result<(), CmdError> {
        let cx = self.place.cx();
        cx.machine.borrow_mut().with_script(&cx.server, script).map(drop)
    }

    fn change_libraries(&mut self, change: ChangeLibraries<'_>) -> CmdResult {
        exclusive(self.place, self.call, |txn| change(txn))
    }

    fn run(&mut self, start: &Start<'_>, reply: &mut Reply) -> CmdResult {
        self.place.run_script((self.call, start), reply)
    }
}

/// Why a script has not come to its end: all that it has done is to be taken back.
pub(super) enum Stopped {
    /// It could not begin.
    Refused(CmdError),
    /// It has raised an error, for which it is to be taken back, or found no memory. That is answered.
    Failed,
    /// Somebody has ended it.
    Killed,
    /// It needs more than there is where it has run.
    Strayed,
}

impl Stopped {
    /// What comes of the call, where it is not run again.
    pub fn into_result(self, start: &Start<'_>) -> CmdResult {
        match self {
            Self::Refused(error) => Err(error),
            Self::Failed => Ok(()),
            Self::Killed | Self::Strayed => {
                let name = &start.callee;
                Err(format!("ERR Script killed by user with SCRIPT KILL... script: {name}").into())
            }
        }
    }
}

/// Runs a script, whose commands run in `place`, as an attempt.
pub(super) fn run<P: Stage>(
    cx: &WorkerCx,
    place: &mut P,
    (call, start): (&Call<'_>, &Start<'_>),
    reply: &mut Reply,
) -> Result<(), Stopped> {
    let mut machine = cx.machine.borrow_mut();
    let made = machine.with(&cx.server, &start.callee).map_err(Stopped::Refused)?;
    let keys: SmallVec<[&[u8]; 8]> = start.given.keys().collect();
    let args: SmallVec<[&[u8]; 8]> = start.given.others().collect();
    // What a script selects is its own.
    let (mark, database) = (reply.mark(), place.client().database);
    made.stint.begin();
    let mut running = Running::new(cx, place, (call, start), made.stint.clone());
    if running.stop_at.is_set() {
        made.vm.interrupter().arm();
    }
    let ran = made.vm.run(start.callee.in_lua(), (&keys, &args), &mut running, reply);
    let errors = std::mem::take(&mut running.errors);
    drop(running);
    made.stint.end();
    machine.tell_bytes(&cx.server, &start.callee);
    place.client_mut().select(database);
    if let Callee::Script(script) = &start.callee {
        cx.server.scripts.note_use(script);
    }
    match ran {
        Ok(Some(outcome)) => {
            let error = reply.error_behind(mark);
            if outcome != Outcome::Returned || error.is_some() {
                note_error(cx, call, error, &errors);
            }
            if is_to_stay(outcome, start) {
                Ok(())
            } else {
                Err(Stopped::Failed)
            }
        }
        Ok(None) => Err(Stopped::Refused(CmdError::text("ERR the script is not compiled"))),
        Err(Stop) if place.has_strayed() => Err(Stopped::Strayed),
        Err(Stop) => Err(Stopped::Killed),
    }
}

/// Whether what a script has done stays. An error that it returns is an answer like any other.
fn is_to_stay(outcome: Outcome, start: &Start<'_>) -> bool {
    match outcome {
        Outcome::Returned => true,
        Outcome::Raised => start.on_error == OnScriptError::Keep,
        Outcome::OutOfMemory => false,
    }
}

/// Counts a call whose script has answered an error; that itself has been counted where a command had answered it.
fn note_error(cx: &WorkerCx, call: &Call<'_>, error: Option<&[u8]>, of_calls: &[Vec<u8>]) {
    let stats = &cx.server.stats;
    if let Some(stats) = stats.command(cx.cell, call.command.id) {
        stats.fail();
    }
    if let Some(error) = error
        && !of_calls.iter().any(|known| error.starts_with(known))
    {
        stats.count_error(error);
        cx.counters.errors.add(1);
    }
}
