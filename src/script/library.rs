//! Libraries of functions: their code runs once, when it is loaded, and registers functions, which are kept and called.
//!
//! All code of libraries has the same globals, a view. While a library is loaded it shows little more than
//! `redis.register_function`; when a function is called it shows what scripts find, but for `KEYS` and `ARGV`, which
//! functions are given as arguments.
//!
//! **Invariant:** a library whose loading fails leaves nothing behind.

use super::api::{self, Whose};
use super::host::{Host, LogLevel, Stop};
use super::loading::{Loading, Registered};
use super::lua::{Ended, Kept, Kind, Stack};
use super::sandbox;
use super::vm::{Vm, without_shebang};
use crate::resp::{Args, Reply};
use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

/// For how long a library may load.
pub const LOAD_MAX: Duration = Duration::from_millis(500);

/// Why a library was not loaded.
#[derive(Debug, PartialEq, Eq)]
pub enum LoadError {
    /// It is not Lua.
    Compile(Vec<u8>),
    /// It has raised an error, or run for too long.
    Register(Vec<u8>),
    /// It has no function.
    Empty,
}

impl LoadError {
    /// What it says before the message, if it has one.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Self::Compile(_) => "Error compiling function: ",
            Self::Register(_) => "Error registering functions: ",
            Self::Empty => "No functions registered",
        }
    }

    /// What Lua says of it, if it does.
    #[must_use]
    pub fn message(&self) -> Option<&[u8]> {
        match self {
            Self::Compile(message) | Self::Register(message) => Some(message),
            Self::Empty => None,
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = String::from_utf8_lossy(self.message().unwrap_or_default());
        write!(f, "{}{message}", self.what())
    }
}

impl std::error::Error for LoadError {}

/// How libraries are loaded.
#[derive(Clone, Copy, Debug)]
pub struct Loader {
    /// Whether there is a flag with this name, in small letters.
    pub is_flag: fn(&[u8]) -> bool,
    /// For how long one may run.
    pub limit: Duration,
    /// What they log is dropped: it has been logged before.
    pub is_quiet: bool,
}

/// The libraries of a [`Vm`].
#[derive(Debug)]
pub(super) struct Libraries {
    /// What their code has as globals.
    globals: Kept,
    /// What that shows while one is loaded, and when a function runs.
    loading: Kept,
    running: Kept,
    /// Functions by the names of their library and, in small letters, their own.
    loaded: HashMap<Vec<u8>, HashMap<Vec<u8>, Kept>>,
}

impl Libraries {
    pub(super) fn get(&self, library: &[u8], function: &[u8]) -> Option<&Kept> {
        let functions = self.loaded.get(library)?;
        if function.iter().any(u8::is_ascii_uppercase) {
            return functions.get(&function.to_ascii_lowercase());
        }
        functions.get(function)
    }
}

/// The host of a library that is being loaded.
struct Hurry {
    until: Option<Instant>,
    is_quiet: bool,
}

impl Host for Hurry {
    /// Nothing that could call is within reach.
    fn call(&mut self, _: Args<'_>, _: &mut Reply) -> Result<(), Stop> {
        Err(Stop)
    }

    fn log(&mut self, level: LogLevel, message: &[u8]) {
        if !self.is_quiet {
            level.log(message);
        }
    }

    fn acl_check(&mut self, _: Args<'_>) -> Option<bool> {
        None
    }

    fn interrupt(&mut self) -> Result<(), Stop> {
        match self.until {
            Some(until) if Instant::now() > until => Err(Stop),
            _ => Ok(()),
        }
    }
}

impl Vm {
    /// Loads a library, in place of the one that has the same name; which functions it has.
    ///
    /// # Errors
    /// If it is none. Whichever had the name is gone then.
    pub fn load_library(&mut self, name: &[u8], code: &[u8], loader: Loader) -> Result<Vec<Registered>, LoadError> {
        self.forget_library(name);
        let functions = self.register(code, loader)?;
        let mut registered = Vec::with_capacity(functions.len());
        let mut kept = HashMap::with_capacity(functions.len());
        for (function, callback) in functions {
            kept.insert(function.name.to_ascii_lowercase(), callback);
            registered.push(function);
        }
        if let Some(libraries) = &mut self.libraries {
            libraries.loaded.insert(name.to_vec(), kept);
        }
        Ok(registered)
    }

    /// Lets go of a library; its memory is free after the next collection of garbage.
    pub fn forget_library(&mut self, name: &[u8]) {
        let libraries = self.libraries.as_mut();
        let functions = libraries.and_then(|libraries| libraries.loaded.remove(name));
        for (_, function) in functions.into_iter().flatten() {
            self.state.let_go(function);
        }
    }

    /// Runs the code of a library, which registers its functions.
    fn register(&mut self, code: &[u8], loader: Loader) -> Result<Vec<(Registered, Kept)>, LoadError> {
        if self.libraries.is_none() {
            self.libraries = Some(self.prepare());
        }
        let (state, context) = (&self.state, self.state.context());
        let loading = Loading {
            functions: Vec::new(),
            is_flag: loader.is_flag,
            bytes: 0,
        };
        context.loading.replace(Some(loading));
        self.show(|libraries| &libraries.loading);
        let loaded = state.with_stack(|stack| {
            if !state.compile(stack, without_shebang(code), c"@user_function") {
                return Err(LoadError::Compile(stack.string(-1).unwrap_or_default().to_vec()));
            }
            let mut host = Hurry {
                until: Instant::now().checked_add(loader.limit),
                is_quiet: loader.is_quiet,
            };
            state.interrupter().arm();
            let ended = state.run(stack, 0, &mut host);
            if context.is_stopped.get() {
                return Err(LoadError::Register(b"ERR FUNCTION LOAD timeout".to_vec()));
            }
            match ended {
                Ended::Returned => Ok(()),
                Ended::Raised | Ended::OutOfMemory => Err(LoadError::Register(raised(stack))),
            }
        });
        self.show(|libraries| &libraries.running);
        let functions = context.loading.take().map(|loading| loading.functions);
        let functions = functions.unwrap_or_default();
        let loaded = loaded.and(if functions.is_empty() {
            Err(LoadError::Empty)
        } else {
            Ok(())
        });
        if let Err(error) = loaded {
            for (_, callback) in functions {
                self.state.let_go(callback);
            }
            self.collect_garbage();
            return Err(error);
        }
        Ok(functions)
    }

    /// Makes what libraries find.
    fn prepare(&self) -> Libraries {
        self.state.with_stack(|stack| {
            let loading = push_loading(stack, self.version);
            self.state.push_globals(stack);
            let running = stack.keep();
            self.state.push_kept(stack, &running);
            stack.push_view();
            stack.push_copy(-1);
            let globals = stack.keep();
            self.state.set_globals(stack);
            Libraries {
                globals,
                loading,
                running,
                loaded: HashMap::new(),
            }
        })
    }

    /// Has the globals of libraries show something else.
    fn show(&self, what: impl Fn(&Libraries) -> &Kept) {
        let Some(libraries) = &self.libraries else { return };
        self.state.with_stack(|stack| {
            self.state.push_kept(stack, &libraries.globals);
            let view = stack.top();
            self.state.push_kept(stack, what(libraries));
            stack.show_in_view(view);
        });
    }
}

/// What there is while a library is loaded: the table `redis`.
fn push_loading(stack: &mut Stack<'_>, version: &str) -> Kept {
    stack.push_table(0, 1);
    let globals = stack.top();
    api::push_table(stack, Whose::Loading, version);
    sandbox::miss_loudly(stack, globals + 1);
    stack.push_view();
    stack.set_field(globals, "redis");
    sandbox::miss_loudly(stack, globals);
    stack.keep()
}

/// The text of the error on top.
fn raised(stack: &mut Stack<'_>) -> Vec<u8> {
    if stack.kind(-1) != Kind::Table {
        return [b"ERR ", stack.string(-1).unwrap_or(b"execution failure")].concat();
    }
    stack.get_field(-1, "err");
    stack.string(-1).unwrap_or(b"ERR unknown error").to_vec()
}
