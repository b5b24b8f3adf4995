//! A worker's own machines, one for scripts and one for functions: each is made with the first one, and compiles what
//! the worker runs of the shared scripts and libraries.
//!
//! **Invariant:** of a library the code is loaded that is the present one: another one is loaded before a function of
//! it runs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::commands::error::CmdError;
use crate::engine::libraries::Library;
use crate::script::Vm;
use crate::state::{Callee, Function, LOAD_AGAIN, MachineBytes, Script, ScriptWatch, Server, Stint};

/// So many scripts more than are cached stay compiled; beyond that all are compiled anew.
const STALE_MAX: usize = 500;

/// See the module.
#[derive(Default)]
pub struct Machine {
    scripts: Option<Made>,
    /// Scripts that it has compiled, flushed and forgotten ones left out.
    compiled: usize,
    /// How often all scripts had been flushed when it was last asked.
    flushes: u64,
    functions: Option<Made>,
    /// The libraries that it has loaded, by their names.
    loaded: HashMap<Box<[u8]>, Arc<Library>>,
    /// The engine's generation when it was last asked.
    generation: u64,
}

pub(super) struct Made {
    pub vm: Vm,
    /// Tells others for how long its script has been running.
    pub stint: Stint,
    /// What others know of its memory.
    told_bytes: u64,
}

impl Machine {
    /// Lets go of what has been flushed, deleted or replaced.
    pub fn follow(&mut self, server: &Server) {
        let flushes = server.scripts.flushes();
        if std::mem::replace(&mut self.flushes, flushes) != flushes {
            self.forget_scripts();
            tell_bytes_of(&mut self.scripts, &server.scripts.machines);
        }
        let generation = server.engine.generation();
        if std::mem::replace(&mut self.generation, generation) != generation && !self.loaded.is_empty() {
            self.forget_stale_libraries(server);
            tell_bytes_of(&mut self.functions, &server.functions.machines);
        }
    }

    fn forget_scripts(&mut self) {
        self.compiled = 0;
        if let Some(made) = &mut self.scripts {
            made.vm.forget_all();
        }
    }

    fn forget_stale_libraries(&mut self, server: &Server) {
        let libraries = Arc::clone(server.engine.registry().libraries());
        let Some(made) = &mut self.functions else { return };
        self.loaded.retain(|name, library| {
            let stays = libraries.get(name).is_some_and(|now| Arc::ptr_eq(now, library));
            if !stays {
                made.vm.forget_library(name);
            }
            stays
        });
        made.vm.collect_garbage();
    }

    /// The machine, with this compiled.
    pub(super) fn with(&mut self, server: &Arc<Server>, callee: &Callee) -> Result<&mut Made, CmdError> {
        match callee {
            Callee::Script(script) => self.with_script(server, script),
            Callee::Function(function) => self.with_function(server, function),
        }
    }

    /// The machine for scripts, with this one compiled.
    pub(super) fn with_script(&mut self, server: &Arc<Server>, script: &Script) -> Result<&mut Made, CmdError> {
        self.follow(server);
        let has = |made: &Made| made.vm.has(script.sha);
        if !self.scripts.as_ref().is_some_and(has) && self.compiled > server.scripts.count() + STALE_MAX {
            self.forget_scripts();
        }
        let settings = server.functions.settings();
        let made = self.scripts.get_or_insert_with(|| Made::new(server, Vm::new(settings)));
        made.vm.set_memory_bytes_max(settings.memory_bytes_max);
        if !has(made) {
            let compiled = made.vm.load(script.sha, &script.body);
            compiled.map_err(|error| {
                let before = "ERR Error compiling script (new function): ";
                CmdError::quoting(before, error.message(), usize::MAX, "")
            })?;
            self.compiled += 1;
            made.tell_bytes(&server.scripts.machines);
        }
        Ok(made)
    }

    /// The machine for functions, with the library of this one loaded.
    fn with_function(&mut self, server: &Arc<Server>, function: &Function) -> Result<&mut Made, CmdError> {
        self.follow(server);
        let settings = server.functions.settings();
        let made = self
            .functions
            .get_or_insert_with(|| Made::new(server, Vm::for_functions(settings)));
        made.vm.set_memory_bytes_max(settings.memory_bytes_max);
        let library = &function.library;
        let loaded = self.loaded.get(&library.name);
        if !loaded.is_some_and(|loaded| Arc::ptr_eq(loaded, library)) {
            self.loaded.remove(&library.name);
            let registered = made.vm.load_library(&library.name, &library.code, LOAD_AGAIN);
            registered.map_err(|error| CmdError::from(format!("ERR {error}")))?;
            self.loaded.insert(library.name.clone(), Arc::clone(library));
        }
        Ok(made)
    }

    /// Tells others what the machine takes that has run this.
    pub(super) fn tell_bytes(&mut self, server: &Server, ran: &Callee) {
        match ran {
            Callee::Script(_) => tell_bytes_of(&mut self.scripts, &server.scripts.machines),
            Callee::Function(_) => tell_bytes_of(&mut self.functions, &server.functions.machines),
        }
    }
}

fn tell_bytes_of(made: &mut Option<Made>, machines: &MachineBytes) {
    if let Some(made) = made {
        made.tell_bytes(machines);
    }
}

impl Made {
    fn new(server: &Arc<Server>, vm: Vm) -> Self {
        let stint = ScriptWatch::add(server, vm.interrupter());
        Self {
            vm,
            stint,
            told_bytes: 0,
        }
    }

    /// Tells others what it takes.
    fn tell_bytes(&mut self, machines: &MachineBytes) {
        let bytes = self.vm.memory_bytes() as u64;
        machines.note(std::mem::replace(&mut self.told_bytes, bytes), bytes);
    }
}
