//! The functions of all libraries: what is known of them without running them.
//!
//! The libraries are data, of which the engine knows name and code. Which functions one has is found by loading it,
//! once for all workers, in a Lua of its own that is thrown away; each worker loads those that it calls once more, for
//! itself.
//!
//! **Invariant:** a catalogue is never changed. It stands for as long as the libraries of its number of changes do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::scripts::{MachineBytes, Needs, ScriptFlags};
use crate::config::params::Params;
use crate::engine::Engine;
use crate::engine::libraries::{Libraries, Library};
use crate::script::{LOAD_MAX, LoadError, Loader, Registered, Settings, Vm};

/// For how long a library may load that has been loaded before, maybe by another server.
const RELOAD_MAX: Duration = Duration::from_secs(10);
/// What a function takes beside its name and its description.
const FUNCTION_BYTES: u64 = size_of::<Function>() as u64 + 64;

/// A function.
pub struct Function {
    /// Its name, as its library gives it.
    pub name: Vec<u8>,
    /// What it says of itself.
    pub description: Option<Vec<u8>>,
    /// What it may do.
    pub flags: ScriptFlags,
    /// Where it is from.
    pub library: Arc<Library>,
    /// Where it has to run.
    pub needs: Needs,
}

/// A library, with what it has registered.
#[derive(Clone)]
pub struct Known {
    /// The library.
    pub library: Arc<Library>,
    /// Its functions; none if it could not be loaded.
    pub functions: Arc<[Arc<Function>]>,
}

/// Loads libraries to see what is in them.
pub struct Examiner(Vm);

impl Examiner {
    /// One with a Lua of its own.
    pub fn new(settings: Settings) -> Self {
        Self(Vm::for_functions(settings))
    }

    /// A library that is loaded for the first time.
    ///
    /// # Errors
    /// When it is none.
    pub fn examine(&mut self, library: Arc<Library>) -> Result<Known, LoadError> {
        let loader = Loader {
            limit: LOAD_MAX,
            is_quiet: false,
            ..LOAD_AGAIN
        };
        self.load(library, loader)
    }

    /// A library that was loaded before. If it can't be now, nothing is known of it.
    fn again(&mut self, library: &Arc<Library>) -> Known {
        self.load(Arc::clone(library), LOAD_AGAIN).unwrap_or_else(|error| {
            let name = String::from_utf8_lossy(&library.name);
            tracing::error!(library = %name, %error, "a library cannot be loaded: its functions are missing");
            Known {
                library: Arc::clone(library),
                functions: Arc::default(),
            }
        })
    }

    fn load(&mut self, library: Arc<Library>, loader: Loader) -> Result<Known, LoadError> {
        let registered = self.0.load_library(&library.name, &library.code, loader)?;
        self.0.forget_library(&library.name);
        Ok(Known::of(library, registered))
    }
}

impl Known {
    fn of(library: Arc<Library>, registered: Vec<Registered>) -> Self {
        let functions = registered.into_iter().map(|function| {
            let mut flags = ScriptFlags::default();
            for flag in &function.flags {
                flags.set(flag);
            }
            Arc::new(Function {
                name: function.name,
                description: function.description,
                flags,
                library: Arc::clone(&library),
                needs: Needs::of(&library.code),
            })
        });
        Self {
            functions: functions.collect(),
            library,
        }
    }

    fn is_of(&self, library: &Arc<Library>) -> bool {
        Arc::ptr_eq(&self.library, library) || self.library == *library
    }
}

/// How a worker loads what has been loaded before.
pub const LOAD_AGAIN: Loader = Loader {
    is_flag: ScriptFlags::is_flag,
    limit: RELOAD_MAX,
    is_quiet: true,
};

/// All functions at some moment.
#[derive(Default)]
pub struct Catalogue {
    /// Those of the libraries.
    changes: u64,
    libraries: Vec<Known>,
    /// By their names in small letters.
    functions: HashMap<Vec<u8>, Arc<Function>>,
    bytes: u64,
}

impl Catalogue {
    /// Of these libraries, some of which `before` or `examined` know, both in the order of names.
    fn of(libraries: &Libraries, (before, examined): (&[Known], &[Known]), settings: Settings) -> Self {
        let known = |library: &Arc<Library>, known| find(known, &library.name).filter(|known| known.is_of(library));
        let found = |library| known(library, before).or_else(|| known(library, examined)).cloned();
        let mut examiner = None;
        let mut again = |library| examiner.get_or_insert_with(|| Examiner::new(settings)).again(library);
        let mut catalogue = Self {
            changes: libraries.changes(),
            libraries: libraries
                .iter()
                .map(|library| found(library).unwrap_or_else(|| again(library)))
                .collect(),
            functions: HashMap::new(),
            bytes: libraries.bytes(),
        };
        for function in catalogue.libraries.iter().flat_map(|known| known.functions.iter()) {
            let description = function.description.as_ref().map_or(0, Vec::len);
            catalogue.bytes += FUNCTION_BYTES + (2 * function.name.len() + description) as u64;
            let name = function.name.to_ascii_lowercase();
            catalogue.functions.entry(name).or_insert_with(|| Arc::clone(function));
        }
        catalogue
    }

    /// The function of this name, in whichever letters.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Function>> {
        if name.iter().any(u8::is_ascii_uppercase) {
            return self.functions.get(&name.to_ascii_lowercase());
        }
        self.functions.get(name)
    }

    /// The library of this name.
    pub fn library(&self, name: &[u8]) -> Option<&Known> {
        find(&self.libraries, name)
    }

    /// All libraries, in the order of their names.
    pub fn libraries(&self) -> &[Known] {
        &self.libraries
    }

    /// How many functions there are.
    pub fn count(&self) -> usize {
        self.functions.len()
    }

    /// What libraries and functions take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The library of this name among some in the order of names.
fn find<'k>(known: &'k [Known], name: &[u8]) -> Option<&'k Known> {
    let at = known.binary_search_by(|known| (*known.library.name).cmp(name));
    known.get(at.ok()?)
}

/// A catalogue, and until when it stands.
#[derive(Default)]
struct Current {
    catalogue: Arc<Catalogue>,
    /// [`Engine::generation`] when it was last looked at.
    generation: u64,
}

/// See the module.
pub struct Functions {
    params: Arc<Params>,
    /// Redis's version that scripts and functions are told.
    version: &'static str,
    current: Mutex<Current>,
    /// What values take in the machines of all workers.
    pub machines: MachineBytes,
}

impl Functions {
    /// None yet.
    pub fn new(params: Arc<Params>, version: &'static str) -> Self {
        Self {
            params,
            version,
            current: Mutex::default(),
            machines: MachineBytes::default(),
        }
    }

    /// What Lua is made with now.
    pub fn settings(&self) -> Settings {
        let bytes_max = self.params.live().script_bytes_max();
        Settings {
            memory_bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
            version: self.version,
        }
    }

    /// All functions as they are now. Whoever asks has a pass, or is content with what was there a moment ago.
    pub fn now(&self, engine: &Engine) -> Arc<Catalogue> {
        self.after(engine, &[])
    }

    /// All functions as they are now, where libraries may have been put of which `examined` tells, in the order of
    /// names.
    pub fn after(&self, engine: &Engine, examined: &[Known]) -> Arc<Catalogue> {
        let generation = engine.generation();
        let current = &mut *self.current.lock();
        if std::mem::replace(&mut current.generation, generation) != generation {
            let libraries = Arc::clone(engine.registry().libraries());
            if current.catalogue.changes != libraries.changes() {
                let known = (current.catalogue.libraries.as_slice(), examined);
                current.catalogue = Arc::new(Catalogue::of(&libraries, known, self.settings()));
            }
        }
        Arc::clone(&current.catalogue)
    }

    /// All functions as they were when they were last looked at.
    pub fn last(&self) -> Arc<Catalogue> {
        Arc::clone(&self.current.lock().catalogue)
    }
}
