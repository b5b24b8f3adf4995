//! A worker's own machine for scripts: made with the first one, it compiles what the worker runs of the shared scripts.

use std::sync::Arc;

use crate::commands::error::CmdError;
use crate::commands::server::REDIS_VERSION;
use crate::script::{Settings, Vm};
use crate::state::{Script, ScriptWatch, Scripts, Server, Stint};

/// So many scripts more than are cached stay compiled; beyond that all are compiled anew.
const STALE_MAX: usize = 500;
/// What values of a worker's scripts may take.
const MEMORY_BYTES_MAX: usize = 1 << 30;
/// See the module.
#[derive(Default)]
pub struct Machine {
    made: Option<Made>,
    /// [`Scripts::flushes`] when it was last asked.
    flushes: u64,
}

pub(super) struct Made {
    pub vm: Vm,
    /// Scripts that it has compiled, flushed and forgotten ones left out.
    compiled: usize,
    /// Tells others for how long its script has been running.
    pub stint: Stint,
    /// What others know of its memory.
    told_bytes: u64,
}

impl Machine {
    /// Lets go of what has been flushed.
    pub fn follow(&mut self, scripts: &Scripts) {
        let flushes = scripts.flushes();
        if std::mem::replace(&mut self.flushes, flushes) != flushes
            && let Some(made) = &mut self.made
        {
            made.forget_all();
        }
    }

    /// The machine, with this script compiled.
    pub(super) fn with(&mut self, server: &Arc<Server>, script: &Script) -> Result<&mut Made, CmdError> {
        self.follow(&server.scripts);
        let made = self.made.get_or_insert_with(|| Made::new(server));
        if !made.vm.has(script.sha) {
            if made.compiled > server.scripts.count() + STALE_MAX {
                made.forget_all();
            }
            let compiled = made.vm.load(script.sha, &script.body);
            compiled.map_err(|error| {
                let before = "ERR Error compiling script (new function): ";
                CmdError::quoting(before, error.message(), usize::MAX, "")
            })?;
            made.compiled += 1;
        }
        Ok(made)
    }
}

impl Made {
    fn new(server: &Arc<Server>) -> Self {
        let vm = Vm::new(Settings {
            memory_bytes_max: MEMORY_BYTES_MAX,
            version: REDIS_VERSION,
        });
        let stint = ScriptWatch::add(server, vm.interrupter());
        Self {
            vm,
            compiled: 0,
            stint,
            told_bytes: 0,
        }
    }

    fn forget_all(&mut self) {
        self.vm.forget_all();
        self.compiled = 0;
    }

    /// Tells others what it takes.
    pub fn tell_bytes(&mut self, scripts: &Scripts) {
        let bytes = self.vm.memory_bytes() as u64;
        scripts.note_machine_bytes(std::mem::replace(&mut self.told_bytes, bytes), bytes);
    }
}
