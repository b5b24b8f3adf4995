//! Scripts: where one runs, and how the commands that it calls do: through the executor, like all others.

mod host;
mod judge;
mod machine;

use smallvec::SmallVec;

use super::alone::Alone;
use super::call::Call;
use super::cx::WorkerCx;
use crate::commands::error::CmdError;
use crate::commands::scripting::Start;
use crate::commands::spec::CmdResult;
use crate::resp::Reply;
use crate::script::{Outcome, Stop};
use crate::state::Script;
use host::Running;

pub use machine::Machine;

/// Compiles a script for this worker.
pub(super) fn compile(cx: &WorkerCx, script: &Script) -> Result<(), CmdError> {
    cx.machine.borrow_mut().with(&cx.server, script).map(drop)
}

/// Runs a script, whose commands run in `place`, within a transaction.
pub(super) fn run(place: &mut Alone<'_>, call: &Call<'_>, start: &Start<'_>, reply: &mut Reply) -> CmdResult {
    let cx = place.cx;
    let mut machine = cx.machine.borrow_mut();
    let made = machine.with(&cx.server, &start.script)?;
    let keys: SmallVec<[&[u8]; 8]> = start.given.keys().collect();
    let args: SmallVec<[&[u8]; 8]> = start.given.others().collect();
    // What a script selects is its own.
    let database = place.client.database;
    let mark = reply.mark();
    made.stint.begin();
    let mut running = Running::new(place, call, start, made.stint.clone());
    let ran = made.vm.run(start.script.sha, &keys, &args, &mut running, reply);
    let errors = std::mem::take(&mut running.errors);
    drop(running);
    made.stint.end();
    made.tell_bytes(&cx.server.scripts);
    place.client.select(database);
    cx.server.scripts.note_use(&start.script);
    match ran {
        Ok(Some(outcome)) => {
            let is_error = outcome == Outcome::Raised || reply.error_behind(mark).is_some();
            if is_error {
                note_error(place, call, reply.error_behind(mark), &errors);
            }
            Ok(())
        }
        Ok(None) => Err(CmdError::text("ERR the script is not compiled")),
        Err(Stop) => Err(killed(start)),
    }
}

fn killed(start: &Start<'_>) -> CmdError {
    let sha = start.script.sha;
    format!("ERR Script killed by user with SCRIPT KILL... script: {sha}").into()
}

/// Counts a call whose script has answered an error; that itself has been counted where a command had answered it.
fn note_error(place: &Alone<'_>, call: &Call<'_>, error: Option<&[u8]>, of_calls: &[Vec<u8>]) {
    let stats = &place.cx.server.stats;
    if let Some(stats) = stats.command(place.kit.cell(), call.command.id) {
        stats.fail();
    }
    if let Some(error) = error
        && !of_calls.iter().any(|known| error.starts_with(known))
    {
        stats.count_error(error);
        place.kit.counters().errors.add(1);
    }
}
